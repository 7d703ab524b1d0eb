//! The handshake of WebSocket, against a naive reader of its fields.

use std::collections::BTreeSet;

use quintet_request::{Request, Version};
use quintet_server::{WebSocketHandshake, WebSocketRefusal};

/// A request: it is accepted only if a naive reader finds each part of a handshake, and with the subprotocol that it finds.
pub fn websocket_handshake(data: &[u8]) {
    let Ok(request) = Request::parse(data) else { return };
    let protocols = ["chat".to_owned(), "superchat".to_owned()];
    let seen = WebSocketHandshake::of(request.head(), &protocols);
    // All values of a field as one list, and its items.
    let list = |name: &str| -> Vec<String> {
        let values: Vec<_> = request.headers_named(name).map(String::from_utf8_lossy).collect();
        values.join(",").split(',').map(|item| item.trim_matches([' ', '\t']).to_owned()).collect()
    };
    let has = |name: &str, wanted: &str| list(name).iter().any(|item| item.eq_ignore_ascii_case(wanted));
    let only = |name: &str| Some(list(name)).filter(|_| request.headers_named(name).count() == 1);
    let asks = request.version() == Version::Http11 && has("connection", "upgrade") && has("upgrade", "websocket");
    let is_13 = only("sec-websocket-version").is_some_and(|items| items == ["13"]);
    let has_key = only("sec-websocket-key").is_some_and(|items| {
        let [key] = &items[..] else { return false };
        key.len() == 24
            && key.ends_with("==")
            && !key[..22].contains(|c: char| !c.is_ascii_alphanumeric() && c != '+' && c != '/')
    });
    let mut offered = list("sec-websocket-protocol");
    offered.retain(|item| !item.is_empty());
    let is_list = offered.len() <= 64
        && offered.iter().collect::<BTreeSet<_>>().len() == offered.len()
        && offered
            .iter()
            .flat_map(|item| item.bytes())
            .all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte));
    let expected = match (request.method() == "GET", asks, is_13, has_key, is_list) {
        (false, ..) => Err(WebSocketRefusal::Method),
        (_, false, ..) => Err(WebSocketRefusal::Unasked),
        (_, _, false, ..) => Err(WebSocketRefusal::Version),
        (_, _, _, false, _) => Err(WebSocketRefusal::Key),
        (.., false) => Err(WebSocketRefusal::Protocols),
        _ => Ok(protocols.iter().position(|protocol| offered.contains(protocol))),
    };
    assert_eq!(seen.as_ref().map(|handshake| handshake.protocol).map_err(|refusal| *refusal), expected);
    if let Ok(handshake) = seen {
        assert_eq!(handshake.accept.len(), 28, "a SHA-1 in base64");
    }
}
