//! JSON as it is written: objects and arrays in one vector of bytes.
//!
//! By hand: a tick has some 30 KB of it four times a second, and a general serializer costs several times as much.

use std::fmt::{self, Write};

use http::StatusCode;

use crate::access_log::push_decimal;

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
}

/// An array that is being written.
#[derive(Debug)]
pub(super) struct Array<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
}

/// An object as text.
pub(super) fn object(write: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = Vec::new();
    put_object(&mut out, write);
    String::from_utf8(out).unwrap_or_default()
}

/// Appends an object.
#[inline]
pub(super) fn put_object(out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    write(&mut Object { out, is_first: true });
    out.push(b'}');
}

#[inline]
fn put_array(out: &mut Vec<u8>, write: impl FnOnce(&mut Array<'_>)) {
    out.push(b'[');
    write(&mut Array { out, is_first: true });
    out.push(b']');
}

impl Object<'_> {
    /// The keys are names of this program, which need no escapes.
    ///
    /// Always inlined, as those are that pass it on: then the length of a key is known where it is copied, and no copy is a
    /// call.
    #[inline(always)]
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.is_first {
            self.out.push(b',');
        }
        self.is_first = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    #[inline(always)]
    pub(super) fn number(&mut self, key: &str, value: u64) {
        push_decimal(self.key(key), value);
    }

    #[inline(always)]
    pub(super) fn count(&mut self, key: &str, value: usize) {
        self.number(key, value as u64);
    }

    pub(super) fn status(&mut self, key: &str, value: Option<StatusCode>) {
        self.maybe_number(key, value.map(|status| status.as_u16().into()));
    }

    #[inline(always)]
    pub(super) fn maybe_number(&mut self, key: &str, value: Option<u64>) {
        match value {
            Some(value) => self.number(key, value),
            None => self.null(key),
        }
    }

    #[inline(always)]
    pub(super) fn flag(&mut self, key: &str, value: bool) {
        self.key(key).extend_from_slice(if value { b"true" } else { b"false" });
    }

    #[inline(always)]
    pub(super) fn null(&mut self, key: &str) {
        self.key(key).extend_from_slice(b"null");
    }

    /// A name of this program, which needs no escapes.
    #[inline(always)]
    pub(super) fn name(&mut self, key: &str, value: &'static str) {
        let out = self.key(key);
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    }

    /// Any text.
    pub(super) fn text(&mut self, key: &str, value: impl fmt::Display) {
        put_text(self.key(key), value);
    }

    pub(super) fn maybe_text(&mut self, key: &str, value: Option<impl fmt::Display>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.null(key),
        }
    }

    #[inline(always)]
    pub(super) fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) {
        put_object(self.key(key), write);
    }

    #[inline(always)]
    pub(super) fn array(&mut self, key: &str, write: impl FnOnce(&mut Array<'_>)) {
        put_array(self.key(key), write);
    }
}

impl Array<'_> {
    #[inline]
    fn next(&mut self) -> &mut Vec<u8> {
        if !self.is_first {
            self.out.push(b',');
        }
        self.is_first = false;
        self.out
    }

    #[inline(always)]
    pub(super) fn object(&mut self, write: impl FnOnce(&mut Object<'_>)) {
        put_object(self.next(), write);
    }

    pub(super) fn text(&mut self, value: impl fmt::Display) {
        put_text(self.next(), value);
    }
}

/// Escapes what is written to it (RFC 8259 §7).
struct Escaped<'a>(&'a mut Vec<u8>);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        // Those are all ASCII, so no byte of a longer character is one of them.
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)) {
            self.0.extend_from_slice(&rest[..at]);
            match rest[at] {
                byte @ (b'"' | b'\\') => self.0.extend_from_slice(&[b'\\', byte]),
                b'\n' => self.0.extend_from_slice(b"\\n"),
                byte => self.0.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            }
            rest = &rest[at + 1..];
        }
        self.0.extend_from_slice(rest);
        Ok(())
    }
}

fn put_text(out: &mut Vec<u8>, value: impl fmt::Display) {
    out.push(b'"');
    // An error is one of the value, whose text ends there.
    let _ = write!(Escaped(out), "{value}");
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_what_a_json_parser_reads() {
        let text = "a\"b\\c\n\r\t\0\u{1f}\u{7f} é 😀 </script> \u{2028}";
        let written = object(|o| {
            for (name, number) in [("zero", 0), ("nine", 9), ("ten", 10), ("more", 1_002_003), ("most", u64::MAX)] {
                o.number(name, number);
            }
            o.text("text", text);
            o.maybe_text("none", None::<&str>);
            o.maybe_number("absent", None);
            o.status("status", Some(StatusCode::IM_A_TEAPOT));
            o.flag("yes", true);
            o.name("name", "idle");
            o.object("empty", |_| ());
            o.array("list", |list| {
                list.object(|o| o.count("n", 1));
                list.text("two");
                list.object(|_| ());
            });
        });
        let expected = serde_json::json!({
            "zero": 0, "nine": 9, "ten": 10, "more": 1_002_003, "most": u64::MAX, "text": text, "none": null, "absent": null, "status": 418,
            "yes": true, "name": "idle", "empty": {}, "list": [{"n": 1}, "two", {}],
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), expected);
        assert!(!written.contains('\n'), "an event has one line");
    }
}
