//! Tests of the table in `precondition.rs`.

use super::*;
use crate::{HeadRef, HttpDate, Index, Limits};

/// *T* of the table, and a second earlier and later.
const T: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Done,
    Part,
    NotModified,
    Failed,
}
use Verdict::{Done, Failed, NotModified, Part};

fn check(method: &str, fields: &str, current: Option<Validators<'_>>) -> Verdict {
    let target = match method {
        "OPTIONS" => "*",
        "CONNECT" => "a:443",
        _ => "/",
    };
    let host = if method == "CONNECT" { "a:443" } else { "a" };
    let bytes = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
    let mut index = Index::default();
    index.parse(bytes.as_bytes(), &Limits::default()).unwrap().unwrap();
    match check_preconditions(HeadRef::new(bytes.as_bytes(), &index), current) {
        Precondition::Proceed { range: None } => Done,
        Precondition::Proceed { range: Some(range) } => {
            assert_eq!(range, b"bytes=0-4");
            Part
        }
        Precondition::NotModified => NotModified,
        Precondition::Failed => Failed,
    }
}

/// `"x"`, modified at *T*.
fn current() -> Validators<'static> {
    Validators { etag: ETag::parse(b"\"x\""), last_modified: HttpDate::parse(T.as_bytes()) }
}

/// The fields of a row, where `T-`, `T` and `T+` are dates.
fn fields(row: &str) -> String {
    let line = |line: &str| {
        let line = line.replace("T-", EARLIER).replace("T+", LATER);
        let dated = line.strip_suffix(": T").map(|name| format!("{name}: {T}"));
        dated.unwrap_or(line) + "\r\n"
    };
    row.split('|').filter(|row| !row.is_empty()).map(line).collect()
}

/// Checks rows: fields separated by `|`, the verdict for GET and HEAD, and that for PUT.
fn check_rows(rows: &[(&str, Verdict, Verdict)]) {
    for (row, reads, writes) in rows {
        let fields = fields(row);
        assert_eq!(check("GET", &fields, Some(current())), *reads, "GET {row}");
        let head = if *reads == Part { Done } else { *reads };
        assert_eq!(check("HEAD", &fields, Some(current())), head, "HEAD {row}");
        for method in ["PUT", "DELETE", "POST", "PROPFIND"] {
            assert_eq!(check(method, &fields, Some(current())), *writes, "{method} {row}");
        }
        for method in ["OPTIONS", "TRACE", "CONNECT"] {
            assert_eq!(check(method, &fields, Some(current())), Done, "{method} {row}");
        }
    }
}

#[test]
fn if_match_is_compared_strongly_else_412() {
    check_rows(&[
        ("", Done, Done),
        ("If-Match: \"x\"", Done, Done),
        ("If-Match: \"a\", \"x\"", Done, Done),
        ("If-Match: \"a\"|If-Match: \"x\"", Done, Done),
        ("If-Match: *", Done, Done),
        ("If-Match: \"a\"", Failed, Failed),
        ("If-Match: W/\"x\"", Failed, Failed),
        ("If-Match: x", Failed, Failed),
        ("If-Match: \"a\" \"x\"", Failed, Failed),
        ("If-Match: \"a\", *", Failed, Failed),
        ("If-Match:", Failed, Failed),
    ]);
}

#[test]
fn if_unmodified_since_is_compared_to_the_second_else_412() {
    check_rows(&[
        ("If-Unmodified-Since: T", Done, Done),
        ("If-Unmodified-Since: T+", Done, Done),
        ("If-Unmodified-Since: T-", Failed, Failed),
        ("If-Unmodified-Since: Sunday, 06-Nov-94 08:49:36 GMT", Failed, Failed),
        ("If-Unmodified-Since: yesterday", Done, Done),
        ("If-Unmodified-Since: T-, T-", Done, Done),
        ("If-Unmodified-Since: T-|If-Unmodified-Since: T-", Done, Done),
        ("If-Match: \"x\"|If-Unmodified-Since: T-", Done, Done),
        ("If-Match: \"a\"|If-Unmodified-Since: T+", Failed, Failed),
    ]);
}

#[test]
fn if_none_match_is_compared_weakly_304_or_412() {
    check_rows(&[
        ("If-None-Match: \"x\"", NotModified, Failed),
        ("If-None-Match: W/\"x\"", NotModified, Failed),
        ("If-None-Match: \"a\", W/\"x\"", NotModified, Failed),
        ("If-None-Match: \"a\"|If-None-Match: \"x\"", NotModified, Failed),
        ("If-None-Match: *", NotModified, Failed),
        ("If-None-Match: \"a\"", Done, Done),
        ("If-None-Match: x", Done, Failed),
        ("If-None-Match: \"a\", *", Done, Failed),
        ("If-None-Match:", Done, Failed),
        ("If-None-Match: \"a\"|If-Modified-Since: T", Done, Done),
        ("If-None-Match: \"x\"|If-Modified-Since: T-", NotModified, Failed),
        ("If-Match: \"a\"|If-None-Match: \"x\"", Failed, Failed),
        ("If-Match: \"x\"|If-None-Match: \"x\"", NotModified, Failed),
    ]);
}

#[test]
fn if_modified_since_is_304_for_get_and_head_only() {
    check_rows(&[
        ("If-Modified-Since: T", NotModified, Done),
        ("If-Modified-Since: T+", NotModified, Done),
        ("If-Modified-Since: T-", Done, Done),
        ("If-Modified-Since: Sun Nov  6 08:49:37 1994", NotModified, Done),
        ("If-Modified-Since: yesterday", Done, Done),
        ("If-Modified-Since: T|If-Modified-Since: T", Done, Done),
        ("If-Unmodified-Since: T|If-Modified-Since: T", NotModified, Done),
    ]);
}

#[test]
fn if_range_must_match_strongly_or_range_is_ignored() {
    let other = "Tue, 08 Nov 1994 08:49:37 GMT";
    check_rows(&[
        ("Range: bytes=0-4", Part, Done),
        ("Range: bytes=0-4|Range: bytes=0-4", Done, Done),
        ("If-Range: \"x\"", Done, Done),
        ("Range: bytes=0-4|If-Range: \"x\"", Part, Done),
        ("Range: bytes=0-4|If-Range: \"a\"", Done, Done),
        ("Range: bytes=0-4|If-Range: W/\"x\"", Done, Done),
        ("Range: bytes=0-4|If-Range: \"x\", \"a\"", Done, Done),
        ("Range: bytes=0-4|If-Range: x", Done, Done),
        ("Range: bytes=0-4|If-Range: T", Part, Done),
        ("Range: bytes=0-4|If-Range: T-", Done, Done),
        ("Range: bytes=0-4|If-Range: T+", Done, Done),
        (&format!("Range: bytes=0-4|If-Range: {other}"), Done, Done),
        ("Range: bytes=0-4|If-Range: \"x\"|If-Range: \"x\"", Done, Done),
        ("Range: bytes=0-4|If-Range:", Done, Done),
        ("Range: bytes=0-4|If-None-Match: \"x\"", NotModified, Failed),
        ("Range: bytes=0-4|If-None-Match: \"a\"", Part, Done),
        ("Range: bytes=0-4|If-Match: \"a\"", Failed, Failed),
        ("Range: bytes=0-4|If-Unmodified-Since: T-", Failed, Failed),
    ]);
}

#[test]
fn if_range_with_a_weak_etag_never_matches() {
    let weak = Validators { etag: ETag::parse(b"W/\"x\""), ..current() };
    let untagged = Validators { etag: None, ..current() };
    for (if_range, with_weak, without) in [("W/\"x\"", Done, Done), ("\"x\"", Done, Done), (T, Done, Part)] {
        let fields = format!("Range: bytes=0-4\r\nIf-Range: {if_range}\r\n");
        assert_eq!(check("GET", &fields, Some(weak)), with_weak, "{if_range}");
        assert_eq!(check("GET", &fields, Some(untagged)), without, "{if_range}");
    }
    assert_eq!(check("GET", "Range: bytes=0-4\r\n", Some(weak)), Part, "without If-Range the client takes the risk");
    assert_eq!(check("GET", "If-None-Match: W/\"x\"\r\n", Some(weak)), NotModified);
    assert_eq!(check("PUT", "If-Match: W/\"x\"\r\n", Some(weak)), Failed);
}

#[test]
fn preconditions_without_a_representation_or_validators() {
    for (row, without, unnamed) in [
        ("If-Match: *", Failed, Done),
        ("If-Match: \"x\"", Failed, Failed),
        ("If-None-Match: *", Done, Failed),
        ("If-None-Match: \"x\"", Done, Done),
        ("If-None-Match: x", Failed, Failed),
        ("If-Unmodified-Since: T-", Done, Done),
        ("If-Modified-Since: T", Done, Done),
    ] {
        assert_eq!(check("PUT", &fields(row), None), without, "{row}");
        assert_eq!(check("PUT", &fields(row), Some(Validators::default())), unnamed, "{row}");
    }
    assert_eq!(check("GET", "Range: bytes=0-4\r\n", None), Done);
    assert_eq!(check("GET", "Range: bytes=0-4\r\n", Some(Validators::default())), Part);
    let fields = format!("Range: bytes=0-4\r\nIf-Range: {T}\r\n");
    assert_eq!(check("GET", &fields, Some(Validators::default())), Done);
}

/// Rows of Go's TestServeContent that have conditions: status by ETag, date and fields. The date of its files is *T*.
#[test]
fn preconditions_agree_with_go_serve_content() {
    for (etag, dated, row, verdict) in [
        ("", true, "If-Modified-Since: T", NotModified),
        ("", true, "If-Modified-Since: T-", Done),
        ("\"foo\"", false, "If-None-Match: \"foo\"", NotModified),
        ("\"foo\"", true, "If-None-Match: \"Foo\"|If-Modified-Since: T", Done),
        ("W/\"foo\"", false, "If-None-Match: W/\"foo\"", NotModified),
        ("W/\"foo\"", false, "If-None-Match: \"foo\"", NotModified),
        ("\"foo\"", false, "If-None-Match: \"baz\", W/\"foo\"", NotModified),
        ("\"foo\"", false, "If-None-Match: *", NotModified),
        ("\"foo\"", false, "If-Match: \"foo\"", Done),
        ("\"foo\"", false, "If-Match: W/\"foo\"", Failed),
        ("W/\"foo\"", false, "If-Match: \"foo\"", Failed),
        ("\"foo\"", false, "If-Match: \"bar\"", Failed),
        ("", false, "If-Match: *", Done),
        ("", true, "If-Unmodified-Since: T", Done),
        ("", true, "If-Unmodified-Since: T-", Failed),
        ("\"A\"", false, "Range: bytes=0-4", Part),
        ("\"A\"", false, "Range: bytes=0-4|If-Range: \"A\"", Part),
        ("\"A\"", false, "Range: bytes=0-4|If-Range: W/\"A\"", Done),
        ("W/\"A\"", false, "Range: bytes=0-4|If-Range: W/\"A\"", Done),
        ("\"A\"", false, "Range: bytes=0-4|If-Range: \"B\"", Done),
        ("", true, "Range: bytes=0-4|If-Range: T", Part),
        ("", true, "Range: bytes=0-4|If-Range: T+", Done),
        ("", false, "Range: bytes=0-4|If-Range: T", Done),
    ] {
        let last_modified = dated.then(|| HttpDate::parse(T.as_bytes()).unwrap());
        let current = Validators { etag: ETag::parse(etag.as_bytes()), last_modified };
        assert_eq!(check("GET", &fields(row), Some(current)), verdict, "{etag} {row}");
    }
}
