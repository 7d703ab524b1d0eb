//! The bytes of a head by what the parser took them for, as JSON.

use quintet_request::{HeadError, HeadRef, Index, Limits};

use super::json::{Array, object};

/// The parts of a head by what the parser took them for; or as far as they are read, and the error.
///
/// Shape: `{"bytes": [{"start", "end", "text", "class"}, …], "error": null | {"rule", "offset", "status"}}`
/// Units: bytes; the spans are in order, do not overlap, and cover all bytes
pub(super) fn head_spans(bytes: &[u8], limits: &Limits) -> String {
    let mut index = Index::default();
    let parsed = index.parse(bytes, limits);
    let (spans, error) = match parsed {
        Ok(Some(len)) => (of_index(bytes, len, &index), None),
        Ok(None) => (of_lines(bytes, bytes.len()), Some(HeadError::Incomplete { at: at(bytes.len()) })),
        Err(error) => (of_lines(bytes, (error.at() as usize).min(bytes.len())), Some(error)),
    };
    written(bytes, &spans, error)
}

/// The parts of the head of a request, in the same shape. They are not parsed again: over HTTP/2 the head is no text that the
/// parser takes, and the limits of the server may be others than the default.
pub(super) fn request_spans(head: HeadRef<'_>) -> String {
    let bytes = head.as_bytes();
    written(bytes, &of_index(bytes, bytes.len(), head.index()), None)
}

fn written(bytes: &[u8], spans: &[Part], error: Option<HeadError>) -> String {
    object(|out| {
        out.array("bytes", |array| spans.iter().for_each(|span| span.write(bytes, array)));
        match error {
            None => out.null("error"),
            Some(error) => out.object("error", |out| {
                out.text("rule", error);
                out.number("offset", error.at().into());
                out.status("status", Some(error.status()));
            }),
        }
    })
}

fn at(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// One part of a head.
struct Part {
    start: usize,
    end: usize,
    class: &'static str,
}

impl Part {
    fn write(&self, bytes: &[u8], array: &mut Array<'_>) {
        array.object(|out| {
            out.count("start", self.start);
            out.count("end", self.end);
            out.text("text", String::from_utf8_lossy(&bytes[self.start..self.end]));
            out.name("class", self.class);
        });
    }
}

/// Parts in order, without a gap.
struct Parts<'a> {
    bytes: &'a [u8],
    parts: Vec<Part>,
    at: usize,
}

impl<'a> Parts<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, parts: Vec::new(), at: 0 }
    }

    /// What follows, up to `end`, is of this class.
    fn until(&mut self, end: usize, class: &'static str) {
        let end = end.min(self.bytes.len());
        if end > self.at {
            self.parts.push(Part { start: self.at, end, class });
            self.at = end;
        }
    }

    /// What follows, up to this part of the bytes, is of the first class, and the part of the second.
    fn part(&mut self, part: &[u8], between: &'static str, class: &'static str) {
        // Where the part is: it is a slice of the bytes.
        let start = part.as_ptr().addr().saturating_sub(self.bytes.as_ptr().addr());
        self.until(start, between);
        self.until(start + part.len(), class);
    }

    /// The blanks and the end of a line that follow.
    fn end_line(&mut self) {
        while self.bytes.get(self.at).is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            self.until(self.at + 1, "space");
        }
        while let Some(b'\r' | b'\n') = self.bytes.get(self.at) {
            let end = self.at + 1;
            let is_line_end = self.bytes[self.at] == b'\n';
            match self.parts.last_mut() {
                Some(last) if last.class == "crlf" && self.bytes[last.end - 1] == b'\r' => {
                    (last.end, self.at) = (end, end);
                }
                _ => self.until(end, "crlf"),
            }
            if is_line_end {
                break;
            }
        }
    }
}

/// The parts of a head that the parser accepted, by its index.
fn of_index(bytes: &[u8], len: usize, index: &Index) -> Vec<Part> {
    let (head, mut parts) = (HeadRef::new(bytes, index), Parts::new(bytes));
    parts.part(head.method_bytes(), "crlf", "method");
    parts.part(head.target_bytes(), "space", "target");
    parts.until(parts.at + 1, "space");
    parts.until(parts.at + "HTTP/1.1".len(), "version");
    parts.end_line();
    for field in index.fields() {
        parts.part(field.name.of(bytes), "crlf", "name");
        parts.until(parts.at + 1, "colon");
        parts.part(field.value.of(bytes), "space", "value");
        parts.end_line();
    }
    parts.until(len, "crlf");
    parts.until(bytes.len(), "body");
    parts.parts
}

/// The parts of a head that the parser refused: by lines, as far as `bad`, the offset of the byte that is wrong.
fn of_lines(bytes: &[u8], bad: usize) -> Vec<Part> {
    let (read, mut parts) = (&bytes[..bad], Parts::new(bytes));
    let mut is_first = true;
    while parts.at < bad {
        let rest = &read[parts.at..];
        let line = &rest[..rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len())];
        let end = parts.at + line.len();
        if is_first && !line.is_empty() {
            for class in ["method", "target", "version"] {
                let word = read[parts.at..end].iter().position(|byte| *byte == b' ').unwrap_or(end - parts.at);
                parts.until(parts.at + word, class);
                if class != "version" && parts.at < end {
                    parts.until(parts.at + 1, "space");
                }
            }
            is_first = false;
        } else if let Some(colon) = line.iter().position(|byte| *byte == b':') {
            parts.until(parts.at + colon, "name");
            parts.until(parts.at + 1, "colon");
            let blanks = read[parts.at..end].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            parts.until(parts.at + blanks, "space");
            parts.until(end, "value");
        } else {
            parts.until(end, "name");
        }
        parts.until(end, "value");
        let ends = read[end..].iter().take(2).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        parts.until(end + ends, "crlf");
    }
    parts.until(bad + 1, "bad");
    parts.until(bytes.len(), "body");
    parts.parts
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spans(bytes: &[u8]) -> (Vec<(String, String)>, Value) {
        let told: Value = serde_json::from_str(&head_spans(bytes, &Limits::default())).unwrap();
        let mut at = 0;
        let mut spans = Vec::new();
        for one in told["bytes"].as_array().unwrap() {
            let [start, end] = ["start", "end"].map(|key| usize::try_from(one[key].as_u64().unwrap()).unwrap());
            assert!(start == at && end > start, "{told}");
            at = end;
            assert_eq!(one["text"], String::from_utf8_lossy(&bytes[start..end]).into_owned());
            spans.push((one["class"].as_str().unwrap().to_owned(), one["text"].as_str().unwrap().to_owned()));
        }
        assert_eq!(at, bytes.len(), "{told}");
        (spans, told["error"].clone())
    }

    /// The parts as `class:text`, joined by `|`.
    fn shown(bytes: &[u8]) -> String {
        let parts = spans(bytes).0.into_iter().map(|(class, text)| format!("{class}:{text}"));
        parts.collect::<Vec<_>>().join("|").replace('\r', "r").replace('\n', "n")
    }

    #[test]
    fn an_accepted_head_is_shown_by_the_index() {
        for (head, expected) in [
            (
                &b"GET /a?b HTTP/1.1\r\nHost: a\r\nX:\t b \r\nY:\r\n\r\nbody"[..],
                "method:GET|space: |target:/a?b|space: |version:HTTP/1.1|crlf:rn|name:Host|colon::|space: |value:a|crlf:rn\
                 |name:X|colon::|space:\t |value:b|space: |crlf:rn|name:Y|colon::|crlf:rn|crlf:rn|body:body",
            ),
            (b"\r\nGET * HTTP/1.0\r\n\r\n", ""),
        ] {
            if !expected.is_empty() {
                assert_eq!(shown(head), expected);
                assert_eq!(spans(head).1, Value::Null);
            }
        }
    }

    #[test]
    fn a_refused_head_is_shown_up_to_its_first_wrong_byte() {
        for (head, offset, status, bad) in [
            (&b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n"[..], 42, 400, "bad: "),
            (b"GET / HTTP/1.1\nHost: a\r\n\r\n", 14, 400, "bad:n"),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", 31, 400, "bad: "),
        ] {
            let (parts, error) = spans(head);
            assert_eq!((&error["offset"], &error["status"]), (&json!(offset), &json!(status)), "{}", shown(head));
            assert!(shown(head).contains(&format!("|{bad}|")), "{}", shown(head));
            assert!(parts.iter().any(|(class, text)| class == "method" && text == "GET"));
        }
        let (parts, error) = spans(b"GET / HT");
        assert_eq!((&error["rule"], parts.len()), (&json!("head is incomplete after 8 bytes"), 5));
        assert_eq!(spans(b"").0, []);
    }

    #[test]
    fn the_spans_of_any_bytes_cover_them() {
        let head = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX:  y\t\r\n\r\nabc";
        for at in 0..head.len() {
            spans(&head[..at]);
            for byte in [0, b' ', b'\r', b'\n', b':', 0xff, b'a'] {
                let mut changed = head.to_vec();
                changed[at] = byte;
                spans(&changed);
                changed.insert(at, byte);
                spans(&changed);
            }
        }
    }
}
