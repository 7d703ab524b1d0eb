//! Serving connections of HTTP/2.

mod respond_stream;
mod send_body;
mod serve_stream;
mod serve_streams;
mod work;

pub(crate) use serve_streams::serve_streams;
