//! The reference implementation: of all patterns that match, the one that all others contain.
//!
//! The reference is slow and shares no code with the index. It reads the patterns from their text.

use quintet_mux::{Explanation, Miss, MissReason, Pattern, Relation};

/// Whether a pattern matches a request.
pub(crate) fn matches(pattern: &Pattern, method: &str, host: &str, path: &str) -> bool {
    let tunnel = method == "CONNECT" && path.is_empty();
    let (mut wanted, given) = (segments(pattern.as_str()), if tunnel { vec![""] } else { segments(path) });
    let last = wanted.pop().expect("a pattern has a slash");
    let enough = if is_rest(last) {
        given.len() > wanted.len()
    } else {
        wanted.push(if last == "{$}" { "" } else { last });
        given.len() == wanted.len()
    };
    let same = |(w, g): (&&str, &&str)| if w.starts_with('{') { !g.is_empty() } else { decode(w) == decode(g) };
    enough
        && wanted.iter().zip(&given).all(same)
        && has_host(pattern, method, host)
        && match pattern.method() {
            None => !tunnel,
            Some(wanted) => wanted == method || (wanted == "GET" && method == "HEAD"),
        }
}

/// Whether a pattern matches this host, by the pattern's text: it has no host, the same name, or the same name and
/// port.
fn has_host(pattern: &Pattern, method: &str, host: &str) -> bool {
    let text = pattern.as_str().split('/').next().and_then(|start| start.rsplit([' ', '\t']).next()).unwrap_or("");
    let split = |host: &str| {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name.to_owned(), port.parse::<u16>().ok()),
            _ => (host.to_owned(), None),
        };
        let name = name.to_lowercase();
        (name.strip_suffix('.').map_or(name.clone(), str::to_owned), port)
    };
    let ((name, port), (asked, asked_port)) = (split(text), split(host));
    text.is_empty() || name == asked && (port.is_none() || port == asked_port && method == "CONNECT")
}

/// The rank of a pattern by its host: 2 with a host and a port, 1 with a host, 0 without.
fn named(pattern: &Pattern) -> usize {
    pattern.host().map_or(0, |host| {
        1 + usize::from(host.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok() && host != port))
    })
}

/// The number of the pattern that wins: one with a host wins over all without, then the smallest set wins.
pub(crate) fn winner(patterns: &[Pattern], method: &str, host: &str, path: &str) -> Option<usize> {
    let fit: Vec<&Pattern> = patterns.iter().filter(|p| matches(p, method, host, path)).collect();
    let most = fit.iter().map(|p| named(p)).max().unwrap_or(0);
    let fit: Vec<&Pattern> = fit.into_iter().filter(|p| named(p) == most).collect();
    let smallest = |p: &Pattern| fit.iter().all(|q| p == *q || p.relation(q) == Relation::MoreSpecific);
    patterns.iter().position(|p| fit.contains(&p) && smallest(p))
}

/// The answer that a mux must give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Match(usize, Vec<Vec<u8>>),
    Redirect(String, Option<usize>),
    MethodNotAllowed(String),
    NotFound,
}

/// The answer of a mux with these patterns, by Go's rules step by step. Unlike in Go, hosts are compared as names, and
/// only patterns of `CONNECT` match a `CONNECT` without a path.
pub(crate) fn answer(patterns: &[Pattern], method: &str, host: &str, path: &str) -> Answer {
    if method == "CONNECT" && path.is_empty() {
        let value = |n: usize| vec![Vec::new(); patterns[n].names().len()];
        return winner(patterns, method, host, path).map_or(Answer::NotFound, |n| Answer::Match(n, value(n)));
    }
    let clean = if method == "CONNECT" { path.to_owned() } else { clean(path) };
    let slashed = format!("{clean}/");
    let exact = |n: Option<usize>, path: &str| {
        let swallows = |p: &Pattern| segments(p.as_str()).last().is_some_and(|last| is_rest(last));
        n.is_some_and(|n| {
            !swallows(&patterns[n])
                || segments(path).len() == segments(patterns[n].as_str()).len() && path.ends_with('/')
        })
    };
    let here = winner(patterns, method, host, &clean);
    if !exact(here, &clean) && !clean.is_empty() && !clean.ends_with('/') && !clean.starts_with("//") {
        let there = winner(patterns, method, host, &slashed);
        if exact(there, &slashed) {
            return Answer::Redirect(slashed, there);
        }
    }
    if clean != path {
        return Answer::Redirect(clean, here);
    }
    if let Some(n) = here {
        return Answer::Match(n, values(&patterns[n], path));
    }
    let with_slash = if path.ends_with('/') { path } else { &slashed };
    let asked = method;
    let known = |p: &&Pattern| {
        let method = p.method().unwrap_or("");
        // The method does not matter here, except that a port is compared only for a `CONNECT`.
        let sees = |p: &Pattern, path: &str| matches(p, method, host, path) && has_host(p, asked, host);
        sees(p, path) || sees(p, with_slash)
    };
    let mut methods: Vec<&str> = patterns.iter().filter(known).filter_map(Pattern::method).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.dedup();
    if methods.is_empty() { Answer::NotFound } else { Answer::MethodNotAllowed(methods.join(", ")) }
}

/// Checks the misses of an explanation: none matches, with or without a slash behind the path; each reason is true; and
/// there are three, or as many as there are patterns left.
pub(crate) fn check_misses<T>(why: &Explanation<'_, T>, patterns: usize) {
    if why.misses.is_empty() {
        return;
    }
    assert!(why.found.pattern().is_none(), "{why}");
    assert_eq!(why.misses.len(), (patterns - why.candidates.len()).min(3), "{why}");
    let (method, host) = (&*why.method, &*why.host);
    // A `CONNECT` without a path is compared as `/`.
    let tunnel = method == "CONNECT" && why.path.is_empty();
    let path = if tunnel { &*why.path } else { &*why.clean };
    let slashed = format!("{path}/");
    let mut given = segments(path);
    let ends_in_slash = given.last().is_some_and(|last| last.is_empty());
    if ends_in_slash {
        given.pop();
    }
    for Miss { pattern, reason, .. } in &why.misses {
        assert!(!matches(pattern, method, host, path), "{why}");
        // Without a slash before it, a path matches nothing, and no redirect adds one behind it.
        let adds_slash = !tunnel && path.starts_with('/') && !path.ends_with('/');
        assert!(!adds_slash || !matches(pattern, method, host, &slashed), "{why}");
        let mut own = segments(pattern.as_str());
        let last = own.pop().expect("a pattern has a slash");
        let rest = is_rest(last);
        if !rest && last != "{$}" {
            own.push(last);
        }
        let at = |segment: &usize| (own[segment - 1], given[segment - 1]);
        let holds = match reason {
            MissReason::Host { wanted } => pattern.host() == Some(wanted) && !has_host(pattern, method, host),
            MissReason::NotForTunnels => {
                tunnel && !matches(pattern, method, host, path) && has_host(pattern, method, host)
            }
            MissReason::NoSlash => !path.starts_with('/'),
            MissReason::Literal { segment, wanted, given } => {
                let (own, text) = at(segment);
                !own.starts_with('{')
                    && decode(own) == decode(wanted)
                    && **given == *text
                    && decode(own) != decode(text)
            }
            MissReason::EmptySegment { segment, name } => at(segment) == (&*format!("{{{name}}}"), ""),
            MissReason::TooFewSegments { wanted, given: n } => {
                (*wanted, *n) == (own.len(), given.len()) && given.len() < own.len()
            }
            MissReason::TooManySegments { wanted, given: n } => {
                (*wanted, *n) == (own.len(), given.len()) && given.len() > own.len() && !rest
            }
            MissReason::TrailingSlash => ends_in_slash && given.len() == own.len() && !rest && last != "{$}",
            other => panic!("{other:?} is not checked"),
        };
        assert!(holds, "{pattern}: {reason:?} of\n{why}");
    }
}

fn values(pattern: &Pattern, path: &str) -> Vec<Vec<u8>> {
    let (wanted, given) = (segments(pattern.as_str()), segments(path));
    let value = |(i, w): (usize, &&str)| match *w {
        "{$}" => None,
        w if w.ends_with("...}") => Some(decode(&given[i..].join("/"))),
        w if w.starts_with('{') => Some(decode(given[i])),
        _ => None,
    };
    wanted.iter().enumerate().filter_map(value).collect()
}

fn segments(text: &str) -> Vec<&str> {
    text.find('/').map_or(Vec::new(), |slash| text[slash + 1..].split('/').collect())
}

fn is_rest(last: &str) -> bool {
    last.is_empty() || last.ends_with("...}")
}

fn clean(path: &str) -> String {
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let slash = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    format!("/{}{slash}", kept.join("/"))
}

/// The decoded text, or the text itself if an escape is malformed.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|d| char::from(d).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (digit(), digit()) {
            (Some(high), Some(low)) => out.push(high << 4 | low),
            _ => return text.into(),
        }
    }
    out
}
