//! Every pure public entry point has a target, and every target everything that belongs to one.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use quintet_fuzz::targets;

#[path = "../../server/tests/rooms/mod.rs"]
mod rooms;

/// Where bytes or text enter a crate without IO: file, function, and the target that gives it everything.
const ENTRY_POINTS: &[(&str, &str, &str)] = &[
    ("listener/src/addr.rs", "FromStr for Addr", "addr"),
    ("listener/src/endpoint.rs", "FromStr for Endpoint", "addr"),
    ("listener/src/nets.rs", "FromStr for Nets", "addr"),
    ("listener/src/accept_error_kind.rs", "classify", "backoff"),
    ("listener/src/proxy_header/proxy_header.rs", "parse", "proxy_header"),
    ("conn/src/buffer.rs", "extend", "buffer"),
    ("conn/src/output.rs", "extend", "output"),
    ("request/src/accept_encoding.rs", "parse", "accept_encoding"),
    ("request/src/auth.rs", "bearer_token", "basic_auth"),
    ("request/src/auth.rs", "parse", "basic_auth"),
    ("request/src/chunked.rs", "next", "chunked"),
    ("request/src/conditional/etag.rs", "parse", "conditional"),
    ("request/src/conditional/etag.rs", "scan", "conditional"),
    ("request/src/conditional/precondition.rs", "check_preconditions", "conditional"),
    ("request/src/cookie_error.rs", "parse_strict", "cookies"),
    ("request/src/cookies.rs", "parse", "cookies"),
    ("request/src/set_cookie_parse.rs", "parse", "cookies"),
    ("request/src/form.rs", "parse", "form"),
    ("request/src/form.rs", "parse_lossy", "form"),
    ("request/src/form_decode.rs", "decode", "form"),
    ("request/src/forwarded/client.rs", "read", "forwarded"),
    ("request/src/forwarded/forwarded_header.rs", "removes", "forwarded"),
    ("request/src/forwarded/forwarded_node.rs", "parse", "forwarded"),
    ("request/src/head/framing.rs", "framing", "framing"),
    ("request/src/head/head.rs", "parse", "head_cache"),
    ("request/src/head/parse.rs", "parse", "head"),
    ("request/src/http_date.rs", "parse", "http_date"),
    ("request/src/head/parts.rs", "fill", "head_fill"),
    ("request/src/json.rs", "parse_json", "json"),
    ("request/src/multipart/boundary.rs", "parse", "multipart"),
    ("request/src/multipart/multipart.rs", "next", "multipart"),
    ("request/src/percent.rs", "percent_decode", "target"),
    ("request/src/range/ranges.rs", "parse", "range"),
    ("request/src/head/scan.rs", "look", "head_splits"),
    ("request/src/head/target.rs", "parse", "target"),
    ("request/src/exchange.rs", "begin_reply", "exchange"),
    ("request/src/preface.rs", "look", "preface"),
    ("request/src/request/changes.rs", "append_header", "changes"),
    ("request/src/request/changes.rs", "remove_header", "changes"),
    ("request/src/request/changes.rs", "set_header", "changes"),
    ("request/src/request/changes.rs", "set_host", "changes"),
    ("request/src/request/changes.rs", "set_method", "changes"),
    ("request/src/reply/chunk.rs", "begin_chunk", "chunks"),
    ("request/src/reply/plan.rs", "write_head", "reply"),
    ("request/src/reply/sniff.rs", "sniff", "sniff"),
    ("request/src/reply/stream_fields.rs", "finish_fields", "reply"),
    ("request/src/reply/stream_fields.rs", "finish_trailers", "reply"),
    ("request/src/request_id.rs", "FromStr for RequestId", "forwarded"),
    ("request/src/trailers.rs", "is_forbidden_trailer", "trailers"),
    ("mux/src/clean.rs", "clean_path", "mux_find"),
    ("mux/src/escape_html.rs", "escape_html", "escape_html"),
    ("mux/src/explain.rs", "explain", "mux_find"),
    ("mux/src/files/file_path.rs", "from_url", "file_path"),
    ("mux/src/find.rs", "find", "mux_find"),
    ("mux/src/host.rs", "canonical_host", "mux_find"),
    ("mux/src/httptest/reply_chunk.rs", "read", "reply_reader"),
    ("mux/src/httptest/reply_head.rs", "read", "reply_reader"),
    ("mux/src/location.rs", "redirect_location", "mux_find"),
    ("mux/src/pattern.rs", "FromStr for Pattern", "pattern"),
    ("mux/src/pattern.rs", "parse", "pattern"),
    ("mux/src/prefix.rs", "strip_path_prefix", "mux_find"),
    ("server/src/access_log/line.rs", "combined", "access_log"),
    ("server/src/access_log/line.rs", "common", "access_log"),
    ("server/src/access_log/line.rs", "json", "access_log"),
];

/// What looks like an entry point and has no target of its own: with the reason.
const EXEMPT: &[(&str, &str, &str)] = &[
    ("request/src/form.rs", "parse_at_most", "`parse` with another limit"),
    ("request/src/head/parse.rs", "parse_reference", "what the target `head` compares with"),
    ("mux/src/escape.rs", "decode", "private to the crate; `mux_find` reads values through it"),
    ("server/src/default_mux.rs", "handle", "`ServeMux::handle`"),
    ("server/src/default_mux.rs", "handle_func", "`ServeMux::handle`"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("fuzz/ is in the repository")
}

/// Every file of Rust below a folder, but for those that wait.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            if !rooms::ROOMS.iter().any(|room| path.ends_with(room)) {
                sources(&path, found);
            }
        } else if path.extension() == Some("rs".as_ref()) {
            found.push(path);
        }
    }
}

/// The entry points that can be told by their look: functions (not methods) of bytes or text, whatever is named
/// `parse…`, and `FromStr`.
fn found() -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for layer in ["listener", "conn", "request", "mux", "server"] {
        let mut files = Vec::new();
        sources(&root().join(layer).join("src"), &mut files);
        for path in files {
            let text = fs::read_to_string(&path).expect("text");
            let file = path.strip_prefix(root()).expect("a file below the root").display().to_string();
            for line in text.lines() {
                let code = line.trim_start();
                if let Some(of) = code.strip_prefix("impl FromStr for ") {
                    found.insert((file.clone(), format!("FromStr for {}", of.trim_end_matches([' ', '{']))));
                }
                let item = code.strip_prefix("pub const fn ").or_else(|| code.strip_prefix("pub fn "));
                let Some((name, parameters)) = item.and_then(|item| item.split_once(['(', '<'])) else { continue };
                let parameters = parameters.split(" -> ").next().unwrap_or_default();
                let reads = parameters.contains("[u8]") || parameters.contains("str");
                let free = code.len() == line.len();
                if reads && (free || name.starts_with("parse")) {
                    found.insert((file.clone(), name.to_owned()));
                }
            }
        }
    }
    found
}

#[test]
fn every_pure_entry_point_has_a_target() {
    let listed = ENTRY_POINTS.iter().chain(EXEMPT).map(|(file, name, _)| ((*file).to_owned(), (*name).to_owned()));
    let listed: BTreeSet<_> = listed.collect();
    let found = found();
    assert!(found.len() > 15, "{found:?}");
    let missing: Vec<_> = found.difference(&listed).collect();
    assert!(missing.is_empty(), "give these a target, and ENTRY_POINTS a line: {missing:?}");
    for (file, name, target) in ENTRY_POINTS {
        assert!(quintet_fuzz::target(target).is_some(), "{file}, {name}: there is no target {target}");
        let text = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let is = text.contains(&format!("fn {name}(")) || text.contains(&format!("fn {name}<"));
        assert!(is || text.contains(&format!("impl {name}")), "{file} has no {name}");
    }
}

#[test]
fn a_target_has_a_file_a_binary_a_row_and_seeds() {
    let here = root().join("fuzz");
    let read = |path: &str| fs::read_to_string(here.join(path)).expect("text");
    let (manifest, readme) = (read("Cargo.toml"), read("README.md"));
    let mut names = BTreeSet::new();
    for (name, _) in targets() {
        assert!(names.insert(*name), "two targets are named {name}");
        let file = read(&format!("fuzz_targets/{name}.rs"));
        assert!(file.contains(&format!("::{name}(data)")), "fuzz_targets/{name}.rs runs another target");
        let binary = format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
        assert!(manifest.contains(&binary), "Cargo.toml has no [[bin]] {name}");
        assert!(readme.contains(&format!("\n| `{name}` | ")), "README.md does not say what {name} checks");
        let seeds = quintet_fuzz::inputs(name).expect("readable folders").len();
        assert!(seeds >= 3, "{name} has {seeds} seeds");
    }
    for folder in ["fuzz_targets", "seeds", "regressions"] {
        for entry in fs::read_dir(here.join(folder)).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            assert!(names.contains(&*name), "{folder}/{name} belongs to no target");
        }
    }
}

#[test]
fn the_folders_that_the_readme_gives_to_cargo_fuzz_exist() {
    let here = root().join("fuzz");
    let readme = fs::read_to_string(here.join("README.md")).expect("text");
    let commands: Vec<_> = readme.lines().filter(|line| line.contains("cargo +nightly fuzz run")).collect();
    assert!(!commands.is_empty(), "the README runs no target");
    for command in commands {
        // libFuzzer writes into the first folder, and refuses one that does not exist.
        for word in command.split(' ').filter(|word| word.contains('/')) {
            let made = readme.lines().any(|line| line == format!("mkdir -p {word}"));
            assert!(made || here.join(word).is_dir(), "{command}: there is no {word}");
        }
    }
}
