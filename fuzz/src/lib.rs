//! The bodies of the fuzz targets: plain functions of bytes, which libFuzzer drives on nightly, `cargo run` drives
//! blindly on stable (see [`blind`]), and `cargo test` replays over everything in `seeds/` and `regressions/`.

pub mod blind;
pub mod conn;
pub mod listener;
pub mod mux;
pub mod request;
pub mod server;
pub mod tls;

use std::{
    any::Any,
    fs, io,
    panic::catch_unwind,
    path::{Path, PathBuf},
};

/// A target: its name (also the folder of its seeds) and what it does with some bytes. It panics on a finding.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of every crate, lowest layer first.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    [listener::TARGETS, tls::TARGETS, conn::TARGETS, request::TARGETS, mux::TARGETS, server::TARGETS]
        .into_iter()
        .flatten()
}

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    targets().find(|(other, _)| *other == name)
}

/// Gives some bytes to a target.
///
/// # Errors
/// What the target said when it panicked: the bytes are a finding.
pub fn check(target: &Target, bytes: &[u8]) -> Result<(), String> {
    let run = target.1;
    catch_unwind(|| run(bytes)).map_err(|panic| said(&*panic))
}

/// The text of a panic.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text").to_owned()
}

/// The files in `seeds/` and `regressions/` of a target, sorted, with what is in them.
///
/// # Errors
/// A folder or file that is there and cannot be read.
pub fn inputs(name: &str) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut inputs = Vec::new();
    for kind in ["seeds", "regressions"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(name);
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder)? {
            let path = file?.path();
            let bytes = fs::read(&path)?;
            inputs.push((path, bytes));
        }
    }
    inputs.sort();
    Ok(inputs)
}
