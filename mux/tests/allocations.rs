//! The allocations of a lookup: a hit on a clean path without escapes makes none.

#![allow(missing_docs)]

use allocation_counter::measure;
use quintet_mux::{Found, Mux};

#[test]
fn a_hit_on_a_clean_path_without_escapes_allocates_nothing() {
    let mut mux = Mux::new();
    for pattern in [
        "GET /{$}",
        "GET /users",
        "GET /users/{id}",
        "GET /users/me",
        "GET /users/{id}/posts",
        "GET /users/me/likes/{rest...}",
        COMMENT,
        "/static/{path...}",
        "h.example/users/",
        "/.well-known/",
    ] {
        mux.insert(pattern, pattern).expect("no conflict");
    }
    let mut values = Vec::with_capacity(8);
    for (host, path, expected, count) in [
        ("", "/", "GET /{$}", 0),
        ("", "/users", "GET /users", 0),
        ("", "/users/7", "GET /users/{id}", 1),
        // In one tree with both a literal and a wildcard here, matchit would keep a place to turn back to on the heap.
        ("", "/users/me", "GET /users/me", 0),
        ("", "/users/mx", "GET /users/{id}", 1),
        ("", "/users/mx/posts", "GET /users/{id}/posts", 1),
        ("", "/users/me/likes/1", "GET /users/me/likes/{rest...}", 1),
        // In one tree, matchit would keep more than three parameters on the heap.
        ("", "/repos/a/b/pulls/1/reviews/2/comments/3", COMMENT, 5),
        ("", "/static/css/a.css", "/static/{path...}", 1),
        ("h.example:8080", "/users/7", "h.example/users/", 0),
        ("h.example.", "/users/7", "h.example/users/", 0),
        ("i.example:8080", "/users/7", "GET /users/{id}", 1),
        ("h.example", "/static/", "/static/{path...}", 1),
        ("", "/.well-known/x", "/.well-known/", 0),
    ] {
        let mut found = None;
        let allocated = measure(|| {
            if let Found::Match(route) = mux.find_into("GET", host, path, &mut values) {
                found = Some(route.value);
            }
        });
        assert_eq!((found, values.len()), (Some(expected), count), "{host}{path}");
        assert_eq!(allocated.count_total, 0, "{host}{path}");
    }
    let escaped = measure(|| drop(mux.find_into("GET", "", "/users/%37", &mut values)));
    assert_ne!(escaped.count_total, 0, "the counter counts");
}

const COMMENT: &str = "GET /repos/{owner}/{repo}/pulls/{pull}/reviews/{review}/comments/{comment}";
