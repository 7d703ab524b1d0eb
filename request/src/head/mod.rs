//! Request heads: the parsers, the index, and the views of a head.

pub(crate) mod authority;
pub(crate) mod connection_tokens;
mod content;
#[cfg(feature = "io")]
mod content_coding;
mod error;
pub(crate) mod field;
mod framing;
#[expect(clippy::module_inception, reason = "a file is named after the type in it")]
mod head;
mod head_cache;
mod head_ref;
mod head_writer;
mod headers;
mod hit_tracker;
mod index;
mod layout;
mod parse;
mod parts;
mod reference;
mod scan;
mod semantics;
mod span;
mod target;
mod target_error;
mod target_form;
mod version;

#[cfg(feature = "io")]
pub(crate) use content::Content;
#[cfg(feature = "io")]
pub(crate) use content_coding::has_content_coding;
pub use error::HeadError;
pub use framing::{Declared, Framing, FramingError, framing};
pub use head::Head;
pub use head_ref::HeadRef;
pub use headers::{Headers, HeadersNamed};
pub use index::{Field, Index};
pub use parse::parse;
pub use scan::Scan;
#[cfg(all(test, feature = "io"))]
pub(crate) use semantics::may_decide;
pub use span::Span;
pub use target::{Segments, Target};
pub use target_error::TargetError;
pub use target_form::TargetForm;
pub use version::Version;
