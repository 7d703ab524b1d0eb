//! The vocabulary, as a test: a public name is defined in one crate only, the README's glossary has names of the API,
//! and a search of the documentation for words of other libraries finds our items.

use std::{collections::BTreeMap, fs, path::Path};

/// The crates, lowest first.
const CRATES: [&str; 5] = ["listener", "conn", "request", "mux", "server"];

fn read(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the server's folder is in the workspace");
    fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The names that a crate exports from its own modules; names that it re-exports from another crate are left out.
fn defined(crate_name: &str) -> Vec<String> {
    exported_by(&format!("{crate_name}/src/lib.rs"))
}

/// The names that a file exports from its own modules.
fn exported_by(file: &str) -> Vec<String> {
    let source = read(file);
    let code: String = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let modules: Vec<_> = code.split("mod ").skip(1).filter_map(|rest| rest.split(';').next()).collect();
    let mut names = Vec::new();
    for uses in code.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next()) {
        let uses = uses.strip_prefix("self::").unwrap_or(uses);
        let first = uses.trim_start_matches(['{', ' ']).split("::").next().unwrap_or_default();
        if !modules.contains(&first) {
            continue;
        }
        let paths = uses.split(['{', '}', ',']).map(str::trim).filter(|path| !path.is_empty() && !path.ends_with("::"));
        names.extend(paths.map(|path| path.rsplit("::").next().unwrap_or(path).to_owned()));
    }
    names
}

#[test]
fn no_public_name_is_defined_in_two_crates() {
    let mut definitions: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for crate_name in CRATES {
        let names = defined(crate_name);
        assert!(names.len() > 5, "{crate_name} exports only {names:?}");
        for name in names {
            definitions.entry(name).or_default().push(crate_name);
        }
    }
    definitions.retain(|_, crates| crates.len() > 1);
    assert!(definitions.is_empty(), "defined twice: {definitions:?}");
}

#[test]
fn each_word_of_the_glossary_is_a_public_name_of_its_crate() {
    let readme = read("README.md");
    let glossary = readme.split("## Glossary").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a glossary");
    let mut words = Vec::new();
    for row in glossary.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(|cell| cell.trim_matches([' ', '`'])).collect();
        let [word, meaning, crate_name, go] = cells[..] else { panic!("{row}: four cells") };
        let (names, name) = match word.split_once("::") {
            Some((module, name)) => (exported_by(&format!("{crate_name}/src/{module}/mod.rs")), name),
            None => (defined(crate_name), word),
        };
        assert!(names.iter().any(|known| known == name), "{crate_name} exports no {word}");
        assert!(meaning.ends_with('.') && !go.is_empty(), "{row}");
        words.push(word);
    }
    assert!((20..=30).contains(&words.len()), "{} words", words.len());
    let all = words.len();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), all, "a word stands in the glossary once");
}

/// The words that users search for, and the item that has each as an alias.
const SEARCHED: [(&str, &str, &str); 18] = [
    ("accept loop", "listener/src/io/retry.rs", "pub struct Retry"),
    ("backoff", "listener/src/io/retry.rs", "pub struct Retry"),
    ("rate limit", "conn/src/timeouts.rs", "pub min_rate"),
    ("slowloris", "conn/src/timeouts.rs", "pub struct Timeouts"),
    ("json", "request/src/request/request.rs", "pub async fn to_bytes"),
    ("extractor", "request/src/request/forms.rs", "pub async fn form"),
    ("query parameter", "request/src/request/forms.rs", "pub fn query_value"),
    ("MaxBytesReader", "request/src/body/body.rs", "pub fn limited"),
    ("path parameter", "request/src/request/request.rs", "pub fn path_value"),
    ("context", "request/src/request/request.rs", "pub async fn disconnected"),
    ("router", "mux/src/handler/serve_mux.rs", "pub struct ServeMux"),
    ("middleware", "mux/src/handler/handler.rs", "pub trait Handler"),
    ("state", "mux/src/middleware/with_state.rs", "pub fn with_state"),
    ("websocket", "mux/src/handler/response.rs", "pub fn upgrade"),
    ("csrf", "mux/src/middleware/cross_origin_protection.rs", "pub struct CrossOriginProtection"),
    ("access log", "server/src/config.rs", "pub struct Hooks"),
    ("listenandserve", "server/src/server.rs", "pub async fn listen_and_serve"),
    ("graceful shutdown", "server/src/server.rs", "pub async fn shutdown"),
];

#[test]
fn doc_aliases_have_the_words_of_other_libraries() {
    for (word, file, item) in SEARCHED {
        let source = read(file);
        let before = source.split(item).next().filter(|before| before.len() < source.len()).expect(item);
        let attributes: Vec<_> =
            before.lines().rev().map(str::trim).take_while(|line| !line.starts_with("///")).collect();
        let alias = format!("#[doc(alias = \"{word}\")]");
        assert!(attributes.contains(&alias.as_str()), "{item} is not found by {word}: {attributes:?}");
    }
}
