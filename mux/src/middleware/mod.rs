//! Middleware: handlers that call other handlers, and small handlers for common replies.

mod authenticate;
#[cfg(feature = "compress")]
mod compress;
mod cors;
mod cross_origin_protection;
mod default_headers;
mod error_pages;
mod error_reply;
mod forwarded;
mod max_bytes;
mod problem_details;
mod query_semicolons;
mod redirect;
mod redirect_to_https;
mod replies;
mod request_id;
mod shed;
mod strip_prefix;
mod timeout;
mod with_state;

#[cfg(feature = "compress")]
pub use compress::{Compression, compress};
pub(crate) use redirect::reply as redirect_reply;
pub use {
    authenticate::{basic_auth, bearer},
    cors::cors,
    cross_origin_protection::CrossOriginProtection,
    default_headers::default_headers,
    error_pages::error_pages,
    error_reply::ErrorReply,
    forwarded::forwarded,
    max_bytes::max_bytes,
    problem_details::problem_details,
    query_semicolons::allow_query_semicolons,
    redirect::{redirect, redirect_handler},
    redirect_to_https::{HttpsOptions, redirect_to_https, require_https},
    replies::{error, not_found},
    request_id::request_id,
    shed::Shed,
    strip_prefix::strip_prefix,
    timeout::timeout,
    with_state::with_state,
};
