//! Targets of `quintet-server`.

mod access_log;
#[path = "../../server/tests/support/frames.rs"]
#[allow(dead_code, unreachable_pub, reason = "the server's own tests use all of it")]
mod frames;
mod h2_peer;
#[path = "../../server/tests/support/hpack.rs"]
#[allow(dead_code, unreachable_pub, reason = "the server's own tests use all of it")]
mod hpack;
mod peer;
mod replies;
mod websocket_handshake;
mod world;

use std::time::Duration;

pub use access_log::access_log;
pub use h2_peer::{h2_liveness, h2_peer};
pub use peer::{liveness, scripted_peer};
use replies::{Ending, check};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::yield_now,
    time::timeout,
};
pub use websocket_handshake::websocket_handshake;
use world::{Call, World};

/// The targets of this layer.
pub const TARGETS: &[crate::Target] = &[
    ("server_bytes", server_bytes),
    ("scripted_peer", scripted_peer),
    ("h2_peer", h2_peer),
    ("access_log", access_log),
    ("websocket_handshake", websocket_handshake),
];

/// Runs a test in a world of its own, whose clock goes on only when no task has anything to do.
fn paused<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(test)
}

/// Any bytes, split anywhere, into a whole server by a client that reads: it ends, every request that a handler was
/// given is answered, in order, and nothing follows the last reply; and however the bytes are split, the handlers are
/// given the same requests.
///
/// The first four bytes say where the rest is split.
pub fn server_bytes(data: &[u8]) {
    let Some((splits, bytes)) = data.split_at_checked(4) else { return };
    let split = paused(converse(bytes, splits));
    let whole = paused(converse(bytes, &[]));
    // A client that sent its body along with `Expect` did not need to be told to go on, and one whose body breaks is
    // told so in the place of a reply if that is known in time: then one connection goes on and the other ends.
    let same = split.iter().zip(&whole).take_while(|(split, whole)| split.line == whole.line).count();
    assert!(same == split.len().min(whole.len()), "{:?} became {:?}", whole.get(same), split.get(same));
    if !contains(bytes, b"xpect") {
        assert_eq!(split.len(), whole.len(), "requests were lost or made up by splitting");
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// Sends these bytes in pieces whose sizes follow from `splits`, and reads to the end; what handlers were given.
async fn converse(bytes: &[u8], splits: &[u8]) -> Vec<Call> {
    let world = World::new();
    let (client, _reset) = world.connect(64 * 1024);
    let (mut reader, mut writer) = tokio::io::split(client);
    let writing = async {
        let (mut rest, mut turn) = (bytes, 0);
        while !rest.is_empty() {
            let size = match splits {
                [] => rest.len(),
                sizes => usize::from(sizes[turn % sizes.len()]) % 64 + 1,
            };
            let (piece, others) = rest.split_at(size.min(rest.len()));
            if writer.write_all(piece).await.is_err() {
                return; // refused
            }
            (rest, turn) = (others, turn + 1);
            // Long enough for everyone to do all that can be done with what is here.
            for _ in 0..8 {
                yield_now().await;
            }
        }
        let _ = writer.shutdown().await;
    };
    let mut replied = Vec::new();
    let reading = async {
        let _ = reader.read_to_end(&mut replied).await;
    };
    let both = async { tokio::join!(writing, reading) };
    timeout(Duration::from_secs(1000), both).await.expect("the conversation ends");
    let calls = world.calls();
    check(&replied, &calls, Ending::Complete);
    drop((reader, writer));
    world.end().await;
    calls
}
