//! The crates that each of ours brings with its default features, written out: a dependency that a feature needs must not
//! reach the programs that do without the feature.

use std::{collections::BTreeSet, path::Path, process::Command};

/// What each crate adds to the tree of the one before it, on Linux. `thiserror`'s own come with the first.
const ADDED: [(&str, &[&str]); 5] = [
    (
        "listener",
        &[
            "bytes",
            "libc",
            "mio",
            "pin-project-lite",
            "proc-macro2",
            "quote",
            "socket2",
            "syn",
            "thiserror",
            "thiserror-impl",
            "tokio",
            "unicode-ident",
        ],
    ),
    ("conn", &[]),
    ("request", &["http", "http-body", "httparse", "httpdate", "itoa", "percent-encoding"]),
    ("mux", &["arc-swap", "matchit", "rustversion"]),
    ("server", &["errno", "signal-hook-registry"]),
];

/// The names in the tree of normal dependencies, without the crates of this workspace.
fn tree(package: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the server's folder is in the workspace");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).args(["tree", "--offline", "--locked", "-e", "normal", "--prefix", "none", "-f", "{p}"]);
    // Every system has bindings of its own; one stands for all.
    let output = cargo.args(["--target", "x86_64-unknown-linux-gnu", "-p", package]).output().expect("cargo tree runs");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names of crates are text");
    let names = text.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty());
    names.filter(|name| !name.starts_with("quintet-")).map(str::to_owned).collect()
}

#[test]
fn the_default_tree_of_each_crate_is_as_written_here() {
    let mut expected = BTreeSet::new();
    for (layer, added) in ADDED {
        expected.extend(added.iter().map(|name| (*name).to_owned()));
        let found = tree(&format!("quintet-{layer}"));
        let more: Vec<_> = found.difference(&expected).collect();
        let gone: Vec<_> = expected.difference(&found).collect();
        assert!(more.is_empty() && gone.is_empty(), "{layer}: more: {more:?}, gone: {gone:?}");
    }
}
