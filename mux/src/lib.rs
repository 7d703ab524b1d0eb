#![cfg_attr(feature = "io", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "io"),
    doc = "The router alone, without handlers or a runtime: it finds the pattern that a request matches, and says why."
)]
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clean;
mod conflict;
mod cors;
mod cross_origin;
mod escape;
mod escape_html;
mod event;
#[cfg(feature = "io")]
mod events;
mod explain;
#[cfg(feature = "files")]
mod files;
mod find;
#[cfg(feature = "io")]
mod handler;
mod host;
#[cfg(feature = "httptest")]
#[cfg_attr(docsrs, doc(cfg(feature = "httptest")))]
pub mod httptest;
mod location;
mod matches;
#[cfg(feature = "io")]
mod middleware;
mod miss;
mod mux;
mod pattern;
mod pattern_error;
#[cfg(feature = "io")]
mod prefers_html;
mod prefix;
mod relation;
mod secret;
mod tree;
mod values;

pub use self::{
    clean::clean_path,
    conflict::{Conflict, Example, Witness},
    cors::{Cors, CorsError, CorsRefusal, CorsReply, CorsRequest},
    cross_origin::{CrossOrigin, CrossOriginError, OriginError, Source},
    escape::decode,
    escape_html::escape_html,
    event::{Event, EventError},
    explain::{Candidate, Explanation, Rule, Verdict},
    find::{Found, Lookup},
    host::canonical_host,
    location::redirect_location,
    miss::{Miss, MissReason},
    mux::{InsertError, Mux, Route},
    pattern::Pattern,
    pattern_error::{PatternError, PatternErrorKind},
    prefix::strip_path_prefix,
    relation::Relation,
    secret::Secret,
    values::Values,
};

#[cfg(feature = "io")]
pub use self::{
    events::{EventOptions, EventWriter, events, events_with, last_event_id},
    handler::{
        Allow, BoxHandler, FieldError, Handler, Html, HttpError, IntoHeaders, IntoResponse, OrStatus, ProblemDetails,
        Response, ServeMux, Upgrade, Upgraded,
    },
    middleware::{
        CrossOriginProtection, ErrorReply, HttpsOptions, Shed, allow_query_semicolons, default_headers, error,
        error_pages, max_bytes, not_found, problem_details, redirect, redirect_handler, redirect_to_https,
        require_https, strip_prefix, timeout, with_state,
    },
};

#[cfg(feature = "io")]
pub use self::middleware::{basic_auth, bearer, cors, forwarded, request_id};

#[cfg(feature = "files")]
pub use self::files::{
    CacheRule, Content, Dir, DirEntry, DirOptions, EntryKind, EtagPolicy, FileOptions, FilePath, FilePathError,
    FileServer, FileSystem, Hidden, Listing, MemoryFiles, OpenDirectory, OpenFile, OpenNode, Precompressed, ReadAt,
    Symlinks, file_server, serve_content, serve_file,
};
#[cfg(feature = "compress")]
#[cfg_attr(docsrs, doc(cfg(feature = "compress")))]
pub use self::middleware::{Compression, compress};

#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
pub use self::handler::Json;

#[cfg(feature = "io")]
pub use quintet_request::ContentType;

#[cfg(feature = "testing")]
#[doc(hidden)]
pub use quintet_request::testing;
