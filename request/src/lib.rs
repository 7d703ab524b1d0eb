#![doc = include_str!("../README.md")]
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
mod authority;
mod byte;
mod chunked;
mod convert;
mod cookies;
mod error;
mod field;
mod form;
mod framing;
mod head;
mod head_cache;
mod index;
#[cfg(feature = "io")]
mod io;
mod limits;
mod parse;
mod percent;
mod reference;
mod scan;
mod semantics;
mod set_cookie;
mod target;
mod trailers;

pub use auth::BasicAuth;
pub use chunked::{ChunkError, Chunked, Step};
pub use cookies::{Cookie, Cookies};
pub use error::HeadError;
pub use form::{Form, FormError};
pub use framing::{Declared, Framing, FramingError, framing};
pub use head::{Head, HeadRef};
pub use index::{Field, Index, Span, Version};
pub use limits::Limits;
pub use parse::parse;
pub use percent::percent_decode;
pub use scan::Scan;
pub use set_cookie::{SameSite, SetCookie, SetCookieError};
pub use target::{Target, TargetError, TargetForm};
pub use trailers::is_forbidden_trailer;

#[cfg(feature = "io")]
pub use io::{
    Body, BodyError, FormReadError, Matched, MatchedPattern, PathValues, Request, Requests, RequestsError, Reuse,
    Unread, WireGuard, Writer,
};

#[cfg(feature = "io")]
pub use quintet_conn;
