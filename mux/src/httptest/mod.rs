//! The test kit for handlers: [`new_request`] makes a request, [`record`] calls a handler with it and keeps the reply. No
//! server and no socket are needed. Go: the package `net/http/httptest`.
//!
//! `quintet_server::httptest` has these names too, and a `TestServer` with a client whose replies are [`Recorded`] as well.
//!
//! # Example
//! ```
//! use quintet_mux::{ServeMux, httptest::{new_request, record}};
//! use quintet_request::Request;
//!
//! # #[tokio::main(flavor = "current_thread")] // in a test: #[tokio::test]
//! # async fn main() {
//! let mux = ServeMux::new();
//! mux.handle("GET /users/{id}", async |request: Request| {
//!     format!("user {}\n", request.path_value("id").unwrap_or_default())
//! });
//!
//! let reply = record(&mux, new_request("GET", "/users/7", "")).await;
//! assert_eq!((reply.status.as_u16(), reply.text()), (200, "user 7\n"));
//! assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
//! assert_eq!(record(&mux, new_request("POST", "/users/7", "")).await.status, 405);
//! # }
//! ```

mod new_request;
mod record;
mod record_error;
mod recorded;
mod reply_chunk;
mod reply_error;
mod reply_head;

pub use new_request::new_request;
pub use record::{record, try_record};
pub use record_error::RecordError;
pub use recorded::Recorded;
pub use reply_chunk::{ReplyChunk, ReplyTrailers};
pub use reply_error::ReplyError;
pub use reply_head::{BodyEnd, ReplyHead};
