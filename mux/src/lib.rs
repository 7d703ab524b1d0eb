//! Which handler, and why that one.

mod clean;
mod conflict;
mod escape;
mod find;
mod host;
#[cfg(feature = "handler")]
mod io;
mod mux;
mod pattern;
mod relation;
mod tree;
mod values;

pub use self::{
    clean::clean_path,
    conflict::{Conflict, Example},
    escape::decode,
    find::{Found, Lookup},
    host::strip_port,
    mux::{InsertError, Mux, Route},
    pattern::{Pattern, PatternError, PatternErrorKind},
    relation::Relation,
    values::Values,
};

#[cfg(feature = "handler")]
pub use self::io::{
    Allow, BoxHandler, ContentType, Handler, Html, IntoHeaders, IntoResponse, Response, ServeMux, Upgrade, Upgraded,
};
