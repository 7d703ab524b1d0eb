//! The places of the parts of a head that the line of a log names.

use quintet_request::{HeadRef, Span, Version};

const USER_AGENT: &[u8; 10] = b"user-agent";
const REFERER: &[u8; 7] = b"referer";

/// The places of the parts of a head that the line of a log names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeadParts {
    pub(super) method: Span,
    pub(super) target: Span,
    pub(super) host: Option<Span>,
    pub(super) user_agent: Option<Span>,
    pub(super) referer: Option<Span>,
    pub(super) version: Version,
}

impl HeadParts {
    /// The places in the bytes of this head.
    #[inline]
    pub(super) fn of(head: HeadRef<'_>) -> Self {
        let (index, mut user_agent, mut referer) = (head.index(), None, None);
        // The first one of each, found in one pass; the names of nearly all other fields have other lengths.
        for field in index.fields() {
            let (name, found) = match field.name.len as usize {
                n if n == USER_AGENT.len() => (USER_AGENT.as_slice(), &mut user_agent),
                n if n == REFERER.len() => (REFERER.as_slice(), &mut referer),
                _ => continue,
            };
            if found.is_none() && field.name.of(head.as_bytes()).eq_ignore_ascii_case(name) {
                *found = Some(field.value);
            }
        }
        let (method, target, host) = (index.method(), index.target(), index.host());
        Self { method, target, host, user_agent, referer, version: index.version() }
    }

    /// Appends the parts, which are places in `head`, to `bytes`, and returns their places there.
    pub(super) fn copy(mut self, head: &[u8], bytes: &mut Vec<u8>) -> Self {
        let Self { method, target, host, user_agent, referer, .. } = &mut self;
        let spans = [Some(method), Some(target), host.as_mut(), user_agent.as_mut(), referer.as_mut()];
        for span in spans.into_iter().flatten() {
            let part = span.of(head);
            // The parts of one head are no more than that head, whose places have 32 bits.
            span.start = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(part);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use quintet_request::Head;

    use super::*;

    fn texts(parts: HeadParts, bytes: &[u8]) -> [String; 5] {
        let HeadParts { method, target, host, user_agent, referer, .. } = parts;
        [Some(method), Some(target), host, user_agent, referer].map(|span| {
            span.map_or_else(|| "-".to_owned(), |span| String::from_utf8_lossy(span.of(bytes)).into_owned())
        })
    }

    #[test]
    fn the_parts_of_a_head_are_found_and_copied() {
        for (bytes, expected) in [
            (&b"GET / HTTP/1.0\r\n\r\n"[..], ["GET", "/", "-", "-", "-"]),
            (b"\r\nPUT /a?b HTTP/1.1\r\nHost: \r\n\r\n", ["PUT", "/a?b", "", "-", "-"]),
            (
                b"GET http://b/ HTTP/1.1\r\nConnection: close\r\nrEfErEr:  x \r\nHost: b\r\nUSER-Agent: y\r\nuser-agent: z\r\n\r\n",
                ["GET", "http://b/", "b", "y", "x"],
            ),
            (b"GET / HTTP/1.1\r\nHost: a\r\nReferer:\r\nReferer: b\r\nUser_Agents: c\r\n\r\n", ["GET", "/", "a", "-", ""]),
        ] {
            let mut head = Head::default();
            assert_eq!(head.parse(bytes, &Default::default()), Ok(Some(bytes.len())));
            let parts = HeadParts::of(head.as_ref());
            assert_eq!(texts(parts, bytes), expected);
            let mut copy = b"before".to_vec();
            let copied = parts.copy(bytes, &mut copy);
            assert_eq!(texts(copied, &copy), expected);
            assert_eq!(copied.version, parts.version);
            assert_eq!(copy.len(), 6 + expected.iter().filter(|text| **text != "-").map(|text| text.len()).sum::<usize>());
        }
    }
}
