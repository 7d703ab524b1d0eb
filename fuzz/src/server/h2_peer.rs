//! Clients of HTTP/2 that send frames, stall, reset and half-close as they like.

use std::{collections::BTreeMap, future::poll_fn, pin::Pin, task::Poll, time::Duration};

use quintet_listener::testing::ResetHandle;
use quintet_server::Timeouts;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf},
    task::{JoinHandle, yield_now},
    time::sleep,
};

use super::{
    frames::{self, Frame, FrameReader},
    paused,
    peer::stop,
    world::World,
};

/// What a client asks for: method, path, whether the request ends with its head, and more fields.
type Asked = (&'static str, &'static str, bool, &'static [(&'static str, &'static str)]);

const REQUESTS: [Asked; 28] = [
    ("GET", "/", true, &[]),
    ("HEAD", "/large", true, &[]),
    ("GET", "/slow", true, &[]),
    ("GET", "/wait", true, &[]),
    ("GET", "/pieces", true, &[]),
    ("GET", "/large", true, &[]),
    ("GET", "/nothing", true, &[]),
    ("GET", "/close", true, &[]),
    ("GET", "/panic", true, &[]),
    ("GET", "/upgrade", true, &[]),
    ("OPTIONS", "*", true, &[]),
    ("POST", "/echo", false, &[]),
    ("POST", "/echo", false, &[("content-length", "9")]),
    ("POST", "/typed", false, &[]),
    ("POST", "/collect", false, &[("content-length", "9")]),
    ("POST", "/collect", false, &[("expect", "100-continue")]),
    ("POST", "/first", false, &[]),
    ("POST", "/keep", false, &[]),
    ("POST", "/spawn", false, &[]),
    ("POST", "/spawned", false, &[]),
    ("POST", "/impatient", false, &[]),
    ("POST", "/panic-late", false, &[]),
    ("POST", "/deadlines", false, &[]),
    ("POST", "/", false, &[]),
    ("GET", "/%zz", true, &[]),
    ("GET", "/", true, &[("host", "b")]),
    ("GET", "/", true, &[("connection", "close")]),
    ("GET", "/", true, &[("cookie", "a=b"), ("cookie", "c=d")]),
];

const SIZES: [usize; 8] = [0, 1, 9, 30, 100, 1000, 10_000, 16_384];
const READS: [usize; 4] = [1, 30, 1000, 100_000];
const WAITS: [u64; 8] = [1, 100, 260, 1000, 5300, 11_000, 31_000, 80_000];
const PIPES: [usize; 4] = [16, 300, 4096, 65_536];
const GRACE_PERIOD: [u64; 4] = [0, 100, 5000, 100_000];
const UPDATES: [u32; 4] = [1, 1000, 100_000, (1 << 31) - 1];
const WINDOWS: [u32; 4] = [0, 1, 65_535, (1 << 31) - 1];
const CODES: [u32; 4] = [frames::NO_ERROR, frames::CANCEL, frames::PROTOCOL_ERROR, 0xff];

struct Peer {
    name: usize,
    io: DuplexStream,
    reset: ResetHandle,
    reader: FrameReader,
    /// What is to be sent.
    words: Vec<u8>,
    heard: bool,
    refused: bool,
    next: u32,
    /// The number of the call that each reply names.
    replies: BTreeMap<u32, usize>,
}

impl Peer {
    fn new(world: &World, name: usize, size: usize) -> Self {
        let (io, reset) = world.connect(size);
        let words = frames::hello();
        let (reader, replies) = (FrameReader::new(), BTreeMap::new());
        Self { name, io, reset, reader, words, heard: false, refused: false, next: 1, replies }
    }

    /// One of the streams that were opened.
    fn stream(&self, arg: usize) -> u32 {
        let opened = self.next / 2;
        // The last ones: those before are mostly closed.
        self.next.saturating_sub(2 * (1 + u32::try_from(arg).unwrap_or(0) % opened.clamp(1, 4)))
    }

    fn open(&mut self, arg: usize) {
        let (method, path, end, more) = REQUESTS[arg % REQUESTS.len()];
        let name = format!("{}-{}", self.name, self.next);
        let head = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a"), ("x-conn", &name)];
        let flags = if end { frames::END_STREAM } else { 0 };
        self.words.extend(frames::headers(self.next, flags, &[&head[..], more].concat()));
        self.next += 2;
    }

    /// Writes some of its frames, as far as that goes without waiting.
    async fn write(&mut self, n: usize) {
        let n = n.min(self.words.len());
        let mut io = Pin::new(&mut self.io);
        let written = poll_fn(|cx| Poll::Ready(io.as_mut().poll_write(cx, &self.words[..n]))).await;
        if let Poll::Ready(Ok(n)) = written {
            let sent: Vec<u8> = self.words.drain(..n).collect();
            self.reader.note_sent(&sent);
        }
    }

    /// Reads at most this much of what is here; `false` at the end or if nothing is here.
    async fn read(&mut self, n: usize) -> bool {
        let mut bytes = vec![0; n];
        let mut buffer = ReadBuf::new(&mut bytes);
        let mut io = Pin::new(&mut self.io);
        let _ = poll_fn(|cx| Poll::Ready(io.as_mut().poll_read(cx, &mut buffer))).await;
        // Before the whole preface it is not decided that this is HTTP/2: a client that is late with it, or ends, is told so
        // in HTTP/1. The first byte of a frame of SETTINGS is zero.
        self.refused |= !self.heard && buffer.filled().first() == Some(&b'H');
        self.heard |= !buffer.filled().is_empty();
        if self.refused {
            return !buffer.filled().is_empty();
        }
        self.reader.push(buffer.filled());
        while let Some(frame) = self.reader.next() {
            self.note(frame);
        }
        !buffer.filled().is_empty()
    }

    /// Remembers which call a reply is to, and answers as a client must.
    fn note(&mut self, frame: Frame) {
        match frame {
            Frame::Headers { stream, fields, .. } => {
                if let Some((_, number)) = fields.iter().find(|field| field.0 == "x-n") {
                    let before = self.replies.insert(stream, number.parse().expect("a number"));
                    assert_eq!(before, None, "two replies on the stream {stream}");
                }
            }
            Frame::Settings(_) => self.words.extend(frames::settings_ack()),
            Frame::Ping(bytes) => self.words.extend(frames::ping(frames::ACK, &bytes)),
            _ => {}
        }
    }

    /// Something that only a client that breaks rules sends.
    fn break_rule(&mut self, arg: usize) {
        let stream = self.stream(arg / 16);
        let frame = match arg % 16 {
            0 => frames::window_update(stream, 0),
            1 => frames::data(self.next + 8, 0, "x"),
            2 => frames::headers(2, frames::END_STREAM, &[]),
            3 => frames::frame(frames::HEADERS, 0, self.next, [0x82]),
            4 => frames::continuation(stream, frames::END_HEADERS, [0x82]),
            5 => frames::frame(frames::HEADERS, 5, self.next, [0xff, 0xff, 0xff, 0xff, 0x7f]),
            6 => frames::frame(frames::PUSH_PROMISE, 4, stream, [0, 0, 0, 2]),
            7 => frames::frame(frames::SETTINGS, 0, 0, [0, 2, 0, 0, 0, 9]),
            8 => frames::frame(frames::PING, 0, 0, [1, 2, 3]),
            9 => frames::priority(stream, stream, 1),
            10 => frames::frame(frames::DATA, frames::PADDED, stream, [200, 1, 2]),
            11 => frames::headers(self.next, frames::END_STREAM, &[(":method", "GET"), ("A", "b")]),
            12 => frames::headers(stream, 0, &[("x", "y")]),
            13 => vec![0; 30],
            14 => frames::frame(0x42, 0xff, stream, [0; 20]),
            _ => vec![0xff; 9],
        };
        self.words.extend(frame);
    }
}

/// Clients of HTTP/2 that send frames in any order and size, stall, reset, half-close and vanish, and a server that may be
/// shut down meanwhile: a strict reader reads all that it sends, each reply is on the stream of its request, no more
/// handlers are at work than are allowed, every state is left, and everything comes to rest.
///
/// Two bytes are an order and its argument; the upper bits of the order say whose it is.
pub fn h2_peer(data: &[u8]) {
    script(data, Timeouts::default());
}

/// The same without a time limit: when the clients are gone, everything comes to rest by itself.
pub fn h2_liveness(data: &[u8]) {
    script(data, Timeouts::none());
}

fn script(data: &[u8], timeouts: Timeouts) {
    paused(async {
        let world = World::of_streams(timeouts);
        let mut peers: Vec<Option<Peer>> = (0..2).map(|_| None).collect();
        let (mut names, mut shutdown) = (0, None);
        for pair in data.chunks_exact(2).take(300) {
            let (order, arg) = (pair[0] & 31, usize::from(pair[1]));
            let place = usize::from(pair[0] >> 5) % peers.len();
            let Some(peer) = &mut peers[place] else {
                names += 1;
                peers[place] = Some(Peer::new(&world, names, PIPES[arg % PIPES.len()]));
                continue;
            };
            if order == 31 && arg % 16 == 0 && shutdown.is_none() {
                shutdown = Some(stop(&world, GRACE_PERIOD[arg / 16 % GRACE_PERIOD.len()]));
            } else if order == 30 {
                if arg % 2 == 0 {
                    peer.reset.reset();
                }
                part(&world, peers[place].take());
            } else {
                obey(peer, order, arg).await;
            }
        }
        peers.into_iter().for_each(|peer| part(&world, peer));
        end(world, shutdown).await;
    });
}

/// Does what an order says.
async fn obey(peer: &mut Peer, order: u8, arg: usize) {
    let stream = peer.stream(arg % 4);
    match order {
        0..=6 => {
            peer.open(arg);
            peer.write(usize::MAX).await;
        }
        7..=10 => {
            let end = if arg & 0x80 != 0 { frames::END_STREAM } else { 0 };
            peer.words.extend(frames::data(stream, end, vec![b'z'; SIZES[arg / 4 % SIZES.len()]]));
            peer.write(usize::MAX).await;
        }
        11 => peer.words.extend(frames::headers(stream, frames::END_STREAM, &[("x-t", "1")])),
        12 | 13 => peer.words.extend(frames::reset(stream, CODES[arg / 4 % CODES.len()])),
        14 | 15 => {
            let stream = if arg & 0x40 == 0 { 0 } else { stream };
            peer.words.extend(frames::window_update(stream, UPDATES[arg / 4 % UPDATES.len()]));
        }
        16 => peer.words.extend(frames::settings(&[(frames::INITIAL_WINDOW_SIZE, WINDOWS[arg % WINDOWS.len()])])),
        17 => peer.words.extend(frames::ping(0, b"01234567")),
        18 => peer.words.extend(frames::goaway(0, CODES[arg % CODES.len()])),
        19 => peer.break_rule(arg),
        20 => peer.write(SIZES[arg % SIZES.len()]).await,
        21 => peer.write(usize::MAX).await,
        22 | 23 => {
            peer.read(READS[arg % READS.len()]).await;
        }
        24 | 25 => while peer.read(1 << 16).await {},
        26 | 27 => sleep(Duration::from_millis(WAITS[arg % WAITS.len()])).await,
        28 => {
            let _ = peer.io.shutdown().await;
        }
        _ => {
            for _ in 0..arg % 16 {
                yield_now().await;
            }
        }
    }
}

/// A client goes; each reply that it was given is to the request of its stream.
fn part(world: &World, peer: Option<Peer>) {
    let Some(peer) = peer else { return };
    let calls = world.calls();
    for (stream, number) in &peer.replies {
        let call = calls.get(number - 1).expect("a call");
        assert_eq!(call.conn, format!("{}-{stream}", peer.name), "a reply on the stream of another request");
    }
}

async fn end(world: World, shutdown: Option<JoinHandle<()>>) {
    if let Some(shutdown) = shutdown {
        shutdown.await.expect("a shutdown does not panic");
    }
    world.end().await;
}
