//! The index compared with the reference, over so few segments and methods that most patterns overlap.

#![allow(missing_docs)]

mod oracle;

use oracle::Answer;
use proptest::{collection::vec, prelude::*, sample::select};
use quintet_mux::{Conflict, Example, Found, InsertError, Mux, Pattern, Relation, Verdict};

/// 2,000 cases, or the number in `PROPTEST_CASES`.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn methods() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "GET", "HEAD", "POST", "CONNECT"])
}

fn pattern() -> impl Strategy<Value = Pattern> {
    pattern_up_to(4)
}

fn pattern_up_to(segments: usize) -> impl Strategy<Value = Pattern> {
    let segment = select(vec!["a", "b", "{}", "{}", "%61", "a%2Fb", "%7Bx}"]);
    let end = select(vec!["", "/", "/{$}", "/{rest...}"]);
    (methods(), select(vec!["", "", "", "h", "H.", "CONNECT h:80"]), vec(segment, 0..=segments), end).prop_map(
        |(method, host, segments, end)| {
            let (method, host) = host.split_once(' ').unwrap_or((method, host));
            let mut text = if method.is_empty() { String::new() } else { format!("{method} ") };
            text.push_str(host);
            for (i, segment) in segments.iter().enumerate() {
                text.push('/');
                text.push_str(&segment.replace("{}", &format!("{{x{i}}}")));
            }
            text.push_str(if segments.is_empty() && end.is_empty() { "/" } else { end });
            Pattern::parse(&text).expect("the grammar")
        },
    )
}

fn request() -> impl Strategy<Value = (&'static str, &'static str, String)> {
    let method = select(vec!["GET", "GET", "HEAD", "POST", "PUT", "CONNECT"]);
    let segment = select(vec!["a", "a", "b", "b", "c", "%61", "a%2Fb", "a%2fb", "{x}", "%", "", ".", ".."]);
    (method, select(vec!["", "h", "H:80", "h.:81", "i"]), vec(segment, 0..=5)).prop_map(|(method, host, segments)| {
        let path = if segments.is_empty() { String::new() } else { format!("/{}", segments.join("/")) };
        (method, host, path)
    })
}

/// Inserts the patterns, and checks each answer with the reference. Returns the mux and the patterns that it accepted.
fn build(patterns: &[Pattern]) -> (Mux<usize>, Vec<Pattern>) {
    let mut mux = Mux::new();
    let mut added: Vec<Pattern> = Vec::new();
    for pattern in patterns {
        let crossing = added.iter().any(|old| old.host() == pattern.host() && old.relation(pattern).is_conflict());
        match mux.insert(pattern.clone(), added.len()) {
            Ok(()) => {
                assert!(!crossing, "{pattern} was added to {added:?}");
                added.push(pattern.clone());
            }
            Err(InsertError::Conflict(conflict)) => {
                assert!(crossing, "{conflict}");
                assert!(added.contains(&conflict.old));
                shows_why(&conflict);
            }
            Err(error) => panic!("{error}"),
        }
    }
    (mux, added)
}

/// Checks that the requests of a conflict match the patterns that it says they match.
fn shows_why(conflict: &Conflict) {
    let Conflict { new, old, both, only_new, only_old, .. } = conflict;
    let host = new.host().unwrap_or("");
    let matches = |p: &Pattern, e: &Example| oracle::matches(p, &e.method, host, &e.path);
    assert!(matches(new, both) && matches(old, both), "{conflict}");
    assert_eq!(only_new.is_none(), new.relation(old) == Relation::Equivalent);
    assert!(only_new.as_ref().is_none_or(|e| matches(new, e) && !matches(old, e)), "{conflict}");
    assert!(only_old.as_ref().is_none_or(|e| matches(old, e) && !matches(new, e)), "{conflict}");
}

/// The answer of the mux, in the form of the reference.
fn ask(mux: &Mux<usize>, patterns: &[Pattern], (method, host, path): (&str, &str, &str)) -> Answer {
    let mut spans = Vec::new();
    let number = |p: &Pattern| patterns.iter().position(|q| q == p).expect("a registered pattern");
    match mux.find_into(method, host, path, &mut spans) {
        Found::Match(route) => {
            assert_eq!(number(&route.pattern), route.value);
            let raw = spans.iter().map(|&(at, len)| &path[at as usize..][..len as usize]);
            Answer::Match(route.value, raw.map(oracle::decode).collect())
        }
        Found::Redirect { path, pattern } => Answer::Redirect(path, pattern.map(number)),
        Found::MethodNotAllowed { allow } => Answer::MethodNotAllowed(allow),
        Found::NotFound => Answer::NotFound,
    }
}

/// A redirect as a `Location`: braces are escaped, and so is a `%` that does not begin an escape.
fn located(answer: Answer) -> Answer {
    let escape = |segment: &str| segment.replace('{', "%7B").replace('}', "%7D");
    let segment = |segment: &str| if segment == "%" { "%25".to_owned() } else { escape(segment) };
    match answer {
        Answer::Redirect(path, n) => Answer::Redirect(path.split('/').map(segment).collect::<Vec<_>>().join("/"), n),
        other => other,
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn insert_and_find_agree_with_the_reference(
        patterns in vec(pattern(), 0..24), requests in vec(request(), 1..24),
    ) {
        let (mux, added) = build(&patterns);
        for (method, host, path) in &requests {
            let expected = located(oracle::answer(&added, method, host, path));
            prop_assert_eq!(ask(&mux, &added, (method, host, path)), expected, "{} {}{} in {:?}", method, host, path, added);
        }
    }

    #[test]
    fn the_order_of_registration_does_not_matter(
        (patterns, shuffled) in vec(pattern(), 0..24).prop_flat_map(|patterns| {
            let added = build(&patterns).1;
            (Just(added.clone()), Just(added).prop_shuffle())
        }),
        requests in vec(request(), 1..24),
    ) {
        let (first, _) = build(&patterns);
        let (second, added) = build(&shuffled);
        prop_assert_eq!(added.len(), patterns.len());
        for (method, host, path) in &requests {
            let [one, two] = [first.find(method, host, path), second.find(method, host, path)];
            prop_assert_eq!(one.found.pattern(), two.found.pattern());
            prop_assert_eq!(one.found.status(), two.found.status());
            prop_assert!(one.values.iter().eq(two.values.iter()));
        }
    }

    #[test]
    fn explain_agrees_with_find(patterns in vec(pattern(), 0..24), requests in vec(request(), 1..24)) {
        let (mux, added) = build(&patterns);
        for (method, host, path) in &requests {
            let (found, why) = (mux.find(method, host, path).found, mux.explain(method, host, path));
            prop_assert_eq!(format!("{:?}", why.found), format!("{:?}", found), "{}", why);
            let winners = why.candidates.iter().filter(|c| matches!(c.verdict, Verdict::Wins | Verdict::WinsWithSlash));
            prop_assert!(winners.map(|c| c.pattern).eq(found.pattern()), "{}", why);
            let seen = if path.is_empty() && *method == "CONNECT" { path } else { &why.clean };
            for candidate in &why.candidates {
                let matches = oracle::matches(candidate.pattern, method, host, seen);
                let claimed = matches!(candidate.verdict, Verdict::Wins | Verdict::Loses { .. });
                prop_assert!(matches == claimed || candidate.verdict == Verdict::WinsWithSlash, "{}", why);
            }
            let all = added.iter().filter(|p| oracle::matches(p, method, host, seen)).count();
            let listed = why.candidates.iter().filter(|c| c.pattern.matches(method, host, seen)).count();
            prop_assert_eq!(all, listed, "{}", why);
            oracle::check_misses(&why, added.len());
        }
    }

    #[test]
    fn a_relation_agrees_with_all_short_requests(
        one in pattern_up_to(2), two in pattern_up_to(2),
    ) {
        let host = "h:80";
        let (mut both, mut first, mut second) = (false, false, false);
        for path in short_paths() {
            for method in ["GET", "HEAD", "POST", "CONNECT", "PUT"] {
                match (oracle::matches(&one, method, host, path), oracle::matches(&two, method, host, path)) {
                    (true, true) => both = true,
                    (true, false) => first = true,
                    (false, true) => second = true,
                    (false, false) => {}
                }
            }
        }
        let expected = match (both, first, second) {
            (false, ..) => Relation::Disjoint,
            (_, false, false) => Relation::Equivalent,
            (_, true, false) => Relation::MoreGeneral,
            (_, false, true) => Relation::MoreSpecific,
            (_, true, true) => Relation::Overlaps,
        };
        prop_assert_eq!(one.relation(&two), expected);
        prop_assert_eq!(two.relation(&one), expected.inverse());
        let witness = one.witness(&two);
        for (example, is_there, of_both) in [
            (&witness.both, both, (true, true)),
            (&witness.only_first, first, (true, false)),
            (&witness.only_second, second, (false, true)),
        ] {
            // The witness of disjoint patterns has one of each; only one of two that are no sets of short paths has none here.
            prop_assert_eq!(example.is_some(), is_there || (expected == Relation::Disjoint && of_both != (true, true)));
            if let Some(example) = example {
                let matches = |pattern: &Pattern| oracle::matches(pattern, &example.method, host, &example.path);
                prop_assert_eq!((matches(&one), matches(&two)), of_both, "{} | {}: {}", one, two, example);
            }
        }
    }

    #[test]
    fn a_pattern_prints_as_it_was_written(pattern in pattern()) {
        prop_assert_eq!(Pattern::parse(&pattern.to_string()).unwrap(), pattern);
    }
}

/// All paths of at most three segments over the literals of [`pattern`] and a literal that no pattern has.
fn short_paths() -> &'static [String] {
    static PATHS: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    PATHS.get_or_init(|| {
        let mut paths = vec![String::new()];
        let mut all = Vec::new();
        for _ in 0..3 {
            all.extend(paths.iter().map(|path| format!("{path}/")));
            let longer = |path: &String| ["a", "b", "a%2Fb", "%7Bx}", "z"].map(|segment| format!("{path}/{segment}"));
            paths = paths.iter().flat_map(longer).collect();
            all.extend(paths.iter().cloned());
        }
        all
    })
}
