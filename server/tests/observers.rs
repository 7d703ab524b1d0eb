//! The handles that a request, a hook and a takeover give out only observe: no public function leads from them to the
//! registry of the connections, or to the guard of one.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use quintet_conn::Connections;
use quintet_server::{Request, ShutdownReport, Timeouts, conn::State};
use support::bounded;

mod support;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the server's folder is in the workspace")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

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

/// The public declarations of a source: items up to their body, fields up to their end.
fn public(source: &str) -> Vec<String> {
    let code: Vec<&str> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut items = Vec::new();
    for (at, _) in code.match_indices("pub ") {
        let item = &code[at..];
        let first = item["pub ".len()..].split([' ', '\n']).next().unwrap_or_default();
        let end = if first.ends_with(':') { item.find(",\n") } else { item.find([';', '{']) };
        items.push(item[..end.unwrap_or(item.len())].split_whitespace().collect::<Vec<_>>().join(" "));
    }
    items
}

#[test]
fn a_connection_only_observes_and_waits() {
    let source = read(&root().join("conn/src/io/connection.rs"));
    let mut names: Vec<String> = public(&source)
        .iter()
        .filter_map(|item| item.split("fn ").nth(1)?.split(['(', '<']).next().map(str::to_owned))
        .collect();
    names.sort_unstable();
    let look = ["age", "is_lingering", "is_retiring", "is_stopping", "local_addr", "peer_addr"];
    let mut allowed = [&look[..], &["slot", "state", "close_reason", "value"], &["stopping"]].concat();
    allowed.extend(["hosts", "negotiated_protocol", "retirement", "seed", "socket_peer_addr", "tls", "unique_id"]);
    allowed.extend(["id", "is_multiplexed", "is_proxied", "timeouts"]);
    allowed.sort_unstable();
    assert_eq!(names, allowed);
    let fields = source.split("pub struct Connection {").nth(1).and_then(|rest| rest.split("\n}").next());
    assert!(!fields.expect("the struct").contains("pub "), "a field of it is public");
}

#[test]
fn no_public_signature_above_conn_names_the_registry_or_a_guard() {
    let mut looked = 0;
    for layer in ["request", "mux", "server"] {
        for file in sources(&root().join(layer).join("src")) {
            if file.ends_with("owner_only.rs") {
                continue;
            }
            for item in public(&read(&file)) {
                let words: Vec<&str> = item.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
                let found = ["Connections", "ConnGuard"].iter().find(|name| words.contains(name));
                assert_eq!(found, None, "{}: {item}", file.display());
                looked += 1;
            }
        }
    }
    assert!(looked > 400, "only {looked} public items were found");
}

#[test]
fn the_public_items_of_a_source_are_found() {
    let source = "pub struct A {\n    pub x: Arc<Connections>,\n    y: u8,\n}\n// pub fn no()\npub fn f(\n    a: u8,\n) -> \
                  ConnGuard {\n    1\n}\npub(crate) fn g() {}\n";
    assert_eq!(public(source), ["pub struct A", "pub x: Arc<Connections>", "pub fn f( a: u8, ) -> ConnGuard"]);
}

#[tokio::test(start_paused = true)]
async fn a_registry_made_by_a_handler_ends_no_connection() {
    bounded(async {
        let kept = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&kept);
        let server = support::server(move |request: Request| {
            let connection = Arc::clone(request.connection().expect("a connection"));
            let (own, _sweeper) = Connections::new(Timeouts::default(), None, None);
            own.retire(&connection);
            own.close_if_idle(&connection);
            own.abort();
            *keep.lock().expect("no panic") = Some(Arc::clone(&connection));
            let ending = connection.is_retiring() || connection.is_stopping();
            async move { format!("{:?} {ending}\n", connection.state()) }
        });
        let (dial, _serving) = support::in_memory(&server);
        let (mut client, mut other) = (dial.connect(), dial.connect());
        for _ in 0..3 {
            for client in [&mut client, &mut other] {
                let reply = client.fetch("/").await;
                assert_eq!((reply.status, reply.is_last()), (200, false));
                assert_eq!(reply.body, b"Active false\n");
            }
        }
        // A kept handle keeps no connection open, and shows how its connection ended.
        drop((client, other));
        assert_eq!(server.shutdown(std::time::Duration::from_secs(5)).await, ShutdownReport { drained: 2, aborted: 0 });
        let kept = kept.lock().expect("no panic").take().expect("it was kept");
        assert_eq!(kept.state(), State::Closed);
    })
    .await;
}
