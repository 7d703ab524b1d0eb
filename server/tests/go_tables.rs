//! The tables of `quintet-request` about Go and Quintet, checked against the recorded replies of both: `data/wire.jsonl`.
//!
//! A row of a table is prose. `CASES` names the recorded cases that are examples of it. A row without a recorded case is
//! in `UNRECORDED`, with its place in Go's source. A new row must be in one of the two.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

/// For each row, by its table and first cell, the cases that show it.
const CASES: &[(&str, &str, &[&str])] = &[
    ("parse", "an empty line before the request line", &["line/leading-crlf", "line/leading-crlf-after-get"]),
    ("parse", "an empty line after the body of a POST", &["line/leading-crlf-after-post"]),
    ("parse", "a line that ends in LF alone", &["line/bare-lf"]),
    ("parse", "a CR that no LF follows", &["field/bare-cr-value", "field/bare-cr-end"]),
    ("parse", "two spaces, a tab, a space at the end of the request line", &["line/two-spaces", "line/trailing-space"]),
    ("parse", "a method that is empty or not a token", &["line/bad-method", "line/empty-method", "line/tls-hello"]),
    ("parse", "`get`, `BREW`: any token, in its case", &["line/unknown-method", "line/lowercase-method"]),
    ("parse", "a target of more than 8 KiB", &["limit/uri-8k"]),
    ("parse", "`HTTP/1.2`", &["line/http12"]),
    ("parse", "`HTTP/2.0`, `HTTP/0.9`", &["line/http20", "line/http09"]),
    ("parse", "`HTTP/1.10`, `http/1.1`, no version", &["line/http11.0", "line/lowercase-http", "line/no-version"]),
    ("parse", "`foo`, no target", &["line/relative-target"]),
    ("parse", "`/a#b`", &["line/fragment"]),
    ("parse", "a control in a target", &["line/ctl-in-target", "line/del-in-target", "line/nul-in-target"]),
    ("parse", "`\"`, `<`, `>` or a byte past ASCII in a target, also in a query", &["line/non-ascii-target"]),
    ("parse", "`/%zz`", &["line/bad-percent"]),
    ("parse", "`http://a/b` and `Host: b`", &["line/absolute", "line/absolute-https"]),
    ("parse", "`CONNECT a:443`", &["line/connect"]),
    ("parse", "`OPTIONS *`", &["line/options-star", "line/options-star-body"]),
    ("parse", "`GET *`", &["line/get-star"]),
    ("parse", "no `Host` in HTTP/1.1", &["host/missing", "line/absolute-no-host"]),
    ("parse", "no `Host` with CONNECT", &["line/connect-nohost"]),
    ("parse", "no `Host` in HTTP/1.0", &["line/http10-nohost"]),
    ("parse", "`Host:` with nothing", &["host/empty"]),
    ("parse", "`Host` twice, equal or not, in any version", &["host/two", "host/two-same"]),
    ("parse", "`Host: a b`, `a/b`, `u@a`", &["host/space", "host/slash"]),
    ("parse", "`X : 1`", &["field/space-before-colon", "field/tab-before-colon"]),
    ("parse", "a folded line", &["field/obs-fold", "field/obs-fold-tab-blank"]),
    ("parse", "a blank before the first field", &["field/leading-space-first"]),
    (
        "parse",
        "a line without colon, an empty name, a name that is no token",
        &["field/no-colon", "field/empty-name", "field/non-token-name", "field/space-in-name"],
    ),
    ("parse", "whitespace around a value, an empty value", &["field/trailing-ws", "field/empty-value"]),
    ("parse", "NUL, another control or DEL in a value", &["field/nul-value", "field/ctl-value", "field/del-value"]),
    ("parse", "a byte past ASCII in a value", &["field/utf8-value"]),
    ("parse", "101 fields", &["limit/500-values"]),
    ("parse", "501 fields", &["limit/501-values"]),
    ("parse", "a field of more than 32 KiB", &["limit/1MiB-ok"]),
    ("parse", "a head of more than 64 KiB", &["limit/1MiB-ok"]),
    ("parse", "a head of more than 1 MiB", &["limit/1MiB+4096-over"]),
    ("parse", "`Expect: 100-continue`, in any case", &["expect/100-inspect", "expect/100-CASE"]),
    ("parse", "the same in HTTP/1.0, or without a body", &["expect/100-http10", "expect/100-zero-length"]),
    ("parse", "`Expect: other`", &["expect/other"]),
    ("parse", "`Connection: close`, `foo, Close`", &["conn/close", "conn/close-list"]),
    ("parse", "`Trailer: Content-Length`, chunked", &["trailer/forbidden-declared"]),
    ("framing", "nothing", &["line/ok", "cl/post-none"]),
    ("framing", "`Content-Length: 3`", &["cl/ok", "cl/get-with-body"]),
    ("framing", "`Content-Length: 003`", &["cl/leading-zero"]),
    ("framing", "`Content-Length: 9223372036854775807`", &["cl/max"]),
    ("framing", "`Content-Length: 9223372036854775808`", &["cl/overflow"]),
    (
        "framing",
        "`Content-Length:` *empty*, `+3`, `-3`, `0x3`, `1_0`, `3 3`",
        &["cl/empty", "cl/plus", "cl/minus", "cl/hex", "cl/underscore"],
    ),
    ("framing", "`Content-Length: 3, 3`", &["cl/comma-list"]),
    ("framing", "`Content-Length` twice, equal", &["cl/dup-same"]),
    ("framing", "`Content-Length` twice, different", &["cl/dup-differ"]),
    ("framing", "`Transfer-Encoding: chunked`, in any case", &["te/chunked", "te/Chunked-case", "te/trailing-tab"]),
    ("framing", "`Transfer-Encoding: gzip, chunked`, also on two lines", &["te/gzip-chunked"]),
    ("framing", "`Transfer-Encoding: chunked, chunked`, or twice", &["te/two-fields"]),
    ("framing", "`Transfer-Encoding: identity`, `gzip`, *empty*", &["te/identity", "te/empty"]),
    ("framing", "`Transfer-Encoding` and `Content-Length`", &["te/chunked+cl"]),
    ("framing", "`Transfer-Encoding` in HTTP/1.0", &["te/http10-chunked"]),
    (
        "chunked",
        "`3 CRLF abc CRLF 0 CRLF CRLF`; `A`, `a`, `00000003`",
        &["te/chunked", "chunk/upper-hex", "chunk/leading-zeros", "chunk/pipelined"],
    ),
    ("chunked", "`3;a=b`, `3;x`, `3; a = \"b;\\\"\"`", &["chunk/extension"]),
    ("chunked", "`3 ` (blank before CRLF)", &["chunk/trailing-ws"]),
    (
        "chunked",
        "` 3`, `0x3`, `+3`, empty, 17 digits",
        &["chunk/leading-ws", "chunk/0x", "chunk/empty-size", "chunk/17-digits"],
    ),
    (
        "chunked",
        "a line, a chunk or a trailer that ends in bare LF; a CR elsewhere",
        &["chunk/bare-lf-size", "chunk/bare-lf-data", "chunk/cr-in-ext"],
    ),
    ("chunked", "`abcX` where CRLF should follow `abc`", &["chunk/no-crlf-after-data"]),
    ("chunked", "an extension of more than 4 KiB", &["chunk/long-line"]),
    ("chunked", "trailers: `junk`, controls", &["trailer/malformed"]),
    ("chunked", "trailers: `Content-Length`, `Host`, `Authorization`, …", &["trailer/forbidden-sent"]),
];

/// Rows without a recorded case, and their place in Go's source.
const UNRECORDED: &[(&str, &str, &str)] = &[
    ("parse", "two empty lines before it", "readRequestLine: an empty line is a malformed request"),
    ("parse", "two empty lines after the body of a POST", "numLeadingCRorLF: up to four bytes after a POST"),
    ("parse", "a method of 33 bytes", "validMethod: any token"),
    ("parse", "``[ ] | ^`` in a target, ``{ } \\ ` `` in a query", "url.parse refuses controls only"),
    ("parse", "`/?q=%zz`, `/?q=100%`", "url.parse keeps RawQuery as it is"),
    ("parse", "`http://a/b` and `Host: a`, `Host: A:80`", "readRequest: the URL's host goes first"),
    ("parse", "`http://a`", "url.parse"),
    ("parse", "`http://u@a/`", "url.parseAuthority"),
    ("parse", "`ftp://a/`, `a:b`", "url.parse: any scheme"),
    ("parse", "`CONNECT a`, `CONNECT /a`", "readRequest: justAuthority"),
    ("parse", "`CONNECT a:443` and `Host: b`", "readRequest: the URL's host goes first"),
    ("parse", "`Host: a%41`", "httpguts.ValidHostHeader has the percent sign"),
    ("parse", "`Host: a:99999`, `a:b`, `::1`, `[x]`", "httpguts.ValidHostHeader looks at bytes only"),
    (
        "framing",
        "`Transfer-Encoding: chunked, gzip`, `chunked,`; `chunked` and then a line `gzip`",
        "parseTransferEncoding: one line, equal to chunked",
    ),
    ("framing", "`Transfer-Encoding: chunked;q=1`", "parseTransferEncoding: equal to chunked"),
    ("chunked", "`3 ;a=b` (a blank before the first `;`)", "removeChunkExtension leaves the blank to parseHexUint"),
    (
        "chunked",
        "`3;`, `3;=b`, `3;a=`, `3;a=\"b`, NUL in it",
        "removeChunkExtension: what follows `;` is not looked at",
    ),
    ("chunked", "a size past 2⁶³ − 1", "parseHexUint: sixteen digits"),
    ("chunked", "more than 16 KiB of framing beyond 16 bytes a chunk and twice the data", "chunkedReader.excess"),
    ("chunked", "trailers: folded", "textproto.Reader joins folded lines"),
];

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// A handler was called; its reply does not matter.
    Taken,
    /// The request was refused with this status, or its body was, which counts as 400.
    Refused(u64),
}

/// The outcome that a cell states: a refusal begins with its status.
fn said(cell: &str) -> Verdict {
    let digits = cell.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    match digits.parse() {
        Ok(status) if digits.len() == 3 => Verdict::Refused(status),
        _ => Verdict::Taken,
    }
}

/// The outcome that a reply shows: the first refusal, if there is one. A body error that the handler saw counts only for
/// chunks: a body that is merely short is not refused.
fn answered(outcome: &Value, chunks: bool) -> Verdict {
    let replies = outcome["replies"].as_array().expect("replies");
    assert!(!replies.is_empty(), "a case that shows something has a reply");
    let refused = replies.iter().find_map(|reply| match reply["status"].as_u64().expect("a status") {
        status @ (400 | 414 | 417 | 431 | 501 | 505) => Some(status),
        _ if chunks && reply["sees"]["body_error"] == true => Some(400),
        _ => None,
    });
    refused.map_or(Verdict::Taken, Verdict::Refused)
}

/// The rows of a table: the input, the outcome of Go, and that of Quintet.
fn rows(table: &str) -> Vec<[String; 3]> {
    let room = if table == "chunked" { "src" } else { "src/head" };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../request/{room}/{table}.rs"));
    let text = fs::read_to_string(file).expect("the table is there");
    let lines = text.lines().filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix(" |"));
    let rows = lines.skip(1).map(|line| {
        // A cell may contain a bar between backticks.
        let cells: Vec<&str> = line.split(" | ").collect();
        let [input @ .., _, go, ours] = &cells[..] else { panic!("a row with four cells: {line}") };
        [input.join(" | "), (*go).to_owned(), (*ours).to_owned()]
    });
    rows.collect()
}

fn cases() -> BTreeMap<String, Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire.jsonl");
    let text = fs::read_to_string(file).expect("the cases are there");
    let cases = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a case is JSON"));
    cases.map(|case| (case["name"].as_str().expect("a name").to_owned(), case)).collect()
}

#[test]
fn the_tables_say_what_go_and_quintet_answered() {
    let cases = cases();
    let mut wrong = Vec::new();
    for table in ["parse", "framing", "chunked"] {
        for [input, go, ours] in rows(table) {
            let shown = CASES.iter().find(|(known, row, _)| (*known, *row) == (table, &*input));
            let unrecorded = UNRECORDED.iter().any(|(known, row, _)| (*known, *row) == (table, &*input));
            assert!(shown.is_some() != unrecorded, "{table}.rs: {input}: no case, or one and no need to be without");
            for name in shown.map_or(&[][..], |(_, _, names)| names) {
                let case = cases.get(*name).unwrap_or_else(|| panic!("no case {name}"));
                let chunks = table == "chunked";
                let answers =
                    [answered(&case["go"], chunks), answered(case.get("ours").unwrap_or(&case["go"]), chunks)];
                if answers != [said(&go), said(&ours)] {
                    wrong.push(format!("{table}.rs: {input}: says {go} and {ours}, {name} shows {answers:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_names_a_row_of_the_tables() {
    for (table, input) in CASES.iter().map(|(t, i, _)| (t, i)).chain(UNRECORDED.iter().map(|(t, i, _)| (t, i))) {
        assert!(rows(table).iter().any(|[row, ..]| row == input), "{table}.rs has no row {input}");
    }
}
