//! Clients that read, stall, reset and half-close as they like.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use quintet_listener::testing::ResetHandle;
use quintet_server::Timeouts;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf},
    task::{JoinHandle, yield_now},
    time::{Instant, sleep},
};

use super::{
    paused,
    replies::{Ending, check},
    world::World,
};

/// What clients say, whole; `#` stands for the connection's name.
const WORDS: [&str; 40] = [
    "GET / HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\n\r\n",
    "GET / HTTP/1.0\r\nX-Conn: #\r\n\r\n",
    "GET /slow HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\n\r\n",
    "GET /wait HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\n\r\n",
    "GET /pieces HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\n\r\n",
    "GET /pieces HTTP/1.0\r\nX-Conn: #\r\n\r\n",
    "GET /large HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\n\r\n",
    "GET /nothing HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\n\r\n",
    "GET /close HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\n\r\n",
    "GET /panic HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\n\r\n",
    "GET /upgrade HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nContent-Length: 9\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST /typed HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nContent-Length: 100000\r\n\r\n",
    "POST /collect HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nContent-Length: 9\r\n\r\n",
    "POST /collect HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST /collect HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    "POST /first HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nContent-Length: 18\r\n\r\n",
    "POST /keep HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nContent-Length: 9\r\n\r\n",
    "POST /keep HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST /spawn HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nContent-Length: 18\r\n\r\n",
    "POST /spawned HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST /impatient HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nContent-Length: 9\r\n\r\n",
    "POST /panic-late HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nContent-Length: 9\r\n\r\n",
    "POST /deadlines HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nContent-Length: 18\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nContent-Length: 9\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nContent-Length: 100000\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nContent-Length: 300000\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    "PUT /echo HTTP/1.1\r\nHost: a\r\nX-Conn: #\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
    "nonsense\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Conn: #\r\n\r\n",
    "123456789",
    "9\r\n123456789\r\n",
    "1\r\nx\r\n1\r\ny\r\n",
    "0\r\n\r\n",
    "0\r\nX-T: 1\r\n\r\n",
];

const SIZES: [usize; 8] = [1, 2, 7, 30, 100, 1000, 10_000, 100_000];
const WAITS: [u64; 8] = [1, 100, 260, 1000, 5300, 11_000, 31_000, 80_000];
const PIPES: [usize; 4] = [16, 300, 4096, 65_536];
const GRACE_PERIOD: [u64; 4] = [0, 100, 5000, 100_000];

struct Peer {
    name: usize,
    io: DuplexStream,
    reset: ResetHandle,
    /// What is to be said.
    words: Vec<u8>,
    heard: Vec<u8>,
    ended: bool,
}

impl Peer {
    /// Writes some of its words, as far as that goes without waiting.
    async fn write(&mut self, n: usize) {
        let n = n.min(self.words.len());
        let mut io = Pin::new(&mut self.io);
        let written = poll_fn(|cx| Poll::Ready(io.as_mut().poll_write(cx, &self.words[..n]))).await;
        if let Poll::Ready(Ok(n)) = written {
            self.words.drain(..n);
        }
    }

    /// Reads at most this much of what is here; `false` at the end or if nothing is here.
    async fn read(&mut self, n: usize) -> bool {
        let mut bytes = vec![0; n];
        let mut buffer = ReadBuf::new(&mut bytes);
        let mut io = Pin::new(&mut self.io);
        let read = poll_fn(|cx| Poll::Ready(io.as_mut().poll_read(cx, &mut buffer))).await;
        self.heard.extend_from_slice(buffer.filled());
        if let Poll::Ready(done) = read {
            self.ended |= done.is_err() || buffer.filled().is_empty();
        }
        !buffer.filled().is_empty()
    }
}

/// Clients that write, read, stall, half-close, reset and vanish, and a server that may be shut down meanwhile: what
/// each of them was told is right as far as it goes, every state is left, no task works for ever, and a shutdown returns
/// when it said.
///
/// Two bytes are an order and its argument; the upper bits of the order say whose it is.
pub fn scripted_peer(data: &[u8]) {
    script(data, Timeouts::default());
}

/// The same without a time limit: when the clients are gone, everything comes to rest by itself. What only a limit
/// would end is a wake-up that was lost.
pub fn liveness(data: &[u8]) {
    script(data, Timeouts::none());
}

fn script(data: &[u8], timeouts: Timeouts) {
    paused(async {
        let world = World::with(timeouts);
        let mut peers: Vec<Option<Peer>> = (0..4).map(|_| None).collect();
        let (mut names, mut shutdown) = (0, None);
        for pair in data.chunks_exact(2).take(200) {
            let (order, arg) = (pair[0] & 15, usize::from(pair[1]));
            let place = usize::from(pair[0] >> 4) % peers.len();
            let Some(peer) = &mut peers[place] else {
                names += 1;
                let (io, reset) = world.connect(PIPES[arg % PIPES.len()]);
                peers[place] = Some(Peer { name: names, io, reset, words: vec![], heard: vec![], ended: false });
                continue;
            };
            match order {
                0..=4 => {
                    let words = WORDS[arg % WORDS.len()].replace('#', &peer.name.to_string());
                    peer.words.extend(words.bytes());
                    peer.write(usize::MAX).await;
                }
                5 => peer.write(SIZES[arg % SIZES.len()]).await,
                6 => peer.words.extend(std::iter::repeat_n(b'z', SIZES[arg % SIZES.len()])),
                7 | 8 => {
                    peer.read(SIZES[arg % SIZES.len()]).await;
                }
                9 => while peer.read(1 << 16).await {},
                10 | 11 => sleep(Duration::from_millis(WAITS[arg % WAITS.len()])).await,
                12 => {
                    let _ = peer.io.shutdown().await;
                }
                13 => {
                    if arg % 2 == 0 {
                        peer.reset.reset();
                    }
                    part(&world, peers[place].take());
                }
                14 if arg % 16 == 0 && shutdown.is_none() => {
                    shutdown = Some(stop(&world, GRACE_PERIOD[arg / 16 % GRACE_PERIOD.len()]));
                }
                _ => {
                    for _ in 0..arg % 16 {
                        yield_now().await;
                    }
                }
            }
        }
        peers.into_iter().for_each(|peer| part(&world, peer));
        if let Some(shutdown) = shutdown {
            shutdown.await.expect("a shutdown does not panic");
        }
        world.end().await;
    });
}

/// A client goes; what it was told is looked at.
fn part(world: &World, peer: Option<Peer>) {
    let Some(peer) = peer else { return };
    let mut calls = world.calls();
    calls.retain(|call| call.conn == peer.name.to_string());
    check(&peer.heard, &calls, Ending::Anywhere);
}

pub(super) fn stop(world: &World, grace_period: u64) -> JoinHandle<()> {
    let (server, grace_period) = (world.server.clone(), Duration::from_millis(grace_period));
    tokio::spawn(async move {
        let since = Instant::now();
        server.shutdown(grace_period).await;
        let took = since.elapsed();
        assert!(took <= grace_period + Duration::from_millis(100), "{took:?} instead of {grace_period:?}");
        assert_eq!(server.counts().total(), 0, "a connection is left after a shutdown");
    })
}
