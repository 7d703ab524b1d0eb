//! JSON as it is written: objects and arrays in one string.
//!
//! By hand: a tick has some 30 KB of it four times a second, and a general serializer costs several times as much.

use std::fmt::{self, Write};

use http::StatusCode;

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Object<'a> {
    out: &'a mut String,
    is_first: bool,
}

/// An array that is being written.
#[derive(Debug)]
pub(super) struct Array<'a> {
    out: &'a mut String,
    is_first: bool,
}

/// An object as text.
pub(super) fn object(write: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = String::new();
    put_object(&mut out, write);
    out
}

/// Appends an object.
#[inline]
pub(super) fn put_object(out: &mut String, write: impl FnOnce(&mut Object<'_>)) {
    out.push('{');
    write(&mut Object { out, is_first: true });
    out.push('}');
}

#[inline]
fn put_array(out: &mut String, write: impl FnOnce(&mut Array<'_>)) {
    out.push('[');
    write(&mut Array { out, is_first: true });
    out.push(']');
}

impl Object<'_> {
    /// The keys are names of this program, which need no escapes.
    #[inline]
    fn key(&mut self, key: &str) -> &mut String {
        self.out.push_str(if self.is_first { "\"" } else { ",\"" });
        self.is_first = false;
        self.out.push_str(key);
        self.out.push_str("\":");
        self.out
    }

    #[inline]
    pub(super) fn number(&mut self, key: &str, value: u64) {
        put_number(self.key(key), value);
    }

    #[inline]
    pub(super) fn count(&mut self, key: &str, value: usize) {
        self.number(key, value as u64);
    }

    pub(super) fn status(&mut self, key: &str, value: Option<StatusCode>) {
        self.maybe_number(key, value.map(|status| status.as_u16().into()));
    }

    #[inline]
    pub(super) fn maybe_number(&mut self, key: &str, value: Option<u64>) {
        match value {
            Some(value) => self.number(key, value),
            None => self.null(key),
        }
    }

    #[inline]
    pub(super) fn flag(&mut self, key: &str, value: bool) {
        self.key(key).push_str(if value { "true" } else { "false" });
    }

    #[inline]
    pub(super) fn null(&mut self, key: &str) {
        self.key(key).push_str("null");
    }

    /// A name of this program, which needs no escapes.
    #[inline]
    pub(super) fn name(&mut self, key: &str, value: &'static str) {
        let out = self.key(key);
        out.push('"');
        out.push_str(value);
        out.push('"');
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

    #[inline]
    pub(super) fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) {
        put_object(self.key(key), write);
    }

    #[inline]
    pub(super) fn array(&mut self, key: &str, write: impl FnOnce(&mut Array<'_>)) {
        put_array(self.key(key), write);
    }
}

impl Array<'_> {
    #[inline]
    fn next(&mut self) -> &mut String {
        if !self.is_first {
            self.out.push(',');
        }
        self.is_first = false;
        self.out
    }

    #[inline]
    pub(super) fn object(&mut self, write: impl FnOnce(&mut Object<'_>)) {
        put_object(self.next(), write);
    }

    pub(super) fn text(&mut self, value: impl fmt::Display) {
        put_text(self.next(), value);
    }
}

/// Escapes what is written to it (RFC 8259 §7).
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|char: char| matches!(char, '"' | '\\' | '\0'..='\x1f')) {
            self.0.push_str(&rest[..at]);
            // Always one byte: those are all ASCII.
            match rest.as_bytes()[at] {
                byte @ (b'"' | b'\\') => self.0.extend(['\\', byte as char]),
                b'\n' => self.0.push_str("\\n"),
                byte => write!(self.0, "\\u{byte:04x}")?,
            }
            rest = &rest[at + 1..];
        }
        self.0.push_str(rest);
        Ok(())
    }
}

fn put_text(out: &mut String, value: impl fmt::Display) {
    out.push('"');
    // An error is one of the value, whose text ends there.
    let _ = write!(Escaped(out), "{value}");
    out.push('"');
}

/// Appends a number. `fmt` costs five times as much.
#[inline]
fn put_number(out: &mut String, mut value: u64) {
    let (mut digits, mut at) = ([b'0'; 20], 20);
    // Two at a time: half as many divisions.
    while value >= 10 {
        at -= 2;
        let two = (value % 100) as u8;
        (digits[at], digits[at + 1]) = (b'0' + two / 10, b'0' + two % 10);
        value /= 100;
    }
    if value > 0 || at == 20 {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
    }
    out.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
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
