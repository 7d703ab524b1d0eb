//! The clocks on a thread that is really blocked. These tests sleep.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{
    thread::sleep,
    time::{Duration, Instant, SystemTime},
};

use common::{limits, piped};
use quintet_conn::{Connections, Phase, Timeouts, WireError};

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn unix() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// Whether this is the time of day, asked for at a moment between two others.
fn is_exact(ask: impl Fn() -> u64) -> bool {
    let before = unix();
    let told = ask();
    (before..=unix()).contains(&told)
}

#[test]
fn the_date_is_exact_after_a_blocked_thread() {
    let (connections, _sweeper) = Connections::new(limits(), None, None);
    assert!(is_exact(|| connections.unix()), "no sweep yet");
    sleep(millis(1_100));
    assert!(is_exact(|| connections.unix()));
}

#[test]
fn the_date_is_exact_for_64_replies_and_then_for_every_64th() {
    let (connections, _sweeper) = Connections::new(limits(), None, None);
    (0..10).for_each(|_| _ = connections.unix());
    sleep(millis(1_100));
    for n in 10..64 {
        assert!(is_exact(|| connections.unix()), "reply {n}");
    }
    // Many more, and then the thread is blocked: at most 63 replies have a date from before that.
    (0..1_000).for_each(|_| _ = connections.unix());
    sleep(millis(1_100));
    let stale = (0..1_000).take_while(|_| !is_exact(|| connections.unix())).count();
    assert!(stale < 64, "{stale} replies");
    assert!(is_exact(|| connections.unix()), "and so are all that follow");
}

#[tokio::test]
async fn a_sweep_makes_the_date_exact_again() {
    let (connections, sweeper) = Connections::new(limits(), None, None);
    tokio::spawn(sweeper);
    let _connected = piped(&connections, 64);
    (0..10_000).for_each(|_| _ = connections.unix());
    tokio::time::sleep(millis(1_300)).await;
    assert!(is_exact(|| connections.unix()));
}

#[tokio::test]
async fn a_handler_that_blocks_often_lengthens_no_timeout() {
    // A handler that blocks its thread for most of the time: charged with 250 ms of each gap only, a limit of two seconds
    // would take more than five.
    let (connections, sweeper) =
        Connections::new(Timeouts { read_header: Duration::from_secs(2), ..limits() }, None, None);
    tokio::spawn(sweeper);
    let blocks = tokio::spawn(async {
        loop {
            sleep(millis(700));
            tokio::task::yield_now().await;
        }
    });
    let (_connection, mut wire, _client) = piped(&connections, 64);
    let start = Instant::now();
    let ended = wire.flush_and_fill(1024).await;
    let took = start.elapsed();
    blocks.abort();
    assert!(matches!(ended, Err(WireError::TimedOut(Phase::Head))), "{ended:?}");
    assert!(took >= Duration::from_secs(2) && took < millis(4_500), "{took:?}");
}
