//! Middleware: handlers that call other handlers, and small handlers for common replies.

#[cfg(feature = "compress")]
mod compress;
mod cross_origin_protection;
mod max_bytes;
mod query_semicolons;
mod redirect;
mod replies;
mod strip_prefix;
mod timeout;
mod with_state;

#[cfg(feature = "compress")]
pub use compress::{Compression, compress};
pub(crate) use redirect::reply as redirect_reply;
pub use {
    cross_origin_protection::CrossOriginProtection,
    max_bytes::max_bytes,
    query_semicolons::allow_query_semicolons,
    redirect::{redirect, redirect_handler},
    replies::{error, not_found},
    strip_prefix::strip_prefix,
    timeout::timeout,
    with_state::with_state,
};
