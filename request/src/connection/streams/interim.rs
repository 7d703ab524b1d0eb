//! Interim replies as heads of HTTP/2.

use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::reply::interim::MAX_FIELDS;

/// Reads the interim replies (1xx) that a handler pushed, whole heads as they go on the wire of HTTP/1.1. What is no head
/// of 1xx ends them: the handler wrote it, and nothing of the client is in it. Fields that concern a connection are left
/// out, as HTTP/2 has none of them.
pub(super) fn parse_interim(mut bytes: &[u8]) -> Vec<Response<()>> {
    let mut replies = Vec::new();
    while !bytes.is_empty() {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut head = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(len)) = head.parse(bytes) else { break };
        let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
        // A 101 has no meaning here (RFC 9113 §8.6).
        let Some(status) = status.filter(|status| status.is_informational() && status.as_u16() != 101) else { break };
        let mut reply = Response::new(());
        *reply.status_mut() = status;
        for field in head.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes());
            let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(field.value)) else { continue };
            if !matches!(
                name.as_str(),
                "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
            ) {
                reply.headers_mut().append(name, value);
            }
        }
        replies.push(reply);
        bytes = &bytes[len..];
    }
    replies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interim_replies_are_read_in_order() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\nConnection: x\r\n\r\n";
        let replies = parse_interim(bytes);
        assert_eq!(replies.iter().map(|reply| reply.status().as_u16()).collect::<Vec<_>>(), [100, 103]);
        assert_eq!(replies[1].headers().get_all("link").iter().collect::<Vec<_>>(), ["</a>", "</b>"]);
        assert_eq!(replies[1].headers().len(), 2);
    }

    #[test]
    fn what_is_no_interim_reply_is_not_sent() {
        for bytes in
            ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 103", "x\r\n\r\n"]
        {
            assert!(parse_interim(bytes.as_bytes()).is_empty(), "{bytes:?}");
        }
    }
}
