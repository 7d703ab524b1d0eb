//! The preface of HTTP/2: the first bytes of a client that speaks it in cleartext with prior knowledge.

/// Whether a connection begins with the preface of HTTP/2: 24 bytes by which a client says, without asking first, that
/// it speaks HTTP/2 in cleartext.
///
/// The preface is no request of HTTP/1.1: its method has no handler and its version is refused with 505. So a server that
/// speaks only HTTP/1.1 answers it by its own rules.
///
/// # Example
/// ```
/// use quintet_request::Preface;
///
/// assert_eq!(Preface::look(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0"), Preface::Whole);
/// assert_eq!(Preface::look(b"PRI * HT"), Preface::Partial);
/// assert_eq!(Preface::look(b"GET / HTTP/1.1\r\n"), Preface::Absent);
/// ```
///
/// # Spec
/// RFC 9113 §3.3, §3.4. Go: `(*conn).serve` with `Protocols.UnencryptedHTTP2`.
#[doc(alias = "h2c")]
#[doc(alias = "prior knowledge")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preface {
    /// These bytes are not the beginning of a preface.
    Absent,
    /// These bytes are the beginning of a preface, or empty: read more.
    Partial,
    /// These bytes begin with a whole preface.
    Whole,
}

impl Preface {
    /// The bytes of the preface.
    pub const BYTES: &'static [u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    /// Compares the first bytes of a connection with the preface.
    #[must_use]
    #[inline]
    pub fn look(bytes: &[u8]) -> Self {
        let seen = bytes.len().min(Self::BYTES.len());
        if bytes[..seen] != Self::BYTES[..seen] {
            Self::Absent
        } else if seen < Self::BYTES.len() {
            Self::Partial
        } else {
            Self::Whole
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preface_is_seen_at_every_split_point() {
        let whole = [Preface::BYTES.as_slice(), b"\0\0\0\x04\0\0\0\0\0"].concat();
        for end in 0..=whole.len() {
            let expected = if end < 24 { Preface::Partial } else { Preface::Whole };
            assert_eq!(Preface::look(&whole[..end]), expected, "{end} bytes");
        }
    }

    #[test]
    fn a_preface_with_one_other_byte_is_absent() {
        for at in 0..24 {
            for other in [b' ', b'\r', b'a', 0, 0xff] {
                let mut bytes = *Preface::BYTES;
                if bytes[at] == other {
                    continue;
                }
                bytes[at] = other;
                assert_eq!(Preface::look(&bytes), Preface::Absent, "byte {at} is {other}");
                assert_eq!(Preface::look(&bytes[..=at]), Preface::Absent, "byte {at} is {other}, and the last");
                if at > 0 {
                    assert_eq!(Preface::look(&bytes[..at]), Preface::Partial, "before byte {at}");
                }
            }
        }
    }

    #[test]
    fn a_request_of_http1_is_no_preface() {
        for bytes in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "PRI * HTTP/1.1\r\nHost: a\r\n\r\n",
            "PRI * HTTP/2.0\r\nHost: a\r\n\r\n",
            "PRI * HTTP/2.0\n\nSM\n\n",
            "PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "pri * http/2.0\r\n\r\nsm\r\n\r\n",
        ] {
            assert_eq!(Preface::look(bytes.as_bytes()), Preface::Absent, "{bytes:?}");
        }
    }
}
