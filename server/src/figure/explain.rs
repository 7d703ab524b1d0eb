//! Answers about patterns, as JSON: why a mux chooses one for a request, and how two of them relate.

use quintet_mux::{Example, Found, Mux, Pattern, Verdict, Witness};

use super::json::object;

/// The longest text that is taken, in bytes: an answer is as long as its question at the least.
const MAX_TEXT_BYTES: usize = 2048;

/// Why the mux chooses a pattern for a request, or none.
pub(super) fn explain(routes: &Mux<usize>, method: &str, host: &str, path: &str) -> String {
    let [method, host, path] = [method, host, path].map(shorten);
    let why = routes.explain(method, host, path);
    object(|out| {
        out.text("answer", &why);
        let status = match why.found {
            Found::Match(_) => None,
            Found::Redirect { .. } => Some(307),
            Found::MethodNotAllowed { .. } => Some(405),
            Found::NotFound => Some(404),
        };
        out.maybe_number("status", status);
        out.array("candidates", |array| {
            for one in &why.candidates {
                array.object(|out| {
                    out.text("pattern", one.pattern);
                    out.text("at", one.at);
                    out.text("verdict", one.verdict);
                    out.flag("wins", matches!(one.verdict, Verdict::Wins | Verdict::WinsWithSlash));
                });
            }
        });
        out.array("misses", |array| {
            for miss in &why.misses {
                array.object(|out| {
                    out.text("pattern", miss.pattern);
                    out.text("at", miss.at);
                    out.text("why", &miss.reason);
                });
            }
        });
    })
}

/// How two patterns relate as sets of requests, with requests that show it.
pub(super) fn relation(a: &str, b: &str) -> String {
    match (Pattern::parse(shorten(a)), Pattern::parse(shorten(b))) {
        (Ok(a), Ok(b)) => related(&a, &b),
        (a, b) => object(|out| {
            ["relation", "conflict", "says", "witness"].into_iter().for_each(|key| out.null(key));
            let (which, error) = match (a, b) {
                (Err(error), _) => ("first", error),
                (_, Err(error)) => ("second", error),
                (Ok(_), Ok(_)) => return,
            };
            out.text("error", format_args!("the {which} pattern: {error}"));
        }),
    }
}

fn related(a: &Pattern, b: &Pattern) -> String {
    let (relation, Witness { both, only_first, only_second, .. }) = (a.relation(b), a.witness(b));
    let conflicts = a.conflicts_with(b);
    object(|out| {
        out.text("relation", format_args!("{relation:?}"));
        out.flag("conflict", conflicts);
        let says = match conflicts {
            true => "a mux refuses the second one: both match some request, and neither is more specific",
            false if a.host() != b.host() => "a mux takes both: they have different hosts",
            false if both.is_none() => "a mux takes both: no request matches both",
            false => "a mux takes both: the smaller set wins",
        };
        out.text("says", format_args!("{a} is {relation} {b}; {says}"));
        out.object("witness", |out| {
            for (key, example) in [("both", &both), ("only_a", &only_first), ("only_b", &only_second)] {
                out.maybe_text(key, example.as_ref().map(Example::to_string));
            }
        });
        out.null("error");
    })
}

/// The beginning of a text, if it is too long.
fn shorten(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn explain_tells_the_winner_the_losers_and_the_nearest_misses() {
        let mut routes = Mux::new();
        for (at, pattern) in ["GET /items/{id}", "/items/", "POST /orders", "a.example/"].into_iter().enumerate() {
            routes.insert(pattern, at).unwrap();
        }
        let found = parsed(&explain(&routes, "GET", "localhost", "/items/7"));
        assert_eq!((&found["status"], &found["misses"]), (&Value::Null, &json!([])));
        let candidates = found["candidates"].as_array().unwrap();
        let wins: Vec<_> = candidates.iter().map(|one| (one["pattern"].as_str().unwrap(), &one["wins"])).collect();
        assert_eq!(wins, [("GET /items/{id}", &json!(true)), ("/items/", &json!(false))]);
        assert_eq!(candidates[1]["verdict"], "loses to GET /items/{id}: fewer methods and fewer paths");
        assert!(candidates[0]["at"].as_str().unwrap().contains("explain.rs:"), "{found}");
        let missed = parsed(&explain(&routes, "GET", "", "/item/7"));
        assert_eq!((&missed["status"], &missed["candidates"]), (&json!(404), &json!([])));
        assert_eq!(missed["misses"][0]["pattern"], "GET /items/{id}");
        assert_eq!(missed["misses"][0]["why"], "segment 1 is \"item\", not \"items\"");
        for (method, path, status) in [("PUT", "/orders", 405), ("GET", "/items/../orders", 307), ("GET", "", 307)] {
            assert_eq!(parsed(&explain(&routes, method, "", path))["status"], status, "{method} {path}");
        }
        let long = explain(&routes, "GET", "", &"/é".repeat(100_000));
        assert!(long.len() < 64 * 1024, "{}", long.len());
    }

    #[test]
    fn a_relation_has_its_witnesses_or_an_error() {
        let of = |a, b| parsed(&relation(a, b));
        for (a, b, relation, witness) in [
            ("GET /a", "GET /b", "Disjoint", [json!(null), json!("GET /a"), json!("GET /b")]),
            ("/a", "/a", "Equivalent", [json!("GET /a"), json!(null), json!(null)]),
            ("/{x}", "GET /a", "MoreGeneral", [json!("GET /a"), json!("GET /x"), json!(null)]),
            ("GET /a", "/{x}", "MoreSpecific", [json!("GET /a"), json!(null), json!("GET /x")]),
            ("/{x}/b", "/a/{y}", "Overlaps", [json!("GET /a/b"), json!("GET /x/b"), json!("GET /a/y")]),
        ] {
            let told = of(a, b);
            assert_eq!((&told["relation"], &told["error"]), (&json!(relation), &json!(null)), "{a} {b}");
            assert_eq!(told["conflict"], matches!(relation, "Overlaps" | "Equivalent"), "{a} {b}");
            let shown = ["both", "only_a", "only_b"].map(|key| told["witness"][key].clone());
            assert_eq!(shown, witness, "{a} {b}");
        }
        assert_eq!(of("a.example/a", "/a")["conflict"], false);
        assert!(of("/a", "no")["error"].as_str().unwrap().starts_with("the second pattern: "));
        assert!(of("/{", "/a")["error"].as_str().unwrap().starts_with("the first pattern: "));
    }
}
