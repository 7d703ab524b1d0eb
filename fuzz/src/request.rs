//! Targets of `quintet-request`.

mod accept_encoding;
mod auth;
mod changes;
mod conditional;
mod exchange;
mod forwarded;
mod head_fill;
mod http_date;
mod hyper;
mod interim;
mod json;
mod multipart;
mod naive;
mod range;
mod reply;
mod reply_reader;

pub use accept_encoding::accept_encoding;
pub use auth::basic_auth;
pub use changes::changes;
pub use conditional::conditional;
pub use exchange::exchange;
pub use forwarded::forwarded;
pub use head_fill::head_fill;
pub use http_date::http_date;
pub use hyper::versus_hyper;
pub use interim::interim;
pub use json::json;
pub use multipart::{multipart, versus_multer};
pub use naive::versus_naive;
pub use range::range;
pub use reply::{chunks, reply};

use std::collections::BTreeMap;

use http::{HeaderMap, request::Parts};
use quintet_request::{
    ChunkError, Chunked, Cookies, Declared, Form, Framing, FramingError, Head, HeadError, HeadRef, Index, Limits,
    Preface, Scan, SetCookie, Target, TargetForm, Version, framing as decide, is_forbidden_trailer, parse,
    percent_decode,
};

/// The targets of this layer.
pub const TARGETS: &[crate::Target] = &[
    ("head", head),
    ("head_cache", head_cache),
    ("head_fill", head_fill),
    ("head_splits", head_splits),
    ("framing", framing),
    ("chunked", chunked),
    ("target", target),
    ("form", form),
    ("json", json),
    ("cookies", cookies),
    ("basic_auth", basic_auth),
    ("forwarded", forwarded),
    ("http_date", http_date),
    ("conditional", conditional),
    ("range", range),
    ("accept_encoding", accept_encoding),
    ("trailers", trailers),
    ("changes", changes),
    ("exchange", exchange),
    ("reply", reply),
    ("chunks", chunks),
    ("interim", interim),
    ("sniff", sniff),
    ("preface", preface),
    ("multipart", multipart),
    ("versus_multer", versus_multer),
    ("versus_naive", versus_naive),
    ("versus_hyper", versus_hyper),
];

/// The defaults, or limits that a fuzzer can reach.
fn limits(seed: u8) -> Limits {
    match seed % 4 {
        0 => Limits { head: 200, fields: 3, field: 60, target: 20, method: 8, ..Limits::default() },
        1 => Limits { chunk_extension: 9, chunk_overhead: 40, trailers: 40, trailer_fields: 2, ..Limits::default() },
        _ => Limits::default(),
    }
}

fn split_first(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

/// A head at the start of some bytes: the fast and the reference parser agree, what is decided depends on nothing that
/// follows, and what is accepted can be taken apart, printed and read again.
pub fn head(data: &[u8]) {
    let (seed, data) = split_first(data);
    let limits = limits(seed);
    let (mut fast, mut reference) = (Index::default(), Index::default());
    let parsed = fast.parse(data, &limits);
    assert_eq!(parsed, reference.parse_reference(data, &limits));

    let mut longer = data.to_vec();
    longer.extend_from_slice(b"\r\n\r\nGET / HTTP/1.1\r\n\n:");
    match parsed {
        Ok(None) => assert!(data.len() < limits.head),
        Ok(Some(len)) => {
            assert_eq!(fast, reference);
            assert_eq!((len, len <= data.len()), (fast.len(), true));
            assert_eq!(parse(&longer, &limits), Ok(Some(fast.clone())));
            accepted_head(HeadRef::new(data, &fast), &limits);
        }
        Err(error) => {
            assert_eq!(parse(&longer, &limits), Err(error));
            assert!(
                error.at() as usize <= data.len()
                    && matches!(error.status().as_u16(), 400 | 414 | 417 | 431 | 501 | 505)
            );
            assert!(!error.to_string().is_empty());
        }
    }
    // Every prefix, or enough of them.
    for end in (0..data.len()).step_by(data.len() / 64 + 1) {
        match (parse(&data[..end], &limits), &parsed) {
            (Ok(None), _) => {}
            (Ok(Some(index)), Ok(Some(len))) => assert_eq!(index.len(), *len),
            (Err(early), Err(late)) => assert_eq!(early, *late),
            (prefix, whole) => panic!("{prefix:?}, but as a whole {whole:?}"),
        }
    }
}

fn accepted_head(head: HeadRef<'_>, limits: &Limits) {
    assert!(head.as_bytes().ends_with(b"\r\n\r\n"));
    assert!(head.headers().len() <= limits.fields && head.target().raw().len() <= limits.target);
    assert_eq!(Target::parse(head.method(), head.target().raw().as_bytes()), Ok(head.target()));
    assert_eq!(head.path(), head.target().path());
    assert!(head.host().is_some() || head.version() == Version::Http10);
    assert!(head.host().is_some_and(|host| host.is_empty()) || !head.host().is_some_and(|host| host.contains(' ')));
    for (name, value) in head.headers() {
        assert!(!name.is_empty() && head.headers_named(name).any(|other| other == value));
        assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0 | 0x7f)));
        assert!(!matches!(value, [b' ' | b'\t', ..] | [.., b' ' | b'\t']));
    }
    let again = decide(
        head.version(),
        head.headers_named("content-length").collect(),
        head.headers_named("transfer-encoding").collect(),
    );
    assert_eq!(again, Ok(head.framing()));
    let _ = (head.cookies().iter().count(), head.basic_auth(), format!("{head:?}"));

    let mut owned = Head::default();
    assert_eq!(owned.parse(head.as_bytes(), limits), Ok(Some(head.as_bytes().len())));
    assert_eq!(owned.as_ref().index(), head.index());

    // The ecosystem's types hold everything that we accept, and bring it back.
    let parts = Parts::try_from(head).expect("a head within the default limits fits http's types");
    assert_eq!(parts.headers.len(), head.headers().len());
    let back = Head::try_from(&parts).expect("what was accepted is accepted again");
    let back = back.as_ref();
    assert_eq!((back.method(), back.version(), back.framing()), (head.method(), head.version(), head.framing()));
    assert_eq!((back.path(), back.target().query()), (head.path(), head.target().query()));
    assert_eq!((back.keep_alive(), back.wants_upgrade()), (head.keep_alive(), head.wants_upgrade()));
    assert_eq!(back.expects_continue(), head.expects_continue());
    assert!(back.host().unwrap_or_default().eq_ignore_ascii_case(head.host().unwrap_or_default()));
}

/// One head after the other, separated by NUL, into the same memory: what was read before changes nothing.
pub fn head_cache(data: &[u8]) {
    let (seed, data) = split_first(data);
    let mut used = Head::default();
    for (i, bytes) in data.split(|&byte| byte == 0).enumerate() {
        // Some are read under other limits than the one before.
        let limits = limits(if seed & 0x80 == 0 { seed } else { seed.rotate_left(i as u32) });
        let mut fresh = Head::default();
        // A copy compares, however often that failed before.
        let mut copy = used.as_ref().to_owned();
        let parsed = fresh.parse(bytes, &limits);
        assert_eq!((used.parse(bytes, &limits), copy.parse(bytes, &limits)), (parsed, parsed));
        let (used, copy, fresh) = (used.as_ref(), copy.as_ref(), fresh.as_ref());
        assert_eq!((used.as_bytes(), used.index()), (fresh.as_bytes(), fresh.index()));
        assert_eq!((copy.as_bytes(), copy.index(), copy.target()), (fresh.as_bytes(), fresh.index(), fresh.target()));
        assert_eq!((used.path(), used.target()), (fresh.path(), fresh.target()));
        let read = HeadRef::new(bytes, fresh.index());
        assert_eq!((used.path(), used.target(), used.host()), (read.path(), read.target(), read.host()));
    }
}

/// A head that comes in pieces, and then no more: the verdict is that of the whole, and the work stays linear.
pub fn head_splits(data: &[u8]) {
    let (seed, data) = split_first(data);
    let (step, data) = split_first(data);
    let limits = limits(seed);
    let whole = parse(data, &limits);
    let mut scan = Scan::new(&limits);
    let mut index = Index::default();
    let (mut end, mut looked, mut state) = (0, 0, u32::from(step) + 1);
    let mut pieces = Ok(None);
    while end < data.len() && pieces == Ok(None) {
        // Single bytes for an even step, else pieces of up to 32.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let piece = if step % 2 == 0 { 1 } else { 1 + (state >> 27) as usize };
        end = data.len().min(end + piece);
        if scan.look(&data[..end]) {
            looked += end;
            pieces = index.parse(&data[..end], &limits);
        }
    }
    // FIN, or no time left.
    if pieces == Ok(None) && scan.look_last(data) {
        looked += end;
        pieces = index.parse(data, &limits);
    }
    match (pieces, whole) {
        (Ok(Some(len)), Ok(Some(whole))) => assert_eq!((len, index), (whole.len(), whole)),
        (Ok(None), Ok(None)) => {}
        (Err(early), Err(late)) => assert_eq!(early, late),
        (pieces, whole) => panic!("in pieces {pieces:?}, as a whole {whole:?}"),
    }
    // Looks double, one is at the end of the request line, one at the limit, and the last one is at the end: geometric,
    // and at most three times the whole.
    assert!(looked <= 5 * end + 64, "{looked} bytes parsed for {end}");
}

/// The length of a body, against a reader of numbers and lists that knows no `u64`.
pub fn framing(data: &[u8]) {
    let (seed, data) = split_first(data);
    let version = if seed & 1 == 0 { Version::Http11 } else { Version::Http10 };
    let fields: Vec<(bool, &[u8])> = data
        .split(|&byte| byte == b'\n')
        .filter_map(|line| {
            let (kind, value) = line.split_first()?;
            Some((kind & 1 == 0, value))
        })
        .collect();
    let values = |length: bool| fields.iter().filter(move |field| field.0 == length).map(|field| field.1);
    let decided = decide(version, values(true).collect::<Declared<'_>>(), values(false).collect::<Declared<'_>>());
    let text = |value: &[u8]| value.iter().map(|&byte| char::from(byte)).collect::<String>();
    let (lengths, codings): (Vec<_>, Vec<_>) = (values(true).map(text).collect(), values(false).map(text).collect());
    let expected = match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Ok(Framing::None),
        ([_, ..], [_, ..]) => Err(FramingError::LengthAndCoding),
        ([], _) if version == Version::Http10 => Err(FramingError::CodingInHttp10),
        ([], [one]) if one.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        ([], [.., last])
            if !last
                .rsplit(',')
                .next()
                .expect("one part at least")
                .trim_matches([' ', '\t'])
                .eq_ignore_ascii_case("chunked") =>
        {
            Err(FramingError::CodingLast)
        }
        ([], [_]) => Err(FramingError::Coding),
        ([], _) => Err(FramingError::DuplicateCoding),
        ([one], []) => {
            let digits = one.trim_start_matches('0');
            let number = one.chars().all(|c| "0123456789".contains(c)) && !one.is_empty();
            let fits = digits.len() < 19 || digits.len() == 19 && digits <= "9223372036854775807";
            let value = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(0) };
            if number && fits { Ok(Framing::Length(value)) } else { Err(FramingError::Length) }
        }
        (_, []) => Err(FramingError::DuplicateLength),
    };
    assert_eq!(decided, expected);
}

/// A chunked body that ended: data, trailers and length.
type Ended = (Vec<u8>, HeaderMap, usize);

/// What a chunked body says, read in pieces that `split` chooses: `None` if it has not ended, or the data before an error.
fn read_chunked(
    bytes: &[u8],
    limits: &Limits,
    mut split: impl FnMut() -> usize,
) -> Result<Option<Ended>, (Vec<u8>, ChunkError)> {
    let (mut reader, mut body) = (Chunked::new(limits), Vec::new());
    let (mut at, mut end) = (0, 0);
    loop {
        let step = reader.next(&bytes[at..end]).map_err(|error| {
            assert_eq!(reader.next(b"0\r\n\r\n"), Err(error), "an error is for ever");
            (body.clone(), error)
        })?;
        assert!(step.len() <= end - at);
        body.extend_from_slice(&bytes[at + step.framing..at + step.len()]);
        at += step.len();
        if reader.is_end() {
            let trailers = reader.take_trailers().unwrap_or_default();
            assert_eq!(reader.take_trailers(), None);
            return Ok(Some((body, trailers, at)));
        }
        if step.is_empty() {
            assert_eq!(at, end, "what is given is taken");
            if end == bytes.len() {
                return Ok(None);
            }
            end = bytes.len().min(end + split().max(1));
        }
    }
}

/// A chunked body as a whole, in single bytes and in pieces; what follows it stays.
pub fn chunked(data: &[u8]) {
    let (seed, data) = split_first(data);
    let limits = limits(seed);
    let whole = read_chunked(data, &limits, || usize::MAX / 2);
    assert_eq!(whole, read_chunked(data, &limits, || 1));
    let mut state = u32::from(seed);
    let pieces = read_chunked(data, &limits, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 28) as usize
    });
    assert_eq!(whole, pieces);

    let longer = [data, b"\r\n0\r\n\r\n;:"].concat();
    match whole {
        Ok(None) => {}
        Ok(Some((body, trailers, len))) => {
            assert!(body.len() < len && trailers.keys().all(|name| !is_forbidden_trailer(name.as_str())));
            assert_eq!(read_chunked(&longer, &limits, || 7), Ok(Some((body.clone(), trailers, len))));
            assert_eq!(naive::read_chunks(&data[..len]), Some((body, len)), "a reader that takes more takes this");
        }
        Err((body, error)) => {
            assert!(error.at() <= data.len() as u64 && matches!(error.status().as_u16(), 400 | 431));
            assert_eq!(read_chunked(&longer, &limits, || 7), Err((body, error)));
        }
    }
}

/// A target: its parts make the whole, and whoever reads it as a URI reads the same.
pub fn target(data: &[u8]) {
    let (seed, raw) = split_first(data);
    let method = ["GET", "POST", "OPTIONS", "CONNECT", "get"][usize::from(seed) % 5];
    let Ok(target) = Target::parse(method, raw) else { return };
    assert_eq!(target.raw().as_bytes(), raw);
    assert!(raw.iter().all(|byte| matches!(byte, 0x21..=0x7e) && !b"#\"<>".contains(byte)));
    let uri: http::Uri = target.raw().parse().expect("an accepted target is a URI");
    let query = target.query().map(|query| format!("?{query}")).unwrap_or_default();
    assert_eq!(uri.query(), target.query());
    match target.form() {
        TargetForm::Origin => assert_eq!(format!("{}{query}", target.path()), target.raw()),
        TargetForm::Asterisk => assert_eq!((target.raw(), method), ("*", "OPTIONS")),
        TargetForm::Authority => {
            assert_eq!((target.authority(), target.path(), method), (Some(target.raw()), "", "CONNECT"));
            assert!(uri.port_u16().is_some());
        }
        TargetForm::Absolute => {
            let authority = target.authority().expect("an absolute form has an authority");
            assert!(!authority.is_empty() && !authority.contains(['@', '/', '?', '%']));
            assert_eq!(uri.authority().map(|authority| authority.as_str()), Some(authority));
        }
    }
    if target.form() != TargetForm::Authority {
        assert_eq!(uri.path(), target.path());
    }
    let decoded: Vec<_> = target.segments().collect();
    assert_eq!(decoded.len(), target.path().matches('/').count());
    assert!(percent_decode(target.path().as_bytes()).len() <= target.path().len());
    // Escapes in a path were checked, those of a query are for the form.
    let mut escapes = target.path().split('%').skip(1);
    assert!(escapes.all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|digit| digit.is_ascii_hexdigit())));
}

/// A form: what is written is read again, what we accept everybody reads like this, and one pair that cannot be read
/// changes nothing about the others.
pub fn form(data: &[u8]) {
    let (lossy, error) = Form::parse_lossy(data);
    let pairs = data.split(|&byte| byte == b'&');
    if pairs.clone().count() <= Form::MAX_PAIRS {
        let (mut alone, mut wrong) = (Form::default(), 0);
        for pair in pairs {
            match Form::parse(pair) {
                Ok(pair) => alone.append(&pair),
                Err(_) => wrong += 1,
            }
        }
        assert!(lossy.iter().eq(alone.iter()));
        assert_eq!(error.is_some(), wrong > 0);
    }
    let form = match (Form::parse(data), error) {
        (Ok(form), None) => form,
        (Err(strict), Some(error)) => return assert_eq!(strict, error),
        (strict, error) => panic!("{strict:?}, but {error:?}"),
    };
    assert!(form.iter().eq(lossy.iter()));
    let pairs: Vec<_> = form.iter().collect();
    let theirs: Vec<_> = form_urlencoded::parse(data).collect();
    assert_eq!(pairs.len(), theirs.len());
    assert!(pairs.iter().zip(&theirs).all(|(ours, theirs)| *ours == (&*theirs.0, &*theirs.1)));
    assert!(pairs.iter().all(|(name, value)| form.all(name).any(|other| other == *value)));
    let printed = form.to_string();
    let again = Form::parse(printed.as_bytes()).expect("what was printed can be read");
    // An empty pair prints as `=`, which is one.
    assert!(again.iter().eq(form.iter()));
    let mut twice = again.clone();
    twice.append(&form);
    assert!(twice.iter().eq(form.iter().chain(form.iter())));
    decoded(&form);
}

/// A form as a value of a type: the pairs are those of the form, a map has every value of a name, and an error has none of
/// the client's bytes but plain names.
fn decoded(form: &Form) {
    let pairs: Vec<(String, String)> = form.decode().expect("a form is a list of pairs");
    assert!(form.iter().eq(pairs.iter().map(|(name, value)| (&**name, &**value))));
    let map: BTreeMap<String, Vec<String>> = form.decode().expect("a form is a map of lists");
    assert_eq!(map.values().map(Vec::len).sum::<usize>(), pairs.len());
    assert!(map.iter().all(|(name, values)| form.all(name).eq(values.iter().map(String::as_str))));
    if let Err(error) = form.decode::<BTreeMap<String, u8>>() {
        json::check_text(&error);
    }
    let single: Result<BTreeMap<String, String>, _> = form.decode();
    assert_eq!(single.is_ok(), map.len() == pairs.len(), "a name that is there twice needs a list");
}

/// Cookies: only what the grammar allows comes out, and no text can write more than one cookie.
pub fn cookies(data: &[u8]) {
    for cookie in Cookies::parse(data).iter() {
        assert!(!cookie.name.is_empty() && cookie.name.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!cookie.name.contains(['=', ';', ',', '"']) && !cookie.value.contains(['"', ';', '\\']));
        let set = SetCookie::new(cookie.name, cookie.value);
        let written = set.encode().expect("what was read can be set");
        let again = Cookies::parse(written.as_bytes()).get(cookie.name);
        // Blanks at the ends are kept by quotes only.
        assert!(again == Some(cookie.value), "{written:?}");
    }
    strict_cookies(data);
    let mut words = data.split(|&byte| byte == 0xff).map(|word| String::from_utf8_lossy(word));
    let mut word = || words.next().unwrap_or_default().into_owned();
    let (name, value, path, domain) = (word(), word(), word(), word());
    let set = SetCookie::new(&*name, &*value).path(&*path).domain(&*domain).http_only();
    let written = set.encode();
    assert_eq!(written.clone().map(drop), set.validate());
    if let Ok(written) = written {
        // As it was given, or not at all.
        let (quote, path) = (if value.contains([' ', ',']) { "\"" } else { "" }, format!("; Path={path}"));
        let path = if path == "; Path=" { "" } else { &path };
        let domain = domain.strip_prefix('.').unwrap_or(&domain);
        assert_eq!(written, format!("{name}={quote}{value}{quote}{path}; Domain={domain}; HttpOnly"));
        assert!(written.as_bytes().iter().filter(|byte| **byte == b';').count() <= 3);
    }
}

/// The strict readers: what they take, the lenient one takes whole, and a cookie that was read is written and read again.
fn strict_cookies(data: &[u8]) {
    if let Ok(cookies) = Cookies::parse_strict(data) {
        let pairs = data.iter().filter(|byte| **byte == b';').count() + 1;
        assert_eq!(cookies.iter().count(), pairs, "the lenient reader skips one");
        let quotes = |quoted| if quoted { "\"" } else { "" };
        let written = cookies.iter().map(|cookie| {
            let quote = quotes(cookie.quoted);
            format!("{}={quote}{}{quote}", cookie.name, cookie.value)
        });
        assert_eq!(written.collect::<Vec<_>>().join("; ").as_bytes(), data);
    }
    if let Ok(cookie) = SetCookie::parse(data) {
        let written = cookie.encode().expect("what was read can be written");
        // Only an empty value loses its quotes, as Go writes it.
        let again = SetCookie::parse(written.as_bytes()).expect("what was written can be read");
        assert_eq!(again.encode(), Ok(written));
        assert_eq!(
            again == cookie,
            !cookie.value().is_empty() || !data.starts_with(format!("{}=\"", cookie.name()).as_bytes())
        );
        assert!(cookie.path_matches("/", cookie.effective_path("/")));
    }
}

/// Trailers: the fields that httparse finds, less those that must not surface.
pub fn trailers(data: &[u8]) {
    let (seed, data) = split_first(data);
    let body = [b"0\r\n", data].concat();
    let Ok(Some((data_of, map, len))) = read_chunked(&body, &limits(seed), || 5) else { return };
    assert!(data_of.is_empty());
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let parsed = httparse::parse_headers(&data[..len - 3], &mut fields).expect("httparse takes more than we do");
    let httparse::Status::Complete((taken, fields)) = parsed else { panic!("a section that ends") };
    assert_eq!(taken, len - 3);
    let mut surfaced = 0;
    for field in fields.iter().filter(|field| !is_forbidden_trailer(field.name)) {
        assert!(map.get_all(field.name).iter().any(|value| value.as_bytes() == field.value));
        surfaced += 1;
    }
    assert_eq!(map.len(), surfaced);
}

/// One whole request as some reader understands it.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    method: String,
    target: String,
    body: Vec<u8>,
}

/// A stream of pipelined requests as we read it, up to the first that is not whole or not right.
fn our_messages(mut stream: &[u8], limits: &Limits) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Ok(Some(index)) = parse(stream, limits) {
        let head = HeadRef::new(stream, &index);
        let rest = &stream[index.len()..];
        let (body, len) = match index.framing() {
            Framing::None => (Vec::new(), 0),
            Framing::Length(length) => match usize::try_from(length).ok().and_then(|length| rest.get(..length)) {
                Some(body) => (body.to_vec(), body.len()),
                None => break,
            },
            Framing::Chunked => match read_chunked(rest, limits, || usize::MAX / 2) {
                Ok(Some((body, _, len))) => (body, len),
                _ => break,
            },
            Framing::Stream => unreachable!("only a stream of HTTP/2 has it"),
        };
        messages.push(Message { method: head.method().into(), target: head.target().raw().into(), body });
        stream = &rest[len..];
    }
    messages
}

/// The error is small enough to be carried anywhere, and says nothing of the client's bytes.
const _: () = assert!(size_of::<HeadError>() <= 12);

/// What bytes look like: a content type, from the first 512 bytes alone, and nothing that would be run unless it is
/// The first bytes of a connection: what they are judged as does not depend on how they are split, nor on what follows,
/// and no preface is a request of HTTP/1.1.
pub fn preface(data: &[u8]) {
    let whole = Preface::look(data);
    for end in 0..data.len() {
        let before = Preface::look(&data[..end]);
        assert!(before == Preface::Partial || before == whole, "{before:?} after {end} bytes, then {whole:?}");
    }
    assert_eq!(whole == Preface::Whole, data.starts_with(Preface::BYTES));
    assert_eq!(whole == Preface::Partial, data.len() < 24 && Preface::BYTES.starts_with(data));
    if whole == Preface::Whole {
        assert_eq!(parse(data, &Limits::default()).map_err(|error| error.status().as_u16()), Err(505));
    }
}

/// marked as that at its beginning.
pub fn sniff(data: &[u8]) {
    let seen = quintet_request::sniff(data);
    let start = &data[..data.len().min(512)];
    assert_eq!(seen, quintet_request::sniff(start));
    http::HeaderValue::from_static(seen);
    let text = start.trim_ascii_start();
    match seen {
        "text/html; charset=utf-8" | "text/xml; charset=utf-8" => {
            assert!(text.starts_with(b"<"));
            assert_eq!(seen, quintet_request::sniff(text), "blanks before it change nothing");
        }
        "text/plain; charset=utf-8" if !start.starts_with(b"\xEF\xBB\xBF") => assert!(!has_binary(start)),
        "application/octet-stream" => assert!(has_binary(start)),
        "video/mp4" => assert!(&start[4..8] == b"ftyp" && start.windows(3).skip(8).any(|brand| brand == b"mp4")),
        _ => {}
    }
}

/// Whether there is a byte that no text has: a control, but for those that format or escape.
fn has_binary(bytes: &[u8]) -> bool {
    bytes.iter().any(|&byte| byte < 0x20 && !b"\t\n\x0C\r\x1B".contains(&byte))
}
