//! The fuzz targets of `quintet-mux`.

#[path = "../../mux/tests/event_client/mod.rs"]
mod event_client;
#[path = "../../mux/tests/oracle/mod.rs"]
mod oracle;

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use event_client::{EventClient, Received};
use oracle::Answer;
use quintet_mux::httptest::{BodyEnd, ReplyChunk, ReplyError, ReplyHead, ReplyTrailers};
use quintet_mux::{
    Cors, CorsReply, CorsRequest, CrossOrigin, Event, FilePath, Found, InsertError, Mux, Pattern, Relation, Source,
    Verdict, canonical_host, clean_path, redirect_location, strip_path_prefix,
};

/// The targets of this layer.
pub const TARGETS: &[crate::Target] = &[
    ("pattern", pattern),
    ("mux_oracle", mux_oracle),
    ("mux_find", mux_find),
    ("cross_origin", cross_origin),
    ("escape_html", escape_html),
    ("event", event),
    ("file_path", file_path),
    ("reply_reader", reply_reader),
];

/// One text or two: a pattern prints as it was written, and two patterns compare as their sets of requests.
pub fn pattern(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut patterns = text.split('\n').map(|text| Pattern::parse(text).map(|pattern| (text, pattern)));
    let one = match patterns.next() {
        Some(Ok((text, one))) => {
            assert_eq!(one.to_string(), text);
            one
        }
        Some(Err(error)) => {
            assert!(error.at <= text.len() && text.is_char_boundary(error.at), "{error:?}");
            return;
        }
        None => return,
    };
    assert_eq!(one.relation(&one), Relation::Equivalent);
    let Some(Ok((_, two))) = patterns.next() else { return };
    let relation = one.relation(&two);
    assert_eq!(two.relation(&one), relation.inverse());
    let mut mux = Mux::new();
    mux.insert(one.clone(), 1).expect("the first pattern");
    let Err(InsertError::Conflict(conflict)) = mux.insert(two.clone(), 2) else {
        assert!(!one.conflicts_with(&two));
        return;
    };
    assert!(one.conflicts_with(&two));
    let host = one.host().unwrap_or("");
    for (example, of_new, of_old) in [
        (Some(&conflict.both), true, true),
        (conflict.only_new.as_ref(), true, false),
        (conflict.only_old.as_ref(), false, true),
    ] {
        let Some(example) = example else {
            assert_eq!(relation, Relation::Equivalent);
            continue;
        };
        let matches = |pattern: &Pattern| pattern.matches(&example.method, host, &example.path);
        assert_eq!((matches(&conflict.new), matches(&conflict.old)), (of_new, of_old), "{conflict}");
    }
}

/// Patterns and requests over a small alphabet: the mux accepts the same patterns and gives the same answers as the
/// reference.
pub fn mux_oracle(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let _ = versus_oracle(&mut bytes);
}

fn versus_oracle(bytes: &mut Unstructured<'_>) -> Result<()> {
    let mut mux = Mux::new();
    let mut added: Vec<Pattern> = Vec::new();
    for _ in 0..bytes.int_in_range(1..=24)? {
        let pattern = any_pattern(bytes)?;
        let crossing = added.iter().any(|old| old.conflicts_with(&pattern));
        let refused = mux.insert(pattern.clone(), added.len()).is_err();
        assert_eq!(refused, crossing, "{pattern} in {added:?}");
        if !refused {
            added.push(pattern);
        }
    }
    let mut spans = Vec::new();
    for _ in 0..bytes.int_in_range(1..=16)? {
        let (method, host, path) = any_request(bytes)?;
        let number = |pattern: &Pattern| added.iter().position(|known| known == pattern);
        let answer = match mux.find_into(method, host, &path, &mut spans) {
            Found::Match(route) => {
                let values = spans.iter().map(|&(at, len)| oracle::decode(&path[at as usize..][..len as usize]));
                Answer::Match(route.value, values.collect())
            }
            Found::Redirect { path, pattern } => Answer::Redirect(path, pattern.and_then(number)),
            Found::MethodNotAllowed { allow } => Answer::MethodNotAllowed(allow),
            Found::NotFound => Answer::NotFound,
        };
        assert_eq!(answer, oracle::answer(&added, method, host, &path), "{method} {host}{path} in {added:?}");
        agrees(&mux, method, host, &path);
    }
    Ok(())
}

fn any_pattern(bytes: &mut Unstructured<'_>) -> Result<Pattern> {
    let mut text = String::from(*bytes.choose(&["", "", "GET ", "HEAD ", "POST "])?);
    let host = *bytes.choose(&["", "", "", "h", "H.", "CONNECT h:80"])?;
    match host.split_once(' ') {
        Some(_) => text = host.to_owned(),
        None => text.push_str(host),
    }
    for n in 0..bytes.int_in_range(0..=4)? {
        let segment = *bytes.choose(&["a", "b", "{", "{", "%61", "a%2Fb"])?;
        text.push('/');
        text.push_str(&if segment == "{" { format!("{{x{n}}}") } else { segment.to_owned() });
    }
    text.push_str(bytes.choose(&["/", "", "/{$}", "/{rest...}"])?);
    Ok(Pattern::parse(&text).unwrap_or_else(|_| Pattern::parse("/").expect("a pattern")))
}

fn any_request(bytes: &mut Unstructured<'_>) -> Result<(&'static str, &'static str, String)> {
    let method = *bytes.choose(&["GET", "HEAD", "POST", "PUT", "CONNECT"])?;
    let host = *bytes.choose(&["", "h", "H:80", "h.:81", "i"])?;
    let mut path = String::new();
    for _ in 0..bytes.int_in_range(0..=5)? {
        path.push('/');
        path.push_str(bytes.choose(&["a", "a", "b", "b", "c", "%61", "a%2fb", "", ".", ".."])?);
    }
    Ok((method, host, path))
}

/// A method, a host and a path, each in a line, for a fixed mux: nothing panics, values lie in the path, `explain`
/// agrees, and the path of a redirect matches the pattern that it names.
pub fn mux_find(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(3, '\n');
    let [method, host, path] = std::array::from_fn(|_| lines.next().unwrap_or(""));
    let mut spans = Vec::new();
    match RICH.find_into(method, host, path, &mut spans) {
        Found::Match(route) => {
            assert_eq!(spans.len(), route.pattern.names().len());
            let mut end = 0;
            for &(at, len) in &spans {
                assert!(at >= end && path.get(at as usize..(at + len) as usize).is_some(), "{spans:?} in {path:?}");
                end = at + len;
            }
            assert!(route.pattern.matches(method, host, path));
        }
        Found::Redirect { path: to, pattern } => {
            assert!(to.starts_with('/') && (to == "/" || !to.starts_with("//")), "{to:?}");
            let there = RICH.find(method, host, &to);
            assert_eq!(there.found.route().map(|route| &route.pattern), pattern, "{path:?} to {to:?}");
        }
        Found::MethodNotAllowed { allow } => {
            let methods: Vec<&str> = allow.split(", ").collect();
            assert!(methods.is_sorted() && !methods.contains(&method), "{allow}");
        }
        Found::NotFound => {}
    }
    agrees(&RICH, method, host, path);
    // Another spelling of the host changes nothing.
    let name = canonical_host(host);
    assert_eq!(canonical_host(&name), name);
    if method != "CONNECT" && !name.is_empty() {
        let other = format!("{}.:80", name.to_ascii_uppercase());
        let same = |host: &str| format!("{:?}", RICH.find(method, host, path).found);
        assert!(canonical_host(&other) != name || same(host) == same(&other), "{host:?} and {other:?}");
    }
    assert_eq!(clean_path(&clean_path(path)), clean_path(path));
    let location = redirect_location(host, path);
    assert!(location.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'\\'), "{location:?}");
    assert!(!location.starts_with("//") || path.starts_with("//"), "{path:?} leads to {location:?}");
    assert!(strip_path_prefix(path, host).is_none_or(|rest| path.ends_with(rest)));
}

/// A method, a host, a path, `Sec-Fetch-Site` and `Origin`, each in a line. A request that changes something passes
/// only if the browser says that it comes from the same origin, or if it is exempt; a text that can be trusted is an
/// origin.
pub fn cross_origin(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(5, '\n');
    let [method, host, path] = std::array::from_fn(|_| lines.next().unwrap_or(""));
    let (site, origin) = (lines.next(), lines.next());
    let source = Source { method, host, path, site, origin };
    let changes = !["GET", "HEAD", "OPTIONS"].contains(&method);
    let scheme = |scheme: &str| {
        scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    let here = match (site.unwrap_or(""), origin.unwrap_or("")) {
        ("", "") => true,
        ("", origin) => origin.split_once("://").is_some_and(|(s, h)| scheme(s) && h.eq_ignore_ascii_case(host)),
        (site, _) => site == "same-origin" || site == "none",
    };
    let mut rules = CrossOrigin::new();
    assert_eq!(rules.check(&source).is_ok(), !changes || here);

    rules.add_trusted_origin("https://a.example").expect("an origin");
    rules.add_insecure_bypass_pattern("POST /hooks/{name}").expect("a pattern");
    let hook =
        method == "POST" && path.strip_prefix("/hooks/").is_some_and(|name| !name.is_empty() && !name.contains('/'));
    if rules.check(&source).is_ok() && changes && !here {
        assert!(hook || origin == Some("https://a.example"), "{source:?} passed");
    }
    cors(method, origin, path, host);
    let origin = origin.unwrap_or("");
    if rules.add_trusted_origin(origin).is_ok() {
        let (scheme, host) = origin.split_once("://").expect("a scheme");
        assert!(!host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']), "{origin:?} is trusted");
        // As a browser writes it: these have a port by default, and addresses are spelled in one way.
        if !["http", "https"].contains(&&*scheme.to_ascii_lowercase()) && !host.contains([':', '[']) {
            let origin = origin.to_ascii_lowercase();
            let stranger = Source { site: Some("cross-site"), origin: Some(&origin), method: "POST", ..source };
            assert_eq!(rules.check(&stranger), Ok(()));
        }
    }
}

/// A page of the list is told its own origin and no other, credentials never stand beside `*`, and a preflight asks for
/// nothing that is not allowed.
fn cors(method: &str, origin: Option<&str>, asked_method: &str, asked_headers: &str) {
    let request = CorsRequest {
        method,
        origin,
        asked_method: Some(asked_method),
        asked_headers: Some(asked_headers),
        ..CorsRequest::default()
    };
    let list = Cors::of_origins(["https://a.example"]).and_then(|rules| rules.with_methods(["PUT"]));
    let list = list.and_then(|rules| rules.with_headers(["x-own"])).and_then(Cors::with_credentials).expect("rules");
    for rules in [list, Cors::any_origin()] {
        let (fields, is_preflight) = match rules.check(&request) {
            CorsReply::Handled(fields) => (fields, false),
            CorsReply::Preflight(fields) => (fields, true),
            CorsReply::Refused { fields, .. } => {
                assert!(method == "OPTIONS" && origin.is_some() && fields.iter().all(|(name, _)| *name == "vary"));
                continue;
            }
        };
        let field = |wanted: &str| fields.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
        let allowed = field("access-control-allow-origin");
        assert!(allowed.is_none_or(|allowed| allowed == "*" || Some(allowed) == origin));
        assert!(field("access-control-allow-credentials").is_none() || allowed == Some("https://a.example"));
        if is_preflight {
            assert!(allowed.is_some() && ["GET", "HEAD", "POST", "PUT"].contains(&asked_method), "{asked_method}");
            let is_own = |name: &str| name.trim_matches([' ', '\t']).eq_ignore_ascii_case("x-own");
            assert!(asked_headers.split(',').all(|name| is_own(name) || name.trim_matches([' ', '\t']).is_empty()));
        }
    }
}

/// Any text: the result has no tag, no end of an attribute and no reference but the five entities, and read as HTML it
/// is the given text.
pub fn escape_html(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let escaped = quintet_mux::escape_html(&text);
    assert!(!escaped.contains(['<', '>', '"', '\'']), "{escaped:?}");
    let mut back = String::new();
    let mut rest = &*escaped;
    while let Some(at) = rest.find('&') {
        back.push_str(&rest[..at]);
        let (entity, after) = rest[at + 1..].split_once(';').expect("an entity has an end");
        back.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "#34" => '"',
            "#39" => '\'',
            other => panic!("&{other}; in {escaped:?}"),
        });
        rest = after;
    }
    back.push_str(rest);
    assert_eq!(back, text);
}

/// Any text as the path of a URL: the file it names lies beneath the root, and is the one that a naive reader finds, who looks
/// at the segments of the decoded path one by one.
pub fn file_path(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut naive: Option<Vec<Vec<u8>>> = Some(Vec::new());
    for segment in text.split('/') {
        let segment = quintet_request::percent_decode(segment.as_bytes()).into_owned();
        let Some(parts) = &mut naive else { break };
        match &*segment {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            _ if segment.iter().any(|byte| b"/\\\0".contains(byte)) || segment.len() > 255 => naive = None,
            _ => parts.push(segment),
        }
    }
    let found = FilePath::from_url(&text);
    match (&found, naive.map(|parts| parts.join(&b'/'))) {
        (Ok(path), Some(naive)) => assert_eq!(path.as_bytes(), naive),
        (Err(_), None) => {}
        (Err(error), Some(_)) => assert!(text.len() > 4095, "{text:?}: {error}"),
        (Ok(path), None) => panic!("{text:?} is {path:?}"),
    }
    let Ok(path) = found else { return };
    assert!(path.as_bytes().len() <= 4095);
    let parts = || path.as_bytes().split(|byte| *byte == b'/');
    assert!(path.is_root() || parts().all(|part| !matches!(part, b"" | b"." | b"..") && part.len() <= 255));
    assert_eq!(FilePath::new(path.as_bytes()).as_ref(), Ok(&path), "it is its own name");
    assert_eq!(parts().next_back(), Some(path.file_name()));
}

/// A name, an id and a comment, a line each that ends with a `|`, and the data: a client reads the event that was sent, and
/// nothing else. Two of them after each other are two events.
pub fn event(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(4, '|');
    let [name, id, comment, data] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let is_refused = |text: &str| text.contains(['\r', '\n', '\0']);
    let event = match Event::new(data).with_name(name).and_then(|event| event.with_id(id)) {
        Ok(event) => event,
        Err(error) => {
            assert!(is_refused(name) || is_refused(id), "{error}");
            return;
        }
    };
    assert!(!is_refused(name) && !is_refused(id));
    let client = EventClient::read(&format!("{}{event}{event}", Event::comment(comment)));
    let name = if name.is_empty() { "message" } else { name };
    let received = Received {
        name: name.to_owned(),
        data: data.replace("\r\n", "\n").replace('\r', "\n"),
        last_id: id.to_owned(),
    };
    assert_eq!(client.events, [received.clone(), received]);
    assert_eq!((client.last_id.as_str(), client.retry), (id, None));
}

fn agrees<T: std::fmt::Debug>(mux: &Mux<T>, method: &str, host: &str, path: &str) {
    let (found, why) = (mux.find(method, host, path).found, mux.explain(method, host, path));
    assert_eq!(format!("{:?}", why.found), format!("{found:?}"), "{why}");
    let winners = why.candidates.iter().filter(|c| matches!(c.verdict, Verdict::Wins | Verdict::WinsWithSlash));
    assert!(winners.map(|candidate| candidate.pattern).eq(found.pattern()), "{why}");
    oracle::check_misses(&why, mux.len());
}

static RICH: LazyLock<Mux<usize>> = LazyLock::new(|| {
    let patterns = [
        "/",
        "GET /{$}",
        "GET /users",
        "GET /users/{id}",
        "GET /users/me",
        "POST /users/{id}",
        "PUT /users/{id}/posts/{post}",
        "GET /users/{id}/posts/{post}",
        "GET /a/{b}/c/{d}/e/{f}/g/{h}/{i...}",
        "GET /files/{path...}",
        "GET /files/{dir}/{$}",
        "GET /files/{dir}/index.html",
        "/static/",
        "/static/css/",
        "/static/css/main.css",
        "/x%2Fy/{z}",
        "/%7Bbraces%7D",
        "/é/{ü}/",
        "/%FF/",
        "/x/%zz",
        "/open//gap/{w}",
        "CONNECT /tunnel/../up",
        "CONNECT //double/",
        "h.example/",
        "GET h.example/users/{id}",
        "DELETE h.example/users/{id}",
        "[::1]/v6/{$}",
        "CONNECT h.example:8443/port/",
        "CONNECT h.example:443/",
        "CONNECT h.example/{rest...}",
    ];
    let mut mux = Mux::new();
    for (number, pattern) in patterns.into_iter().enumerate() {
        mux.insert(pattern, number).unwrap_or_else(|error| panic!("{error}"));
    }
    mux
});

/// The strict reader of replies takes no more than httparse does, and takes the same in every prefix that is long enough.
pub fn reply_reader(data: &[u8]) {
    let Ok(Some((head, len))) = whole_at_its_end(data, ReplyHead::read) else {
        return;
    };
    let mut fields = [httparse::EMPTY_HEADER; 256];
    let mut parsed = httparse::Response::new(&mut fields);
    match parsed.parse(&data[..len]) {
        Ok(httparse::Status::Complete(taken)) => {
            assert_eq!((taken, parsed.code), (len, Some(head.status.as_u16())));
            assert_eq!(parsed.version, Some(u8::from(!head.is_http10)));
            let found = parsed.headers.iter().map(|field| (field.name.to_ascii_lowercase(), field.value.trim_ascii()));
            let mut found: Vec<_> = found.collect();
            let own = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes()));
            let mut own: Vec<_> = own.collect();
            found.sort();
            own.sort();
            assert_eq!(found, own);
        }
        Err(httparse::Error::TooManyHeaders) => return,
        other => panic!("httparse does not take it: {other:?}"),
    }
    let Ok(end) = head.body_end("GET") else { return };
    assert!(head.is_last() || end != BodyEnd::Close);
    let mut rest = &data[len..];
    if end != BodyEnd::Chunked {
        return;
    }
    while let Ok(Some((is_end, len))) =
        whole_at_its_end(rest, |bytes| Ok(ReplyChunk::read(bytes)?.map(|chunk| (chunk.data.is_empty(), chunk.len))))
    {
        rest = &rest[len..];
        if is_end {
            let _ = whole_at_its_end(rest, |bytes| Ok(ReplyTrailers::read(bytes)?.map(|read| ((), read.len))));
            return;
        }
    }
}

/// Reads the start of some bytes. The reader finds the same in what it took alone, and nothing in less.
fn whole_at_its_end<T>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> std::result::Result<Option<(T, usize)>, ReplyError>,
) -> std::result::Result<Option<(T, usize)>, ReplyError> {
    let found = read(bytes)?;
    if let Some((_, len)) = &found {
        assert_eq!(read(&bytes[..*len]).map(|alone| alone.map(|(_, len)| len)), Ok(Some(*len)));
        for end in [len / 2, len - 1] {
            assert_eq!(read(&bytes[..end]).map(|part| part.map(|(_, len)| len)), Ok(None));
        }
    }
    Ok(found)
}
