//! What waits: bodies, requests, and a connection seen as a sequence of them.

mod body;
mod convert;
mod guard;
mod lent;
mod loan;
mod pool;
mod request;
mod requests;
mod values;
mod writer;

pub use body::{Body, BodyError};
pub use guard::WireGuard;
pub use request::{FormReadError, Request};
pub use requests::{Requests, RequestsError, Reuse, Unread};
pub use values::{Matched, PathValues, Route};
pub use writer::Writer;
