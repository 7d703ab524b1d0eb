//! Heads made of parts, against the strict parser.

use http::{HeaderName, HeaderValue, Method, Uri, Version as HttpVersion, request::Parts};
use quintet_request::{Framing, FramingError, Head, HeadError, HeadRef, Index, Limits, Version};

use super::limits;

/// Fields that HTTP/2 does not have, whatever their value is.
const OF_CONNECTION: [&str; 5] = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// Parts that a text describes: the method, scheme, authority and path of an HTTP/2 request in one line, with spaces
/// between them, and then one field in each line. `None` if the `http` crate refuses a word.
fn described(seed: u8, text: &[u8]) -> Option<Parts> {
    let mut lines = text.split(|&byte| byte == b'\n');
    let mut words = lines.next()?.split(|&byte| byte == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    let mut uri = Uri::builder();
    for (i, word) in words.take(3).enumerate().filter(|(_, word)| !word.is_empty()) {
        uri = match i {
            0 => uri.scheme(word),
            1 => uri.authority(word),
            _ => uri.path_and_query(word),
        };
    }
    let (mut parts, ()) = http::Request::new(()).into_parts();
    (parts.method, parts.uri) = (method, uri.build().ok()?);
    parts.version = match seed >> 3 & 3 {
        0 => HttpVersion::HTTP_10,
        1 => HttpVersion::HTTP_11,
        _ => HttpVersion::HTTP_2,
    };
    for line in lines.filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        parts.headers.append(name, HeaderValue::from_bytes(&line[colon + 1..]).ok()?);
    }
    Some(parts)
}

/// The same request as a client of HTTP/1 writes it. `Err(())` if a rule of HTTP/2 alone refuses it.
fn on_the_wire(parts: &Parts, limits: &Limits) -> Result<Vec<u8>, ()> {
    let streams = parts.version == HttpVersion::HTTP_2;
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let target = match parts.uri.path_and_query() {
        Some(path) if streams && path.as_str().starts_with('?') => format!("/{path}").replacen("//", "/", 1),
        Some(path) if streams => path.as_str().to_owned(),
        _ => parts.uri.to_string(),
    };
    let version = if parts.version == HttpVersion::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
    let mut bytes = format!("{} {target} {version}\r\n", parts.method).into_bytes();
    let said = parts.headers.get_all("host").iter().count();
    let mut line =
        |name: &str, value: &[u8]| bytes.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
    if let Some(authority) = authority.filter(|_| streams || said == 0) {
        line("host", authority.as_bytes());
    }
    for name in parts.headers.keys().map(HeaderName::as_str) {
        let values: Vec<_> = parts.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        if !streams {
            values.iter().for_each(|value| line(name, value));
            continue;
        }
        let te = name == "te" && values.iter().any(|value| !value.eq_ignore_ascii_case(b"trailers"));
        if te || OF_CONNECTION.contains(&name) || values.iter().any(|value| value.trim_ascii() != *value) {
            return Err(());
        }
        match name {
            // Whether it agrees with the authority is in the tests of `request`; either may be the case here.
            "host" if authority.is_some() => {}
            "cookie" => {
                let pieces: Vec<_> = values.into_iter().filter(|piece| !piece.is_empty()).collect();
                line(name, &pieces.join(&b"; "[..]));
            }
            _ => values.iter().for_each(|value| line(name, value)),
        }
    }
    bytes.extend_from_slice(b"\r\n");
    let crumbs = parts.headers.len() - if authority.is_some() { said } else { 0 } + usize::from(authority.is_some());
    if streams && crumbs > limits.fields { Err(()) } else { Ok(bytes) }
}

/// What [`Head::fill`] makes of parts equals what the strict parser makes of the same request in HTTP/1, or both refuse
/// it with one error. A used head reads like a new one, and is none of HTTP/1 afterwards.
pub fn head_fill(data: &[u8]) {
    let Some((&seed, text)) = data.split_first() else { return };
    let Some(parts) = described(seed, text) else { return };
    let (limits, end_stream, streams) = (limits(seed), seed & 4 == 0, parts.version == HttpVersion::HTTP_2);
    let mut head = Head::default();
    let filled = head.fill(&parts, end_stream, &limits);
    let again = Head::try_from(&parts);
    // A conversion in a process cannot know that there is no content, after which trailers could not follow.
    let valid = again.is_ok() || matches!(again, Err(HeadError::Trailer { .. }));
    assert!(filled.is_err() || valid, "what limits let through is valid without them");

    let mut index = Index::default();
    let Ok(bytes) = on_the_wire(&parts, &limits) else { return assert!(filled.is_err()) };
    match (index.parse_reference(&bytes, &limits), filled) {
        (Ok(Some(len)), Ok(())) => {
            assert_eq!((len, head.as_ref().index().len()), (bytes.len(), len));
            same(head.as_ref(), HeadRef::new(&bytes, &index), streams, end_stream);
        }
        (Err(wire), Err(filled)) if !streams => assert_eq!(wire, filled),
        // A `host` beside an authority is not among the bytes.
        (_, Err(HeadError::Host { .. } | HeadError::HostDisagrees { .. } | HeadError::DuplicateHost { .. }))
            if streams => {}
        (Err(wire), Err(filled)) => assert_eq!(wire, filled),
        (_, Err(HeadError::Framing { why: FramingError::LengthWithoutContent, .. })) => assert!(streams && end_stream),
        (_, Err(HeadError::Trailer { .. })) => assert!(streams && !end_stream),
        (wire, filled) => panic!("{wire:?} on the wire, {filled:?}: {}", bytes.escape_ascii()),
    }
    is_none_of_http_1(head, streams, &limits);
}

fn same(head: HeadRef<'_>, wire: HeadRef<'_>, streams: bool, end_stream: bool) {
    assert_eq!(head.index().fields(), wire.index().fields());
    assert_eq!((head.method(), head.target(), head.host()), (wire.method(), wire.target(), wire.host()));
    if !streams {
        assert_eq!((head.index(), head.as_bytes()), (wire.index(), wire.as_bytes()));
        return;
    }
    assert!(head.headers().eq(wire.headers()) && head.keep_alive() && !head.wants_upgrade());
    let framing = if wire.framing() == Framing::None && !end_stream { Framing::Stream } else { wire.framing() };
    assert_eq!((head.version(), head.framing()), (Version::Http2, framing));
}

/// The bytes of an HTTP/2 head are refused on a wire, also by a reader that compares them with the head before.
fn is_none_of_http_1(mut head: Head, streams: bool, limits: &Limits) {
    let bytes = head.as_ref().as_bytes().to_vec();
    if streams && !bytes.is_empty() {
        assert!(matches!(head.parse(&bytes, limits), Err(HeadError::VersionUnsupported { .. })));
    }
}
