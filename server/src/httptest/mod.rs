//! The test kit: a server in memory or on the loopback, and strict clients for it. Go: the package `net/http/httptest`.
//!
//! - [`TestServer`] serves a handler. In memory it needs no port and no real time: a test with `start_paused = true` waits
//!   for an hour at once.
//! - [`TestClient`] sends requests over HTTP/1.1 or HTTP/2, and returns [`Recorded`] replies.
//! - [`RawClient`] sends any bytes, and shows what is on the wire.
//! - [`new_request`] and [`record`] test a handler without a server ([`mux::httptest`](quintet_mux::httptest)).
//!
//! All of them panic where a test could do nothing else. A reply that is malformed, or that readers could understand in
//! two ways, is a panic too, with the reason and the position.
//!
//! # Example
//! A whole test of an application:
//! ```
//! use quintet_server::{
//!     BodyError, Handler, Request, Response, ServeMux, SetCookie, StatusCode, httptest::TestServer,
//! };
//!
//! /// Keeps the name of a visitor in a cookie.
//! fn app() -> impl Handler {
//!     let mux = ServeMux::new();
//!     mux.handle("POST /login", async |mut request: Request| -> Result<Response, BodyError> {
//!         let name = request.to_bytes(100).await?;
//!         let cookie = SetCookie::new("name", String::from_utf8_lossy(&name)).path("/").http_only();
//!         Ok(Response::new(()).with_status(StatusCode::NO_CONTENT).with_cookie(&cookie))
//!     });
//!     mux.handle("GET /hello", async |request: Request| match request.cookies().get("name") {
//!         Some(name) => Response::new(format!("hello {name}\n")),
//!         None => Response::text(StatusCode::UNAUTHORIZED, "who are you?"),
//!     });
//!     mux
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] // in a test: #[tokio::test]
//! # async fn main() {
//! let server = TestServer::start(app());
//! let mut client = server.client().with_cookies();
//!
//! assert_eq!(client.get("/hello").await.status, 401);
//! let reply = client.post("/login", "Ada").await;
//! assert_eq!((reply.status.as_u16(), reply.header("content-length")), (204, None));
//! assert_eq!(reply.set_cookie("name"), Some(SetCookie::new("name", "Ada").path("/").http_only()));
//! assert_eq!(client.get("/hello").await.text(), "hello Ada\n");
//! assert_eq!(client.post("/login", "x".repeat(101)).await.status, 413);
//!
//! let report = server.close().await;
//! assert!(report.is_clean(), "{report:?}"); // no connection and no task is left
//! # }
//! ```

#[cfg(feature = "tls")]
mod certificate;
mod client_state;
mod close_report;
mod cookie_jar;
mod dial;
mod http1;
mod open_reply;
mod raw_client;
mod raw_reply;
mod send_error;
mod sent_request;
mod test_client;
mod test_request;
mod test_server;
mod test_server_options;
mod test_stream;

pub use close_report::CloseReport;
pub use open_reply::OpenReply;
pub use quintet_mux::httptest::{
    BodyEnd, RecordError, Recorded, ReplyChunk, ReplyError, ReplyHead, ReplyTrailers, new_request, record, try_record,
};
pub use raw_client::RawClient;
pub use raw_reply::RawReply;
pub use send_error::SendError;
pub use test_client::TestClient;
pub use test_request::TestRequest;
pub use test_server::TestServer;
pub use test_server_options::{Network, TestServerOptions};
pub use test_stream::TestStream;
