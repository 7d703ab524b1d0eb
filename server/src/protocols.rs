//! The protocols that a server speaks, and which of them a connection does.

use quintet_conn::{BLOCK, Connection, Filled, State, Wire};
use quintet_listener::Stream;
use quintet_request::Preface;

/// The name of HTTP/2 in ALPN (RFC 9113 §3.2).
const H2: &[u8] = b"h2";
/// The name of HTTP/1.1 in ALPN (RFC 7301 §6).
#[cfg(feature = "tls")]
const HTTP11: &[u8] = b"http/1.1";

/// The protocols that a server speaks. Go: `http.Protocols`.
///
/// Over TLS the handshake chooses one (ALPN); a client that names none speaks HTTP/1.1. Without TLS, HTTP/2 is spoken to a
/// client that begins with its preface, if [`unencrypted_http2`](Self::unencrypted_http2) is set. `Upgrade: h2c` is
/// ignored, as in Go: RFC 9113 §3.1 made it obsolete. A client that speaks another protocol than the chosen one is
/// refused: an HTTP/1.1 client with 505 for the preface, an HTTP/2 connection with GOAWAY for a request line.
///
/// A set without any protocol means HTTP/1.1, as in Go. Written with `..Protocols::default()`.
///
/// # Example
/// ```
/// use quintet_server::{Config, Protocols, Server};
///
/// // gRPC without TLS, behind a proxy.
/// let protocols = Protocols { unencrypted_http2: true, ..Protocols::default() };
/// let server = Server::with_config(async |_| "hello\n", Config { protocols, ..Config::default() });
/// ```
#[doc(alias = "HTTP2")]
#[doc(alias = "h2c")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// HTTP/1.1 and HTTP/1.0, over TLS and without: on.
    pub http1: bool,
    /// HTTP/2 over TLS: on.
    pub http2: bool,
    /// HTTP/2 without TLS, to a client that knows before that it is spoken here (prior knowledge): off. With it on, a new
    /// connection without TLS is read before it is known what it speaks.
    pub unencrypted_http2: bool,
}

impl Default for Protocols {
    fn default() -> Self {
        Self { http1: true, http2: true, unencrypted_http2: false }
    }
}

/// The protocol of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1, one request at a time.
    Http1,
    /// HTTP/2, many requests at once.
    Http2,
    /// None that the server speaks: the connection closes. Go does so too.
    Unspoken,
}

impl Protocols {
    /// The names for ALPN, the preferred one first. Go: `adjustNextProtos`.
    #[cfg(feature = "tls")]
    pub(crate) fn alpn(self) -> &'static [&'static [u8]] {
        match (self.speaks_http1(), self.http2) {
            (true, true) => &[H2, HTTP11],
            (false, true) => &[H2],
            (_, false) => &[HTTP11],
        }
    }

    fn speaks_http1(self) -> bool {
        self.http1 || !(self.http2 || self.unencrypted_http2)
    }

    fn http1(self) -> Protocol {
        if self.speaks_http1() { Protocol::Http1 } else { Protocol::Unspoken }
    }

    /// The protocol of a connection over TLS, by the one that ALPN chose; empty if the client named none.
    fn by_alpn(self, chosen: &[u8]) -> Protocol {
        match chosen {
            H2 if self.http2 => Protocol::Http2,
            H2 => Protocol::Unspoken,
            // A configuration with names of its own may offer what this server does not speak. Bytes of another protocol
            // must not be read as requests (RFC 7301 §5).
            chosen if chosen.is_empty() || chosen.starts_with(b"http/1.") => self.http1(),
            _ => Protocol::Unspoken,
        }
    }

    /// The protocol of a connection without TLS, by its first bytes; `None`: read more.
    fn by_first_bytes(self, bytes: &[u8]) -> Option<Protocol> {
        if !self.unencrypted_http2 {
            return Some(self.http1());
        }
        match Preface::look(bytes) {
            Preface::Whole => Some(Protocol::Http2),
            Preface::Absent => Some(self.http1()),
            Preface::Partial => None,
        }
    }

    /// The protocol of an open connection, if it is known before its first byte is read.
    #[inline]
    fn by_handshake(self, connection: &Connection) -> Option<Protocol> {
        match connection.negotiated_protocol() {
            Some(chosen) => Some(self.by_alpn(chosen)),
            None if self.unencrypted_http2 => None,
            None => Some(self.http1()),
        }
    }

    /// The protocol of an open connection. Without TLS its first bytes may have to be read for that; they stay in the wire.
    ///
    /// # Cancel safety
    /// Cancel safe: what was read stays in the wire.
    #[inline]
    pub(crate) async fn choose<S: Stream>(self, connection: &Connection, wire: &mut Wire<S>) -> Protocol {
        match self.by_handshake(connection) {
            Some(protocol) => protocol,
            // Boxed: only a server that speaks HTTP/2 without TLS pays for this wait.
            None => {
                let protocol = Box::pin(self.read(wire)).await;
                // `Requests` sets it when it reads the first byte of a head, and here that has been read. (A connection of
                // HTTP/2 becomes active with its first request.)
                if protocol == Protocol::Http1 && !wire.input.filled().is_empty() {
                    wire.set_state(State::Active);
                }
                protocol
            }
        }
    }

    /// Reads the first bytes until they tell. A client that sends too few is one of HTTP/1.1: reading its request finds the
    /// same end, or the same timeout, and answers it.
    async fn read<S: Stream>(self, wire: &mut Wire<S>) -> Protocol {
        loop {
            if let Some(protocol) = self.by_first_bytes(wire.input.filled()) {
                return protocol;
            }
            // The limit is one of bytes in the buffer, and more than a beginning of a preface.
            match wire.flush_and_fill(BLOCK).await {
                Ok(Filled::Bytes(_)) => {}
                Ok(Filled::End | Filled::Full) | Err(_) => return self.http1(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Protocol::{Http1, Http2, Unspoken};

    /// Each set of protocols as `[http1, http2, unencrypted_http2]`.
    fn of([http1, http2, unencrypted_http2]: [bool; 3]) -> Protocols {
        Protocols { http1, http2, unencrypted_http2 }
    }

    #[test]
    fn the_protocol_over_tls_is_the_one_that_alpn_chose() {
        const ON: bool = true;
        const OFF: bool = false;
        for (protocols, h2, http11, unnamed) in [
            ([ON, ON, OFF], Http2, Http1, Http1),
            ([ON, ON, ON], Http2, Http1, Http1),
            ([ON, OFF, OFF], Unspoken, Http1, Http1),
            // Without TLS only: not over TLS.
            ([ON, OFF, ON], Unspoken, Http1, Http1),
            ([OFF, ON, OFF], Http2, Unspoken, Unspoken),
            ([OFF, OFF, ON], Unspoken, Unspoken, Unspoken),
            // None at all is HTTP/1.1.
            ([OFF, OFF, OFF], Unspoken, Http1, Http1),
        ] {
            let protocols = of(protocols);
            assert_eq!(protocols.by_alpn(b"h2"), h2, "{protocols:?}");
            assert_eq!(protocols.by_alpn(b"http/1.1"), http11, "{protocols:?}");
            assert_eq!(protocols.by_alpn(b"http/1.0"), http11, "{protocols:?}");
            assert_eq!(protocols.by_alpn(b""), unnamed, "{protocols:?}");
            for other in [&b"h3"[..], b"h2c", b"acme-tls/1", b"h", b"http/2", b"smtp"] {
                assert_eq!(protocols.by_alpn(other), Unspoken, "{protocols:?} {other:?}");
            }
        }
    }

    #[test]
    fn the_protocol_without_tls_is_that_of_the_first_bytes() {
        let preface = Preface::BYTES;
        for (protocols, http2, http1) in [
            ([true, true, false], Http1, Http1),
            ([true, true, true], Http2, Http1),
            ([true, false, true], Http2, Http1),
            ([false, true, true], Http2, Unspoken),
            ([false, true, false], Unspoken, Unspoken),
            ([false, false, false], Http1, Http1),
        ] {
            let protocols = of(protocols);
            assert_eq!(protocols.by_first_bytes(preface), Some(http2), "{protocols:?}");
            assert_eq!(protocols.by_first_bytes(b"GET / HTTP/1.1\r\n"), Some(http1), "{protocols:?}");
            assert_eq!(protocols.by_first_bytes(b"G"), Some(http1), "{protocols:?}");
            for end in 0..preface.len() {
                let undecided = protocols.by_first_bytes(&preface[..end]);
                assert_eq!(undecided, (!protocols.unencrypted_http2).then_some(http1), "{protocols:?} {end}");
            }
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn alpn_offers_h2_before_http11() {
        assert_eq!(of([true, true, false]).alpn(), [H2, HTTP11]);
        assert_eq!(of([true, false, true]).alpn(), [HTTP11]);
        assert_eq!(of([false, true, false]).alpn(), [H2]);
        assert_eq!(of([false, false, false]).alpn(), [HTTP11]);
    }
}
