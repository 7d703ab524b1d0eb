//! The layering, as a test: a crate uses only the crates below it, and its pure core needs no runtime.
//!
//! ```text
//!  quintet-server ──▶ quintet-mux ──▶ quintet-request ──▶ quintet-conn ──▶ quintet-listener
//! ```

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

mod rooms;
mod uses;

/// The crates, lowest first.
const LAYERS: [&str; 5] = ["listener", "conn", "request", "mux", "server"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the server's folder is in the workspace")
}

fn layer(package: &str) -> Option<usize> {
    let short = package.strip_prefix("quintet-")?;
    LAYERS.iter().position(|layer| *layer == short)
}

/// The packages of the five crates, lowest first, from their manifests.
fn crates() -> Vec<Package> {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec();
    let mut crates = metadata.expect("cargo metadata").packages;
    crates.retain(|package| layer(&package.name).is_some());
    crates.sort_by_key(|package| layer(&package.name));
    assert_eq!(crates.len(), LAYERS.len(), "every layer is a member of the workspace");
    crates
}

/// The names in a crate's tree of normal dependencies, without the crates of this workspace.
fn tree(layer: &str, default_features: bool) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["tree", "--offline", "--locked", "-e", "normal", "--prefix", "none", "-f", "{p}"]);
    cargo.args(["-p", &format!("quintet-{layer}")]);
    if !default_features {
        cargo.arg("--no-default-features");
    }
    let output = cargo.output().expect("cargo tree runs");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names of crates are text");
    let names = text.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty());
    names.filter(|name| !name.starts_with("quintet-")).map(str::to_owned).collect()
}

/// Every file of Rust below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn no_crate_depends_on_one_above_it() {
    for package in crates() {
        for dependency in &package.dependencies {
            // The suites of a crate may need a feature of the crate itself.
            let is_own = dependency.name == *package.name && dependency.kind == DependencyKind::Development;
            if let Some(below) = layer(&dependency.name).filter(|_| !is_own) {
                assert!(
                    Some(below) < layer(&package.name),
                    "{} has a {} dependency{} on {}",
                    package.name,
                    dependency.kind,
                    if dependency.optional { " (optional)" } else { "" },
                    dependency.name
                );
            }
        }
    }
}

#[test]
fn a_path_dependency_never_brings_its_default_features() {
    for package in crates() {
        for dependency in &package.dependencies {
            if layer(&dependency.name).is_some() {
                assert!(!dependency.uses_default_features, "{} takes {} whole", package.name, dependency.name);
            }
        }
    }
}

#[test]
fn a_pure_core_has_no_runtime() {
    for layer in &LAYERS[..4] {
        let tree = tree(layer, false);
        for runtime in ["tokio", "mio", "socket2"] {
            assert!(!tree.contains(runtime), "the core of {layer} pulls {runtime}");
        }
    }
}

#[test]
fn only_the_rooms_that_wait_await() {
    let rooms = rooms::ROOMS.map(|room| root().join(room));
    for room in &rooms {
        assert!(room.is_dir(), "{} is no folder", room.display());
    }
    for layer in &LAYERS[..4] {
        for file in sources(&root().join(layer).join("src")) {
            if rooms.iter().any(|room| file.starts_with(room)) {
                continue;
            }
            let text = fs::read_to_string(&file).expect("a readable file");
            for (at, line) in text.lines().enumerate() {
                assert!(!line.contains(".await"), "{}:{} awaits outside the rooms for it", file.display(), at + 1);
            }
        }
    }
}

/// No two files of a crate use each other, so that each can be read after the files that it uses.
#[test]
fn no_files_of_a_crate_use_each_other_in_a_circle() {
    for layer in LAYERS {
        let circles = uses::Uses::read(&root().join(layer).join("src")).circles();
        assert!(circles.is_empty(), "{layer}: these files use each other: {circles:?}");
    }
}

/// A crate with two circles: one through a re-export, one through a path in the code. Both are found.
#[test]
fn a_circle_of_files_is_found() {
    let folder = std::env::temp_dir().join(format!("quintet-circles-{}", std::process::id()));
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d; mod e; pub use a::{A, x as y}; pub use {b::B};"),
        ("a.rs", "use std::fmt;\nuse crate::{\n    B,\n};\npub struct A;"),
        (
            "b.rs",
            "pub struct B; // use nothing;\nconst TEXT: &str = \"nobody can use } this\";\nuse super::d::{D as Other};\nfn f(_: crate::A) {}",
        ),
        ("c.rs", "fn f() { super::e::g() }"),
        ("d.rs", "pub struct D;\n#[cfg(test)]\nmod tests { use crate::A; }"),
        ("e.rs", "pub(crate) use crate::c::f;"),
    ];
    fs::create_dir_all(&folder).expect("a folder");
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("a file");
    }
    let circles = uses::Uses::read(&folder).circles();
    fs::remove_dir_all(&folder).expect("it was made above");
    let circles: Vec<Vec<_>> = circles.iter().map(|circle| circle.iter().map(String::as_str).collect()).collect();
    assert_eq!(circles, [["a", "b"], ["c", "e"]]);
}

#[test]
fn httparse_and_h2_are_used_only_by_request_and_matchit_only_by_mux() {
    for package in crates() {
        for (library, owner) in [("httparse", "quintet-request"), ("h2", "quintet-request"), ("matchit", "quintet-mux")]
        {
            // The tests of the server have a client of HTTP/2.
            let uses = package.dependencies.iter().any(|dependency| {
                dependency.name == library && !(library == "h2" && dependency.kind == DependencyKind::Development)
            });
            assert!(!uses || *package.name == owner, "{} depends on {library}", package.name);
        }
    }
}

/// `println!` and `eprintln!` panic when the reader of the stream has closed it.
#[test]
fn no_library_prints() {
    for layer in LAYERS {
        let lib = fs::read_to_string(root().join(layer).join("src/lib.rs")).expect("a readable file");
        assert!(lib.contains("#![deny(clippy::print_stdout, clippy::print_stderr)]"), "{layer} may print");
    }
}

/// The dependencies of `thiserror`, which run only at build time.
const THISERROR: [&str; 6] = ["thiserror", "thiserror-impl", "proc-macro2", "quote", "syn", "unicode-ident"];

/// The pure core of `request` depends on types of messages, and on formatters of numbers and dates, and no more.
#[test]
fn the_core_of_request_is_made_of_six_crates() {
    let mut tree = tree("request", false);
    tree.retain(|name| !THISERROR.contains(&name.as_str()));
    let expected = ["bytes", "http", "httparse", "httpdate", "itoa", "percent-encoding"];
    assert!(tree.iter().eq(expected), "{tree:?}");
}

/// The number of crates in the tree of each crate, without those of thiserror.
#[test]
fn a_crate_alone_has_few_dependencies() {
    for (layer, default_features, most) in
        [("listener", true, 6), ("conn", true, 6), ("conn", false, 1), ("request", false, 6), ("mux", false, 6)]
    {
        let mut tree = tree(layer, default_features);
        tree.retain(|name| !THISERROR.contains(&name.as_str()));
        // The bindings of a system are split into crates differently on each; they do not count.
        tree.retain(|name| !name.starts_with("windows"));
        assert!(tree.len() <= most, "{layer} weighs {} crates, not {most}: {tree:?}", tree.len());
    }
}

#[test]
fn conn_adds_no_dependency_to_those_of_listener() {
    let listener = tree("listener", true);
    let added: Vec<_> = tree("conn", true).into_iter().filter(|name| !listener.contains(name)).collect();
    assert!(added.is_empty(), "{added:?}");
}
