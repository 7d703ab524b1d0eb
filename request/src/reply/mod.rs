//! Replies: the constraints of the request, the framing of the body, and the bytes on the wire.
//!
//! ```text
//!  request head ─▶ Constraints ─╮
//!                               ├─▶ Plan ─▶ write_head ─▶ bytes of the head
//!  status, fields ─▶ Head ──────╯    │
//!                                    ╰─ Length::Exact(n)   n bytes follow
//!                                       Length::Chunked    begin_chunk, data,
//!                                                          end_chunk … end_body
//!                                       Length::UntilClose the end of the
//!                                                          connection
//!                                       Length::Stream     the end of the
//!                                                          stream
//!                                       Length::None       nothing follows
//! ```
//!
//! All functions append to a `Vec<u8>` and do no IO. [`Exchange`](crate::Exchange) makes the plan and decides whether
//! the connection is used again.
//!
//! What is written, by RFC 9112 and RFC 9110:
//!
//! | what | rule | section |
//! |---|---|---|
//! | status line | `HTTP/1.1` (1.0 to HTTP/1.0), the status, its reason phrase or none | 9112 §4 |
//! | `Date` | in every final reply, unless the handler sets its own | 9110 §6.6.1 |
//! | 1xx in place of a final reply | refused before it is written: it promises another reply | 9110 §15.2 |
//! | 1xx before it | [`write_interim`]; neither a length nor `Connection`, and not 101 | 9110 §15.2 |
//! | 204, 304 | neither content nor a length nor a type, unless the handler sets a type | 9112 §6.3 |
//! | 205 | no content, and `Content-Length: 0` says so | 9110 §15.3.6 |
//! | 2xx to CONNECT | a tunnel: no length; what follows is the tunnel's | 9110 §9.3.6 |
//! | anything to HEAD | what GET would say, and no content | 9110 §9.3.2 |
//! | a known length | `Content-Length` | 9112 §6.2 |
//! | an unknown length | chunks to HTTP/1.1, the end of the connection to HTTP/1.0 | 9112 §6.3, §7.1 |
//! | `Content-Length`, `Transfer-Encoding`, `Connection` of the handler | taken as a wish, and written anew | 9112 §6, §9.6 |
//! | `Upgrade` | named by `Connection` | 9110 §7.8 |
//! | trailers | those that may be trailers | 9110 §6.5.1 |
//!
//! A reply on a stream of HTTP/2 has the same plan, and fields in place of bytes ([`Plan::finish_fields`]). What differs, by
//! RFC 9113:
//!
//! | what | rule | section |
//! |---|---|---|
//! | an unknown length | neither a length nor chunks: the end of the stream | 9113 §8.1 |
//! | `Connection`, `Keep-Alive`, `Proxy-Connection`, `Te`, `Transfer-Encoding`, `Upgrade` | not sent | 9113 §8.2.2 |
//! | `Connection: close` of the handler | the reason to end the connection after this stream (GOAWAY) | 9113 §6.8 |
//! | blanks around a value | removed | 9113 §8.2.1 |
//! | 2xx to CONNECT | a tunnel in the stream: no length; DATA frames are the tunnel's | 9113 §8.5 |
//! | another status to CONNECT | the connection goes on: the tunnel had a stream of its own | 9113 §8.5 |
//!
//! Fields that only a handler can know are left to it: `WWW-Authenticate` with 401, `Allow` with 405,
//! `Proxy-Authenticate` with 407, `Content-Range` with 206 and 416, `Upgrade` with its own 426, `Location` with 201 and
//! 3xx, `Retry-After` with 413, 429 and 503, and with 304 the fields that 200 would have had (`Cache-Control`,
//! `Content-Location`, `ETag`, `Expires`, `Vary`; `Date` is there).
//!
//! # Example
//! ```
//! use http::StatusCode;
//! use quintet_request::{ContentType, Exchange, HeadRef, Index, Limits, reply};
//!
//! let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
//! let mut index = Index::default();
//! index.parse(bytes, &Limits::default())?.expect("a whole head");
//! let mut exchange = Exchange::new(HeadRef::new(bytes, &index));
//!
//! let content_type = ContentType::Known("text/plain; charset=utf-8");
//! let head = reply::Head { content_type, length: Some(6), ..reply::Head::new(StatusCode::OK) };
//! let plan = exchange.begin_reply(&head);
//! let mut out = Vec::new();
//! plan.write_head(&mut out, &head, 784_111_777, b"");
//! if plan.has_body() {
//!     out.extend_from_slice(b"hello\n");
//! }
//! assert_eq!(
//!     String::from_utf8_lossy(&out),
//!     "HTTP/1.1 200 OK\r\n\
//!      Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
//!      Content-Type: text/plain; charset=utf-8\r\n\
//!      Content-Length: 6\r\n\
//!      \r\n\
//!      hello\n"
//! );
//! # Ok::<(), quintet_request::HeadError>(())
//! ```

mod chunk;
mod constraints;
mod content_type;
mod date;
mod field;
mod head;
mod inform_error;
pub(crate) mod interim;
mod length;
mod plan;
mod sniff;
mod stream_fields;
mod takeover_error;

pub use chunk::{begin_chunk, end_body, end_chunk};
pub use constraints::Constraints;
pub use content_type::ContentType;
pub use head::Head;
pub use inform_error::InformError;
pub use interim::write_interim;
pub use length::Length;
pub use plan::Plan;
pub use sniff::sniff;
pub use stream_fields::finish_trailers;
pub use takeover_error::TakeoverError;
