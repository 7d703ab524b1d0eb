//! Values for a connection and for a listener, made by hooks at accept. Go: `Server.ConnContext`, `Server.BaseContext`.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use quintet_server::{Config, Hooks, Request, Server};
use support::{bounded, config, in_memory};

mod support;

/// The value of a connection: its number, and the count of its requests.
struct Visit {
    number: usize,
    requests: AtomicUsize,
}

/// The value of a listener: its purpose.
struct Purpose(&'static str);

async fn tell(request: Request) -> String {
    let connection = request.connection().expect("it came by a server");
    let visit = connection.value::<Visit>().map(|visit| (visit.number, visit.requests.fetch_add(1, Relaxed) + 1));
    let purpose = connection.value::<Purpose>().map(|purpose| purpose.0);
    format!("{visit:?} {purpose:?} {:?}", connection.value::<u8>())
}

fn hooks() -> Hooks {
    let count = AtomicUsize::new(0);
    Hooks {
        conn_context: Some(Arc::new(move |connection| {
            assert_eq!(connection.peer_addr().to_string(), "unix:");
            Arc::new(Visit { number: count.fetch_add(1, Relaxed) + 1, requests: AtomicUsize::new(0) })
        })),
        base_context: Some(Arc::new(|addr| {
            assert!(addr.is_some());
            Arc::new(Purpose("public"))
        })),
        ..Hooks::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_finds_the_values_of_its_connection_and_listener() {
    bounded(async {
        let server = Server::with_config(tell, Config { hooks: hooks(), ..config() });
        let (dial, _serving) = in_memory(&server);
        let (mut first, mut second) = (dial.connect(), dial.connect());
        assert_eq!(first.fetch("/").await.text(), "Some((1, 1)) Some(\"public\") None");
        assert_eq!(first.fetch("/").await.text(), "Some((1, 2)) Some(\"public\") None");
        assert_eq!(second.fetch("/").await.text(), "Some((2, 1)) Some(\"public\") None");
        assert_eq!(server.hook_failures().panics, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_value_is_dropped_with_its_connection() {
    bounded(async {
        let value = Arc::new(7_u8);
        let given = Arc::clone(&value);
        let hooks = Hooks { conn_context: Some(Arc::new(move |_| given.clone())), ..Hooks::default() };
        let server = Server::with_config(tell, Config { hooks, ..config() });
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect();
        assert_eq!(client.fetch("/").await.text(), "None None Some(7)");
        assert_eq!(Arc::strong_count(&value), 3);
        client.finish().await;
        assert!(client.ends().await);
        support::eventually("the connection ends", || server.counts().total() == 0).await;
        assert_eq!(Arc::strong_count(&value), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_context_hook_that_panics_leaves_no_value_and_ends_nothing() {
    bounded(async {
        let hooks = Hooks {
            conn_context: Some(Arc::new(|_| panic!("conn_context"))),
            base_context: Some(Arc::new(|_| panic!("base_context"))),
            ..Hooks::default()
        };
        let server = Server::with_config(tell, Config { hooks, ..config() });
        let (dial, _serving) = in_memory(&server);
        for panics in [2, 3] {
            assert_eq!(dial.connect().fetch("/").await.text(), "None None None");
            assert_eq!(server.hook_failures().panics, panics);
        }
    })
    .await;
}
