//! What became of one request, for logs and metrics.

use std::{
    any::Any,
    fmt,
    time::{Duration, SystemTime},
};

use http::StatusCode;
use quintet_conn::Connection;
use quintet_request::{Client, CloseReason, HeadRef, Version};

use super::{note::Note, outcome::Outcome};

/// What became of one request: who asked for what, what was sent, and how long it took. Given to
/// [`Hooks::served`](crate::Hooks::served).
///
/// There is one for every request whose head was read, and for every refusal of a head that was answered. A connection that
/// ends before a head is complete has none, and neither has a stream of HTTP/2 that the client reset before the server
/// took it.
///
/// # Example
/// ```
/// use quintet_server::{Config, Hooks, Server};
/// use std::sync::Arc;
///
/// let hooks = Hooks {
///     served: Some(Arc::new(|served| {
///         println!(
///             "{} {} {} {} {:?}",
///             served.connection().peer_addr(),
///             served.method().unwrap_or("-"),
///             served.pattern().unwrap_or("unmatched"),
///             served.status().map_or(0, |status| status.as_u16()),
///             served.duration(),
///         );
///     })),
///     ..Hooks::default()
/// };
/// let server = Server::with_config(async |_| "hello\n", Config { hooks, ..Config::default() });
/// ```
#[doc(alias = "access log")]
#[derive(Clone, Copy)]
pub struct Served<'a> {
    note: &'a Note,
    connection: &'a Connection,
}

impl<'a> Served<'a> {
    pub(crate) fn new(note: &'a Note, connection: &'a Connection) -> Self {
        Self { note, connection }
    }

    /// Its note, for a log.
    pub(crate) fn note(&self) -> &'a Note {
        self.note
    }

    /// The connection that the request came by: addresses, TLS, values.
    #[must_use]
    pub fn connection(&self) -> &'a Connection {
        self.connection
    }

    /// The head as it arrived, without the changes that handlers made. `None` if the head was refused.
    ///
    /// It has every field, also those that are secret (`Authorization`, `Cookie`).
    #[must_use]
    pub fn head(&self) -> Option<HeadRef<'a>> {
        self.note.head()
    }

    /// The method, a token of the client. `None` if the head was refused; in HTTP/2 a refused head has one too.
    #[must_use]
    pub fn method(&self) -> Option<&'a str> {
        text(self.note.method())
    }

    /// The target as it was sent: path and query, mostly. `None` if the head was refused. Go: `Request.RequestURI`.
    #[must_use]
    pub fn target(&self) -> Option<&'a str> {
        text(self.note.target())
    }

    /// The version. `None` if the head was refused.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.note.version()
    }

    /// The host, with its port if one was sent. Go: `Request.Host`.
    #[must_use]
    pub fn host(&self) -> Option<&'a str> {
        text(self.note.host())
    }

    /// The `User-Agent` field; it may have any bytes but controls.
    #[must_use]
    pub fn user_agent(&self) -> Option<&'a [u8]> {
        self.note.user_agent()
    }

    /// The `Referer` field; it may have any bytes but controls.
    #[must_use]
    pub fn referer(&self) -> Option<&'a [u8]> {
        self.note.referer()
    }

    /// The pattern that matched, the last one if routers are nested; `None` if no router matched. Go: `Request.Pattern`.
    #[doc(alias = "route")]
    #[must_use]
    pub fn pattern(&self) -> Option<&'a str> {
        self.note.pattern()
    }

    /// The status of the reply; `None` if there was none.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.note.status()
    }

    /// How many bytes of the request's body were received, without its framing. Bytes that no task has read are not counted
    /// if the connection ended with the request.
    #[must_use]
    pub fn request_body_bytes(&self) -> u64 {
        self.note.request_body_bytes()
    }

    /// How many bytes of the reply's body were sent, without its framing (chunks, frames). Of a reply that was cut, the
    /// framing of what was not sent may have been subtracted too, so that it is never more than what was sent.
    #[must_use]
    pub fn reply_body_bytes(&self) -> u64 {
        self.note.reply_body_bytes()
    }

    /// When the request began: the first byte of its head arrived, or of a pipelined request the server came to it. By the
    /// clock of the day, which is read once a second at the most; between two readings the monotonic clock counts on.
    #[must_use]
    pub fn began(&self) -> SystemTime {
        self.note.began()
    }

    /// The time from the beginning of the request until the kernel took the first byte of the reply; `None` if it took none.
    /// Interim replies (1xx) do not count.
    #[must_use]
    pub fn time_to_first_byte(&self) -> Option<Duration> {
        self.note.time_to_first_byte()
    }

    /// The time from the beginning of the request until the kernel took the last byte of the reply, or the request was cut.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.note.duration()
    }

    /// What became of the request.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.note.outcome()
    }

    /// Whether the whole reply was sent.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.note.is_whole()
    }

    /// The reason why the connection ends with this request; `None` if it goes on. In HTTP/2, the reason why the connection
    /// has ended, if it has.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.note.close_reason()
    }

    /// Who the client is by what trusted proxies say, if [`forwarded`](quintet_mux::forwarded) read it. Its address counts
    /// before that of the [connection](Self::connection)'s peer.
    #[must_use]
    pub fn client(&self) -> Option<&'a Client> {
        self.note.client()
    }

    /// The id of the request, if [`request_id`](quintet_mux::request_id) gave it one.
    #[must_use]
    pub fn request_id(&self) -> Option<&'a str> {
        self.note.request_id()
    }

    /// The value of this type that a handler left for observers by
    /// [`ActiveRequest::set_value`](quintet_conn::ActiveRequest::set_value).
    #[must_use]
    pub fn value<T: Any>(&self) -> Option<&'a T> {
        self.note.values.get()
    }
}

/// As text; what the parser has taken for a part of a head is.
fn text(bytes: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(bytes?).ok()
}

/// Without the fields of the head, which may be secret.
impl fmt::Debug for Served<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served")
            .field("method", &self.method())
            .field("target", &self.target())
            .field("pattern", &self.pattern())
            .field("status", &self.status())
            .field("request_body_bytes", &self.request_body_bytes())
            .field("reply_body_bytes", &self.reply_body_bytes())
            .field("outcome", &self.outcome())
            .field("close_reason", &self.close_reason())
            .finish_non_exhaustive()
    }
}
