//! Each rule of the README names tests that exist.

const README: &str = include_str!("../README.md");

/// The files with tests.
const TESTS: &[&str] = &[
    include_str!("../src/buffer.rs"),
    include_str!("../src/timeouts.rs"),
    include_str!("../src/io/pipe.rs"),
    include_str!("../src/output.rs"),
    include_str!("../src/state.rs"),
    include_str!("active.rs"),
    include_str!("clock.rs"),
    include_str!("connections.rs"),
    include_str!("files.rs"),
    include_str!("kept_bytes.rs"),
    include_str!("loopback.rs"),
    include_str!("model.rs"),
    include_str!("real_clock.rs"),
    include_str!("time.rs"),
    include_str!("values.rs"),
    include_str!("wait_state.rs"),
    include_str!("wire.rs"),
];

#[test]
fn every_rule_names_a_test_that_exists() {
    let rules = README.split("## The rules").nth(1).and_then(|rest| rest.split("## In Go").next()).expect("the rules");
    let names: Vec<&str> = rules.split('`').skip(1).step_by(2).filter(|name| name.matches('_').count() >= 3).collect();
    assert!(names.len() >= 30, "{names:?}");
    for name in names {
        let test = format!("fn {name}(");
        assert!(TESTS.iter().any(|source| source.contains(&test)), "there is no test {name}");
    }
}
