//! The course, `examples/README.md`: each lesson has an example and an exercise, and what it names exists.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use quintet_examples::scenarios::Scenario;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of the examples is in the workspace")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lessons, from 1: the text below each of the numbered headings.
fn lessons() -> Vec<String> {
    let text = read("examples/README.md");
    text.split("\n## ").skip(1).map(str::to_owned).collect()
}

/// The texts between each `open` and the next `close`.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> Vec<&'a str> {
    text.split(open).skip(1).filter_map(|rest| rest.split(close).next()).collect()
}

/// The files of a folder, without `.rs` and `.patch`.
fn stems(folder: &str, ending: &str) -> BTreeSet<String> {
    let paths = fs::read_dir(root().join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path());
    let of = paths.filter(|path| path.extension().is_some_and(|found| found == ending));
    of.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
}

/// All Rust files below a folder of the repository.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    files.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

#[test]
fn each_lesson_has_a_chapter_an_example_and_one_exercise() {
    for (at, lesson) in lessons().iter().enumerate() {
        let number = at + 1;
        assert!(lesson.starts_with(&format!("{number}. ")), "lesson {number} is {:?}", lesson.lines().next());
        assert!(lesson.contains("\nRead ") && lesson.contains("README.md"), "lesson {number} has no chapter");
        assert!(lesson.contains("cargo run "), "lesson {number} runs nothing");
        assert!(lesson.contains("```text\n"), "lesson {number} does not say what is seen");
        assert_eq!(lesson.matches("**Break it.**").count(), 1, "lesson {number}");
        assert_eq!(lesson.matches("<details><summary>Why?</summary>\n\n").count(), 1, "lesson {number}");
        let patches = between(lesson, "](exercises/", ".patch)");
        assert!(
            matches!(&patches[..], [one] if one.starts_with(&format!("{number:02}_"))),
            "lesson {number}: {patches:?}"
        );
    }
}

#[test]
fn each_exercise_has_a_lesson_and_each_lesson_its_patch() {
    let named: BTreeSet<String> =
        lessons().iter().flat_map(|lesson| between(lesson, "](exercises/", ".patch)")).map(str::to_owned).collect();
    assert_eq!(named, stems("examples/exercises", "patch"));
}

#[test]
fn each_command_of_an_exercise_names_a_test_of_its_crate() {
    for lesson in lessons() {
        let commands = between(&lesson, "```sh\ncargo test -p quintet-", "\n");
        let [command] = &commands[..] else { panic!("one command runs the test: {commands:?}") };
        let words: Vec<&str> = command.split(' ').collect();
        let (layer, test) = (words[0], words[words.len() - 1]);
        // A binary by its name: `.ci/exercises` runs all its tests.
        assert!(words.contains(&"--lib") || words.contains(&"--test"), "{command}");
        let name = format!("fn {test}()");
        let is_there = |path: &PathBuf| fs::read_to_string(path).expect("text").contains(&name);
        assert!(sources(&root().join(layer)).iter().any(is_there), "there is no {name} in {layer}");
    }
}

/// A patch of which this does not hold no longer applies.
#[test]
fn the_lines_that_an_exercise_changes_are_in_their_file() {
    for name in stems("examples/exercises", "patch") {
        let patch = read(format!("examples/exercises/{name}.patch"));
        let file = between(&patch, "--- a/", "\n");
        let [file] = &file[..] else { panic!("{name} changes one file: {file:?}") };
        let source = read(file);
        for hunk in patch.split("\n@@ ").skip(1) {
            let lines = hunk.lines().skip(1).filter_map(|line| line.strip_prefix(['-', ' ']));
            let before: String = lines.map(|line| format!("{line}\n")).collect();
            assert!(source.contains(&before), "{name} does not apply to {file}, which has not:\n{before}");
        }
    }
}

#[test]
fn each_scenario_has_a_lesson() {
    let text = read("examples/README.md");
    let named: BTreeSet<&str> = between(&text, "--example scenario -- ", "`").into_iter().collect();
    assert_eq!(named, Scenario::ALL.iter().map(|scenario| scenario.name()).collect());
}

#[test]
fn each_example_is_in_the_course() {
    let text = read("examples/README.md");
    for example in stems("examples", "rs") {
        assert!(text.contains(&format!("[`{example}`]({example}.rs)")), "{example} is not in examples/README.md");
    }
    let manifest = read("examples/Cargo.toml");
    for command in between(&text, "--example ", "\n") {
        let example = command.split([' ', '`']).next().unwrap_or_default();
        assert!(manifest.contains(&format!("name = \"{example}\"")), "there is no example {example}");
    }
}
