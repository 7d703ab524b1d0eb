//! The bodies of the fuzz targets: plain functions of bytes, which libFuzzer drives on nightly and
//! `cargo test` replays on stable over everything in `seeds/` and `regressions/`.

pub mod conn;
pub mod listener;
pub mod mux;
pub mod request;
pub mod server;

/// A target: its name (also the folder of its seeds) and what it does with some bytes. It panics on a finding.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of every crate, lowest layer first.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    [listener::TARGETS, conn::TARGETS, request::TARGETS, mux::TARGETS, server::TARGETS].into_iter().flatten()
}
