//! Preconditions, against the steps of RFC 9110 §13.2.2 over lists that are read as a whole first.

use quintet_request::{ETag, HeadRef, HttpDate, Index, Limits, Precondition, Validators, check_preconditions};

const NAMES: [&str; 6] = ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"];
const DATES: [&str; 3] =
    ["Sun, 06 Nov 1994 08:49:36 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT"];

/// A method, validators, and fields, one a line: the verdict is that of the RFC's steps.
pub fn conditional(data: &[u8]) {
    let [method, kind, rest @ ..] = data else { return };
    let method = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "GET"][usize::from(*method) % 6];
    let etag = [None, Some("\"x\""), Some("W/\"x\""), Some("\"\"")][usize::from(*kind) % 4];
    let dated = kind & 4 != 0;
    let exists = kind & 8 == 0;
    let mut fields: Vec<(usize, Vec<u8>)> = Vec::new();
    for line in rest.split(|&byte| byte == b'\n').take(20) {
        let Some((name, value)) = line.split_first() else { continue };
        let value = match value {
            [b'@', date] => DATES[usize::from(*date) % 3].as_bytes(),
            value => value,
        };
        fields.push((usize::from(*name) % 6, value.to_vec()));
    }
    let mut bytes =
        format!("{method} {} HTTP/1.1\r\nHost: a\r\n", if method == "OPTIONS" { "*" } else { "/" }).into_bytes();
    for (name, value) in &fields {
        bytes.extend_from_slice(&[NAMES[*name].as_bytes(), b": ", value, b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"\r\n");
    let mut index = Index::default();
    let Ok(Some(_)) = index.parse(&bytes, &Limits::default()) else { return };
    let etag = etag.map(|etag| ETag::parse(etag.as_bytes()).expect("a tag"));
    let last_modified = dated.then(|| HttpDate::parse(DATES[1].as_bytes()).expect("a date"));
    let current = exists.then_some(Validators { etag, last_modified });
    let verdict = check_preconditions(HeadRef::new(&bytes, &index), current);
    let values = |name: usize| -> Vec<String> {
        let of = fields.iter().filter(|field| field.0 == name);
        of.map(|(_, value)| value.iter().map(|&byte| char::from(byte)).collect::<String>()).map(trimmed).collect()
    };
    assert_eq!(verdict_of(verdict), model(method, current, &values), "{:?}", String::from_utf8_lossy(&bytes));
}

fn trimmed(text: String) -> String {
    text.trim_matches([' ', '\t']).to_owned()
}

/// 200, 206, 304, 412.
fn verdict_of(verdict: Precondition<'_>) -> u16 {
    match verdict {
        Precondition::Proceed { range: None } => 200,
        Precondition::Proceed { range: Some(_) } => 206,
        Precondition::NotModified => 304,
        Precondition::Failed => 412,
    }
}

/// The tags of a list up to the place where it cannot be read, and whether there is one; `None` for `*`.
fn list(value: &str) -> Option<(Vec<String>, bool)> {
    if value == "*" {
        return None;
    }
    let (mut tags, mut rest) = (Vec::new(), value);
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            let is_malformed = tags.is_empty();
            return Some((tags, is_malformed));
        }
        let opaque = rest.strip_prefix("W/").unwrap_or(rest);
        let parts: Vec<&str> = opaque.splitn(3, '"').collect();
        let ["", text, after] = parts[..] else { return Some((tags, true)) };
        if text.chars().any(|c| c <= ' ' || c == '\u{7f}') {
            return Some((tags, true));
        }
        tags.push(rest[..rest.len() - after.len()].to_owned());
        let next = after.trim_start_matches([' ', '\t']);
        if !next.is_empty() && !next.starts_with(',') {
            return Some((tags, true));
        }
        rest = next;
    }
}

fn model(method: &str, current: Option<Validators<'_>>, values: &dyn Fn(usize) -> Vec<String>) -> u16 {
    if method == "OPTIONS" {
        return 200;
    }
    let reads = method == "GET" || method == "HEAD";
    let etag = current.and_then(|current| current.etag).map(|etag| etag.to_string());
    let modified = current.and_then(|current| current.last_modified).map(HttpDate::unix);
    let date = |name: usize| match &values(name)[..] {
        [one] => HttpDate::parse(one.as_bytes()).map(HttpDate::unix),
        _ => None,
    };
    let lists = |name: usize| values(name).iter().map(|value| list(value)).collect::<Vec<_>>();
    let has = |lists: &[Option<(Vec<String>, bool)>], is_same: &dyn Fn(&str, &str) -> bool| {
        let tags = lists.iter().flatten().flat_map(|(tags, _)| tags);
        tags.into_iter().any(|tag| etag.as_deref().is_some_and(|etag| is_same(tag, etag)))
    };
    let strongly = |a: &str, b: &str| a == b && !a.starts_with("W/");
    let weakly = |a: &str, b: &str| a.trim_start_matches("W/") == b.trim_start_matches("W/");

    let if_match = lists(0);
    if if_match.is_empty() {
        if modified.zip(date(3)).is_some_and(|(modified, date)| modified > date) {
            return 412;
        }
    } else if !(has(&if_match, &strongly) || if_match.contains(&None) && current.is_some()) {
        return 412;
    }
    let if_none_match = lists(1);
    let stale = if if_none_match.is_empty() {
        !reads || modified.zip(date(2)).is_none_or(|(modified, date)| modified > date)
    } else if has(&if_none_match, &weakly) {
        false
    } else if if_none_match.contains(&None) {
        current.is_none()
    } else {
        reads || if_none_match.iter().flatten().all(|(_, malformed)| !malformed)
    };
    if !stale {
        return if reads { 304 } else { 412 };
    }
    let applies = match &values(4)[..] {
        [] => true,
        [one] if one.contains('"') => etag.as_deref().is_some_and(|etag| strongly(one, etag)),
        [one] => {
            let date = HttpDate::parse(one.as_bytes()).map(HttpDate::unix);
            date.is_some() && date == modified && !etag.is_some_and(|etag| etag.starts_with('W'))
        }
        _ => false,
    };
    if current.is_some() && method == "GET" && values(5).len() == 1 && applies { 206 } else { 200 }
}
