//! The keys of connections are written only where that was asked for. In a process of its own, for its environment.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod tls_support;

use std::{fs, process::Command, sync::Arc};

use quintet_listener::{KeyLogging, Tls, TlsOptions};
use tls_support::{Authority, Folder, handshake, memory, options};

#[tokio::test]
#[ignore = "run by the test below"]
async fn child() {
    let Ok(asked) = std::env::var("QUINTET_KEY_LOG") else { return };
    let key_log = if asked == "yes" { KeyLogging::FromEnvironment } else { KeyLogging::Off };
    let ours = Authority::new("ours");
    let (memory, dial) = memory();
    let mut tls = Tls::new(memory, ours.issue("a.example", 1).config(TlsOptions { key_log, ..options() }));
    let (_server, opened, _client) = handshake(&mut tls, &dial, &Arc::new(ours.client()), "a.example").await;
    opened.unwrap();
}

#[test]
fn keys_are_logged_only_if_that_was_asked_for() {
    let folder = Folder::new();
    for (asked, logged) in [("no", false), ("yes", true)] {
        let file = folder.path(asked);
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored"])
            .env("QUINTET_KEY_LOG", asked)
            .env("SSLKEYLOGFILE", &file)
            .output()
            .unwrap();
        assert!(child.status.success(), "{child:?}");
        let keys = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(keys.contains("SERVER_TRAFFIC_SECRET_0 "), logged, "{asked}: {keys}");
    }
}
