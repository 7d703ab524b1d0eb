//! Go's answers about files (net/http/fs.go, Go 1.27.3), recorded: those of `FileServer`, `ServeFile` and `ServeContent` to
//! the requests of Go's own tables (fs_test.go) and to random ones. Ours are the same but for the differences below.
#![allow(clippy::unwrap_used, reason = "a test")]
#![cfg(feature = "files")]

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::HeaderValue;
use quintet_mux::{
    EtagPolicy, FileOptions, FileServer, Handler, Hidden, Listing, MemoryFiles, Response, serve_content,
};
use quintet_request::Request;

const RECORDED: &str = include_str!("data/go_files.txt");

/// The last change of every file: `Wed, 25 Jun 2014 17:12:18 GMT`.
const CHANGED: Duration = Duration::from_secs(1_403_716_338);

const TREE: [(&str, &str); 14] = [
    ("index.html", "index.html says hello\n"),
    ("file", "0123456789\n"),
    ("style.css", "body {}\n"),
    ("empty", ""),
    ("page", "<html>a page without an ending"),
    ("a/index.html", "the index of a\n"),
    ("b/x.txt", "x\n"),
    ("b/y y.txt", "y y\n"),
    ("b/c/deep.json", "{}\n"),
    ("x:y/z", "z\n"),
    ("100%.txt", "percent\n"),
    ("café.txt", "coffee\n"),
    (".hidden", "a dotfile\n"),
    ("a..b", "dots\n"),
];

/// What an answer is compared by.
#[derive(Clone, Default, PartialEq, Eq)]
struct Answer {
    status: u16,
    location: String,
    content_type: String,
    content_range: String,
    last_modified: String,
    accept_ranges: String,
    length: String,
    etag: String,
    body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, location, content_type, content_range, last_modified, accept_ranges, length, etag, body } =
            self;
        write!(f, "{status} location={location} type={content_type} range={content_range} modified={last_modified} ")?;
        write!(f, "accept={accept_ranges} length={length} etag={etag} {}", body.escape_ascii())
    }
}

/// A text as Go's `strconv.QuoteToASCII` writes it, without the quotes.
fn unquote(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let code = rest.as_bytes()[at + 1];
        let digits = |n: usize| u32::from_str_radix(&rest[at + 2..at + 2 + n], 16).unwrap();
        let (byte, len) = match code {
            b'n' => (b'\n', 2),
            b'r' => (b'\r', 2),
            b't' => (b'\t', 2),
            b'x' => (u8::try_from(digits(2)).unwrap(), 4),
            b'u' => {
                let c = char::from_u32(digits(4)).unwrap();
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[at + 6..];
                continue;
            }
            byte => (byte, 2),
        };
        out.push(byte);
        rest = &rest[at + len..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn text(field: &str) -> String {
    String::from_utf8(unquote(field)).unwrap()
}

/// Replaces the boundary of a multipart reply by the word in the records.
fn without_boundary(content_type: &mut String, body: &mut Vec<u8>) {
    let Some((start, boundary)) = content_type.split_once("boundary=") else { return };
    let plain = String::from_utf8(body.clone()).unwrap().replace(boundary, "BOUNDARY");
    *body = plain.into_bytes();
    *content_type = format!("{start}boundary=BOUNDARY");
}

async fn answer(head: bool, mut response: Response) -> Answer {
    let status = response.status().as_u16();
    let field = |name: &str| match response.header(name) {
        Some(value) => value.to_str().unwrap().to_owned(),
        None => String::new(),
    };
    let mut answer = Answer {
        status,
        location: field("location"),
        content_type: field("content-type"),
        content_range: field("content-range"),
        last_modified: field("last-modified"),
        accept_ranges: field("accept-ranges"),
        length: field("content-length"),
        etag: field("etag"),
        body: Vec::new(),
    };
    let body = response.take_body();
    let known = body.len();
    answer.body = body.to_bytes(1 << 20).await.unwrap().to_vec();
    if known.is_some() {
        assert_eq!(known, Some(answer.body.len() as u64));
    }
    if head {
        answer.body.clear();
    } else if answer.body.starts_with(b"<!doctype html>\n<html lang") {
        answer.body = b"LISTING".to_vec();
    } else if matches!(status, 200 | 206) {
        answer.length = answer.body.len().to_string();
    }
    without_boundary(&mut answer.content_type, &mut answer.body);
    answer
}

fn server() -> FileServer<MemoryFiles> {
    let files = TREE.iter().fold(MemoryFiles::new(), |files, (name, text)| files.with_file(name, *text));
    let options = FileOptions {
        listing: Some(Listing::default()),
        hidden: Hidden::Served,
        etag: EtagPolicy::Unsent,
        ..FileOptions::default()
    };
    FileServer::with_options(files.with_modified(SystemTime::UNIX_EPOCH + CHANGED), options)
}

/// Our answer to a recorded request.
async fn ours(server: &FileServer<MemoryFiles>, kind: &str, raw: &[u8]) -> Answer {
    let request = Request::parse(raw).unwrap();
    let head = request.method() == "HEAD";
    let response = match kind.split_once([' ', '|']) {
        None => server.call(request).await,
        Some(("file", name)) => server.serve_file(&request, name).await,
        Some((_, content)) => {
            let fields: Vec<_> = content.split('|').collect();
            let [name, etag, nanoseconds, body] = fields[..] else { panic!("{content}") };
            let etag = Some(text(etag)).filter(|etag| !etag.is_empty());
            let nanoseconds = nanoseconds.parse().ok().map(Duration::from_nanos);
            let modified = nanoseconds.map(|nanoseconds| SystemTime::UNIX_EPOCH + nanoseconds);
            let etag = etag.map(|etag| HeaderValue::try_from(etag).unwrap());
            serve_content(&request, name, modified, etag, Bytes::from(unquote(body))).await
        }
    };
    answer(head, response).await
}

/// The documented difference that explains why an answer is not Go's; `None` if there is none.
fn difference(raw: &str, go: &Answer, ours: &Answer) -> Option<&'static str> {
    let without = |answer: &Answer, change: fn(&mut Answer)| {
        let mut answer = answer.clone();
        change(&mut answer);
        answer
    };
    let same = |change: fn(&mut Answer)| without(go, change) == without(ours, change);
    let method = raw.split(' ').next().unwrap();
    let has_range = raw.contains("\\r\\nRange: ");
    Some(match ours.status {
        405 if !matches!(method, "GET" | "HEAD") => "a method that reads nothing",
        404 if raw.to_ascii_lowercase().split(' ').nth(1).unwrap().contains("%2f") => "an encoded slash",
        404 if go.status == 500 => "a name that is too long",
        301 if ours.location == format!("./{}", go.location) => "a relative location with a colon",
        301 if raw.contains("// ") && ours.location == format!("../{}", go.location) => "two slashes at the end",
        200 if same(|answer| answer.last_modified.clear()) => "the date of a listing",
        // Two tags with no comma between them: Go reads both, we read none.
        _ if raw.contains(r#"\"B\"  \"A\""#) => "a malformed list of tags",
        200 | 304 | 412 if method == "HEAD" && has_range => "a range of HEAD",
        200 if has_range && ends_before_it_starts(raw) => "a malformed range",
        200 if raw.contains("If-Range: ") && go.etag.starts_with("W/") && go.status == 206 => {
            "a date in If-Range beside a weak tag"
        }
        200 | 206 | 416 if go.status == 416 && go.content_range.is_empty() => "a malformed range",
        // Go reads numbers with a sign, and blanks around the hyphen.
        200 if has_range && raw.contains(['+']) || [" -2", "0 - 4"].iter().any(|blank| raw.contains(blank)) => {
            "a malformed range"
        }
        200 | 416 if go.status == 206 && go.length == "0" => "a range without bytes",
        416 if same(|answer| answer.body.clear()) => "the text of a 416",
        206 if go.content_type.starts_with("multipart") => match go.content_type == ours.content_type {
            true if go.body == ours.body => "the length of a boundary",
            _ => "ranges that overlap or touch",
        },
        _ => return None,
    })
}

/// Whether a range of the request ends before it starts. Go overlooks that where it starts behind the end of the content.
fn ends_before_it_starts(raw: &str) -> bool {
    let ranges = raw.split("bytes=").nth(1).and_then(|rest| rest.split("\\r").next()).unwrap_or_default();
    let bounds = ranges.split(',').filter_map(|range| range.trim().split_once('-'));
    bounds.filter_map(|(start, end)| start.parse::<u64>().ok().zip(end.parse().ok())).any(|(start, end)| start > end)
}

/// - Go serves any method; a file that is not a program is not what a `POST` is for.
/// - In Go `%2F` separates parts of a name, unless it would cause a redirect.
/// - Go gives 500 for a name of 256 bytes: the system's error is one it does not know. No file can have that name.
/// - Go redirects `/x:y` to `x:y/`, which a client reads as a URL with the scheme `x`; and `/file//` to `../file`, which is
///   `/file/file`.
/// - A listing has the sizes and dates of its entries, which change without the date of their directory.
/// - RFC 9110 §14.2: a `Range` of another method than GET, or one that is malformed, is ignored. `bytes=-0` is satisfied by
///   no content; Go's `Content-Range: bytes 11-10/11` is invalid (§14.4). Overlapping ranges may be joined (§15.3.7.2).
/// - RFC 9110 §13.1.5: a date in `If-Range` counts only if it is a strong validator.
#[tokio::test]
async fn recorded_answers_of_gos_file_server_are_reproduced() {
    let server = server();
    let (mut requests, mut differences) = (0, BTreeMap::new());
    for line in RECORDED.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let [
            kind,
            raw,
            status,
            location,
            content_type,
            content_range,
            last_modified,
            accept_ranges,
            length,
            etag,
            body,
        ] = fields[..]
        else {
            panic!("{line}")
        };
        let go = Answer {
            status: status.parse().unwrap(),
            location: text(location),
            content_type: text(content_type),
            content_range: text(content_range),
            last_modified: text(last_modified),
            accept_ranges: text(accept_ranges),
            length: text(length),
            etag: text(etag),
            body: unquote(body),
        };
        requests += 1;
        let ours = ours(&server, kind, &unquote(raw)).await;
        if ours == go {
            continue;
        }
        let known = difference(raw, &go, &ours);
        assert!(known.is_some(), "{kind} {raw}\n    go   {go:?}\n    ours {ours:?}");
        *differences.entry(known.unwrap()).or_insert(0) += 1;
    }
    assert_eq!(requests, 1420);
    let expected = [
        ("a date in If-Range beside a weak tag", 1),
        ("a malformed list of tags", 31),
        ("a malformed range", 62),
        ("a method that reads nothing", 21),
        ("a name that is too long", 2),
        ("a range of HEAD", 80),
        ("a range without bytes", 10),
        ("a relative location with a colon", 2),
        ("an encoded slash", 6),
        ("ranges that overlap or touch", 3),
        ("the date of a listing", 8),
        ("the length of a boundary", 7),
        ("the text of a 416", 11),
        ("two slashes at the end", 2),
    ];
    assert_eq!(differences, BTreeMap::from(expected));
}
