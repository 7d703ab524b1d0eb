//! The rules of patterns, conflicts, lookups and explanations, each as a table.

#![allow(missing_docs)]

use quintet_mux::{Found, InsertError, Mux, Pattern, PatternErrorKind, Relation, canonical_host, clean_path, decode};

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn mux(patterns: &[&'static str]) -> Mux<&'static str> {
    let mut mux = Mux::new();
    for pattern in patterns {
        mux.insert(*pattern, *pattern).unwrap_or_else(|error| panic!("{error}"));
    }
    mux
}

/// The answer as text: `=pattern` for a match, else the status with the path and pattern of a redirect, or `Allow`.
fn answer(mux: &Mux<&'static str>, method: &str, host: &str, path: &str) -> String {
    match mux.find(method, host, path).found {
        Found::Match(route) => format!("={}", route.value),
        Found::Redirect { path, pattern } => format!("307 {path} {}", pattern.map_or("-", |p| p.as_str())),
        Found::MethodNotAllowed { allow } => format!("405 {allow}"),
        Found::NotFound => "404".to_owned(),
    }
}

mod grammar {
    use super::*;

    #[test]
    fn a_pattern_is_a_method_a_host_and_a_path() {
        for (text, method, host, names) in [
            ("/", None, None, &[][..]),
            ("/a", None, None, &[]),
            ("/a/", None, None, &[]),
            ("/path/to/{x}", None, None, &["x"]),
            ("/{a}/b/{c...}", None, None, &["a", "c"]),
            ("/a/{$}", None, None, &[]),
            ("example.com/", None, Some("example.com"), &[]),
            ("Example.COM./{x...}", None, Some("example.com"), &["x"]),
            ("a_b-c~!$&'()*+,;=/", None, Some("a_b-c~!$&'()*+,;="), &[]),
            ("127.0.0.1/", None, Some("127.0.0.1"), &[]),
            ("[::1]/", None, Some("[::1]"), &[]),
            ("GET ::1/", Some("GET"), Some("[::1]"), &[]),
            ("[2001:DB8:0::1]/", None, Some("[2001:db8::1]"), &[]),
            ("CONNECT H.example:0443/", Some("CONNECT"), Some("h.example:443"), &[]),
            ("CONNECT [0::1]:443/{$}", Some("CONNECT"), Some("[::1]:443"), &[]),
            ("GET /", Some("GET"), None, &[]),
            ("get /", Some("get"), None, &[]),
            ("GET \t  /x", Some("GET"), None, &[]),
            ("POST example.com/foo/{w}", Some("POST"), Some("example.com"), &["w"]),
            (" /x", None, None, &[]),
            ("M-SEARCH!~ /", Some("M-SEARCH!~"), None, &[]),
            (" /a b/c}d", None, None, &[]),
            ("//", None, None, &[]),
            ("/a/../b", None, None, &[]),
            ("CONNECT /a//b", Some("CONNECT"), None, &[]),
            ("/{Ünïcödé_1}", None, None, &["Ünïcödé_1"]),
            ("/%zz", None, None, &[]),
        ] {
            let pattern = pattern(text);
            assert_eq!((pattern.method(), pattern.host()), (method, host), "{text}");
            assert!(pattern.names().iter().map(|name| &**name).eq(names.iter().copied()), "{text}");
            assert_eq!(pattern.to_string(), text);
        }
    }

    #[test]
    fn a_pattern_error_names_the_offset_and_the_rule() {
        use PatternErrorKind::*;
        for (text, at, kind) in [
            ("", 0, Empty),
            ("A=B /", 0, Method),
            ("é /", 0, Method),
            (" ", 1, NoSlash),
            ("GET", 0, NoSlash),
            ("GET ", 4, NoSlash),
            ("GET  h", 5, NoSlash),
            ("GET /a//b", 4, Unclean),
            ("GET h/a/./b", 5, Unclean),
            ("GET  /..", 5, Unclean),
            ("{h}/a", 0, HostBrace),
            ("GET  a{h}/x", 6, HostBrace),
            ("example.com:80/", 0, Port),
            ("GET example.com:80/", 4, Port),
            ("example.com:/", 0, Port),
            ("[::1]:80/", 0, Port),
            ("CONNECT h:/", 8, Port),
            ("CONNECT h:65536/", 8, Port),
            ("CONNECT h:+1/", 8, Port),
            ("CONNECT h:x/", 8, Port),
            ("CONNECT :443/", 8, Host),
            ("bücher.example/", 0, Host),
            ("POST a b/", 5, Host),
            ("u@h/", 0, Host),
            ("h%2e/", 0, Host),
            ("*.example.com:80:90/", 0, Host),
            ("[::1/", 0, Host),
            ("[::g]/", 0, Host),
            ("[h]/", 0, Host),
            ("[fe80::1%25eth0]/", 0, Host),
            ("https://a.example/", 0, Port),
            ("h\\i/", 0, Host),
            ("/a{x}", 1, Prefix),
            ("/{x", 1, Suffix),
            ("/a/{x}b", 3, Suffix),
            ("/{x/y}", 1, Suffix),
            ("/{$}/a", 1, SlashNotLast),
            ("/a/{$}/", 3, SlashNotLast),
            ("/{x...}/a", 1, RestNotLast),
            ("/{...}/", 1, RestNotLast),
            ("/{}", 1, NoName),
            ("/{...}", 1, NoName),
            ("/{1}", 1, Name),
            ("GET /a/{x y}", 7, Name),
            ("/{$x}", 1, Name),
            ("/{x.y...}", 1, Name),
            ("/{a}/{a}", 5, Duplicate),
            ("POST h/{a}/b/{a...}", 13, Duplicate),
        ] {
            let error = Pattern::parse(text).expect_err(text);
            assert_eq!((error.at, error.kind, &*error.pattern), (at, kind, text), "{text}");
        }
    }

    #[test]
    fn a_pattern_error_prints_like_gos() {
        let error = Pattern::parse("/{x").unwrap_err().to_string();
        assert_eq!(error, r#"parsing "/{x": at offset 1: bad wildcard segment (must end with '}')"#);
        assert_eq!(PatternErrorKind::SlashNotLast.to_string(), "{$} not at end");
    }
}

mod algebra {
    use super::*;
    use Relation::*;

    #[test]
    fn the_relation_of_methods_is_that_of_sets() {
        for (one, two, relation) in [
            ("/", "/", Equivalent),
            ("GET /", "GET /", Equivalent),
            ("/", "GET /", MoreGeneral),
            ("/", "HEAD /", MoreGeneral),
            ("GET /", "HEAD /", MoreGeneral),
            ("GET /", "POST /", Disjoint),
            ("HEAD /", "POST /", Disjoint),
            ("get /", "GET /", Disjoint),
        ] {
            assert_eq!(pattern(one).method_relation(&pattern(two)), relation, "{one} | {two}");
            assert_eq!(pattern(two).method_relation(&pattern(one)), relation.inverse(), "{two} | {one}");
        }
    }

    #[test]
    fn the_relation_of_paths_is_that_of_sets() {
        for (one, two, relation) in [
            // A literal path.
            ("/a", "/a", Equivalent),
            ("/a", "/%61", Equivalent),
            ("/a", "/b", Disjoint),
            ("/a", "/", MoreSpecific),
            ("/a", "/a/", Disjoint),
            ("/a", "/a/{$}", Disjoint),
            ("/a", "/{x}", MoreSpecific),
            ("/a", "/{x...}", MoreSpecific),
            ("/a/b", "/{x}/b", MoreSpecific),
            ("/a/b", "/{x}/c", Disjoint),
            ("/a%2Fb", "/a/b", Disjoint),
            // A trailing slash and a rest are the same set.
            ("/a/", "/a/{x...}", Equivalent),
            ("/a/", "/a/{$}", MoreGeneral),
            ("/a/", "/a/b/", MoreGeneral),
            ("/a/", "/b/", Disjoint),
            ("/a/", "/{x}/", MoreSpecific),
            ("/a/", "/{x}/b", Overlaps),
            ("/a/", "/{x}", Disjoint),
            ("/a/", "/{x}/{$}", Overlaps),
            // A wildcard.
            ("/{x}", "/{y}", Equivalent),
            ("/{x}", "/{$}", Disjoint),
            ("/{x}", "/{x...}", MoreSpecific),
            ("/{x}/b", "/a/{y}", Overlaps),
            ("/{x}/b/c", "/{x}/{y}/d", Disjoint),
            ("/{x}/{$}", "/a/{$}", MoreGeneral),
            ("/{x}/{$}", "/{x}/{y...}", MoreSpecific),
            // An end.
            ("/{$}", "/{$}", Equivalent),
            ("/{$}", "/", MoreSpecific),
            ("/{$}", "/a/{$}", Disjoint),
            ("/{$}", "/a", Disjoint),
            // An empty segment is a literal that no wildcard contains.
            ("/a//b", "/a/{x}/b", Disjoint),
            ("/a//b", "/a/", MoreSpecific),
        ] {
            assert_eq!(pattern(one).path_relation(&pattern(two)), relation, "{one} | {two}");
            assert_eq!(pattern(two).path_relation(&pattern(one)), relation.inverse(), "{two} | {one}");
        }
    }

    #[test]
    fn the_relations_of_method_and_path_combine() {
        for (one, two, both) in [
            (Equivalent, MoreGeneral, MoreGeneral),
            (MoreGeneral, MoreGeneral, MoreGeneral),
            (MoreGeneral, MoreSpecific, Overlaps),
            (MoreSpecific, Overlaps, Overlaps),
            (Overlaps, Disjoint, Disjoint),
            (Disjoint, Equivalent, Disjoint),
        ] {
            assert_eq!(one.and(two), both);
            assert_eq!(two.and(one), both);
            assert_eq!(one.inverse().and(two.inverse()), both.inverse());
        }
    }
}

mod conflicts {
    use super::*;

    #[test]
    fn patterns_conflict_if_neither_is_more_specific() {
        for (one, two, conflict) in [
            ("/a", "/a", true),
            ("/a", "/%61", true),
            ("/a", "/b", false),
            ("/a/", "/a/{x...}", true),
            ("GET /", "/a", true),
            ("GET /{x}", "GET /a", false),
            ("GET /{x}/b", "GET /a/{y}", true),
            ("GET /{x}/b", "POST /a/{y}", false),
            ("HEAD /{x}", "GET /a", true),
            ("h/{x}/b", "/a/{y}", false),
            ("h/{x}/b", "i/a/{y}", false),
            ("h/{x}/b", "h/a/{y}", true),
            ("H./{x}/b", "h/a/{y}", true),
            ("[::1]/a", "[0:0::1]/a", true),
            ("::1/a", "[::1]/a", true),
            ("CONNECT h:443/", "CONNECT H:0443/{x...}", true),
            ("CONNECT h:443/", "CONNECT h:444/", false),
            ("CONNECT h:443/", "CONNECT h/", false),
        ] {
            let (one, two) = (pattern(one), pattern(two));
            assert_eq!(one.conflicts_with(&two), conflict, "{one} | {two}");
            for [first, second] in [[&one, &two], [&two, &one]] {
                let mut mux = Mux::new();
                mux.insert(first.clone(), ()).unwrap();
                assert_eq!(mux.insert(second.clone(), ()).is_err(), conflict, "{first} | {second}");
                assert_eq!(mux.len(), if conflict { 1 } else { 2 });
            }
        }
    }

    fn why(one: &str, two: &str) -> String {
        let mut mux = Mux::new();
        mux.insert(one, ()).expect("the first pattern");
        let error = mux.insert(two, ()).expect_err("a conflict").to_string();
        error.split_once(":\n").expect("a second line").1.to_owned()
    }

    #[test]
    fn a_conflict_error_shows_example_requests() {
        for (one, two, expected) in [
            ("/a", "/%61", "both match the same requests, such as GET /a"),
            (
                "/a/{y}",
                "/{x}/b",
                "both match GET /a/b, but neither is more specific:\n\
                 only \"/{x}/b\" matches GET /x/b\n\
                 only \"/a/{y}\" matches GET /a/y",
            ),
            (
                "/a",
                "GET /",
                "both match GET /a, but neither is more specific:\n\
                 only \"GET /\" matches GET /\n\
                 only \"/a\" matches POST /a",
            ),
            (
                "GET /a",
                "HEAD /{x}",
                "both match HEAD /a, but neither is more specific:\n\
                 only \"HEAD /{x}\" matches HEAD /x\n\
                 only \"GET /a\" matches GET /a",
            ),
            (
                "POST /a%2Fb/",
                "POST /{x}/{$}",
                "both match POST /a%2Fb/, but neither is more specific:\n\
                 only \"POST /{x}/{$}\" matches POST /x/\n\
                 only \"POST /a%2Fb/\" matches POST /a%2Fb/x",
            ),
            (
                "/{a}/b",
                "/a/",
                "both match GET /a/b, but neither is more specific:\n\
                 only \"/a/\" matches GET /a/\n\
                 only \"/{a}/b\" matches GET /ax/b",
            ),
        ] {
            assert_eq!(why(one, two), expected, "{one} | {two}");
        }
    }

    #[test]
    fn a_conflict_error_names_both_patterns_and_their_places() {
        let mut mux = Mux::new();
        mux.insert("/a", ()).unwrap();
        let first = line!() - 1;
        let Err(InsertError::Conflict(conflict)) = mux.insert("/a", ()) else { panic!("no conflict") };
        assert_eq!((conflict.old_at.line(), conflict.new_at.line()), (first, first + 2));
        assert!(conflict.old_at.file().ends_with("tables.rs"));
        let text = conflict.to_string();
        assert!(text.starts_with("pattern \"/a\" (registered at "), "{text}");
    }
}

mod lookup {
    use super::*;

    #[test]
    fn the_most_specific_pattern_wins() {
        let mux = mux(&[
            "/",
            "/{$}",
            "/a",
            "/a/b",
            "/a/{x}",
            "/g/h/i",
            "/g/{x}/j",
            "/s/t/{x}",
            "/s/{y}/{z}",
            "/a/b/{x...}",
            "/a/b/{y}",
            "/a/b/{$}",
            "GET /j/{x}",
            "HEAD /j/{x}",
            "/j/{x}",
        ]);
        for (method, path, pattern) in [
            ("GET", "/", "=/{$}"),
            ("GET", "/b", "=/"),
            ("GET", "/a", "=/a"),
            ("GET", "/a/b", "=/a/b"),
            ("GET", "/a/c", "=/a/{x}"),
            ("GET", "/a/b/", "=/a/b/{$}"),
            ("GET", "/a/b/c", "=/a/b/{y}"),
            ("GET", "/a/b/c/d", "=/a/b/{x...}"),
            ("GET", "/g/h/i", "=/g/h/i"),
            ("GET", "/g/h/j", "=/g/{x}/j"),
            ("GET", "/g/h/k", "=/"),
            ("GET", "/s/t/1", "=/s/t/{x}"),
            ("GET", "/s/1/t", "=/s/{y}/{z}"),
            ("GET", "/j/1", "=GET /j/{x}"),
            ("HEAD", "/j/1", "=HEAD /j/{x}"),
            ("POST", "/j/1", "=/j/{x}"),
        ] {
            assert_eq!(answer(&mux, method, "", path), pattern, "{method} {path}");
        }
    }

    #[test]
    fn head_matches_get_before_a_pattern_for_any_method() {
        let mux = mux(&["GET /a", "/a", "GET /b", "POST /c"]);
        for (path, expected) in [("/a", "=GET /a"), ("/b", "=GET /b"), ("/c", "405 POST")] {
            assert_eq!(answer(&mux, "HEAD", "", path), expected);
        }
        assert_eq!(answer(&mux, "POST", "", "/a"), "=/a");
        assert_eq!(answer(&mux, "get", "", "/b"), "405 GET, HEAD");
    }

    #[test]
    fn a_pattern_with_the_host_wins_over_all_without() {
        let mux = mux(&["/a/b", "h.example/a/", "GET h.example/b", "/b", "[::1]/c", "CONNECT h.example:80/d"]);
        for (method, host, path, expected) in [
            ("GET", "h.example", "/a/b", "=h.example/a/"),
            ("GET", "h.example:8080", "/a/b", "=h.example/a/"),
            ("GET", "h.example:", "/a/b", "=h.example/a/"),
            ("GET", "H.example", "/a/b", "=h.example/a/"),
            ("GET", "h.example.", "/a/b", "=h.example/a/"),
            ("GET", "H.EXAMPLE.:80", "/a/b", "=h.example/a/"),
            ("GET", "i.example", "/a/b", "=/a/b"),
            ("GET", "", "/a/b", "=/a/b"),
            ("GET", "h.example", "/b", "=GET h.example/b"),
            ("POST", "h.example", "/b", "=/b"),
            ("GET", "[::1]", "/c", "=[::1]/c"),
            ("GET", "[::1]:80", "/c", "=[::1]/c"),
            ("GET", "[0:0:0::1]", "/c", "=[::1]/c"),
            ("GET", "[::2]", "/c", "404"),
            ("GET", "h.example:80", "/d", "404"),
            ("CONNECT", "h.example:80", "/d", "=CONNECT h.example:80/d"),
            ("CONNECT", "H.example.:080", "/d", "=CONNECT h.example:80/d"),
            ("CONNECT", "h.example:81", "/d", "404"),
        ] {
            assert_eq!(answer(&mux, method, host, path), expected, "{method} {host} {path}");
        }
    }

    #[test]
    fn a_host_pattern_matches_every_spelling_of_the_host() {
        let spellings = ["example.com", "Example.COM", "EXAMPLE.COM.", "example.com."];
        let addresses = ["[2001:db8::a]", "[2001:DB8::A]", "[2001:0db8:0:0:0:0:0:000a]"];
        let groups = [&spellings[..], &addresses[..]];
        for (n, group) in groups.iter().enumerate() {
            for written in *group {
                let mux = mux(&[&*format!("{written}/h").leak(), "/h"]);
                for asked in groups.iter().flat_map(|group| group.iter()) {
                    for port in ["", ":", ":80", ":8443"] {
                        let own = groups[n].contains(asked);
                        let expected = if own { format!("={written}/h") } else { "=/h".to_owned() };
                        assert_eq!(answer(&mux, "GET", &format!("{asked}{port}"), "/h"), expected, "{asked}{port}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_connect_without_a_path_matches_connect_patterns_only() {
        let mux = mux(&[
            "/",
            "GET /{$}",
            "a.example/",
            "CONNECT a.example:443/",
            "CONNECT a.example/",
            "CONNECT B.example:443/{$}",
            "CONNECT [::1]:1/{rest...}",
            "CONNECT c.example/tunnel",
        ]);
        for (host, expected) in [
            ("a.example:443", "=CONNECT a.example:443/"),
            ("A.Example.:443", "=CONNECT a.example:443/"),
            ("a.example:80", "=CONNECT a.example/"),
            ("b.example:443", "=CONNECT B.example:443/{$}"),
            ("b.example:80", "404"),
            ("[0::1]:1", "=CONNECT [::1]:1/{rest...}"),
            ("c.example:443", "404"),
        ] {
            assert_eq!(answer(&mux, "CONNECT", host, ""), expected, "{host}");
            let why = mux.explain("CONNECT", host, "");
            assert_eq!(format!("{:?}", why.found), format!("{:?}", mux.find("CONNECT", host, "").found), "{why}");
        }
        let rest = mux.find("CONNECT", "[::1]:1", "");
        assert_eq!(rest.values.iter().collect::<Vec<_>>(), [("rest", "".into())]);
        assert_eq!(
            mux.explain("CONNECT", "A.example:443", "").to_string(),
            "CONNECT a.example:443, seen as /\n\
             \x20 CONNECT a.example:443/  wins\n\
             \x20 CONNECT a.example/      loses to CONNECT a.example:443/: it names the host\n\
             -> CONNECT a.example:443/"
        );
        let any = self::mux(&["CONNECT /", "/"]);
        assert_eq!(answer(&any, "CONNECT", "x.example:1", ""), "=CONNECT /");
        assert_eq!(answer(&self::mux(&["/", "GET /"]), "CONNECT", "x.example:1", ""), "404");
    }

    #[test]
    fn allow_is_sorted_and_get_implies_head() {
        let mux = mux(&["PUT /a", "GET /a", "DELETE /a", "POST h/a", "PATCH /a/", "POST /b/", "CONNECT /c"]);
        for (method, host, path, expected) in [
            ("OPTIONS", "", "/a", "405 DELETE, GET, HEAD, PATCH, PUT"),
            ("OPTIONS", "h", "/a", "405 DELETE, GET, HEAD, PATCH, POST, PUT"),
            ("GET", "", "/b", "405 POST"),
            ("GET", "", "/b/c/d", "405 POST"),
            ("GET", "", "/c", "405 CONNECT"),
            ("GET", "", "/d", "404"),
        ] {
            assert_eq!(answer(&mux, method, host, path), expected, "{method} {host} {path}");
        }
    }

    #[test]
    fn a_path_may_have_any_number_of_methods() {
        let patterns = ["PUT /a", "GET /a", "DELETE /a", "POST /a", "PATCH /a", "/a", "HEAD /a", "get /a"];
        let mux = mux(&patterns);
        for pattern in patterns {
            let method = pattern.split_once(' ').map_or("OTHER", |(method, _)| method);
            assert_eq!(answer(&mux, method, "", "/a"), format!("={pattern}"));
        }
    }

    #[test]
    fn a_missing_slash_is_redirected_if_the_match_is_better() {
        let mux = mux(&["/a/", "/b/{$}", "GET /c/{x...}", "/d/", "/d", "/e/{x}/", "/f", "h/f/", "/"]);
        for (method, host, path, expected) in [
            ("GET", "", "/a", "307 /a/ /a/"),
            ("POST", "", "/a", "307 /a/ /a/"),
            ("GET", "", "/b", "307 /b/ /b/{$}"),
            ("GET", "", "/b/c", "=/"),
            ("GET", "", "/c", "307 /c/ GET /c/{x...}"),
            ("POST", "", "/c", "=/"),
            ("GET", "", "/d", "=/d"),
            ("GET", "", "/e/1%2F2", "307 /e/1%2F2/ /e/{x}/"),
            ("GET", "", "/a/b", "=/a/"),
            ("GET", "h", "/f", "=/f"),
            ("CONNECT", "", "/a", "307 /a/ /a/"),
            ("CONNECT", "h", "", "404"),
        ] {
            assert_eq!(answer(&mux, method, host, path), expected, "{method} {host} {path}");
        }
    }

    #[test]
    fn an_unclean_path_is_redirected_before_anything_else() {
        let mux = mux(&["GET /a/b", "/c/", "h/a/b", "/x%2Fy"]);
        for (method, host, path, expected) in [
            ("GET", "", "//a//b", "307 /a/b GET /a/b"),
            ("GET", "h:1", "/a/./b", "307 /a/b h/a/b"),
            ("POST", "", "/./a/b", "307 /a/b -"),
            ("GET", "", "/z/..", "307 / -"),
            ("GET", "", "/c/d/..", "307 /c/ /c/"),
            ("GET", "", "/q/../c", "307 /c/ /c/"),
            ("GET", "", "", "307 / -"),
            ("GET", "", "*", "307 /* -"),
            ("GET", "", "/./x%2fy", "307 /x%2fy /x%2Fy"),
            ("GET", "", "//{z}", "307 /%7Bz%7D -"),
            ("CONNECT", "", "//a//b", "404"),
            ("CONNECT", "", "/c/../d", "=/c/"),
        ] {
            assert_eq!(answer(&mux, method, host, path), expected, "{method} {host} {path}");
        }
    }

    #[test]
    fn a_connect_is_never_redirected_to_another_host() {
        let mux = mux(&["CONNECT //evil.example/"]);
        assert_eq!(answer(&mux, "CONNECT", "", "//evil.example"), "405 CONNECT");
        assert_eq!(answer(&mux, "CONNECT", "", "//evil.example/"), "=CONNECT //evil.example/");
    }

    #[test]
    fn segments_are_decoded_one_by_one() {
        let mux = mux(&["/a", "/b%2Fc", "/{x}/d", "/e/f/{rest...}", "/%7Bf%7D", "GET /g h", "/%FF", "/é", "/%zz"]);
        for (path, expected, values) in [
            ("/%61", "=/a", &[][..]),
            ("/b%2Fc", "=/b%2Fc", &[]),
            ("/b%2fc", "=/b%2Fc", &[]),
            ("/b/c", "404", &[]),
            ("/1%2F2/d", "=/{x}/d", &[("x", "1/2")]),
            ("/%2F/d", "=/{x}/d", &[("x", "/")]),
            ("/%2e%2e/d", "=/{x}/d", &[("x", "..")]),
            ("/e/f/1%2F2/%C3%A9", "=/e/f/{rest...}", &[("rest", "1/2/é")]),
            ("/e/f/", "=/e/f/{rest...}", &[("rest", "")]),
            ("/{f}", "=/%7Bf%7D", &[]),
            ("/%7bf%7d", "=/%7Bf%7D", &[]),
            ("/g%20h", "=GET /g h", &[]),
            ("/%ff", "=/%FF", &[]),
            ("/%C3%A9", "=/é", &[]),
            ("/%25zz", "=/%zz", &[]),
            ("/%FF/d", "=/{x}/d", &[("x", "\u{fffd}")]),
        ] {
            assert_eq!(answer(&mux, "GET", "", path), expected, "{path}");
            let found = mux.find("GET", "", path);
            let expected: Vec<_> = values.iter().map(|(name, value)| (*name, (*value).into())).collect();
            assert_eq!(found.values.iter().collect::<Vec<_>>(), expected, "{path}");
        }
    }

    #[test]
    fn path_values_are_in_order_for_any_number_of_wildcards() {
        let names: Vec<String> = (0..60).map(|n| format!("n{n}")).collect();
        let text: String = names.iter().map(|name| format!("/{{{name}}}")).collect();
        let path: String = (0..60).map(|n| format!("/v{n}")).collect();
        let mut mux = Mux::new();
        mux.insert(text + "/{rest...}", 1).unwrap();
        mux.insert(path.clone() + "/x", 2).unwrap();
        let path = path + "/y/z";
        let found = mux.find("GET", "", &path);
        assert_eq!(found.value(), Some(&1));
        let values: Vec<_> = found.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expected: Vec<_> = (0..60).map(|n| format!("n{n}=v{n}")).chain(["rest=y/z".to_owned()]).collect();
        assert_eq!(values, expected);
        assert_eq!(found.path_value("n59").as_deref(), Some("v59"));
        assert_eq!(found.path_value("none"), None);
    }

    #[test]
    fn shapes_beyond_the_filters_64_bits_are_found() {
        let mut mux = Mux::new();
        let spell = |bits: u32, wild: &dyn Fn(u32) -> String| -> String {
            let segment = |n| if bits >> n & 1 == 1 { wild(n) } else { "/l".to_owned() };
            (0..7).map(segment).chain([format!("/{bits}")]).collect()
        };
        for bits in 0..128 {
            mux.insert(spell(bits, &|n| format!("/{{x{n}}}")), bits).unwrap();
        }
        for bits in 0..128 {
            let path = spell(bits, &|_| "/v".to_owned());
            assert_eq!(mux.find("GET", "", &path).value(), Some(&bits), "{path}");
        }
    }

    #[test]
    fn a_clone_of_a_mux_is_independent() {
        let mut one = mux(&["/a/{x}"]);
        let two = one.clone();
        one.insert("/a/b", "/a/b").unwrap();
        assert_eq!(answer(&one, "GET", "", "/a/b"), "=/a/b");
        assert_eq!(answer(&two, "GET", "", "/a/b"), "=/a/{x}");
        fn check<T: Send + Sync>(_: &T) {}
        check(&two);
    }
}

#[test]
fn clean_path_removes_dots_and_empty_segments() {
    for (path, clean) in [
        ("", "/"),
        ("/", "/"),
        ("/a", "/a"),
        ("a", "/a"),
        ("/a/", "/a/"),
        ("//", "/"),
        ("//a//", "/a/"),
        ("/a/.", "/a"),
        ("/a/./", "/a/"),
        ("/a/..", "/"),
        ("/a/../", "/"),
        ("/../a", "/a"),
        ("/a/b/../../c/", "/c/"),
        ("/...", "/..."),
        ("/.a/..b", "/.a/..b"),
        ("/%2e%2e/%2F", "/%2e%2e/%2F"),
        ("/.", "/"),
    ] {
        assert_eq!(clean_path(path), clean, "{path:?}");
        assert_eq!(clean_path(clean), clean);
    }
}

#[test]
fn canonical_host_removes_the_port() {
    // The third column is the answer of Go's `stripHostPort` where it differs.
    for (host, name, go) in [
        ("", "", None),
        ("h", "h", None),
        ("h:80", "h", None),
        ("h:", "h", None),
        (":80", "", None),
        ("h:80:90", "h:80:90", None),
        ("::1", "[::1]", Some("::1")),
        ("[::1]", "[::1]", None),
        ("[::1]:80", "[::1]", Some("::1")),
        ("[::1]x:80", "[::1]x:80", None),
        ("[h]:80", "[h]", Some("h")),
        ("[h:80", "[h:80", None),
        ("h]:80", "h]:80", None),
        ("h:8]", "h:8]", None),
        ("[[h]:80", "[[h]:80", None),
        ("[h]]:80", "[h]]:80", None),
        ("H:80", "h", Some("H")),
        ("h.:80", "h", Some("h.")),
    ] {
        assert_eq!(canonical_host(host), name, "{host:?}");
        assert_ne!(Some(name), go);
    }
}

#[test]
fn a_path_value_with_a_malformed_escape_is_not_decoded() {
    for (text, decoded) in [
        ("", ""),
        ("a+b", "a+b"),
        ("a%20b", "a b"),
        ("%2F%2f", "//"),
        ("%", "%"),
        ("%4", "%4"),
        ("%41%zz", "%41%zz"),
        ("%C3%A9", "é"),
        ("%C3", "\u{fffd}"),
    ] {
        assert_eq!(decode(text), decoded, "{text:?}");
    }
}

#[test]
fn explain_prints_each_candidate_and_its_verdict() {
    let mux = mux(&["GET /items/{id}", "/items/{id}", "POST /items/{id}", "/", "h/", "/items/7/"]);
    assert_eq!(
        mux.explain("GET", "i", "/items/./7").to_string(),
        "GET i/items/./7, seen as /items/7\n\
         \x20 GET /items/{id}   wins\n\
         \x20 /items/{id}       loses to GET /items/{id}: fewer methods\n\
         \x20 POST /items/{id}  has another method\n\
         \x20 /                 loses to GET /items/{id}: fewer methods and fewer paths\n\
         \x20 /items/7/         needs a slash behind the path\n\
         -> 307 to /items/7, for GET /items/{id}"
    );
    assert_eq!(
        mux.explain("GET", "h:80", "/items/7").to_string(),
        "GET h/items/7\n\
         \x20 GET /items/{id}   loses to h/: it names the host\n\
         \x20 /items/{id}       loses to h/: it names the host\n\
         \x20 POST /items/{id}  has another method\n\
         \x20 /                 loses to h/: it names the host\n\
         \x20 h/                wins\n\
         \x20 /items/7/         needs a slash behind the path\n\
         -> h/"
    );
    let why = mux.explain("GET", "", "/items/a%20b").to_string();
    assert!(why.ends_with("\n-> GET /items/{id}, id = \"a b\""), "{why}");
    assert!(self::mux(&["/a/"]).explain("GET", "", "/a").to_string().contains("wins with a slash behind the path"));
    assert!(self::mux(&["PUT /a"]).explain("GET", "", "/a").to_string().ends_with("-> 405, Allow: PUT"));
    assert!(self::mux(&[]).explain("GET", "", "/a").to_string().ends_with("-> 404"));
}

#[test]
fn explain_of_a_miss_names_the_nearest_patterns() {
    let mux = mux(&[
        "GET /items/{id}",
        "GET /items/{id}/parts/{part}",
        "/about",
        "GET shop.example/orders/{id}",
        "CONNECT h:443/",
        "/files/{dir}/{rest...}",
        "/a/{x}/{$}",
    ]);
    let line = |method, host, path, pattern: &str| {
        let why = mux.explain(method, host, path).to_string();
        let line =
            why.lines().find_map(|line| line.trim_start().strip_prefix(pattern)).unwrap_or_else(|| panic!("{why}"));
        line.trim_start().to_owned()
    };
    for (method, host, path, pattern, reason) in [
        ("GET", "", "/item/7", "GET /items/{id} ", "segment 1 is \"item\", not \"items\""),
        ("GET", "", "/ITEMS/7", "GET /items/{id} ", "segment 1 is \"ITEMS\", not \"items\""),
        ("GET", "", "/items/7/8", "GET /items/{id} ", "the path has 3 segments, the pattern ends after 2"),
        ("GET", "", "/items/7/parts", "GET /items/{id}/parts/{part}", "the path has 3 segments, the pattern 4"),
        ("GET", "", "/", "/about", "the path has no segment, the pattern 1"),
        ("GET", "", "/about/", "/about", "the path ends in a slash, the pattern does not"),
        ("GET", "", "/files", "/files/{dir}/{rest...}", "the path has 1 segment, the pattern 2"),
        ("GET", "other.example", "/orders/7", "GET shop.example/orders/{id}", "is for the host shop.example"),
        ("CONNECT", "h:80", "", "CONNECT h:443/", "is for the host h:443"),
        ("CONNECT", "h:80", "", "GET /items/{id} ", "is not for CONNECT without a path"),
        ("CONNECT", "h:80", "/a//", "/a/{x}/{$}", "segment 2 is empty, {x} is not"),
        ("GET", "", "/a/b/c/../../x/d", "/a/{x}/{$}", "the path has 3 segments, the pattern ends after 2"),
    ] {
        assert_eq!(line(method, host, path, pattern), reason, "{method} {host}{path}");
    }
    let why = mux.explain("GET", "", "/nothing/like/it/at/all");
    assert_eq!(why.misses.len(), 3, "{why}");
    assert!(mux.explain("POST", "", "/items/7").misses.is_empty(), "405 has its candidates");
}
