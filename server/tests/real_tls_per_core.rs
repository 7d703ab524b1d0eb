//! A server over TLS on several threads, each with a listener of its own.
#![cfg(all(feature = "ring", unix))]
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;
mod tls_kit;

use std::{num::NonZeroUsize, sync::Mutex, thread, time::Duration};

use quintet_server::{Request, ServeError, Server};
use support::bounded;
use tls_kit::{Site, connect, get};
use tokio::{net::TcpStream, time::sleep};

const THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

#[tokio::test]
async fn a_session_of_one_core_is_resumed_on_the_other() {
    bounded(async {
        let site = Site::new();
        let seen = Mutex::new(Vec::new());
        let server = Server::new(move |request: Request| {
            let resumed = request.tls().is_some_and(|tls| tls.did_resume);
            seen.lock().unwrap().push((thread::current().id(), resumed));
            let seen = seen.lock().unwrap();
            let is_on_other = seen.iter().any(|(thread, resumed)| *resumed && *thread != seen[0].0);
            let text = format!("{resumed} {is_on_other}");
            async move { text }
        });
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let addr = format!("127.0.0.1:{port}");
        let (own, at, config) = (server.clone(), addr.clone(), site.config(None));
        let serving = thread::spawn(move || own.serve_per_core_tls(&at, THREADS, config));
        while TcpStream::connect(&addr).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }

        // The first handshake is a full one, and every later one is resumed, whichever thread the kernel chooses.
        let client = site.client(None);
        let mut expected = "false";
        loop {
            let stream = TcpStream::connect(&addr).await.unwrap();
            let mut stream = connect(stream, &client, "a.example").await.unwrap();
            let (status, text) = get(&mut stream, "a.example").await;
            let (resumed, is_on_other) = text.split_once(' ').unwrap();
            assert_eq!((status, resumed), (200, expected));
            expected = "true";
            if is_on_other == "true" {
                break;
            }
        }

        server.close().await;
        let ended = tokio::task::spawn_blocking(|| serving.join().unwrap()).await.unwrap();
        ended.unwrap();
        let again = server.serve_per_core_tls(&addr, THREADS, site.config(None));
        assert!(matches!(again, Err(ServeError::Closed)), "{again:?}");
    })
    .await;
}
