//! An error and its causes as one line.

use std::{
    error::Error,
    fmt::{self, Write},
};

/// The most characters of the line. An error may quote what a client or another server sent.
const MAX_CHARS: usize = 1000;

/// An error and its causes, joined by colons, as one line: controls are escaped, and a long text is cut.
pub(crate) struct Causes<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Line { out: f, left: MAX_CHARS };
        write!(line, "{}", self.0)?;
        let mut cause = self.0.source();
        // An error that is its own cause ends with the line.
        while let Some(error) = cause.filter(|_| line.left > 0) {
            write!(line, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Writes the first characters of a text, without controls.
struct Line<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    left: usize,
}

impl Write for Line<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.left == 0 {
                return Ok(());
            }
            self.left -= 1;
            match c {
                // Of the separators of lines and paragraphs some readers of logs make lines, too.
                c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                    write!(self.out, "{}", c.escape_default())?;
                }
                c => self.out.write_char(c)?,
            }
            if self.left == 0 {
                self.out.write_str("...")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot save the note")]
    struct Outer(#[source] io::Error);

    /// An error that is its own cause.
    #[derive(Debug, thiserror::Error)]
    #[error("again")]
    struct Circle;

    #[test]
    fn causes_are_one_line_joined_by_colons() {
        let error = Outer(io::Error::other("disk\r\nhttp: forged \u{1b}[2J\u{2028}\u{85}é"));
        let line = Causes(&error).to_string();
        assert_eq!(line, "cannot save the note: disk\\r\\nhttp: forged \\u{1b}[2J\\u{2028}\\u{85}é");
    }

    #[test]
    fn a_line_of_causes_is_cut_at_1000_characters() {
        let long = Causes(&Outer(io::Error::other("é".repeat(10_000)))).to_string();
        assert_eq!(long.chars().count(), MAX_CHARS + 3);
        assert!(long.ends_with("é..."));
        #[derive(Debug)]
        struct Endless(Circle);
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl Error for Endless {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(ENDLESS)
            }
        }
        static ENDLESS: &(dyn Error + Send + Sync) = &Endless(Circle);
        assert_eq!(Causes(ENDLESS).to_string().chars().count(), MAX_CHARS + 3);
    }
}
