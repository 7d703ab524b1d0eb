//! What a request asks of its reply, and what the reply will therefore look like on the wire. RFC 9112 §6, §9.
//!
//! What the server sees to by status, for replies from handlers, muxes and hooks and for refusals alike (RFC 9110 §15):
//!
//! | status | what goes out |
//! |---|---|
//! | 1xx from a handler | 500: it promises another reply. 100 is sent where a body is read, 101 by a [takeover](Exchange::takeover) |
//! | 204, 304 | neither content nor a length nor a content type, unless a field of the handler says one |
//! | 205 | no content, and `Content-Length: 0` says so |
//! | 2xx to CONNECT | a tunnel: no length; what follows is the tunnel's |
//! | 426 for a takeover | the `Upgrade` field of the response that was refused |
//! | anything to HEAD | what GET would say, and no content |
//! | any other, known or not | the content, its length or chunks, its type |
//!
//! What only a handler can know is left to it: `WWW-Authenticate` with 401, `Allow` with 405 (a `ServeMux` says it),
//! `Proxy-Authenticate` with 407, `Content-Range` with 206 and 416, `Upgrade` with its own 426, `Location` with 201 and
//! 3xx, `Retry-After` with 413, 429 and 503, and with 304 the fields that 200 would have had (`Cache-Control`,
//! `Content-Location`, `ETag`, `Expires`, `Vary`; `Date` is there).

use http::{HeaderMap, StatusCode, header};
use quintet_mux::Response;
use quintet_request::{Request, Unread, Version};

/// What a request asks of its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    method: Method,
    pub(crate) version: Version,
    last: Last,
    takeover: Takeover,
}

/// Whether the reply is the last on its connection, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    No,
    Client,
    Server,
}

/// What a takeover would meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takeover {
    /// A client that did not ask for another protocol.
    Unasked,
    /// One that asks for it: `Upgrade`, named by `Connection`, in HTTP/1.1.
    Asked,
    /// CONNECT with content of its own: behind the head lies either that or the tunnel, and readers differ.
    Ambiguous,
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
    /// Whether there is content to be described; some statuses have none.
    pub(crate) described: bool,
    /// Whether the body follows; a reply to HEAD only says what would follow.
    pub(crate) bodied: bool,
    pub(crate) keep: Keep,
}

impl Exchange {
    #[inline]
    pub(crate) fn begin(request: &Request) -> Self {
        let head = request.head();
        let method = match head.method_bytes() {
            b"HEAD" => Method::Head,
            b"CONNECT" => Method::Connect,
            _ => Method::Other,
        };
        let last = if head.keep_alive() { Last::No } else { Last::Client };
        let takeover = match method {
            Method::Connect if !head.framing().is_empty() => Takeover::Ambiguous,
            _ if head.wants_upgrade() => Takeover::Asked,
            _ => Takeover::Unasked,
        };
        Exchange { method, version: head.version(), last, takeover }
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

    /// For an answer to bytes that are no request. Who sent HEAD reads no body behind the reply, whatever is wrong with
    /// the rest.
    pub(crate) fn refused(mut input: &[u8]) -> Self {
        while let Some(rest) = input.strip_prefix(b"\r\n") {
            input = rest;
        }
        let method = if input.starts_with(b"HEAD ") { Method::Head } else { Method::Other };
        Exchange { method, version: Version::Http11, last: Last::Server, takeover: Takeover::Unasked }
    }

    /// Whether a handler may take the connection over with this response, and if not, what is answered instead.
    ///
    /// Only what does not depend on how the request arrived is asked here; that its body was passed over is up to the
    /// caller.
    ///
    /// # Errors
    /// - 500 for a status after which nothing may follow (1xx other than 101, 204, 205, 304), for any but 101 to HEAD,
    ///   and for a 101 that does not name the protocol: mistakes of the handler.
    /// - 426 with the response's `Upgrade` for a 101 to a request that asked for no upgrade. HTTP/1.0 has none.
    /// - 400 for CONNECT with content: what one reader takes for that, another takes for the beginning of the tunnel.
    ///
    /// # Spec
    /// RFC 9110 §7.8, §9.3.6, §15.2, §15.5.22.
    #[cold]
    pub(crate) fn takeover(&self, response: &Response) -> Result<(), Response> {
        let status = response.status();
        let refused = |status: StatusCode, why: &str| {
            let text = if why.is_empty() { status.to_string() } else { format!("{status}: {why}") };
            Err(Response::text(status, text).with_header("connection", "close"))
        };
        if status == StatusCode::SWITCHING_PROTOCOLS {
            let Some(upgrade) = response.headers().filter(|headers| headers.contains_key(header::UPGRADE)) else {
                return refused(StatusCode::INTERNAL_SERVER_ERROR, "");
            };
            if self.takeover == Takeover::Unasked {
                return refused(StatusCode::UPGRADE_REQUIRED, "the protocol is changed only for who asks for it")
                    .map_err(|mut required| {
                        for protocol in upgrade.get_all(header::UPGRADE) {
                            required.headers_mut().append(header::UPGRADE, protocol.clone());
                        }
                        required
                    });
            }
        } else if !(self.method == Method::Connect && status.is_success())
            && (self.method == Method::Head || is_bodiless(status))
        {
            return refused(StatusCode::INTERNAL_SERVER_ERROR, "");
        }
        if self.takeover == Takeover::Ambiguous {
            return refused(StatusCode::BAD_REQUEST, "content before a tunnel");
        }
        Ok(())
    }

    /// `known` is the length of the body, if it is.
    #[inline]
    pub(crate) fn plan(&self, response: &Response, known: Option<u64>, unread: Unread) -> Plan {
        let status = response.status();
        let bodiless = status != StatusCode::OK && is_bodiless(status); // the usual one first
        let tunnel = self.method == Method::Connect && status.is_success();
        let said = response.headers().and_then(content_length);
        let length = match (known.or(said), self.version) {
            _ if tunnel => Length::Close,
            // It must be said, since a client cannot know it from the status (RFC 9112 §6.3).
            _ if bodiless && status == StatusCode::RESET_CONTENT => Length::Exact(0),
            _ if bodiless => Length::Unsaid,
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
            described: !bodiless,
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
            (Version::Http10, Keep::Alive) => Some(if upgrade { "keep-alive, upgrade" } else { "keep-alive" }),
            (Version::Http10, Keep::Close) => upgrade.then_some("upgrade"),
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

/// The statuses whose replies have no content. RFC 9110 §15.2, §15.3.5, §15.3.6, §15.4.5.
#[inline(never)]
fn is_bodiless(status: StatusCode) -> bool {
    const RESET: StatusCode = StatusCode::RESET_CONTENT;
    // No status is below 100.
    status.as_u16() < 200 || matches!(status, StatusCode::NO_CONTENT | RESET | StatusCode::NOT_MODIFIED)
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
        for known in [Some(0), Some(5), None] {
            assert_eq!(plan(GET, &status(205), known), (Length::Exact(0), false, None), "said, and dropped");
        }
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
