//! The READMEs, as a test: every file, test and fuzz target that they name exists.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the server's folder is in the workspace")
}

/// Each Markdown file of the repository, with its text.
fn readmes() -> Vec<(PathBuf, String)> {
    let folders = ["", "listener", "conn", "request", "mux", "server", "fuzz", "examples"];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).into_iter().flatten());
    let paths =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension() == Some("md".as_ref()));
    paths.map(|path| (path.clone(), fs::read_to_string(path).expect("text"))).collect()
}

/// The text of all Rust files of the repository.
fn sources() -> String {
    fn read(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "corpus" {
                read(&path, text);
            } else if name.ends_with(".rs") {
                text.push_str(&fs::read_to_string(&path).expect("text"));
            }
        }
    }
    let mut text = String::new();
    read(root(), &mut text);
    text
}

/// The texts between each `open` and the next `close`.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
}

#[test]
fn each_link_of_a_readme_exists() {
    let mut links = 0;
    for (path, text) in readmes() {
        for link in between(&text, "](", ")").filter(|link| !link.starts_with("http") && !link.starts_with('#')) {
            let target = path.parent().expect("a folder").join(link.split('#').next().unwrap_or(link));
            assert!(target.exists(), "{}: {link}", path.display());
            links += 1;
        }
        // Before the first release nothing is published there.
        for foreign in ["github.com/quintet-http", "docs.rs/quintet", "crates.io/crates/quintet"] {
            assert!(!text.contains(foreign), "{}: {foreign} leads out of a clone; link to the file", path.display());
        }
    }
    assert!(links > 50, "{links} links");
}

#[test]
fn each_test_that_a_readme_names_exists() {
    let sources = sources();
    let mut names = 0;
    for (path, text) in readmes() {
        // At least four words with underscores are the name of a test. Examples begin with a number.
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_name = |name: &&str| {
            name.matches('_').count() >= 3
                && name.chars().all(is_word)
                && name.starts_with(|c: char| c.is_ascii_lowercase())
        };
        for name in between(&text, "`", "`").filter(is_name) {
            assert!(sources.contains(&format!("fn {name}(")), "{}: {name}", path.display());
            names += 1;
        }
    }
    assert!(names > 100, "{names} names");
}

#[test]
fn each_fuzz_target_that_a_readme_runs_exists() {
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("text");
    let mut targets = 0;
    for (path, text) in readmes() {
        for line in between(&text, "fuzz run --features libfuzzer ", "\n") {
            let target = line.split([' ', '`', ',']).next().unwrap_or_default();
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{}: {target}", path.display());
            targets += 1;
        }
    }
    assert!(targets > 10, "{targets} targets");
}

/// docs.rs and narrow windows show a longer line only by scrolling. The name of a test cannot be broken.
#[test]
fn code_and_drawings_of_readmes_fit_80_columns() {
    let mut lines = 0;
    for (path, text) in readmes() {
        for line in text.split("```").skip(1).step_by(2).flat_map(str::lines) {
            let fits = line.chars().count() <= 80 || line.starts_with("cargo test -p ");
            assert!(fits, "{}: {line}", path.display());
            lines += 1;
        }
    }
    assert!(lines > 300, "{lines} lines");
}

/// The first block of commands of a crate's README. `.ci/alone` runs it as it stands.
#[test]
fn each_cargo_add_of_a_readme_names_its_own_crate() {
    for layer in ["listener", "conn", "request", "mux", "server"] {
        let text = fs::read_to_string(root().join(layer).join("README.md")).expect("text");
        let commands = between(&text, "```sh\n", "```").next().expect("a block of commands");
        let path = between(commands, "cargo add --path ../quintet/", "\n").next().unwrap_or_default();
        let folder = path.split(' ').next().unwrap_or_default();
        assert_eq!(folder, layer, "{commands}");
        assert!(!commands.contains("cargo add quintet"), "{layer}: it is not published");
        assert!(text.contains("Not on crates.io yet."), "{layer}/README.md does not say why it takes a path");
    }
}

#[test]
fn each_exercise_says_how_to_run_its_test() {
    let sources = sources();
    for layer in ["listener", "conn", "request", "mux", "server"] {
        let text = fs::read_to_string(root().join(layer).join("README.md")).expect("text");
        let exercise = between(&text, "\nAn exercise: ", "\n## ").next().expect("an exercise");
        let command = format!("cargo test -p quintet-{layer} ");
        let test = between(exercise, &command, "\n").next();
        let test = test.unwrap_or_else(|| panic!("{layer}: no command runs the exercise's test"));
        assert!(sources.contains(&format!("fn {test}(")), "{layer}: there is no test {test}");
        assert!(exercise.contains(&format!("`{test}`")), "{layer}: the exercise does not say that {test} fails");
    }
}
