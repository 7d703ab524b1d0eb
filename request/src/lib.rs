#![doc = include_str!("../README.md")]
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept_encoding;
mod auth;
#[cfg(feature = "io")]
mod body;
mod byte;
mod chunk_error;
mod chunked;
mod close_reason;
mod conditional;
#[cfg(feature = "io")]
mod connection;
mod cookie_error;
mod cookies;
#[cfg(feature = "json")]
mod data_error;
mod exchange;
mod form;
#[cfg(feature = "json")]
mod form_decode;
mod form_error;
mod form_iter;
mod forwarded;
mod head;
mod hop_by_hop;
#[cfg(feature = "http2")]
mod http2_config;
mod http_date;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "json")]
mod json_error;
mod limits;
#[cfg(feature = "multipart")]
mod multipart;
#[cfg(feature = "multipart")]
mod parts;
mod percent;
mod preface;
#[cfg(feature = "json")]
mod query_error;
mod range;
pub mod reply;
#[cfg(feature = "io")]
mod request;
mod request_id;
mod set_cookie;
mod set_cookie_parse;
mod trailers;

pub use accept_encoding::{AcceptEncoding, Coding};
pub use auth::{BasicAuth, bearer_token};
pub use chunk_error::ChunkError;
pub use chunked::{Chunked, Step};
pub use close_reason::CloseReason;
pub use conditional::{ETag, Precondition, Validators, check_preconditions};
pub use cookie_error::CookieError;
pub use cookies::{Cookie, Cookies, CookiesIter, CookiesNamed};
pub use exchange::{Exchange, Next, RequestBody};
pub use form::Form;
pub use form_error::FormError;
pub use form_iter::{FormIntoIter, FormIter, FormValues};
pub use forwarded::{Client, ForwardedError, ForwardedHeader, ForwardedNode};
pub use head::{
    Declared, Field, Framing, FramingError, Head, HeadError, HeadRef, Headers, HeadersNamed, Index, Scan, Segments,
    Span, Target, TargetError, TargetForm, Version, framing, parse,
};
pub use hop_by_hop::HopByHop;
pub use http_date::HttpDate;
pub use limits::Limits;
pub use percent::percent_decode;
pub use preface::Preface;
pub use range::{ByteRange, Byteranges, ByterangesParts, RangeNotSatisfiable, Ranges};
pub use reply::{ContentType, InformError, sniff};
pub use request_id::{RequestId, RequestIdError};
pub use set_cookie::{SameSite, SetCookie, SetCookieError};
pub use set_cookie_parse::SetCookieParseError;
pub use trailers::is_forbidden_trailer;

#[cfg(feature = "io")]
pub use {
    body::{Body, BodyError, ReceivedBytes, ReplyBody, Writer},
    connection::{Requests, RequestsError, WireGuard},
    request::{ChangeError, FormReadError, PathValueError, PathValuesIter, Request, route},
};

#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
pub use {data_error::DataError, json::parse_json, json_error::JsonError, query_error::QueryError};

#[cfg(feature = "http2")]
pub use {
    connection::{Incoming, ResetReason, StreamError, StreamReply, StreamWriter, Streams, StreamsError},
    http2_config::Http2Config,
};

#[cfg(feature = "multipart")]
pub use {
    multipart::{Boundary, Multipart, MultipartError, MultipartLimits, MultipartStep, PartHeader},
    parts::{FormFile, FormFileReader, MultipartForm, MultipartReadError, Part, Parts},
};

#[cfg(feature = "io")]
pub use quintet_conn;

#[cfg(all(feature = "http2", feature = "testing"))]
#[doc(hidden)]
pub use connection::{Http2Client, Http2Reply};
#[cfg(feature = "testing")]
#[doc(hidden)]
pub use quintet_conn::testing;
