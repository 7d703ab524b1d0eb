//! The handshake of WebSocket, as a function of the request's head.

use http::HeaderValue;
use quintet_request::{HeadRef, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::refusal::WebSocketRefusal;

/// What the reply to a handshake of WebSocket says.
///
/// | the request | RFC 6455 | reply |
/// |---|---|---|
/// | is not GET | §4.1 | 405 |
/// | came over HTTP/2 | RFC 8441 | 501 |
/// | is in HTTP/1.0, or does not ask for the upgrade to `websocket` in `Connection` and `Upgrade` | §4.2.1 | 426 |
/// | has not `Sec-WebSocket-Version: 13` once | §4.4 | 426, with the version |
/// | has not a `Sec-WebSocket-Key` of 16 bytes in base64 once | §4.2.1 | 400 |
/// | has a `Sec-WebSocket-Protocol` that is no list of different tokens | §11.3.4 | 400 |
/// | has extensions | §9.1 | none is agreed on |
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketHandshake {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: HeaderValue,
    /// The subprotocol that both speak, by its place in the server's list. `None`: no subprotocol.
    pub protocol: Option<usize>,
}

impl WebSocketHandshake {
    /// Reads a handshake. `protocols` are the subprotocols that the server speaks, the preferred one first. The origin is
    /// not looked at.
    ///
    /// # Errors
    /// [`WebSocketRefusal`], which has the status of the reply.
    ///
    /// # Spec
    /// RFC 6455 §4.2.
    pub fn of(head: HeadRef<'_>, protocols: &[String]) -> Result<Self, WebSocketRefusal> {
        if head.version() == Version::Http2 {
            return Err(WebSocketRefusal::Http2);
        }
        if head.method() != "GET" {
            return Err(WebSocketRefusal::Method);
        }
        // `Connection: upgrade` and HTTP/1.1 are `wants_upgrade`; `Upgrade` is a list of protocols.
        let mut offered = items(head, "upgrade");
        if !head.wants_upgrade() || !offered.any(|protocol| protocol.eq_ignore_ascii_case(b"websocket")) {
            return Err(WebSocketRefusal::Unasked);
        }
        if once(head, "sec-websocket-version") != Some(b"13") {
            return Err(WebSocketRefusal::Version);
        }
        let key = once(head, "sec-websocket-key").filter(|key| is_sixteen_bytes(key)).ok_or(WebSocketRefusal::Key)?;
        let protocol = choose(head, protocols)?;
        let accept = HeaderValue::try_from(derive_accept_key(key)).expect("base64 is visible ASCII");
        Ok(Self { accept, protocol })
    }
}

/// The value of a field that is there once.
fn once<'a>(head: HeadRef<'a>, name: &str) -> Option<&'a [u8]> {
    let mut values = head.headers_named(name);
    values.next().filter(|_| values.next().is_none())
}

/// The items of a list, which may be split over several fields; empty ones are left out (RFC 9110 §5.6.1).
fn items<'a>(head: HeadRef<'a>, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let items = head.headers_named(name).flat_map(|value| value.split(|byte| *byte == b','));
    items.map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

/// Whether a key is base64 (RFC 4648 §4) of 16 bytes: 22 digits and two padding characters.
fn is_sixteen_bytes(key: &[u8]) -> bool {
    let digits = key.strip_suffix(b"==").unwrap_or_default();
    digits.len() == 22 && digits.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte))
}

/// The first protocol of the server that the client offers.
fn choose(head: HeadRef<'_>, protocols: &[String]) -> Result<Option<usize>, WebSocketRefusal> {
    let mut offered: Vec<&[u8]> = Vec::new();
    for protocol in items(head, "sec-websocket-protocol") {
        if !protocol.iter().all(|byte| is_token(*byte)) || offered.contains(&protocol) {
            return Err(WebSocketRefusal::Protocols);
        }
        // The head is limited to 64 KiB; without this limit so many items would be compared with each other.
        if offered.len() == MAX_PROTOCOLS {
            return Err(WebSocketRefusal::Protocols);
        }
        offered.push(protocol);
    }
    Ok(protocols.iter().position(|protocol| offered.contains(&protocol.as_bytes())))
}

/// The most subprotocols that a client may offer.
const MAX_PROTOCOLS: usize = 64;

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quintet_request::Request;

    const GOOD: &str = "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn handshake(line: &str, fields: &str) -> Result<WebSocketHandshake, WebSocketRefusal> {
        let request = Request::parse(format!("{line}\r\n{fields}\r\n").as_bytes()).expect("a request");
        WebSocketHandshake::of(request.head(), &["chat".to_owned(), "superchat".to_owned()])
    }

    /// The example of RFC 6455 §1.3.
    #[test]
    fn the_key_of_the_rfc_has_the_accept_of_the_rfc() {
        let good = handshake("GET / HTTP/1.1", GOOD).unwrap();
        assert_eq!((good.accept.to_str().unwrap(), good.protocol), ("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", None));
    }

    #[test]
    fn a_handshake_is_accepted_or_refused_by_rfc_6455() {
        use WebSocketRefusal::{Key, Method, Protocols, Unasked, Version};
        for (line, from, to, outcome) in [
            ("GET / HTTP/1.1", "", "", Ok(None)),
            ("POST / HTTP/1.1", "", "", Err(Method)),
            ("HEAD / HTTP/1.1", "", "", Err(Method)),
            ("GET / HTTP/1.0", "", "", Err(Unasked)),
            ("GET / HTTP/1.1", "Connection: Upgrade\r\n", "", Err(Unasked)),
            ("GET / HTTP/1.1", "Connection: Upgrade", "Connection: close", Err(Unasked)),
            ("GET / HTTP/1.1", "Connection: Upgrade", "Connection: keep-alive, uPgRaDe", Ok(None)),
            ("GET / HTTP/1.1", "Upgrade: websocket", "Upgrade: h2c", Err(Unasked)),
            ("GET / HTTP/1.1", "Upgrade: websocket", "Upgrade: websockets", Err(Unasked)),
            ("GET / HTTP/1.1", "Upgrade: websocket", "Upgrade: h2c, WebSocket", Ok(None)),
            ("GET / HTTP/1.1", "Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: WEBSOCKET", Ok(None)),
            ("GET / HTTP/1.1", "Sec-WebSocket-Version: 13\r\n", "", Err(Version)),
            ("GET / HTTP/1.1", ": 13", ": 8", Err(Version)),
            ("GET / HTTP/1.1", ": 13", ": 013", Err(Version)),
            ("GET / HTTP/1.1", ": 13", ": 13, 8", Err(Version)),
            ("GET / HTTP/1.1", ": 13", ": 13\r\nSec-WebSocket-Version: 13", Err(Version)),
            ("GET / HTTP/1.1", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", Err(Key)),
            ("GET / HTTP/1.1", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", Err(Key)),
            ("GET / HTTP/1.1", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", Err(Key)),
            ("GET / HTTP/1.1", "dGhlIHNhbXBsZSBub25jZQ==", "dGhl_HNhbXBsZSBub25jZQ==", Err(Key)),
            ("GET / HTTP/1.1", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZWU=", Err(Key)),
            ("GET / HTTP/1.1", "ZQ==", "ZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", Err(Key)),
            ("GET / HTTP/1.1", "Host", "Sec-WebSocket-Protocol: superchat, chat\r\nHost", Ok(Some(0))),
            ("GET / HTTP/1.1", "Host", "Sec-WebSocket-Protocol: superchat\r\nHost", Ok(Some(1))),
            (
                "GET / HTTP/1.1",
                "Host",
                "Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: chat\r\nHost",
                Ok(Some(0)),
            ),
            ("GET / HTTP/1.1", "Host", "Sec-WebSocket-Protocol: Chat\r\nHost", Ok(None)),
            ("GET / HTTP/1.1", "Host", "Sec-WebSocket-Protocol: chat, chat\r\nHost", Err(Protocols)),
            ("GET / HTTP/1.1", "Host", "Sec-WebSocket-Protocol: a b\r\nHost", Err(Protocols)),
            ("GET / HTTP/1.1", "Host", "Sec-WebSocket-Extensions: permessage-deflate\r\nHost", Ok(None)),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let seen = handshake(line, &GOOD.replacen(from, to, usize::from(!from.is_empty())));
            assert_eq!(seen.map(|handshake| handshake.protocol), outcome, "{line}: {from:?} -> {to:?}");
        }
    }

    #[test]
    fn a_client_offers_at_most_64_subprotocols() {
        let offer = |count: usize| (0..count).map(|n| format!("p{n}")).collect::<Vec<_>>().join(",");
        for (count, is_refused) in [(64, false), (65, true), (2_000, true)] {
            let fields = format!("{GOOD}Sec-WebSocket-Protocol: {}\r\n", offer(count));
            assert_eq!(handshake("GET / HTTP/1.1", &fields).is_err(), is_refused, "{count}");
        }
    }
}
