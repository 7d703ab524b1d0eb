//! The cost of inserting ten thousand patterns: the search for conflicts must not compare every pair.

#![allow(missing_docs)]

use std::time::Instant;

use quintet_mux::{Mux, Pattern};

/// Patterns with mixed methods, hosts, lengths, ends and wildcards. None conflicts with another, because each has a
/// literal of its own as the fourth segment.
fn mixed() -> Vec<Pattern> {
    let methods = ["", "GET ", "POST ", "DELETE "];
    let hosts = ["", "", "a.example", "b.example"];
    let ends = ["", "/", "/{$}", "/{rest...}"];
    let pattern = |n: usize| {
        let part = |position: usize| {
            if (n >> position) & 1 == 1 { format!("/{{x{position}}}") } else { format!("/part{}", n % 3) }
        };
        let before: String = (0..3).map(part).collect();
        let after: String = (3..3 + n % 4).map(part).collect();
        let (method, host, end) = (methods[n % 4], hosts[n / 4 % 4], ends[n / 16 % 4]);
        Pattern::parse(&format!("{method}{host}{before}/own{n}{after}{end}")).unwrap_or_else(|error| panic!("{error}"))
    };
    (0..10_000).map(pattern).collect()
}

/// Two halves of which each pair would conflict if their methods were not different.
fn crossing() -> Vec<Pattern> {
    let text = |n: usize| if n % 2 == 0 { format!("GET /{{x}}/l{n}") } else { format!("POST /l{n}/{{y}}") };
    (0..10_000).map(|n| Pattern::parse(&text(n)).unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// Patterns that contain one another, all below `/`.
fn nested() -> Vec<Pattern> {
    let text = |n: usize| {
        format!(
            "/a{}{}",
            n / 10,
            ["", "/", "/{x}", "/{x}/", "/b", "/b/", "/b/c", "/b/{y}", "/b/{y}/{$}", "/b/c/d"][n % 10]
        )
    };
    let patterns = (0..10_000).map(|n| Pattern::parse(&text(n)).unwrap_or_else(|error| panic!("{error}")));
    patterns.chain([Pattern::parse("/").expect("the root")]).collect()
}

#[test]
fn ten_thousand_patterns_are_inserted_without_comparing_pairs() {
    for patterns in [mixed(), crossing(), nested()] {
        let started = Instant::now();
        let some = patterns.iter().take(100);
        let pairs = some.flat_map(|one| patterns.iter().map(move |two| one.conflicts_with(two)));
        assert_eq!(pairs.filter(|conflict| *conflict).count(), 100, "each with itself");
        let one_in_fifty = started.elapsed();

        let started = Instant::now();
        let mut mux = Mux::new();
        for pattern in &patterns {
            mux.insert(pattern.clone(), ()).unwrap_or_else(|error| panic!("{error}"));
        }
        let took = started.elapsed();
        assert!(took < 10 * one_in_fifty, "{took:?}, one pair in fifty takes {one_in_fifty:?}");
    }
}
