//! The access log of a server without hooks, which notes only the parts of a head that a line names: its lines are those of a
//! server that notes the whole head.

#[cfg(feature = "http2")]
mod http2_kit;
mod served_kit;
mod support;

use std::{path::PathBuf, sync::Arc, time::Duration};

use quintet_server::{AccessLog, Config, Hooks};
use serde_json::Value;
use served_kit::mux;
use support::{bounded, in_memory};
use tokio::time::sleep;

struct LogFile(PathBuf);

impl Drop for LogFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The lines of requests of both protocols, without what differs from run to run.
async fn lines(name: &str, hooks: Hooks) -> Vec<Value> {
    let file = LogFile(std::env::temp_dir().join(format!("quintet-{name}-{}.log", std::process::id())));
    let log = AccessLog::open(&file.0).expect("a log file");
    #[allow(unused_mut, reason = "a feature changes it")]
    let mut config = Config { access_log: Some(log.clone()), hooks, ..Config::default() };
    #[cfg(feature = "http2")]
    {
        config.protocols.unencrypted_http2 = true;
    }
    let server = quintet_server::Server::with_config(mux(), config);
    let (dial, serving) = in_memory(&server);
    for cookie in [0, 10, 900, 20_000] {
        let mut client = dial.connect();
        let fields =
            format!("Host: a.example\r\nuser-agent: b/1\r\nCookie: {}\r\nReferer: c\"\r\n\r\n", "x".repeat(cookie));
        client.send(format!("GET /later?{cookie} HTTP/1.1\r\n{fields}GET /nowhere HTTP/1.1\r\n{fields}")).await;
        for _ in 0..2 {
            client.try_reply().await.expect("a reply");
        }
        client.send("GET / HTTP/1.1\r\n\r\n").await; // refused
        client.try_reply().await.expect("a reply");
    }
    #[cfg(feature = "http2")]
    for cookie in [0, 900, 12_000] {
        let mut client = http2_kit::connect(&dial).await;
        let mut head = http2_kit::request("GET", "/later");
        for (name, value) in
            [("user-agent", "b/1".to_owned()), ("cookie", "x".repeat(cookie)), ("referer", "c".to_owned())]
        {
            head.headers_mut().insert(name, value.parse().expect("a value"));
        }
        let (reply, _) = client.open(head, true).await;
        http2_kit::read(reply).await.expect("a reply");
        sleep(Duration::from_millis(10)).await;
    }
    sleep(Duration::from_millis(10)).await;
    serving.abort();
    tokio::task::spawn_blocking(move || assert!(log.flush(Duration::from_secs(60)))).await.expect("no panic");
    let text = std::fs::read_to_string(&file.0).expect("a log");
    let line = |line| {
        let mut line: Value = serde_json::from_str(line).expect("a whole line of JSON");
        let fields = line.as_object_mut().expect("an object");
        for volatile in ["time", "port", "time_to_first_byte_us", "duration_us"] {
            fields.remove(volatile);
        }
        line
    };
    text.lines().map(line).collect()
}

#[tokio::test(start_paused = true)]
async fn a_log_alone_has_the_lines_of_a_log_beside_a_hook() {
    bounded(async {
        let beside = lines("beside", Hooks { served: Some(Arc::new(|_| {})), ..Hooks::default() }).await;
        let alone = lines("alone", Hooks::default()).await;
        assert_eq!(alone, beside);
        assert_eq!(alone.len(), if cfg!(feature = "http2") { 15 } else { 12 });
        for line in &alone[..12] {
            let is_refused = line["outcome"] == "refused";
            assert_eq!(line["host"] == "a.example", !is_refused, "{line}");
            assert_eq!((line["user_agent"] == "b/1", line["referer"] == "c\""), (!is_refused, !is_refused), "{line}");
            assert_eq!(line["pattern"].is_string(), line["target"].as_str().is_some_and(|it| it.starts_with("/later")));
        }
        for line in &alone[12..] {
            assert_eq!((&line["version"], &line["user_agent"]), (&"HTTP/2.0".into(), &"b/1".into()), "{line}");
            assert_eq!((&line["host"], &line["referer"]), (&"a.example".into(), &"c".into()), "{line}");
        }
    })
    .await;
}
