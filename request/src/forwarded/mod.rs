//! What trusted proxies say about the client of a request: `Forwarded` (RFC 7239), and the `X-Forwarded-*` fields.

mod client;
mod forwarded_element;
mod forwarded_error;
mod forwarded_header;
mod forwarded_node;

pub use client::Client;
pub use forwarded_error::ForwardedError;
pub use forwarded_header::ForwardedHeader;
pub use forwarded_node::ForwardedNode;
