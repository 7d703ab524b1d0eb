//! Recorded answers of Go's `ServeMux`, replayed: 900 muxes made at random, 12,600 requests, Go 1.27.3.
//!
//! The recording `data/go_mux.txt` has for each mux a line `mux`, its patterns and its requests. A pattern stands
//! behind `+` (registered), `!` (in conflict) or `?` (malformed). A request is a line of fields separated by tabs:
//! method, host, target and status, then `Allow` (405) or `Location` (307), the pattern if there is one, and
//! `name=value` for each of its wildcards.
//!
//! Go compares hosts with case and takes a port as a part of the name, so `H.com` and `h.com:80` are renamed here.
//! `tables.rs` tests what the real names mean.

#![allow(missing_docs)]

use quintet_mux::{Found, InsertError, Mux, Pattern, PatternErrorKind};

const DATA: &str = include_str!("data/go_mux.txt");

/// The numbers of comparisons, and of differences by a documented choice. Go differs also for patterns with an empty
/// segment or `%2F`; the recording has none that was registered.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    muxes: usize,
    patterns: usize,
    requests: usize,
    /// Patterns whose host has a port: Go accepts them, and only a `CONNECT` matches them; here they are refused.
    host_with_port: usize,
    /// Patterns that begin with a blank, so that the method is read as a host, `PUT `: Go accepts them, and nothing
    /// matches them; here they are refused.
    host_with_blank: usize,
}

#[test]
fn recorded_answers_of_go_servemux_are_reproduced() {
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
