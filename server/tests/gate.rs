//! The gate, as a test: `.ci/` checks every feature, CONTRIBUTING.md names every script, and only suites named `real_*`
//! sleep in real time.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::MetadataCommand;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the server's folder is in the workspace")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder, sorted by name.
fn files(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("a readable folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

/// The sources of the examples that a user runs: files of the folder, and the `main.rs` of each folder in it.
fn examples() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("examples")).expect("a readable folder");
    let mains =
        entries.map(|entry| entry.expect("a readable folder").path().join("main.rs")).filter(|main| main.is_file());
    let sources = files("examples").into_iter().filter(|path| path.extension() == Some("rs".as_ref()));
    sources.chain(mains).collect()
}

fn name(path: &Path) -> String {
    path.file_name().expect("a file has a name").to_string_lossy().into_owned()
}

#[test]
fn every_feature_is_listed_in_ci_features_list() {
    let mut listed = BTreeSet::new();
    for line in read(".ci/features.list").lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.trim_start_matches("- ").split_whitespace();
        let Some(layer) = words.next() else { continue };
        listed.extend(words.map(|feature| format!("quintet-{layer}/{feature}")));
    }
    let mut declared = BTreeSet::new();
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec();
    for package in metadata.expect("cargo metadata").packages {
        if package.name.as_str() == "quintet-examples" {
            assert!(package.features.is_empty(), "the gate checks the examples without features");
            continue;
        }
        let features = package.features.keys().filter(|feature| *feature != "default");
        declared.extend(features.map(|feature| format!("{}/{feature}", package.name)));
    }
    let missing: Vec<_> = declared.difference(&listed).collect();
    assert!(missing.is_empty(), "add to .ci/features.list (or exclude there, with the reason): {missing:?}");
    let gone: Vec<_> = listed.difference(&declared).collect();
    assert!(gone.is_empty(), "no manifest declares what .ci/features.list names: {gone:?}");
}

#[test]
fn the_gate_never_asks_for_all_features() {
    let flag = ["--all", "features"].join("-");
    let documents = ["README.md", "CONTRIBUTING.md"].map(|path| root().join(path));
    for path in files(".ci").into_iter().chain(documents) {
        assert!(!read(&path).contains(&flag), "{}: use .ci/features.list", path.display());
    }
}

#[test]
fn contributing_names_every_script_of_the_gate() {
    let contributing = read("CONTRIBUTING.md");
    let gate = read(".ci/run");
    for path in files(".ci") {
        let script = format!(".ci/{}", name(&path));
        assert!(contributing.contains(&format!("`{script}`")), "CONTRIBUTING.md does not say what {script} is for");
        assert!(script == ".ci/run" || gate.contains(&script), ".ci/run does not use {script}");
    }
}

/// Whether a line sleeps. A sleep of zero only yields.
fn is_sleep(code: &str) -> bool {
    code.contains("sleep(") && !code.starts_with("//") && !code.contains("sleep(std::time::Duration::ZERO")
}

/// The line numbers of the sleeps that wait in real time: those of the standard library, and those of tokio in a test
/// without paused time.
fn real_sleeps(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let pauses = text.contains("start_paused") || text.contains("time::pause");
    // The indentation of the test around this line, and whether its time is paused.
    let mut test: Option<(usize, bool)> = None;
    for (at, line) in text.lines().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if code.starts_with("#[tokio::test") {
            test = Some((indent, code.contains("start_paused")));
        } else if code == "}" && test.is_some_and(|(of, _)| of == indent) {
            test = None;
        } else if is_sleep(code) {
            let paused = test.map_or(pauses, |(_, paused)| paused);
            if !paused || code.contains("thread::sleep") {
                found.push(at + 1);
            }
        }
    }
    found
}

#[test]
fn only_suites_named_real_sleep() {
    let (mut suites, mut sleeping) = (0, String::new());
    for layer in ["listener", "conn", "request", "mux", "server"] {
        for path in files(Path::new(layer).join("tests")) {
            suites += 1;
            if name(&path).starts_with("real_") || name(&path) == "gate.rs" {
                continue;
            }
            sleeping.extend(real_sleeps(&read(&path)).iter().map(|line| format!("\n{}:{line}", path.display())));
        }
    }
    assert!(sleeping.is_empty(), "pause the time, or move the test to a suite named real_*:{sleeping}");
    assert!(suites > 30, "{suites} suites");
}

#[test]
fn a_real_sleep_is_seen_and_a_paused_one_is_not() {
    let paused = "#[tokio::test(start_paused = true)]\nasync fn a() {\n    sleep(SECOND).await;\n}\n";
    assert!(real_sleeps(paused).is_empty());
    assert_eq!(real_sleeps(&paused.replace("(start_paused = true)", "")), [3]);
    assert_eq!(real_sleeps(&paused.replace("sleep(", "std::thread::sleep(")), [3]);
    let both = format!("{paused}\n#[tokio::test]\nasync fn b() {{\n    tokio::time::sleep(SECOND).await;\n}}\n");
    assert_eq!(real_sleeps(&both), [8]);
    let helper = "async fn helper() {\n    sleep(SECOND).await;\n}\n";
    assert_eq!(real_sleeps(helper), [2], "the time is not paused");
    assert!(real_sleeps(&format!("{helper}{paused}")).is_empty());
}

/// `println!` panics when the reader of standard output has closed it, and users copy the examples.
#[test]
fn no_example_prints_with_a_macro_that_panics() {
    for path in examples() {
        for (at, line) in read(&path).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for printing in ["println!(", "print!(", "dbg!("] {
                assert!(!code.contains(printing), "{}:{}: use outln! or errln!", path.display(), at + 1);
            }
        }
    }
}

/// The examples are numbered in reading order without gaps. Each begins with the same lines: what it is, what the reader
/// learns, what to type, what to see.
#[test]
fn examples_are_numbered_without_gaps_and_begin_alike() {
    let mut number = 0;
    for path in examples() {
        let file = path.strip_prefix(root().join("examples")).expect("a file of the examples").display().to_string();
        let text = read(&path);
        if file.as_bytes()[0].is_ascii_digit() {
            number += 1;
            assert!(file.starts_with(&format!("{number:02}_")), "{file} should have the number {number:02}");
        }
        let header: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
        let at = |label: &str| header.iter().position(|line| line.starts_with(label));
        let order = [Some(0), at(" You learn: "), at(" Run:      "), at(" You see:  ")];
        assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{file} begins {order:?}");
        assert!(!header[0].contains(" You "), "{file}: the first line says what the example is");
        let example = file.trim_end_matches(".rs").trim_end_matches("/main");
        let manifest = format!("name = \"{example}\"\npath = \"{file}\"");
        assert!(read("examples/Cargo.toml").contains(&manifest), "examples/Cargo.toml does not name {file}");
    }
    assert!(number >= 12, "{number} examples");
}
