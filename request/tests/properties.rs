//! Properties of the parsers, on generated input.

mod common;

use std::fmt::Write;

use common::{every_chunk, every_way};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{collection::vec, option, prelude::*, sample::select};
use quintet_request::{Chunked, Cookies, Form, Framing, HeadRef, Index, Limits, SetCookie, Target, Version, parse};

/// A generated request, to be compared with what is read.
#[derive(Clone, Debug)]
struct Meant {
    method: String,
    path: String,
    query: Option<String>,
    version: Version,
    host: String,
    /// Name, whitespace, value, whitespace.
    fields: Vec<(String, String, String, String)>,
    framing: Framing,
    crlf_first: bool,
}

impl Meant {
    fn print(&self) -> Vec<u8> {
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let version = if self.version == Version::Http10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let mut text = String::from(if self.crlf_first { "\r\n" } else { "" });
        let mut line = |line: String| text.write_fmt(format_args!("{line}\r\n")).expect("a string takes everything");
        line(format!("{} {}{query} {version}", self.method, self.path));
        for (i, (name, before, value, after)) in self.fields.iter().enumerate() {
            if i == self.fields.len() / 2 {
                line(format!("hOst:{}", self.host));
            }
            line(format!("{name}:{before}{value}{after}"));
        }
        if self.fields.is_empty() {
            line(format!("Host: {}", self.host));
        }
        match self.framing {
            Framing::None => {}
            Framing::Length(length) => line(format!("Content-LENGTH: {length}")),
            Framing::Chunked => line("transfer-encoding: chunked".into()),
            Framing::Stream => unreachable!("only a stream of HTTP/2 has it"),
        }
        line(String::new());
        text.into_bytes()
    }
}

fn meant() -> impl Strategy<Value = Meant> {
    let blank = || select(vec!["", " ", "\t", " \t ", "  "]).prop_map(String::from);
    // No field that decides anything starts with one of these letters.
    let name = "[XYZ!#$%&'*+.^_`|~0-9-][!#$%&'*+.^_`|~0-9a-zA-Z-]{0,12}";
    let value = option::of("[!-~é€]([ \t!-~é€]{0,20}[!-~é€])?").prop_map(Option::unwrap_or_default);
    let framing =
        prop_oneof![Just(Framing::None), (0..=i64::MAX as u64).prop_map(Framing::Length), Just(Framing::Chunked),];
    (
        select(vec!["GET", "POST", "get", "PURGE", "M-SEARCH"]),
        "(/([a-zA-Z0-9._~!$&'()*+,;=:@|^-]|\\[|\\]|%[0-9a-fA-F]{2}){0,8}){1,4}",
        option::of("([a-zA-Z0-9._~!$&'()*+,;=:@|^/?{}`-]|%[0-9a-fA-F]{2}){0,20}"),
        select(vec![Version::Http10, Version::Http11]),
        "([a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\\.[a-z]{1,5})?|127\\.0\\.0\\.1|\\[::1\\])(:[1-9][0-9]{0,3})?",
        vec((name, blank(), value, blank()), 0..8),
        framing,
        any::<bool>(),
    )
        .prop_map(|(method, path, query, version, host, fields, framing, crlf_first)| {
            let framing =
                if version == Version::Http10 && framing == Framing::Chunked { Framing::None } else { framing };
            Meant { method: method.into(), path, query, version, host, fields, framing, crlf_first }
        })
}

/// Almost a request: pieces of one in any order, some of them malformed.
fn almost() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "GET / HTTP/1.1\r\n",
        "POST /a?b HTTP/1.1\r\n",
        "GET http://a/ HTTP/1.0\r\n",
        "OPTIONS * HTTP/1.1\r\n",
        "GET",
        " ",
        "/",
        "%20",
        "%",
        "HTTP/1.1",
        "HTTP/2.0",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "Host: a\r\n",
        "Host:",
        "a",
        ":",
        "\t",
        "X: 1\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: x\r\n",
        "Connection: close\r\n",
        "\0",
        "é",
        "3",
        ";",
        "0\r\n",
        "3\r\nabc\r\n",
        ";a=\"b\"",
        "#",
    ]);
    vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn a_generated_head_is_read_as_meant(meant in meant()) {
        let bytes = meant.print();
        let index = every_way(&bytes, &Limits::default()).expect("a proper head").expect("a whole head");
        let head = HeadRef::new(&bytes, &index);
        prop_assert_eq!(index.len(), bytes.len());
        prop_assert_eq!((head.method(), head.path()), (meant.method.as_str(), meant.path.as_str()));
        prop_assert_eq!(head.target().query(), meant.query.as_deref());
        prop_assert_eq!((head.version(), head.framing()), (meant.version, meant.framing));
        prop_assert_eq!(head.host(), Some(meant.host.as_str()));
        let read = head.headers().filter(|(name, _)| name.starts_with(|c: char| !c.is_ascii_lowercase() && c != 'C'));
        let sent = meant.fields.iter().map(|(name, _, value, _)| (name.as_str(), value.as_bytes()));
        if !meant.fields.is_empty() {
            prop_assert!(read.eq(sent));
        }
    }

    #[test]
    fn head_split_anywhere_reads_like_the_whole(bytes in almost()) {
        // `every_way` has the assertions: a refused prefix stays refused with the same error, no byte after the end is
        // consumed, and the reference parser agrees.
        let _ = every_way(&bytes, &Limits::default());
        let small = Limits { head: 60, fields: 2, field: 20, target: 6, method: 4, ..Limits::default() };
        let _ = every_way(&bytes, &small);
        let _ = every_chunk(&bytes, &Limits::default());
        let small = Limits { chunk_extension: 4, trailers: 10, trailer_fields: 1, ..Limits::default() };
        let _ = every_chunk(&bytes, &small);
    }

    #[cfg(feature = "io")]
    #[test]
    fn head_in_pieces_and_fin_reads_like_the_whole(
        bytes in almost(),
        splits in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut splits: Vec<_> = splits.iter().map(|at| at.index(bytes.len() + 1)).collect();
        splits.sort_unstable();
        let whole = common::io::verdict(&bytes, &[]);
        prop_assert_eq!(common::io::verdict(&bytes, &splits), whole.clone(), "split at {:?}", splits);
        let single: Vec<_> = (0..bytes.len()).collect();
        prop_assert_eq!(common::io::verdict(&bytes, &single), whole, "in single bytes");
    }

    #[test]
    fn a_changed_byte_never_moves_the_end_of_a_head(meant in meant(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = meant.print();
        let len = bytes.len();
        let at = at.index(len);
        bytes[at] = byte;
        // A changed byte that begins or ends a line is refused, or the head ends at the same byte.
        if let Ok(Some(index)) = parse(&bytes, &Limits::default()) {
            prop_assert_eq!(index.len(), len, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn chunked_data_is_read_back(
        pieces in vec((vec(any::<u8>(), 1..40), option::of("[a-z]{1,5}(=[a-z]{1,5})?")), 0..6),
        trailers in vec(("x-[a-z]{1,6}", "[a-z]([a-z ]{0,8}[a-z])?"), 0..4),
    ) {
        let mut bytes = Vec::new();
        let mut map = HeaderMap::new();
        for (data, extension) in &pieces {
            let extension = extension.as_ref().map(|extension| format!(";{extension}")).unwrap_or_default();
            bytes.extend_from_slice(format!("{:x}{extension}\r\n", data.len()).as_bytes());
            bytes.extend_from_slice(data);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n");
        for (name, value) in &trailers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            map.append(HeaderName::try_from(name).expect("a name"), HeaderValue::try_from(value).expect("a value"));
        }
        bytes.extend_from_slice(b"\r\n");
        let body = every_chunk(&bytes, &Limits::default()).expect("a proper body").expect("a whole body");
        prop_assert_eq!(body.data, pieces.iter().flat_map(|(data, _)| data).copied().collect::<Vec<_>>());
        prop_assert_eq!((body.trailers, body.len), (map, bytes.len()));
    }

    #[test]
    fn a_chunked_reader_looks_at_each_byte_once(bytes in almost(), splits in vec(1..9_usize, 0..40)) {
        let mut chunked = Chunked::new(&Limits::default());
        let (mut at, mut end) = (0, 0);
        for split in splits {
            end = bytes.len().min(end + split);
            while let Ok(step) = chunked.next(&bytes[at..end]) {
                at += step.len();
                if step.is_empty() {
                    prop_assert!(at == end || chunked.is_end(), "nothing is left to be looked at again");
                    break;
                }
            }
        }
    }

    #[test]
    fn a_used_index_reads_like_a_new_one(first in almost(), second in meant()) {
        let mut index = Index::default();
        let _ = index.parse(&first, &Limits::default());
        let bytes = second.print();
        prop_assert_eq!(index.parse(&bytes, &Limits::default()), Ok(Some(bytes.len())));
        prop_assert_eq!(Some(index), parse(&bytes, &Limits::default()).expect("the same"));
    }

    #[test]
    fn a_target_is_the_sum_of_its_parts(meant in meant()) {
        let query = meant.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let raw = format!("{}{query}", meant.path);
        let target = Target::parse(&meant.method, raw.as_bytes()).expect("a proper target");
        prop_assert_eq!((target.raw(), target.path(), target.query()), (raw.as_str(), meant.path.as_str(), meant.query.as_deref()));
        let raw = format!("http://{}{raw}", meant.host);
        let target = Target::parse(&meant.method, raw.as_bytes()).expect("a proper target");
        prop_assert_eq!((target.path(), target.authority()), (meant.path.as_str(), Some(meant.host.as_str())));
    }

    #[test]
    fn a_generated_form_is_read_as_meant(pairs in vec((".{0,8}", ".{0,8}"), 0..8)) {
        let mut form = Form::default();
        pairs.iter().for_each(|(name, value)| form.push(name, value));
        let text = form.to_string();
        let again = Form::parse(text.as_bytes()).expect("a proper form");
        prop_assert!(again.iter().eq(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))));
    }

    #[test]
    fn a_set_cookie_is_read_back(name in "[!#$%&'*+.^_`|~0-9a-zA-Z-]{1,8}", value in "[ -!#-:<-\\[\\]-~]{0,12}", text in ".{0,12}") {
        let cookie = HeaderValue::try_from(&SetCookie::new(name.clone(), value.clone())).expect("a proper cookie");
        prop_assert_eq!(Cookies::parse(cookie.as_bytes()).get(&name), Some(value.as_str()));
        // The cookie is written as given, or refused.
        if let Ok(written) = SetCookie::new(name.clone(), text.clone()).path(text.clone()).encode() {
            let quote = if text.contains([' ', ',']) { "\"" } else { "" };
            let path = if text.is_empty() { String::new() } else { format!("; Path={text}") };
            prop_assert_eq!(written, format!("{name}={quote}{text}{quote}{path}"));
        }
    }
}

/// In single bytes this is more reads and writes than tokio lets a task do before it must yield.
#[cfg(feature = "io")]
#[test]
fn head_in_many_pieces_and_fin_reads_like_the_whole() {
    let bytes = b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: a\r\n3Host: a\r\n ";
    let whole = common::io::verdict(bytes, &[]);
    assert_eq!(common::io::verdict(bytes, &(0..bytes.len()).collect::<Vec<_>>()), whole);
}
