//! Whether a request is done, by its `If-…` fields.
//!
//! The current representation of the rows is `ETag: "x"` and `Last-Modified:` the date *T*. *Else* is a method other than
//! GET and HEAD. *Done* means as if the field was not there.
//!
//! | request | RFC 9110 | Go | Quintet |
//! |---|---|---|---|
//! | `If-Match: "x"`, `"a", "x"`, `*` | §13.1.1: done | done | done |
//! | `If-Match: "a"`, `W/"x"` | §13.1.1: strong comparison, 412 | 412 | 412 |
//! | `If-Match: x`, `"a" "x"`, `"a", *` | malformed | 412; 412 only for the first | 412 |
//! | `If-Match:` *empty* | malformed | done | 412 |
//! | `If-Match: "x"` and `If-Unmodified-Since:` before *T* | §13.2.2: date ignored | done | done |
//! | `If-Unmodified-Since:` *T*, later | §13.1.4: done | done | done |
//! | `If-Unmodified-Since:` before *T* | §13.1.4: 412 | 412 | 412 |
//! | `If-Unmodified-Since:` no date, two dates, two fields | §13.1.4: ignored | ignored; the first field | ignored |
//! | `If-None-Match: "x"`, `W/"x"`, `*` | §13.1.2: 304; else 412 | 304; 412 | 304; 412 |
//! | `If-None-Match: "a"` | §13.1.2: done | done | done |
//! | `If-None-Match: x`, `"a", *`, *empty*; GET, HEAD | malformed | done; 304 for the second | done |
//! | ″; else | malformed | done; 412 for the second | 412 |
//! | `If-None-Match: "a"` and `If-Modified-Since:` *T* | §13.1.3: date ignored | done | done |
//! | `If-Modified-Since:` *T*, later; GET, HEAD | §13.1.3: 304 | 304 | 304 |
//! | `If-Modified-Since:` before *T*, no date, two fields | §13.1.3: done, ignored | done; the first field | done |
//! | `If-Modified-Since`; else | §13.1.3: ignored | ignored | ignored |
//! | any of them with CONNECT, OPTIONS, TRACE | §13.2.1: ignored | obeyed | ignored |
//! | `Range`; GET | §14.2: applies | applies | applies |
//! | `Range`; HEAD | §14.2: ignored | 206 | ignored |
//! | `Range`; else | §14.2: ignored | 206 | ignored |
//! | `Range` twice | not a list | the first | ignored |
//! | `Range` and `If-Range: "x"` | §13.1.5: applies | applies | applies |
//! | `Range` and `If-Range: "a"`, `W/"x"`, `"x", "a"`, `x` | §13.1.5: ignored | ignored; the third applies | ignored |
//! | `Range` and `If-Range:` *T* | §13.1.5: applies, if *T* is strong | applies | applies, if the ETag is not weak |
//! | `Range` and `If-Range:` another date, earlier or later | §13.1.5: ignored | ignored | ignored |
//! | `Range` and `If-Range` twice, *empty* | malformed | the first; applies | ignored |
//!
//! One rule makes the differences from Go: **a condition that cannot be read is not met**. Of a GET the client then gets
//! all of the current content, which is never wrong. A request that would change something is refused with 412, because
//! it was to be done only under a condition; a script that sends `If-Match: $TAG` with an empty variable overwrites
//! nothing. Only for the dates the RFC demands that they are ignored.

use super::{
    etag::ETag,
    etag_list::{ListMatch, search},
    validators::Validators,
};
use crate::{Declared, HeadRef, HttpDate};

/// What the `If-…` fields of a request demand. Made by [`check_preconditions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Precondition<'a> {
    /// The request is done.
    Proceed {
        /// The value of `Range`, if a part of the content is asked for: [`Ranges::parse`](crate::Ranges::parse) reads it.
        range: Option<&'a [u8]>,
    },
    /// The client's copy is current: the reply is `304 Not Modified`, with the `ETag`, `Last-Modified`, `Cache-Control`,
    /// `Expires`, `Vary` and `Content-Location` that a 200 would have (RFC 9110 §15.4.5).
    NotModified,
    /// A condition is not met: the reply is `412 Precondition Failed`, and nothing is done.
    Failed,
}

/// Evaluates the preconditions of a request in their order of precedence, against the current representation of its
/// target. `None`: there is none, for example before the first PUT.
///
/// To be asked after everything that would lead to another status than 2xx without conditions (RFC 9110 §13.2.1): no 412
/// instead of a 404.
///
/// ```
/// use quintet_request::{ETag, HeadRef, Index, Limits, Precondition, Validators};
/// use quintet_request::check_preconditions;
///
/// let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"v1\", \"v2\"\r\n\r\n";
/// let mut index = Index::default();
/// index.parse(bytes, &Limits::default()).unwrap().unwrap();
/// let head = HeadRef::new(bytes, &index);
///
/// let current = Validators { etag: ETag::parse(b"\"v2\""), ..Default::default() };
/// assert_eq!(check_preconditions(head, Some(current)), Precondition::NotModified);
/// let newer = Validators { etag: ETag::parse(b"\"v3\""), ..Default::default() };
/// assert_eq!(check_preconditions(head, Some(newer)), Precondition::Proceed { range: None });
/// ```
///
/// # Spec
/// RFC 9110 §13.2.2. Go: `checkPreconditions` (fs.go:646). The table in `src/conditional/precondition.rs` has the
/// differences.
pub fn check_preconditions<'a>(head: HeadRef<'a>, current: Option<Validators<'_>>) -> Precondition<'a> {
    let method = head.method();
    if matches!(method, "CONNECT" | "OPTIONS" | "TRACE") {
        return Precondition::Proceed { range: None };
    }
    if !is_unchanged(head, current) {
        return Precondition::Failed;
    }
    if !is_new(head, current) {
        let reads = matches!(method, "GET" | "HEAD");
        return if reads { Precondition::NotModified } else { Precondition::Failed };
    }
    Precondition::Proceed { range: current.and_then(|current| range(head, current)) }
}

/// Steps 1 and 2 of RFC 9110 §13.2.2: the representation is the one that the client means.
fn is_unchanged(head: HeadRef<'_>, current: Option<Validators<'_>>) -> bool {
    let etag = current.and_then(|current| current.etag);
    let is_current = |tag: ETag<'_>| etag.is_some_and(|etag| tag.strong_match(etag));
    match search(head.headers_named("if-match"), is_current) {
        Some(ListMatch::Any) => current.is_some(),
        Some(found) => found == ListMatch::Found,
        None => {
            let modified = current.and_then(|current| current.last_modified);
            let Some((modified, date)) = modified.zip(date(head, "if-unmodified-since")) else { return true };
            modified <= date
        }
    }
}

/// Steps 3 and 4 of RFC 9110 §13.2.2: the client does not have the representation yet.
fn is_new(head: HeadRef<'_>, current: Option<Validators<'_>>) -> bool {
    let reads = matches!(head.method(), "GET" | "HEAD");
    let etag = current.and_then(|current| current.etag);
    let is_current = |tag: ETag<'_>| etag.is_some_and(|etag| tag.weak_match(etag));
    match search(head.headers_named("if-none-match"), is_current) {
        Some(ListMatch::Any) => current.is_none(),
        Some(ListMatch::Malformed) => reads,
        Some(found) => found == ListMatch::NotFound,
        None if reads => {
            let modified = current.and_then(|current| current.last_modified);
            let Some((modified, date)) = modified.zip(date(head, "if-modified-since")) else { return true };
            modified > date
        }
        None => true,
    }
}

/// Step 5 of RFC 9110 §13.2.2: the value of `Range`, if it applies.
fn range<'a>(head: HeadRef<'a>, current: Validators<'_>) -> Option<&'a [u8]> {
    let Declared::Once(range) = head.headers_named("range").collect() else { return None };
    let applies = match head.headers_named("if-range").collect() {
        Declared::Never => true,
        Declared::Once(value) => is_same(value, current),
        Declared::Repeated(_) => false,
    };
    (head.method() == "GET" && applies).then_some(range)
}

/// Whether the representation is, byte for byte, the one of which the client has a part.
fn is_same(if_range: &[u8], current: Validators<'_>) -> bool {
    if let Some(tag) = ETag::parse(if_range) {
        return current.etag.is_some_and(|etag| tag.strong_match(etag));
    }
    // A date is a strong validator only if the content cannot have changed twice within its second (RFC 9110 §8.8.2.2).
    // Its owner, who knows, says so by the kind of the entity tag.
    if current.etag.is_some_and(ETag::is_weak) {
        return false;
    }
    let date = HttpDate::parse(if_range);
    date.is_some() && date == current.last_modified
}

/// The date in a field that occurs once. A field twice is a list of dates, which is no date (RFC 9110 §13.1.3).
fn date(head: HeadRef<'_>, name: &str) -> Option<HttpDate> {
    match head.headers_named(name).collect() {
        Declared::Once(value) => HttpDate::parse(value),
        _ => None,
    }
}
