//! What the first bytes on a TLS port are: a TLS handshake, an HTTP request, or something else.

/// What a client that connects to a TLS port begins with. Decided by at most five bytes.
///
/// ```
/// use quintet_listener::FirstBytes;
///
/// assert_eq!(FirstBytes::read(b"\x16\x03\x01"), Some(FirstBytes::Handshake));
/// assert_eq!(FirstBytes::read(b"GET / HTTP/1.1\r\n"), Some(FirstBytes::Http));
/// assert_eq!(FirstBytes::read(b"GET"), None); // not decided yet
/// assert_eq!(FirstBytes::read(b"SSH-2.0-OpenSSH"), Some(FirstBytes::Other));
/// ```
///
/// # Spec
/// RFC 8446 §5.1: a record of type `handshake` begins with 22. Go: `tlsRecordHeaderLooksLikeHTTP` (server.go), which
/// knows five methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FirstBytes {
    /// A record of a TLS handshake.
    Handshake,
    /// A method of HTTP: a client that speaks plain HTTP to a TLS port.
    Http,
    /// Anything else.
    Other,
}

impl FirstBytes {
    /// Decides by the beginning of what a client sent; `None` if more bytes are needed.
    ///
    /// More bytes never change a decision.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        const HANDSHAKE: u8 = 22;
        // The beginnings of the methods of RFC 9110 and 5789, and of the connection preface of HTTP/2.
        const METHODS: [&[u8; 5]; 10] =
            [b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO", b"DELET", b"PATCH", b"CONNE", b"TRACE", b"PRI *"];
        let beginning = &bytes[..bytes.len().min(5)];
        match beginning {
            [] => None,
            [HANDSHAKE, ..] => Some(Self::Handshake),
            _ if !METHODS.iter().any(|method| method.starts_with(beginning)) => Some(Self::Other),
            _ => (beginning.len() == 5).then_some(Self::Http),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_handshake_an_http_method_and_anything_else_are_told_apart() {
        for (bytes, first) in [
            (&b""[..], None),
            (b"\x16", Some(FirstBytes::Handshake)),
            (b"\x16\x03\x01\x02\x00\x01", Some(FirstBytes::Handshake)),
            (b"G", None),
            (b"GET ", None),
            (b"GET /", Some(FirstBytes::Http)),
            (b"HEAD / HTTP/1.1", Some(FirstBytes::Http)),
            (b"POST / HTTP/1.1", Some(FirstBytes::Http)),
            (b"PUT / HTTP/1.1", Some(FirstBytes::Http)),
            (b"OPTIONS * HTTP/1.1", Some(FirstBytes::Http)),
            (b"DELETE / HTTP/1.1", Some(FirstBytes::Http)),
            (b"PATCH / HTTP/1.1", Some(FirstBytes::Http)),
            (b"CONNECT a:443 HTTP/1.1", Some(FirstBytes::Http)),
            (b"TRACE / HTTP/1.1", Some(FirstBytes::Http)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(FirstBytes::Http)),
            (b"get /", Some(FirstBytes::Other)),
            (b"GETX/", Some(FirstBytes::Other)),
            (b"\r\nGET / HTTP/1.1", Some(FirstBytes::Other)),
            (b"\x15\x03\x01\x00\x02", Some(FirstBytes::Other)),
            (b"\x17\x03\x03", Some(FirstBytes::Other)),
            (b"\x80\x2e\x01\x00\x02", Some(FirstBytes::Other)), // a ClientHello of SSL 2
            (b"PROXY TCP4 192.0.2.1", Some(FirstBytes::Other)),
            (b"\0", Some(FirstBytes::Other)),
        ] {
            assert_eq!(FirstBytes::read(bytes), first, "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn more_bytes_never_change_a_decision(bytes in prop::collection::vec(any::<u8>(), 0..8)) {
            let whole = FirstBytes::read(&bytes);
            let first = (0..=bytes.len()).find_map(|n| FirstBytes::read(&bytes[..n]));
            prop_assert_eq!(whole, first);
        }
    }
}
