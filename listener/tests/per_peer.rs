//! A limit of connections for each peer: who is counted, what happens beyond it, and that nothing is kept for it.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use quintet_listener::{Addr, Limit, LimitedStream, Listener, Permits, Retry};
use tokio::{
    io::{AsyncReadExt, DuplexStream, duplex},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

/// A network in memory: connections come from wherever a test says.
struct Memory(UnboundedReceiver<(DuplexStream, Addr)>);

impl Listener for Memory {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, Addr)> {
        self.0.recv().await.ok_or_else(|| ErrorKind::NotConnected.into())
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Err(ErrorKind::Unsupported.into())
    }
}

struct Network(UnboundedSender<(DuplexStream, Addr)>);

impl Network {
    fn connect(&self, from: &str) -> DuplexStream {
        let (client, server) = duplex(64);
        assert!(self.0.send((server, from.parse().unwrap())).is_ok(), "the listener is there");
        client
    }
}

fn network() -> (Network, Memory) {
    let (sender, receiver) = unbounded_channel();
    (Network(sender), Memory(receiver))
}

type Accepted = (LimitedStream<DuplexStream>, String);

/// What is accepted without further events.
async fn accept_now(limit: &mut Limit<Memory>) -> Option<Accepted> {
    let (stream, peer) = timeout(Duration::from_millis(1), limit.accept()).await.ok()?.unwrap();
    Some((stream, peer.to_string()))
}

/// Connects from each of these, and says who was accepted.
async fn accepted(network: &Network, limit: &mut Limit<Memory>, peers: &[&str]) -> Vec<(DuplexStream, Accepted)> {
    let clients: Vec<_> = peers.iter().map(|peer| network.connect(peer)).collect();
    let mut accepted = Vec::new();
    for client in clients {
        accepted.extend(accept_now(limit).await.map(|stream| (client, stream)));
    }
    accepted
}

#[tokio::test(start_paused = true)]
async fn a_peer_beyond_its_limit_is_closed_at_once_and_counted() {
    let (network, memory) = network();
    let mut limit = Limit::new(memory, 100).per_peer(2);
    let health = limit.health();
    let held = accepted(&network, &mut limit, &["192.0.2.1:1", "192.0.2.1:2"]).await;
    let mut refused = network.connect("192.0.2.1:3");
    let _other = network.connect("192.0.2.2:1");
    let (_stream, peer) = accept_now(&mut limit).await.unwrap();
    assert_eq!(peer, "192.0.2.2:1", "the third of the first peer is not waited for");
    assert_eq!(refused.read(&mut [0]).await.unwrap(), 0, "closed");
    let snapshot = health.snapshot();
    assert_eq!((snapshot.per_peer, snapshot.peers, snapshot.available), (1, 2, 97));
    assert!(!snapshot.waiting);

    drop(held);
    assert_eq!(accepted(&network, &mut limit, &["192.0.2.1:4"]).await.len(), 1, "there is a place again");
}

#[tokio::test(start_paused = true)]
async fn an_ipv6_peer_is_its_first_64_bits() {
    let (network, memory) = network();
    let mut limit = Limit::new(memory, 100).per_peer(1);
    let peers = ["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:1::1]:1", "[::ffff:192.0.2.1]:1", "192.0.2.1:1"];
    let clients: Vec<_> = peers.iter().map(|peer| network.connect(peer)).collect();
    let mut held = Vec::new();
    while let Some(accepted) = accept_now(&mut limit).await {
        held.push(accepted);
    }
    let from: Vec<_> = held.iter().map(|(_, peer)| peer.as_str()).collect();
    assert_eq!(from, ["[2001:db8::1]:1", "[2001:db8:0:1::1]:1", "[::ffff:192.0.2.1]:1"]);
    assert_eq!((limit.health().snapshot().per_peer, clients.len()), (2, 5));
}

#[tokio::test(start_paused = true)]
async fn a_balancer_can_be_excepted_and_unix_sockets_limited() {
    for (unix, count) in [(false, 6), (true, 4)] {
        let (network, memory) = network();
        let mut limit = Limit::new(memory, 100).except("10.0.0.0/8".parse().unwrap()).per_peer(1);
        if unix {
            limit = limit.limit_unix();
        }
        let peers = ["10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3", "unix:", "unix:", "unix:"];
        let clients: Vec<_> = peers.iter().map(|peer| network.connect(peer)).collect();
        let mut held = Vec::new();
        while let Some(accepted) = accept_now(&mut limit).await {
            held.push(accepted);
        }
        assert_eq!((held.len(), clients.len()), (count, 6));
    }
}

/// The client that waits for a permit has its place already, and keeps it when it is served.
#[tokio::test(start_paused = true)]
async fn a_client_that_waits_for_a_permit_is_counted() {
    let (network, memory) = network();
    let mut limit = Limit::new(memory, 1).per_peer(1);
    let health = limit.health();
    let held = accepted(&network, &mut limit, &["192.0.2.1:1"]).await;
    let _waiting = network.connect("192.0.2.2:1");
    assert!(accept_now(&mut limit).await.is_none());
    let snapshot = health.snapshot();
    assert_eq!((snapshot.waiting, snapshot.available, snapshot.peers), (true, 0, 2));
    drop(held);
    let served = accept_now(&mut limit).await.unwrap();
    assert!(!health.snapshot().waiting);
    let _refused = network.connect("192.0.2.2:2");
    assert!(accept_now(&mut limit).await.is_none());
    assert_eq!(health.snapshot().per_peer, 1);

    let (stream, permit) = served.0.into_parts();
    drop(stream);
    assert_eq!(health.snapshot().peers, 1, "a connection that was taken over is still counted");
    drop(permit);
    assert_eq!(health.snapshot().peers, 0, "nothing is kept of a peer that has gone");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_is_gone_with_the_listener() {
    let (network, memory) = network();
    let permits = Permits::new(1);
    let _held = permits.try_acquire().unwrap();
    let mut limit = Limit::shared(memory, &permits).per_peer(1);
    let health = limit.health();
    let _client = network.connect("192.0.2.1:1");
    assert!(accept_now(&mut limit).await.is_none());
    assert!(health.snapshot().waiting);
    drop(limit);
    let snapshot = health.snapshot();
    assert_eq!((snapshot.waiting, snapshot.peers), (false, 0));
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_per_peer_nothing_is_counted() {
    let (network, memory) = network();
    let mut limit = Limit::new(memory, 100);
    let held = accepted(&network, &mut limit, &["192.0.2.1:1"; 50]).await;
    let snapshot = limit.health().snapshot();
    assert_eq!((held.len(), snapshot.per_peer, snapshot.peers, snapshot.available), (50, 0, 0, 50));
}

/// A flood from one address is closed without a task, a wait, or a place among the permits.
#[tokio::test(start_paused = true)]
async fn a_flood_from_one_peer_keeps_no_other_out() {
    let (network, memory) = network();
    let mut limit = Retry::new(Limit::new(memory, 10).per_peer(3));
    let clients: Vec<_> = (0..10_000).map(|nth| network.connect(&format!("192.0.2.1:{nth}"))).collect();
    let _other = network.connect("192.0.2.2:1");
    let mut peers = Vec::new();
    for _ in 0..4 {
        peers.push(limit.accept().await.unwrap());
    }
    assert_eq!(peers[3].1.to_string(), "192.0.2.2:1");
    assert_eq!(limit.get_ref().health().snapshot().per_peer, clients.len() as u64 - 3);
}
