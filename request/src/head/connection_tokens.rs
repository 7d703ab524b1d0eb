//! The options of `Connection` fields, in requests and in replies. RFC 9110 §7.6.1.

use crate::byte;

/// Which of the three options that matter here the `Connection` fields have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectionTokens {
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
}

impl ConnectionTokens {
    /// Adds the options of one field's value, which has no controls but tabs.
    pub(crate) fn note(&mut self, value: &[u8]) {
        // The usual value is one word, which needs no splitting.
        if byte::find(b',', value).is_none() {
            return self.note_token(byte::trim(value));
        }
        value.split(|&byte| byte == b',').for_each(|token| self.note_token(byte::trim(token)));
    }

    #[inline]
    fn note_token(&mut self, token: &[u8]) {
        match token.len() {
            5 => self.close |= byte::is_word(token, b"close"),
            7 => self.upgrade |= byte::is_word(token, b"upgrade"),
            10 => self.keep_alive |= byte::is_word(token, b"keep-alive"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_options_are_found_in_any_case_and_place() {
        for (value, close, keep_alive, upgrade) in [
            ("close", true, false, false),
            ("Keep-Alive", false, true, false),
            ("UPGRADE", false, false, true),
            (" close\t", true, false, false),
            ("x, Close", true, false, false),
            ("close,upgrade,,keep-alive", true, true, true),
            ("", false, false, false),
            ("closed", false, false, false),
            ("clos", false, false, false),
            ("close;q=1", false, false, false),
            ("x close", false, false, false),
            ("\t,\tclose\t,", true, false, false),
        ] {
            let mut tokens = ConnectionTokens::default();
            tokens.note(value.as_bytes());
            assert_eq!(tokens, ConnectionTokens { close, keep_alive, upgrade }, "{value:?}");
        }
    }

    #[test]
    fn connection_fields_add_up() {
        let mut tokens = ConnectionTokens::default();
        for value in ["keep-alive", "\u{e9}", "close"] {
            tokens.note(value.as_bytes());
        }
        assert_eq!(tokens, ConnectionTokens { close: true, keep_alive: true, upgrade: false });
    }
}
