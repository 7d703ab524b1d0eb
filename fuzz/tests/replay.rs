//! Replays every seed and every regression through its target, on stable Rust.

use std::{fs, path::Path};

#[test]
fn seeds_and_regressions_find_nothing() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut replayed = 0;
    for (name, target) in quintet_fuzz::targets() {
        let mut inputs = 0;
        for folder in ["seeds", "regressions"] {
            let Ok(files) = fs::read_dir(here.join(folder).join(name)) else { continue };
            for file in files {
                let path = file.expect("a readable folder").path();
                target(&fs::read(&path).expect("a readable seed"));
                inputs += 1;
            }
        }
        assert!(inputs > 0, "target {name} has no seeds: a target that is never replayed proves nothing");
        replayed += inputs;
    }
    println!("{replayed} inputs replayed");
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
    for (_, target) in quintet_fuzz::targets() {
        target(b"");
        for length in 0..200 {
            let bytes: Vec<u8> = std::iter::repeat_with(&mut noise).flatten().take(length).collect();
            target(&bytes);
        }
    }
}
