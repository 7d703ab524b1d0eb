//! What a request asks of its reply, and what the reply will therefore look like on the wire. RFC 9112 §6, §9.

use http::{HeaderMap, StatusCode, header};
use quintet_mux::Response;
use quintet_request::{Request, Unread, Version};

/// What a request asks of its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    method: Method,
    pub(crate) version: Version,
    last: Last,
}

/// Whether the reply is the last on its connection, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    No,
    Client,
    Server,
}

/// The methods that change what a reply looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Head,
    Connect,
    Other,
}

/// How the end of a reply's body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// There is none, and nothing is said about it.
    Unsaid,
    /// `Content-Length`.
    Exact(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The connection's end is the body's.
    Close,
}

/// Whether the connection is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Alive,
    Close,
}

/// What a reply looks like on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) length: Length,
    /// Whether the body follows; a reply to HEAD only says what would follow.
    pub(crate) bodied: bool,
    pub(crate) keep: Keep,
}

impl Exchange {
    #[inline]
    pub(crate) fn begin(request: &Request) -> Self {
        let head = request.head();
        let method = match head.method() {
            "HEAD" => Method::Head,
            "CONNECT" => Method::Connect,
            _ => Method::Other,
        };
        let last = if head.keep_alive() { Last::No } else { Last::Client };
        Exchange { method, version: head.version(), last }
    }

    /// The reply will be the last on its connection.
    pub(crate) fn close(&mut self) {
        if self.last == Last::No {
            self.last = Last::Server;
        }
    }

    /// Whether the client expects to be answered again, and may have asked already.
    pub(crate) fn is_expected_to_go_on(&self) -> bool {
        self.last != Last::Client
    }

    /// For an answer to bytes that are no request.
    pub(crate) const fn refused() -> Self {
        Exchange { method: Method::Other, version: Version::Http11, last: Last::Server }
    }

    /// `known` is the length of the body, if it is.
    #[inline]
    pub(crate) fn plan(&self, response: &Response, known: Option<u64>, unread: Unread) -> Plan {
        let status = response.status();
        let bodiless = status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let tunnel = self.method == Method::Connect && status.is_success();
        let said = response.headers().and_then(content_length);
        let length = match (known.or(said), self.version) {
            _ if bodiless => Length::Unsaid,
            _ if tunnel => Length::Close,
            // A handler that leaves out the body of a reply to HEAD does not mean that GET would be empty.
            (Some(0), _) if self.method == Method::Head => said.map_or(Length::Unsaid, Length::Exact),
            (Some(length), _) => Length::Exact(length),
            (None, Version::Http11) => Length::Chunked,
            (None, Version::Http10) if self.method == Method::Head => Length::Unsaid,
            (None, Version::Http10) => Length::Close,
        };
        let keep = self.last == Last::No
            && length != Length::Close
            && unread != Unread::TooMuch
            && self.method != Method::Connect
            && !response.headers().is_some_and(asks_to_close);
        Plan {
            length,
            bodied: !bodiless && self.method != Method::Head,
            keep: if keep { Keep::Alive } else { Keep::Close },
        }
    }

    /// The `Connection` field that says so, where the version does not. It also names an `Upgrade` field, which only
    /// counts if it does (RFC 9110 §7.8).
    #[inline]
    pub(crate) fn connection(&self, plan: &Plan, response: &Response) -> Option<&'static str> {
        let upgrade = response.headers().is_some_and(|headers| headers.contains_key(header::UPGRADE));
        let tunnel = plan.length == Length::Close && self.method == Method::Connect;
        match (self.version, plan.keep) {
            (Version::Http11, _) if response.status() == StatusCode::SWITCHING_PROTOCOLS => Some("upgrade"),
            (Version::Http11, Keep::Close) if tunnel => None,
            (Version::Http11, Keep::Close) => Some(if upgrade { "close, upgrade" } else { "close" }),
            (Version::Http11, Keep::Alive) => upgrade.then_some("upgrade"),
            (Version::Http10, Keep::Alive) => Some("keep-alive"),
            (Version::Http10, Keep::Close) => None,
        }
    }
}

impl Plan {
    /// Another protocol follows the head.
    pub(crate) fn hand_over(&mut self) {
        if self.length != Length::Unsaid {
            self.length = Length::Close;
        }
        (self.bodied, self.keep) = (false, Keep::Close);
    }
}

/// What a handler says about the length of a body that it streams, if it makes sense.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn asks_to_close(headers: &HeaderMap) -> bool {
    let tokens = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    tokens.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case("close"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(head: &str, response: &Response, known: Option<u64>) -> (Length, bool, Option<&'static str>) {
        let request = Request::parse(format!("{head}\r\n\r\n").as_bytes()).unwrap();
        let exchange = Exchange::begin(&request);
        let plan = exchange.plan(response, known, Unread::Nothing);
        (plan.length, plan.bodied, exchange.connection(&plan, response))
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: a";
    const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a";
    const OLD: &str = "GET / HTTP/1.0";
    const OLD_KEEP: &str = "GET / HTTP/1.0\r\nConnection: keep-alive";

    fn status(code: u16) -> Response {
        Response::new(()).with_status(StatusCode::from_u16(code).unwrap())
    }

    #[test]
    fn a_known_length_is_said_and_an_unknown_one_is_chunked() {
        assert_eq!(plan(GET, &status(200), Some(5)), (Length::Exact(5), true, None));
        assert_eq!(plan(GET, &status(200), Some(0)), (Length::Exact(0), true, None));
        assert_eq!(plan(GET, &status(200), None), (Length::Chunked, true, None));
    }

    #[test]
    fn http_1_0_has_no_chunks_and_is_kept_only_if_asked() {
        assert_eq!(plan(OLD, &status(200), None), (Length::Close, true, None));
        assert_eq!(plan(OLD_KEEP, &status(200), None), (Length::Close, true, None));
        assert_eq!(plan(OLD, &status(200), Some(5)), (Length::Exact(5), true, None));
        assert_eq!(plan(OLD_KEEP, &status(200), Some(5)), (Length::Exact(5), true, Some("keep-alive")));
    }

    #[test]
    fn a_reply_to_head_says_what_get_would_and_has_no_body() {
        assert_eq!(plan(HEAD, &status(200), Some(5)), (Length::Exact(5), false, None));
        assert_eq!(plan(HEAD, &status(200), None), (Length::Chunked, false, None));
        assert_eq!(plan(HEAD, &status(200), Some(0)), (Length::Unsaid, false, None));
        let said = status(200).with_header("content-length", "7");
        assert_eq!(plan(HEAD, &said, Some(0)), (Length::Exact(7), false, None));
    }

    #[test]
    fn some_statuses_have_no_body_and_no_length() {
        for code in [204, 304] {
            assert_eq!(plan(GET, &status(code), Some(5)), (Length::Unsaid, false, None), "{code}");
        }
        assert_eq!(plan(GET, &status(101), Some(5)), (Length::Unsaid, false, Some("upgrade")));
        assert_eq!(plan(GET, &status(205), Some(0)), (Length::Exact(0), true, None));
    }

    #[test]
    fn the_handler_may_close_and_may_say_a_length_it_knows() {
        let close = status(200).with_header("connection", "x, Close");
        assert_eq!(plan(GET, &close, Some(5)), (Length::Exact(5), true, Some("close")));
        let said = status(200).with_header("content-length", "7");
        assert_eq!(plan(GET, &said, None), (Length::Exact(7), true, None));
        assert_eq!(plan(GET, &said, Some(5)), (Length::Exact(5), true, None));
        let nonsense = status(200).with_header("content-length", "-7");
        assert_eq!(plan(GET, &nonsense, None), (Length::Chunked, true, None));
    }

    #[test]
    fn an_upgrade_that_is_offered_is_named() {
        let offer = status(426).with_header("upgrade", "x");
        assert_eq!(plan(GET, &offer, Some(5)), (Length::Exact(5), true, Some("upgrade")));
        let close = format!("{GET}\r\nConnection: close");
        assert_eq!(plan(&close, &offer, Some(5)), (Length::Exact(5), true, Some("close, upgrade")));
    }

    #[test]
    fn the_client_may_close() {
        let head = format!("{GET}\r\nConnection: close");
        assert_eq!(plan(&head, &status(200), Some(5)), (Length::Exact(5), true, Some("close")));
    }

    #[test]
    fn a_tunnel_has_no_framing_and_a_refused_one_does() {
        let connect = "CONNECT a:1 HTTP/1.1\r\nHost: a:1";
        assert_eq!(plan(connect, &status(200), Some(0)), (Length::Close, true, None));
        assert_eq!(plan(connect, &status(403), Some(5)), (Length::Exact(5), true, Some("close")));
    }

    #[test]
    fn a_body_left_unread_closes_if_it_is_too_much() {
        let request = Request::parse(format!("{GET}\r\n\r\n").as_bytes()).unwrap();
        let exchange = Exchange::begin(&request);
        for (unread, keep) in [
            (Unread::Nothing, Keep::Alive),
            (Unread::Held, Keep::Alive),
            (Unread::Some, Keep::Alive),
            (Unread::TooMuch, Keep::Close),
        ] {
            assert_eq!(exchange.plan(&status(200), Some(1), unread).keep, keep);
        }
        let mut last = exchange;
        last.close();
        assert_eq!(last.plan(&status(200), Some(1), Unread::Nothing).keep, Keep::Close);
    }
}
