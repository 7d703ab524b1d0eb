//! What waits: bodies, requests, and a connection seen as a sequence of them.

mod body;
mod convert;
mod lent;
mod loan;
mod request;
mod requests;
mod writer;

pub use body::{Body, BodyError};
pub use request::{FormReadError, PathValues, Request, Route};
pub use requests::{Requests, RequestsError, Reuse, Unread, WireGuard};
pub use writer::Writer;
