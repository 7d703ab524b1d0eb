//! What Go's `ServeMux` answered: 900 muxes made at random, 12,600 requests, recorded with Go 1.27.3.
//!
//! `data/go_mux.txt`: a line `mux`, then its patterns, each behind `+` (registered), `!` (in conflict) or `?`
//! (malformed), then requests, separated by tabs: method, host, target, status, then `Allow` (405), `Location` (307),
//! the pattern if there is one, and `name=value` for each of its wildcards.
//!
//! Go tells hosts apart by case and takes a port for a part of the name, so that `H.com` and `h.com:80` are renamed
//! here; what the real names mean is in `tables.rs`.

#![allow(missing_docs)]

use quintet_mux::{Found, InsertError, Mux, Pattern, PatternErrorKind};

const DATA: &str = include_str!("data/go_mux.txt");

/// What is compared, and what differs by a documented choice. Patterns with an empty segment or `%2F`, where Go differs
/// too, do not occur among those that were registered.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    muxes: usize,
    patterns: usize,
    requests: usize,
    /// A pattern whose host has a port: Go takes it and finds it for `CONNECT` alone; here it is refused.
    host_with_port: usize,
    /// A pattern that begins with a blank, so that its method is read as a host, `PUT `; Go takes it and never finds
    /// it.
    host_with_blank: usize,
}

#[test]
fn recorded_registrations_and_answers_of_go_are_ours() {
    let mut counts = Counts::default();
    for recorded in DATA.split("mux\n").skip(1) {
        counts.muxes += 1;
        let mut mux = Mux::new();
        let (patterns, requests): (Vec<&str>, Vec<&str>) = recorded.lines().partition(|line| !line.contains('\t'));
        for line in patterns {
            counts.patterns += 1;
            let (recorded, pattern) = line.split_at(1);
            if Pattern::parse(pattern).is_err_and(|error| error.kind == PatternErrorKind::Port) {
                counts.host_with_port += 1;
                assert!(pattern.contains("h.com:80/") && !pattern.starts_with("CONNECT "), "{pattern}");
            }
            let renamed = pattern.replace("H.com/", "i.com/").replace("h.com:80/", "port.example/");
            let ours = match mux.insert(renamed, pattern) {
                Ok(()) => "+",
                Err(InsertError::Conflict(_)) => "!",
                Err(InsertError::Pattern(error)) if error.kind == PatternErrorKind::Host => {
                    assert!(pattern.starts_with(' '), "{error}");
                    counts.host_with_blank += 1;
                    continue;
                }
                Err(_) => "?",
            };
            assert_eq!(ours, recorded, "{pattern}");
        }
        for line in requests {
            counts.requests += 1;
            let mut parts = line.splitn(4, '\t');
            let [method, host, target] = std::array::from_fn(|_| parts.next().expect("a request"));
            let ours = answer(&mux, method, if host == "H.com" { "i.com" } else { host }, target);
            assert_eq!(ours, parts.next().expect("an answer"), "{line} in\n{recorded}");
        }
    }
    let expected = Counts { muxes: 900, patterns: 6_632, requests: 12_600, host_with_port: 696, host_with_blank: 14 };
    assert_eq!(counts, expected);
}

fn answer(mux: &Mux<&str>, method: &str, host: &str, target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let lookup = mux.find(method, host, path);
    match lookup.found {
        Found::Match(route) => {
            let values = lookup.values.iter().map(|(name, value)| format!("\t{name}={value}"));
            format!("200\t{}{}", route.value, values.collect::<String>())
        }
        Found::Redirect { path, pattern } => {
            let pattern =
                pattern.map_or(String::new(), |pattern| format!("\t{}", pattern.as_str().replace("i.com/", "H.com/")));
            format!("307\t{path}{query}{pattern}")
        }
        Found::MethodNotAllowed { allow } => format!("405\t{allow}"),
        Found::NotFound => "404".to_owned(),
    }
}
