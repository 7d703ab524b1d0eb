//! Helpers of the tests: connections under a paused clock, with pipes or scripted streams as clients.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test binary uses its part")]

use std::{future::Future, sync::Arc, time::Duration};

use quintet_conn::{ConnGuard, Connection, Connections, StateHook, Timeouts, Wire};
use quintet_listener::Addr;
pub use quintet_listener::testing::{
    CountingWaker as Bell, IoStep as Step, ScriptedPeer as Peer, ScriptedStream as Script, poll_once,
};
use tokio::{io::DuplexStream, time::Instant};

/// The address of a client in memory, which has none.
pub fn addr() -> Addr {
    "192.0.2.1:54321".parse().expect("an address")
}

/// Connections whose sweeper runs.
pub fn connections(timeouts: Timeouts) -> Arc<Connections> {
    hooked(timeouts, None)
}

/// As [`connections`], with a state hook.
pub fn hooked(timeouts: Timeouts, hook: Option<StateHook>) -> Arc<Connections> {
    let (connections, sweeper) = Connections::new(timeouts, None, hook);
    tokio::spawn(sweeper);
    connections
}

/// A connection whose client is the other end of a pipe of `size` bytes.
pub fn piped(connections: &Arc<Connections>, size: usize) -> (ConnGuard, Wire<DuplexStream>, DuplexStream) {
    let (ours, client) = tokio::io::duplex(size);
    let (connection, wire) = connections.admit(ours, addr());
    (connection, wire, client)
}

/// A connection whose client is a script.
pub fn scripted(connections: &Arc<Connections>) -> (ConnGuard, Wire<Script>, Peer) {
    let (script, peer) = Script::new();
    let (connection, wire) = connections.admit(script, addr());
    (connection, wire, peer)
}

/// The default timeouts: no two are the same, so that a test sees which one ended a wait.
pub fn limits() -> Timeouts {
    Timeouts::default()
}

/// Awaits a future that must end `limit` from now: not earlier, and at most half a second later.
pub async fn ends_after<T>(limit: Duration, wait: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let outcome = tokio::time::timeout(limit + Duration::from_secs(600), wait).await.expect("it never ends");
    let took = start.elapsed();
    assert!(took >= limit, "{took:?} is earlier than {limit:?}");
    assert!(took <= limit + Duration::from_millis(500), "{took:?} is more than half a second later than {limit:?}");
    outcome
}

/// A kept handle, for a test that drops the guard.
pub fn connection_of(tracked: &ConnGuard) -> Arc<Connection> {
    Arc::clone(tracked)
}
