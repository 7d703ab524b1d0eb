//! Replays every seed and every regression through its target, on stable Rust.

use quintet_fuzz::{check, inputs, targets};

#[test]
fn seeds_and_regressions_find_nothing() {
    let (mut replayed, mut findings) = (0, String::new());
    for target in targets() {
        let name = target.0;
        let inputs = inputs(name).expect("readable folders");
        assert!(!inputs.is_empty(), "target {name} has no seeds: a target that is never replayed proves nothing");
        for (path, bytes) in inputs {
            replayed += 1;
            if let Err(said) = check(target, &bytes) {
                findings += &format!("\ntarget {name}, file {}: {said}", path.display());
            }
        }
    }
    assert!(findings.is_empty(), "of {replayed} inputs these are findings:{findings}");
    println!("{replayed} inputs replayed");
}

#[test]
fn every_scripted_peer_comes_to_rest_without_a_time_limit() {
    let http_1: quintet_fuzz::Target = ("liveness", quintet_fuzz::server::liveness);
    let http_2: quintet_fuzz::Target = ("h2_liveness", quintet_fuzz::server::h2_liveness);
    for (name, target) in [("scripted_peer", http_1), ("h2_peer", http_2)] {
        for (path, bytes) in inputs(name).expect("readable folders") {
            if let Err(said) = check(&target, &bytes) {
                panic!("without a time limit, file {}: {said}", path.display());
            }
        }
    }
}

#[test]
fn every_target_survives_the_empty_input_and_noise() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    for target in targets() {
        for length in 0..200 {
            let bytes: Vec<u8> = std::iter::repeat_with(&mut noise).flatten().take(length).collect();
            if let Err(said) = check(target, &bytes) {
                panic!("target {}, input b\"{}\": {said}", target.0, bytes.escape_ascii());
            }
        }
    }
}

#[test]
fn a_finding_names_what_the_target_said() {
    let target: quintet_fuzz::Target = ("sample", |bytes| assert!(bytes.len() < 3, "{} bytes", bytes.len()));
    assert_eq!(check(&target, b"ab"), Ok(()));
    assert_eq!(check(&target, b"abc"), Err("3 bytes".to_owned()));
}
