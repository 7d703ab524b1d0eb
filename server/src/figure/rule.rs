//! The rule of a refusal as text, and the chapter that explains it.

use std::fmt;

use quintet_request::HeadError;

use crate::served::Refusal;

/// The rule of a refusal: its text has no byte of the client, only positions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule(pub(super) Refusal);

impl Rule {
    /// The chapter that explains the rule: a file of the repository, and a heading in it.
    pub(super) fn chapter(self) -> &'static str {
        match self.0 {
            // What can be read in two ways.
            Refusal::Head(
                HeadError::Framing { .. }
                | HeadError::SpaceBeforeColon { .. }
                | HeadError::BareLf { .. }
                | HeadError::BareCr { .. }
                | HeadError::Fold { .. }
                | HeadError::DuplicateHost { .. }
                | HeadError::HostDisagrees { .. },
            ) => "request/README.md#where-does-a-message-end",
            Refusal::Head(_) | Refusal::UnexpectedEof => "request/README.md#the-rules",
            Refusal::HeadTimeout => "conn/README.md#timeouts",
            Refusal::Misdirected => "server/README.md#the-rules-of-tls",
            Refusal::NoPlace => "server/README.md#http2",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Refusal::Head(error) => error.fmt(f),
            Refusal::HeadTimeout => f.write_str("the head arrived too slowly"),
            Refusal::UnexpectedEof => f.write_str("the head ended early"),
            Refusal::Misdirected => f.write_str("this connection is for another host"),
            Refusal::NoPlace => f.write_str("no handler of the connection ended in time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use quintet_request::FramingError;

    use super::*;

    /// The anchor of a heading, as on the page of a repository.
    fn anchor(heading: &str) -> String {
        let kept = heading.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    }

    #[test]
    fn the_chapter_of_each_rule_is_a_heading_of_a_readme() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for refusal in [
            Refusal::Head(HeadError::Method { at: 0 }),
            Refusal::Head(HeadError::BareLf { at: 0 }),
            Refusal::Head(HeadError::Framing { at: 0, why: FramingError::LengthAndCoding }),
            Refusal::HeadTimeout,
            Refusal::UnexpectedEof,
            Refusal::Misdirected,
            Refusal::NoPlace,
        ] {
            let (file, wanted) = Rule(refusal).chapter().split_once('#').unwrap();
            let text = fs::read_to_string(root.join(file)).unwrap();
            let headings =
                text.lines().filter(|line| line.starts_with("##")).map(|line| line.trim_start_matches('#').trim());
            assert!(headings.map(anchor).any(|heading| heading == wanted), "{refusal:?}: {file}#{wanted}");
            assert!(!Rule(refusal).to_string().is_empty());
        }
    }
}
