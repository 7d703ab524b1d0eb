//! The request that a handler is given after `strip_prefix` or a redirect has changed its path.

#![allow(missing_docs)]
#![cfg(feature = "io")]

use proptest::{collection::vec, prelude::*, sample::select};
use quintet_mux::{Handler, Response, ServeMux, allow_query_semicolons, redirect, redirect_location, strip_prefix};
use quintet_request::Request;

/// Answers with the URI that a `tower` service would be given, and its authority.
async fn uri(request: Request) -> Response {
    let method = request.method().to_owned();
    match request.into_http() {
        Ok(request) => {
            let uri = request.uri();
            let authority = uri.authority().map_or("", |authority| authority.as_str());
            Response::new(format!("{method}\n{}\n{authority}", uri.path()))
        }
        Err(error) => Response::text(http::StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}

fn path() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "/",
        "/",
        "//",
        "a",
        "b",
        "mount",
        "%61",
        "%2F",
        "%2f",
        "%41",
        ":",
        "@",
        "localhost:6379",
        "app.js",
        "http:",
        "evil.example",
        "..",
        ".",
        "*",
        "%25",
        "%3F",
        "[::1]",
        "~",
        ";",
    ]);
    vec(piece, 0..8).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// For every path and prefix, the handler is given a path, and no host that the client did not send.
    #[test]
    fn strip_prefix_leaves_a_path_and_no_authority(
        path in path(),
        cut in 0_usize..40,
        form in select(vec!["", "http://sent.example"]),
        query in select(vec!["", "?", "?q=1;r", "?a@b:80/"]),
    ) {
        let prefix: String = path.chars().take(cut).collect();
        let target = format!("{form}{path}{query}");
        let request = Request::parse(format!("GET {target} HTTP/1.1\r\nHost: sent.example\r\n\r\n").as_bytes());
        // The path ends within an escape: such a request is refused.
        let Ok(request) = request else { return Ok(()) };
        let handler = strip_prefix(prefix.clone(), allow_query_semicolons(uri));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let seen = runtime.block_on(async {
            let mut reply = handler.call(request).await;
            (reply.status().as_u16(), reply.take_body().to_bytes(1_000).await.expect("a short body"))
        });
        let seen = (seen.0, String::from_utf8(seen.1.to_vec()).expect("text"));
        if seen.0 == 404 {
            let rest = path[prefix.len()..].to_ascii_lowercase();
            prop_assert!(!prefix.ends_with('/') && (rest.starts_with('.') || rest.starts_with("%2e")), "{path} without {prefix}");
            return Ok(());
        }
        prop_assert_eq!(seen.0, 200, "{} without {}: {}", target, prefix, seen.1);
        let mut lines = seen.1.split('\n').skip(1);
        let (path, authority) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
        prop_assert!(path.starts_with('/'), "{} without {}: {}", target, prefix, path);
        prop_assert_eq!(authority, form.trim_start_matches("http://"), "{} without {}", target, prefix);
    }
}

/// A target of pieces that browsers treat in their own way: slashes of both kinds, bytes that they remove or skip.
fn target() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "/",
        "/",
        "//",
        "\\",
        "\\",
        "\t",
        "\n",
        "\r",
        " ",
        "\u{0}",
        "\u{7f}",
        "evil.example",
        "@",
        ":",
        "..",
        ".",
        "%2F",
        "%5C",
        "%09",
        "%zz",
        "?",
        "#",
        "a",
        "[",
        "é",
        "\u{2028}",
        "\u{ff0f}",
    ]);
    vec(piece, 0..7).prop_map(|pieces| pieces.concat())
}

/// Whether a target has a scheme or a host, and so may lead to another site.
fn names_a_place(target: &str) -> bool {
    let first = target.split(['/', '?', '#']).next().unwrap_or("");
    let host = target.strip_prefix("//").is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#']));
    first.contains(':') || host
}

/// The URL to which a browser that shows `http://site.example{path}` goes.
fn follow(path: &str, location: &str) -> url::Url {
    let base = url::Url::parse("http://site.example").and_then(|base| base.join(path)).expect("a base");
    base.join(location).unwrap_or_else(|error| panic!("{location:?}: {error}"))
}

fn stays(url: &url::Url) -> bool {
    url.origin() == url::Url::parse("http://site.example").expect("a base").origin() && url.username().is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_redirect_to_a_path_never_leaves_the_site(target in target(), from in select(vec!["/", "/a/b", "/a/", "//a"])) {
        let location = redirect_location(from, &target);
        prop_assert!(location.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'\\'), "{:?}", location);
        if !names_a_place(&target) {
            let seen = follow("/a/b", &location);
            prop_assert!(stays(&seen), "{:?} leads by {:?} to {}", target, location, seen);
        }
    }

    #[test]
    fn a_redirect_of_a_mux_never_leaves_the_site(path in path(), query in select(vec!["", "?//evil.example", "?\\\\@h"])) {
        let Ok(request) = Request::parse(format!("GET {path}{query} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()) else {
            return Ok(());
        };
        let back = async |request: Request| redirect(&request, "", http::StatusCode::FOUND);
        let mux = ServeMux::new();
        mux.handle("/a/", back);
        mux.handle("/b/{x}/", back);
        // Without an outer mux, the handler is also given paths that are not clean.
        let handler = strip_prefix("/mount", strip_prefix("/", mux));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let reply = runtime.block_on(handler.call(request));
        if let Some(location) = reply.header("location") {
            let location = location.to_str().expect("text");
            prop_assert!(stays(&follow("/mount/x", location)), "{:?} leads to {:?}", path, location);
        }
    }
}

#[tokio::test]
async fn strip_prefix_keeps_the_path_values_of_the_outer_pattern() {
    let show = async |request: Request| {
        let value = |name| request.path_value(name).map(std::borrow::Cow::into_owned);
        format!("{} {:?} {:?} {:?}", request.path(), value("tenant"), value("rest"), value("id"))
    };
    let inner = ServeMux::new();
    inner.handle("/items/{id}", show);
    let outer = ServeMux::new();
    outer.handle("/t/{tenant}/{rest...}", strip_prefix("/t/a%2Fb", inner));
    let request = Request::parse(b"GET /t/a%2Fb/items/caf%C3%A9 HTTP/1.1\r\nHost: h\r\n\r\n").expect("a request");
    let body = outer.call(request).await.take_body().to_bytes(1_000).await.expect("a short body");
    assert_eq!(body, r#"/items/caf%C3%A9 Some("a/b") Some("items/café") Some("café")"#);
}

#[tokio::test]
async fn decoded_path_decodes_the_path_that_strip_prefix_left() {
    let show = async |request: Request| format!("{} {}", request.path(), request.decoded_path());
    for (target, seen) in [
        ("/pre/caf%C3%A9/a%2Fb", "/caf%C3%A9/a%2Fb /café/a/b"),
        ("/pre/%25", "/%25 /%"),
        ("/pre/plain", "/plain /plain"),
        ("/pre/%FF", "/%FF /\u{fffd}"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        let request = Request::parse(request.as_bytes()).expect("a request");
        let mut reply = strip_prefix("/pre", show).call(request).await;
        assert_eq!(reply.take_body().to_bytes(1_000).await.expect("a short body"), seen, "{target}");
    }
}
