//! The states of a connection, from the state hook and from `Server::counts`. The sequences are those of Go's
//! `TestServerConnState`.

mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use quintet_server::{
    Listener, Request, Response, ServeMux, Server,
    conn::{Counts, State},
    listen,
    listener::{Addr, Limit},
};
use support::{Dial, bounded, eventually, in_memory};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::sleep,
};

use State::{Active, Closed, Hijacked, Idle, New};

/// A server whose state hook records every change.
struct Watched {
    server: Server<ServeMux>,
    dial: Dial,
    moves: Arc<Mutex<Vec<(State, State)>>>,
    /// Lets the handler of `/wait` finish.
    answer: Arc<Notify>,
}

impl Watched {
    fn start() -> Self {
        let answer = Arc::new(Notify::new());
        let waits = Arc::clone(&answer);
        let mux = ServeMux::new();
        mux.handle("/{$}", async |_| "hello\n");
        mux.handle("/close", async |_| Response::new("bye\n").with_header("connection", "close"));
        mux.handle("/wait", move |_| {
            let waits = Arc::clone(&waits);
            async move { waits.notified().await }
        });
        mux.handle("/hijack", async |_| {
            Response::upgrade(http::StatusCode::SWITCHING_PROTOCOLS, |mut upgraded| async move {
                // The takeover holds the connection until the client closes it.
                let _ = tokio::io::copy(&mut upgraded.io, &mut tokio::io::sink()).await;
            })
            .with_header("upgrade", "x")
        });
        mux.handle("/hijack-panic", async |_| {
            Response::upgrade(http::StatusCode::SWITCHING_PROTOCOLS, |_| async move { panic!("as asked") })
                .with_header("upgrade", "x")
        });
        mux.handle("/panic", async |_: Request| -> &'static str { panic!("as asked") });

        let moves = Arc::<Mutex<Vec<_>>>::default();
        let seen = Arc::clone(&moves);
        let mut config = support::config();
        config.hooks.state = Some(Arc::new(move |_, from, to| seen.lock().expect("no panic").push((from, to))));
        let server = Server::with_config(mux, config);
        let (dial, _) = in_memory(&server);
        Self { server, dial, moves, answer }
    }

    /// The states of the only connection so far. Asserts that each change begins with the state of the last one.
    fn states(&self) -> Vec<State> {
        let moves = self.moves.lock().expect("no panic");
        if let Some(first) = moves.first() {
            assert_eq!(*first, (New, New), "a connection begins");
        }
        for pair in moves.windows(2) {
            assert_eq!(pair[0].1, pair[1].0, "{moves:?}");
        }
        moves.iter().map(|(_, to)| *to).collect()
    }

    async fn ended(&self, expected: &[State]) {
        eventually(&format!("{expected:?}"), || self.states() == expected).await;
        eventually("no connection is counted", || self.server.counts() == Counts::default()).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(self.states(), expected, "nothing comes after the end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_keep_alive_connection_is_idle_between_requests() {
    bounded(async {
        let watched = Watched::start();
        let mut client = watched.dial.connect();
        assert_eq!(client.fetch("/").await.status, 200);
        assert!(client.fetch("/close").await.is_last());
        drop(client);
        watched.ended(&[New, Active, Idle, Active, Closed]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_first_reply_is_the_last_is_never_idle() {
    bounded(async {
        let watched = Watched::start();
        let mut client = watched.dial.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(client.reply().await.is_last());
        assert!(client.ends().await);
        watched.ended(&[New, Active, Closed]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_taken_over_ends_hijacked() {
    bounded(async {
        let watched = Watched::start();
        let mut client = watched.dial.connect();
        client.get_upgrade("/hijack").await;
        assert_eq!(client.head().await.unwrap().0, 101);
        eventually("counted", || watched.server.counts() == Counts { hijacked: 1, ..Counts::default() }).await;
        drop(client);
        watched.ended(&[New, Active, Hijacked]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_stays_hijacked_after_a_panic() {
    bounded(async {
        let watched = Watched::start();
        let mut client = watched.dial.connect();
        client.get_upgrade("/hijack-panic").await;
        assert_eq!(client.head().await.unwrap().0, 101);
        assert!(client.ends().await);
        watched.ended(&[New, Active, Hijacked]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_new_and_then_closed() {
    bounded(async {
        let watched = Watched::start();
        let client = watched.dial.connect();
        eventually("counted", || watched.server.counts() == Counts { new: 1, ..Counts::default() }).await;
        drop(client);
        watched.ended(&[New, Closed]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_was_active() {
    bounded(async {
        let watched = Watched::start();
        let mut client = watched.dial.connect();
        client.send("BOGUS REQUEST\r\n\r\n").await;
        assert_eq!(client.reply().await.status, 400);
        drop(client);
        watched.ended(&[New, Active, Closed]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_its_client_closes_is_closed() {
    bounded(async {
        let watched = Watched::start();
        let mut client = watched.dial.connect();
        assert_eq!(client.fetch("/").await.status, 200);
        eventually("counted", || watched.server.counts() == Counts { idle: 1, ..Counts::default() }).await;
        drop(client);
        watched.ended(&[New, Active, Idle, Closed]).await;
    })
    .await;
}

/// In Go a connection becomes active only when the whole head was read.
#[tokio::test(start_paused = true)]
async fn the_first_byte_of_a_request_makes_a_connection_active() {
    bounded(async {
        let watched = Watched::start();
        let mut client = watched.dial.connect();
        client.send("G").await;
        eventually("counted", || watched.server.counts() == Counts { active: 1, ..Counts::default() }).await;
        client.send("ET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.reply().await.status, 200);
        client.send("G").await;
        eventually("counted", || watched.server.counts() == Counts { active: 1, ..Counts::default() }).await;
        drop(client);
        watched.ended(&[New, Active, Idle, Active, Closed]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_not_idle_between_pipelined_requests() {
    bounded(async {
        let watched = Watched::start();
        let mut client = watched.dial.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3)).await;
        for _ in 0..3 {
            assert_eq!(client.reply().await.status, 200);
        }
        drop(client);
        watched.ended(&[New, Active, Idle, Closed]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_active_while_its_handler_runs() {
    bounded(async {
        let watched = Watched::start();
        let mut clients = [watched.dial.connect(), watched.dial.connect(), watched.dial.connect()];
        for client in &mut clients {
            client.get("/wait").await;
        }
        eventually("counted", || watched.server.counts() == Counts { active: 3, ..Counts::default() }).await;
        watched.answer.notify_one();
        eventually("counted", || watched.server.counts() == Counts { active: 2, idle: 1, ..Counts::default() }).await;
        watched.answer.notify_waiters();
        eventually("counted", || watched.server.counts() == Counts { idle: 3, ..Counts::default() }).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_closed_by_a_panic() {
    bounded(async {
        let watched = Watched::start();
        let mut client = watched.dial.connect();
        assert!(client.fetch("/panic").await.is_last());
        drop(client);
        watched.ended(&[New, Active, Closed]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_state_hook_is_given_both_addresses() {
    bounded(async {
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let hook = Arc::clone(&seen);
        let mut config = support::config();
        config.hooks.state = Some(Arc::new(move |connection, _, to| {
            let ends = (connection.peer_addr().clone(), connection.local_addr().cloned(), connection.state());
            assert_eq!(ends.2, to, "the state is set before the hook is told");
            hook.lock().expect("no panic").push(ends);
        }));
        let server = Server::with_config(async |_| "hello\n", config);
        let (addr, _) = support::on_loopback(&server);
        let mut client = support::dial(&addr).await;
        assert_eq!(client.fetch("/").await.status, 200);
        let peer = client.io.local_addr().unwrap().into();
        let seen = seen.lock().unwrap();
        assert!(seen.len() >= 2);
        assert!(seen.iter().all(|(from, to, _)| *from == peer && to.as_ref().unwrap().to_string() == addr));
    })
    .await;
}

/// Serves an address and connects to it by `connect`. Returns the local address that the hook, the handler, and a handle
/// kept after the reply saw, and the address of the listener.
async fn local_addrs<L: Listener, C: AsyncRead + AsyncWrite + Unpin>(
    listener: L,
    connect: impl AsyncFnOnce(&Addr) -> std::io::Result<C>,
) -> (Addr, Vec<Option<Addr>>, C) {
    let seen = Arc::<Mutex<Vec<_>>>::default();
    let hook = Arc::clone(&seen);
    let mut config = support::config();
    config.hooks.state =
        Some(Arc::new(move |connection, _, _| hook.lock().expect("no panic").push(connection.local_addr().cloned())));
    let handled = Arc::clone(&seen);
    let server = Server::with_config(
        move |request: Request| {
            let local = request.connection().and_then(|connection| connection.local_addr().cloned());
            handled.lock().expect("no panic").push(local);
            async { "hello\n" }
        },
        config,
    );
    let bound = listener.local_addr().expect("its address");
    let serving = tokio::spawn(async move { server.serve(listener).await });
    let mut client = support::Client::new(connect(&bound).await.expect("a connection"));
    for _ in 0..2 {
        assert_eq!(client.fetch("/").await.status, 200);
    }
    serving.abort();
    let seen = seen.lock().expect("no panic").clone();
    assert!(seen.len() >= 5, "the hook and both requests: {seen:?}");
    (bound, seen, client.io)
}

#[tokio::test]
async fn the_local_addr_is_the_connections_under_a_wildcard() {
    bounded(async {
        let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
        let table = [
            // where the server listens, and where the client connects to
            ("127.0.0.1:0", "127.0.0.1"),
            ("0.0.0.0:0", "127.0.0.1"),
            #[cfg(target_os = "linux")]
            ("0.0.0.0:0", "127.1.2.3"),
            ("[::1]:0", "::1"),
            ("[::]:0", "::1"),
            ("[::]:0", "127.0.0.1"), // not ::ffff:127.0.0.1
        ];
        for (listens, dials) in table {
            let ip: std::net::IpAddr = dials.parse().expect("an IP address");
            if listens.contains('[') && !has_ipv6 {
                continue;
            }
            let connect = async |bound: &Addr| tokio::net::TcpStream::connect((ip, bound.port().expect("TCP"))).await;
            let limit = Limit::new(listen(listens).expect("a free port"), 10);
            let one = local_addrs(limit, connect).await;
            let (bound, seen, client) = local_addrs(listen(listens).expect("a free port"), connect).await;
            for (bound, seen, client) in [one, (bound, seen, client)] {
                let expected = Addr::from(client.peer_addr().expect("where it connected to"));
                assert_eq!(expected.ip(), Some(ip));
                assert_eq!(expected.port(), bound.port());
                assert!(seen.iter().all(|local| local.as_ref() == Some(&expected)), "{listens} {dials}: {seen:?}");
            }
        }
    })
    .await;
}

#[cfg(unix)]
#[tokio::test]
async fn the_local_addr_of_a_unix_socket_is_the_listeners() {
    bounded(async {
        let folder = std::env::temp_dir().join(format!("quintet-server-local-addr-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let listener = listen(&format!("unix:{}", folder.join("socket").display())).expect("a socket");
        let connect = async |bound: &Addr| tokio::net::UnixStream::connect(bound.path().expect("a file")).await;
        let (bound, seen, _client) = local_addrs(listener, connect).await;
        assert_eq!(bound.path(), Some(folder.join("socket").as_path()));
        assert!(seen.iter().all(|local| local.as_ref() == Some(&bound)), "{seen:?}");
        std::fs::remove_dir_all(&folder).expect("the folder is removed");
    })
    .await;
}
