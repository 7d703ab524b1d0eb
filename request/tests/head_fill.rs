//! `Head::fill`: what a request of the `http` crate becomes, in HTTP/2 and in HTTP/1. The table is in
//! `src/head/head_writer.rs`.

use http::{HeaderName, HeaderValue, Method, Uri, Version as HttpVersion, request::Parts};
use proptest::{collection::vec, option, prelude::*, sample::select};
use quintet_request::{Framing, FramingError, Head, HeadError, Index, Limits, TargetError, TargetForm, Version, parse};

/// Whether the stream ends with the head.
const OPEN: bool = false;
const ENDED: bool = true;

/// Parts with these fields, in HTTP/2.
fn parts(method: &str, uri: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::builder().method(method).uri(uri).version(HttpVersion::HTTP_2);
    for (name, value) in fields {
        request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
    }
    request.body(()).expect("a request").into_parts().0
}

fn filled(parts: &Parts, end_stream: bool) -> Result<Head, HeadError> {
    let mut head = Head::default();
    head.fill(parts, end_stream, &Limits::default()).map(|()| head)
}

/// A GET of `https://a/` with these fields.
fn with_fields(fields: &[(&str, &str)]) -> Result<Head, HeadError> {
    filled(&parts("GET", "https://a/", fields), OPEN)
}

fn text(head: &Head) -> String {
    head.as_ref().as_bytes().escape_ascii().to_string().replace("\\r\\n", "|")
}

mod rfc9113_8_3_1_pseudo_headers {
    use super::*;

    #[test]
    fn authority_and_path_become_host_and_target() {
        for (method, uri, written) in [
            ("GET", "https://a.example/b?c", "GET /b?c HTTP/2.0|host: a.example||"),
            ("GET", "http://a.example:80/", "GET / HTTP/2.0|host: a.example:80||"),
            ("GET", "https://a", "GET / HTTP/2.0|host: a||"),
            ("GET", "https://a?b", "GET /?b HTTP/2.0|host: a||"),
            ("PUT", "https://[::1]:8443//b//", "PUT //b// HTTP/2.0|host: [::1]:8443||"),
            ("GET", "https://a/?q=100%", "GET /?q=100% HTTP/2.0|host: a||"),
            ("CONNECT", "a:443", "CONNECT a:443 HTTP/2.0|host: a:443||"),
        ] {
            assert_eq!(filled(&parts(method, uri, &[]), ENDED).map(|head| text(&head)), Ok(written.into()), "{uri}");
        }
    }

    #[test]
    fn options_asterisk_has_the_asterisk_form() {
        let mut parts = parts("OPTIONS", "https://a/", &[]);
        let mut uri = parts.uri.into_parts();
        uri.path_and_query = Some("*".parse().unwrap());
        parts.uri = Uri::from_parts(uri).unwrap();
        let head = filled(&parts, ENDED).unwrap();
        assert_eq!(text(&head), "OPTIONS * HTTP/2.0|host: a||");
        assert_eq!((head.as_ref().target().form(), head.as_ref().host()), (TargetForm::Asterisk, Some("a")));
    }

    #[test]
    fn a_host_field_must_agree_with_the_authority() {
        for (uri, host) in [
            ("https://a/", "a"),
            ("https://a/", "A"),
            ("https://a/", "a:443"),
            ("http://a/", "a:80"),
            ("https://a:443/", "a"),
            ("https://a:1/", "a:1"),
        ] {
            let head = filled(&parts("GET", uri, &[("x", "1"), ("host", host)]), ENDED).unwrap();
            let authority = uri.split('/').nth(2).unwrap();
            assert_eq!(text(&head), format!("GET / HTTP/2.0|host: {authority}|x: 1||"), "{uri} {host}");
            assert_eq!(head.as_ref().host(), Some(authority));
        }
        for (host, error) in [
            ("b", HeadError::HostDisagrees { at: 25 }),
            ("a:80", HeadError::HostDisagrees { at: 25 }),
            ("", HeadError::HostDisagrees { at: 25 }),
            ("a b", HeadError::Host { at: 25 }),
            ("u@a", HeadError::Host { at: 25 }),
        ] {
            let refused = with_fields(&[("host", host)]).unwrap_err();
            assert_eq!((refused, refused.status().as_u16()), (error, 400), "{host}");
        }
        assert_eq!(with_fields(&[("host", "a"), ("host", "a")]).unwrap_err(), HeadError::DuplicateHost { at: 25 });
    }

    #[test]
    fn a_host_field_alone_is_the_host() {
        let head = filled(&parts("GET", "/b", &[("x", "1"), ("host", "a")]), ENDED).unwrap();
        assert_eq!(text(&head), "GET /b HTTP/2.0|x: 1|host: a||");
        assert_eq!(head.as_ref().host(), Some("a"));
        let refused = filled(&parts("GET", "/b", &[]), ENDED).unwrap_err();
        assert_eq!(refused, HeadError::HostMissing { at: 19 });
        let refused = filled(&parts("GET", "/", &[("host", "a"), ("host", "a")]), ENDED).unwrap_err();
        assert_eq!(refused, HeadError::DuplicateHost { at: 25 });
    }

    #[test]
    fn a_malformed_authority_is_refused() {
        for uri in ["https://u@a/", "https://u:p@a/", "https://a%41/", "https://a:99999/", "https://:1/"] {
            // Some are refused by the `http` crate already.
            let Ok(uri) = uri.parse::<Uri>() else { continue };
            let mut parts = parts("GET", "/", &[]);
            parts.uri = uri.clone();
            assert_eq!(filled(&parts, ENDED).unwrap_err(), HeadError::Host { at: 22 }, "{uri}");
        }
    }

    #[test]
    fn a_target_is_refused_as_on_the_wire() {
        let target = HeadError::Target;
        for (method, uri, error) in [
            ("GET", "https://a/%zz", target(TargetError::Escape { at: 5 })),
            ("GET", "https://a/\"", target(TargetError::Byte { at: 5 })),
            ("GET", "https://a/{", target(TargetError::Byte { at: 5 })),
            ("GET", "https://a/?\u{e4}", target(TargetError::Byte { at: 6 })),
            ("GET", "a:443", target(TargetError::Form { at: 4 })),
            ("CONNECT", "https://a/", target(TargetError::Form { at: 8 })),
            ("CONNECT", "a", target(TargetError::Authority { at: 8 })),
        ] {
            let Ok(uri) = uri.parse::<Uri>() else { panic!("{uri} is no row of this table") };
            let mut parts = parts(method, "/", &[]);
            parts.uri = uri;
            let refused = filled(&parts, ENDED).unwrap_err();
            assert_eq!((refused, refused.status().as_u16()), (error, 400), "{method} {}", parts.uri);
        }
        let mut parts = parts("GET", "*", &[("host", "a")]);
        assert_eq!(filled(&parts, ENDED).unwrap_err(), target(TargetError::Form { at: 4 }));
        parts.method = Method::OPTIONS;
        assert!(filled(&parts, ENDED).is_ok());
    }
}

mod rfc9113_8_2_fields {
    use super::*;

    #[test]
    fn fields_of_a_connection_are_refused() {
        for (name, value) in [
            ("connection", "close"),
            ("connection", "x"),
            ("connection", ""),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("transfer-encoding", "identity"),
            ("upgrade", "h2c"),
            ("te", "gzip"),
            ("te", "trailers, deflate"),
            ("te", ""),
        ] {
            let refused = with_fields(&[("x", "1"), (name, value)]).unwrap_err();
            let error = HeadError::ConnectionField { at: 31 };
            assert_eq!((refused, refused.status().as_u16()), (error, 400), "{name}: {value}");
        }
        for (name, value) in [("te", "trailers"), ("te", "Trailers"), ("user-agent", "x"), ("connections", "close")] {
            let head = with_fields(&[(name, value)]).unwrap();
            assert_eq!(head.as_ref().header(name), Some(value));
            assert!(head.as_ref().keep_alive() && !head.as_ref().wants_upgrade());
        }
    }

    #[test]
    fn whitespace_at_an_end_of_a_value_is_refused() {
        for value in [" a", "a ", "\ta", "a\t", " ", "\t"] {
            for name in ["x", "cookie", "host", "content-length"] {
                let refused = with_fields(&[("y", "1"), (name, value)]).unwrap_err();
                assert_eq!(
                    (refused, refused.status().as_u16()),
                    (HeadError::SpaceAroundValue { at: 31 }, 400),
                    "{value:?}"
                );
            }
        }
        assert_eq!(with_fields(&[("x", "a \t b")]).unwrap().as_ref().header("x"), Some("a \t b"));
        // On HTTP/1 it is not part of the value.
        let mut parts = parts("GET", "/", &[("host", " a\t"), ("x", " "), ("y", "b ")]);
        parts.version = HttpVersion::HTTP_11;
        let head = filled(&parts, ENDED).unwrap();
        assert_eq!((head.as_ref().host(), head.as_ref().header("x")), (Some("a"), Some("")));
        assert_eq!(head.as_ref().header("y"), Some("b"));
    }

    #[test]
    fn cookies_are_joined() {
        for (pieces, joined) in [
            (&["a=b"][..], "a=b"),
            (&["a=b", "c=d", "e=f"], "a=b; c=d; e=f"),
            (&["", "a=b", "", "c=d", ""], "a=b; c=d"),
            (&["", ""], ""),
            (&["a=b; c=d", "e=f"], "a=b; c=d; e=f"),
        ] {
            let fields: Vec<_> = pieces.iter().map(|piece| ("cookie", *piece)).chain([("x", "1")]).collect();
            let head = with_fields(&fields).unwrap();
            assert_eq!(text(&head), format!("GET / HTTP/2.0|host: a|cookie: {joined}|x: 1||"));
            assert_eq!(head.as_ref().headers().len(), 3);
            assert_eq!(head.as_ref().header("cookie"), Some(joined));
        }
        // In HTTP/1 they stay what was sent.
        let mut parts = parts("GET", "/", &[("host", "a"), ("cookie", "a=b"), ("cookie", "c=d")]);
        parts.version = HttpVersion::HTTP_11;
        assert_eq!(text(&filled(&parts, ENDED).unwrap()), "GET / HTTP/1.1|host: a|cookie: a=b|cookie: c=d||");
    }

    #[test]
    fn each_piece_of_a_cookie_counts_as_a_field_431() {
        let crumbs = |count: usize| with_fields(&vec![("cookie", "a=b"); count]);
        assert_eq!(crumbs(99).unwrap().as_ref().headers().len(), 2);
        let refused = crumbs(100).unwrap_err();
        assert!(matches!(refused, HeadError::TooManyFields { .. }), "{refused}");
        assert_eq!(refused.status().as_u16(), 431);
    }

    #[test]
    fn a_line_past_a_limit_is_refused_as_on_the_wire() {
        let limits = Limits { method: 4, target: 10, field: 20, fields: 4, head: 110, ..Limits::default() };
        let long = "v".repeat(18);
        for (method, uri, fields, error, status) in [
            ("PATCH", "https://a/", vec![], HeadError::MethodTooLong { at: 4 }, 501),
            ("GET", "https://a/234567890a", vec![], HeadError::TargetTooLong { at: 14 }, 414),
            ("GET", "https://a/", vec![("x", &*long)], HeadError::FieldTooLong { at: 45 }, 431),
            ("GET", "https://a/", vec![("x", "1"); 4], HeadError::TooManyFields { at: 43 }, 431),
            ("GET", "https://a/", vec![("cookie", "a=b"); 5], HeadError::FieldTooLong { at: 45 }, 431),
        ] {
            let mut head = Head::default();
            let refused = head.fill(&parts(method, uri, &fields), ENDED, &limits).unwrap_err();
            assert_eq!((refused, refused.status().as_u16()), (error, status));
            assert_eq!((head.as_ref().as_bytes(), head.as_ref().host()), (&b""[..], None), "empty after an error");
        }
        let fields = [("x", &long[..16]), ("y", &long[..16]), ("z", &long[..16])];
        let limits = Limits { head: 80, ..limits };
        let refused = Head::default().fill(&parts("GET", "https://a/", &fields), ENDED, &limits).unwrap_err();
        assert_eq!(refused, HeadError::TooLong { at: 80 });
    }
}

mod rfc9113_8_1_1_content {
    use super::*;

    #[test]
    fn the_stream_and_content_length_say_whether_there_is_content() {
        for (length, end_stream, framing) in [
            (None, ENDED, Ok(Framing::None)),
            (None, OPEN, Ok(Framing::Stream)),
            (Some("0"), ENDED, Ok(Framing::Length(0))),
            (Some("0"), OPEN, Ok(Framing::Length(0))),
            (Some("3"), OPEN, Ok(Framing::Length(3))),
            (Some("3"), ENDED, Err(FramingError::LengthWithoutContent)),
            (Some("x"), OPEN, Err(FramingError::Length)),
            (Some("3, 3"), OPEN, Err(FramingError::Length)),
        ] {
            let fields: Vec<_> = length.into_iter().map(|value| ("content-length", value)).collect();
            let head = filled(&parts("POST", "https://a/", &fields), end_stream);
            let expected = framing.map_err(|why| HeadError::Framing { at: 42, why });
            assert_eq!(head.map(|head| head.as_ref().framing()), expected, "{length:?} {end_stream}");
        }
        let twice = [("content-length", "3"), ("content-length", "3")];
        let refused = with_fields(&twice).unwrap_err();
        assert!(matches!(refused, HeadError::Framing { why: FramingError::DuplicateLength, .. }), "{refused}");
    }

    #[test]
    fn expect_100_continue_waits_for_content() {
        for (fields, end_stream, waits) in [
            (&[("expect", "100-continue")][..], OPEN, true),
            (&[("expect", "100-Continue")], OPEN, true),
            (&[("expect", "100-continue")], ENDED, false),
            (&[("expect", "100-continue"), ("content-length", "3")], OPEN, true),
            (&[("expect", "100-continue"), ("content-length", "0")], OPEN, false),
            (&[("expect", "")], OPEN, false),
            (&[], OPEN, false),
        ] {
            let head = filled(&parts("POST", "https://a/", fields), end_stream).unwrap();
            assert_eq!(head.as_ref().expects_continue(), waits, "{fields:?} {end_stream}");
        }
        let refused = with_fields(&[("expect", "x")]).unwrap_err();
        assert_eq!((refused, refused.status().as_u16()), (HeadError::Expect { at: 33 }, 417));
    }

    #[test]
    fn a_trailer_field_that_announces_framing_is_refused() {
        for name in ["content-length", "Transfer-Encoding", "x, trailer"] {
            let refused = with_fields(&[("trailer", name)]).unwrap_err();
            assert_eq!((refused, refused.status().as_u16()), (HeadError::Trailer { at: 34 }, 400), "{name}");
            assert!(filled(&parts("GET", "https://a/", &[("trailer", name)]), ENDED).is_ok(), "without content");
        }
        assert!(with_fields(&[("trailer", "x-sum")]).is_ok());
    }
}

/// The pool gives the memory of a request on a stream to a connection of HTTP/1, whose first head is compared with what
/// is there.
#[test]
fn http_2_0_on_a_wire_is_refused_after_a_head_was_filled() {
    let mut head = filled(&parts("GET", "https://a/", &[("x", "1")]), ENDED).unwrap();
    let bytes = head.as_ref().as_bytes().to_vec();
    let other = String::from_utf8(bytes.clone()).unwrap().replacen('/', "/other", 1);
    for bytes in [&bytes[..], other.as_bytes()] {
        for mut head in [head.clone(), head.as_ref().to_owned()] {
            for _ in 0..3 {
                let refused = head.parse(bytes, &Limits::default()).unwrap_err();
                assert_eq!(
                    (refused, refused.status().as_u16()),
                    (HeadError::VersionUnsupported { at: refused.at() }, 505)
                );
            }
        }
    }
    let wire = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(head.parse(wire, &Limits::default()), Ok(Some(wire.len())));
    assert_eq!(head.as_ref().version(), Version::Http11);
}

#[test]
fn a_filled_head_reuses_its_memory() {
    let parts = parts("GET", "https://a.example/b?c", &[("x", "1"), ("cookie", "a=b"), ("cookie", "c=d")]);
    let mut head = filled(&parts, ENDED).unwrap();
    let (capacity, at) = (head.capacity(), head.as_ref().as_bytes().as_ptr());
    for _ in 0..3 {
        head.fill(&parts, ENDED, &Limits::default()).unwrap();
        assert_eq!((head.capacity(), head.as_ref().as_bytes().as_ptr()), (capacity, at));
    }
}

/// The words of the `http` crate have no byte that could end a line or a word.
#[test]
fn words_of_the_http_crate_are_words_on_the_wire() {
    for byte in 0..=u8::MAX {
        let fields =
            |name: &[u8], value: &[u8]| [b"GET / HTTP/1.1\r\nHost: a\r\n", name, b": ", value, b"\r\n\r\n"].concat();
        if let Ok(name) = HeaderName::from_bytes(&[byte]) {
            assert!(parse(&fields(name.as_str().as_bytes(), b"1"), &Limits::default()).is_ok(), "name {byte:#x}");
        }
        if let Ok(value) = HeaderValue::from_bytes(&[b'a', byte, b'b']) {
            assert!(parse(&fields(b"x", value.as_bytes()), &Limits::default()).is_ok(), "value {byte:#x}");
        }
        if let Ok(method) = Method::from_bytes(&[byte]) {
            let bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(parse(bytes.as_bytes(), &Limits::default()).is_ok(), "method {byte:#x}");
        }
        if let Ok(uri) = Uri::try_from(&[b'/', byte, b'b'][..]) {
            assert!(!uri.path().bytes().any(|byte| byte <= b' ' || byte == 0x7f), "target {byte:#x}");
        }
    }
}

/// The bytes of an HTTP/1.1 client that sends the same, written without the writer. `None` if HTTP/2 alone refuses the
/// parts.
fn wire(parts: &Parts, limits: &Limits) -> Option<Vec<u8>> {
    let streams = parts.version == HttpVersion::HTTP_2;
    let (authority, target) = match (parts.uri.authority(), parts.uri.path_and_query()) {
        (authority, Some(path)) if streams => {
            let path = path.as_str();
            (authority, if path.starts_with('?') { format!("/{path}") } else { path.to_owned() })
        }
        (authority, _) => (authority, parts.uri.to_string()),
    };
    let version = if parts.version == HttpVersion::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
    let mut bytes = format!("{} {target} {version}\r\n", parts.method).into_bytes();
    let said = parts.headers.get_all("host").iter().count();
    if let Some(authority) = authority.filter(|_| streams || said == 0) {
        bytes.extend_from_slice(format!("host: {authority}\r\n").as_bytes());
    }
    let cookies: Vec<_> =
        parts.headers.get_all("cookie").iter().map(HeaderValue::as_bytes).filter(|piece| !piece.is_empty()).collect();
    for name in parts.headers.keys() {
        let values: Vec<_> = parts.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        let padded = values.iter().any(|value| value.trim_ascii() != *value);
        if streams && (padded || ["connection", "keep-alive", "upgrade", "transfer-encoding"].contains(&name.as_str()))
        {
            return None;
        }
        match name.as_str() {
            "te" if streams && values != [b"trailers"] => return None,
            "host" if streams && authority.is_some() => {
                let port = if parts.uri.scheme_str() == Some("http") { ":80" } else { ":443" };
                let plain = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
                let same = |host: &str| authority.is_some_and(|authority| plain(authority.as_str()) == plain(host));
                if said > 1 || !same(std::str::from_utf8(values[0]).expect("ASCII")) {
                    return None;
                }
            }
            "cookie" if streams => {
                bytes.extend_from_slice(&[b"cookie: ", &cookies.join(&b"; "[..])[..], b"\r\n"].concat());
            }
            _ => values.iter().for_each(|value| {
                bytes.extend_from_slice(&[name.as_str().as_bytes(), b": ", value, b"\r\n"].concat());
            }),
        }
    }
    bytes.extend_from_slice(b"\r\n");
    let crumbs = parts.headers.len() + usize::from(authority.is_some() && said == 0);
    (!streams || crumbs <= limits.fields).then_some(bytes)
}

fn any_parts() -> impl Strategy<Value = Parts> {
    const NAMES: [&str; 14] = [
        "host",
        "cookie",
        "cookie",
        "connection",
        "te",
        "content-length",
        "expect",
        "trailer",
        "x",
        "user-agent",
        "upgrade",
        "transfer-encoding",
        "keep-alive",
        "x-long-name",
    ];
    const VALUES: [&str; 14] = [
        "a",
        "b",
        "A",
        "",
        "3",
        "0",
        "trailers",
        "100-continue",
        "chunked",
        "close",
        " a",
        "k=v",
        "content-length",
        "\u{e4}",
    ];
    const URIS: [&str; 18] = [
        "/",
        "/a?b",
        "https://a/",
        "https://A/x",
        "http://a?b",
        "https://a",
        "https://b/",
        "https://u@a/",
        "/%zz",
        "https://a/%2",
        "*",
        "a:443",
        "/\"",
        "/{}",
        "/?\u{e4}",
        "https://a:443/",
        "http://a:80/x?%",
        "/a/b/c/d/e/f",
    ];
    const VERSIONS: [HttpVersion; 4] =
        [HttpVersion::HTTP_2, HttpVersion::HTTP_2, HttpVersion::HTTP_11, HttpVersion::HTTP_10];
    const METHODS: [&str; 5] = ["GET", "POST", "OPTIONS", "CONNECT", "get"];
    let name = prop_oneof![8 => select(&NAMES[..2]), 3 => select(&NAMES[..])];
    let fields = vec((name, select(&VALUES[..])), 0..6);
    (select(&METHODS[..]), select(&URIS[..]), select(&VERSIONS[..]), fields).prop_map(
        |(method, uri, version, fields)| {
            let mut parts = parts(method, uri, &fields);
            parts.version = version;
            parts
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8_192, ..ProptestConfig::default() })]

    /// What `fill` makes of parts equals what the strict parser makes of the same request in HTTP/1, or both refuse it
    /// with the same error.
    #[test]
    fn fill_and_the_parser_agree(
        parts in any_parts(),
        end_stream in any::<bool>(),
        fields in option::weighted(0.2, 1..6_usize),
        head in option::weighted(0.2, 20..120_usize),
        field in option::weighted(0.2, 5..30_usize),
        target in option::weighted(0.1, 1..12_usize),
    ) {
        let all = Limits::default();
        let limits = Limits {
            fields: fields.unwrap_or(all.fields),
            head: head.unwrap_or(all.head),
            field: field.unwrap_or(all.field),
            target: target.unwrap_or(all.target),
            ..all
        };
        let mut filled = Head::default();
        let outcome = filled.fill(&parts, end_stream, &limits);
        let streams = parts.version == HttpVersion::HTTP_2;
        let Some(bytes) = wire(&parts, &limits) else {
            prop_assert!(outcome.is_err());
            return Ok(());
        };
        let mut index = Index::default();
        match (index.parse_reference(&bytes, &limits), outcome) {
            (Ok(Some(len)), Ok(())) => {
                let head = filled.as_ref();
                prop_assert_eq!((len, head.index().len()), (bytes.len(), bytes.len()));
                prop_assert_eq!(head.index().fields(), index.fields());
                if !streams {
                    prop_assert_eq!((head.index(), head.as_bytes()), (&index, &bytes[..]));
                    return Ok(());
                }
                let text = std::str::from_utf8(head.as_bytes()).unwrap_or_default().replacen(" HTTP/2.0", " HTTP/1.1", 1);
                prop_assert!(text.is_empty() || text.as_bytes() == bytes);
                let read = quintet_request::HeadRef::new(&bytes, &index);
                prop_assert_eq!((head.method(), head.target(), head.host()), (read.method(), read.target(), read.host()));
                let framing = if read.framing() == Framing::None && !end_stream { Framing::Stream } else { read.framing() };
                prop_assert_eq!((head.version(), head.framing()), (Version::Http2, framing));
                prop_assert_eq!(head.expects_continue(), read.header("expect").is_some_and(|v| !v.is_empty()) && !framing.is_empty());
                prop_assert!(head.keep_alive() && !head.wants_upgrade());
            }
            (Err(wire), Err(filled)) => prop_assert_eq!(wire, filled),
            // Only a stream tells that there is no content, or that trailers may follow.
            (Ok(Some(_)), Err(HeadError::Framing { why: FramingError::LengthWithoutContent, .. })) => {
                prop_assert!(streams && end_stream);
            }
            (Ok(Some(_)), Err(HeadError::Trailer { .. })) => prop_assert!(streams && !end_stream),
            (wire, filled) => prop_assert!(false, "{:?} on the wire, {:?}: {}", wire, filled, bytes.escape_ascii()),
        }
    }
}
