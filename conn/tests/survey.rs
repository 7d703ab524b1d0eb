//! The survey of connections: counts, and how long the slowest have waited for what.
#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::time::Duration;

use common::{addr, connections, limits, piped};
use quintet_conn::{ConnectionSnapshot, Counts, Filled, Phase, State, WaitState};
use tokio::{io::AsyncWriteExt, time::sleep};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The slots of the connections, in the order of the survey.
fn slots(listed: &[ConnectionSnapshot]) -> Vec<usize> {
    listed.iter().map(|one| one.connection.slot()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_survey_lists_the_longest_waits_first() {
    let connections = connections(limits());
    let mut clients = Vec::new();
    for _ in 0..5 {
        let (server, client) = tokio::io::duplex(64);
        let (guard, mut wire) = connections.admit(server, addr());
        tokio::spawn(async move {
            let _guard = guard;
            wire.flush_and_fill(1024).await
        });
        clients.push(client);
        sleep(secs(1)).await;
    }
    // One without a wait.
    let (server, _client) = tokio::io::duplex(64);
    let (_guard, _wire) = connections.admit(server, addr());
    sleep(secs(1)).await;
    let survey = connections.survey(10);
    assert_eq!((survey.counts, survey.requests), (Counts { new: 6, ..Counts::default() }, 0));
    assert_eq!(slots(&survey.connections), [0, 1, 2, 3, 4, 5]);
    assert_eq!(survey.connections[5].wait, None);
    for (n, one) in survey.connections[..5].iter().enumerate() {
        let wait = one.wait.unwrap();
        assert_eq!((wait.phase, wait.limit), (Phase::Head, secs(10)), "{n}");
        let exact = secs(10 - (6 - n as u64));
        let most = Duration::from_millis(500);
        assert!(wait.left <= exact + most && exact <= wait.left + most, "{n}: {:?}, {exact:?}", wait.left);
    }
    for most in 0..=7 {
        assert_eq!(slots(&connections.survey(most).connections), (0..most.min(6)).collect::<Vec<_>>(), "{most}");
        assert_eq!(connections.survey(most).counts.total(), 6);
    }
}

#[tokio::test(start_paused = true)]
async fn a_survey_tells_each_phase_and_the_time_left() {
    let connections = connections(limits());
    for (phase, limit) in [
        (Phase::Head, limits().read_header),
        (Phase::Idle, limits().idle),
        (Phase::Linger, limits().linger),
        (Phase::Body, limits().stall),
    ] {
        let (guard, mut wire, _client) = piped(&connections, 64);
        wire.enter(phase);
        let task = tokio::spawn(async move { wire.flush_and_fill(1024).await });
        sleep(Duration::from_millis(20)).await;
        let survey = connections.survey(1);
        let wait = survey.connections[0].wait.unwrap();
        assert_eq!((wait.phase, wait.limit), (phase, limit));
        assert!(wait.left <= limit);
        task.abort();
        let _ = task.await;
        drop(guard);
    }
    // Room to send into.
    let (guard, mut wire, _client) = piped(&connections, 64);
    wire.output.extend(&[b'x'; 1024]);
    let task = tokio::spawn(async move { wire.flush().await });
    sleep(Duration::from_millis(20)).await;
    assert_eq!(connections.survey(1).connections[0].wait.unwrap().phase, Phase::Reply);
    task.abort();
    let _ = task.await;
    drop(guard);
    assert_eq!(connections.survey(1).connections.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_survey_counts_requests_and_takes_the_first_deadline_of_children() {
    let connections = connections(limits());
    let (guard, _wire, _client) = piped(&connections, 64);
    guard.set_state(State::Active);
    let one = &connections.survey(1).connections[0];
    assert_eq!((one.requests, one.wait, one.connection.is_multiplexed()), (1, None, false));
    let children = [guard.child(), guard.child(), guard.child()];
    let mut waits = [Phase::Idle, Phase::Head, Phase::Linger].map(|phase| {
        let mut waits = WaitState::new();
        waits.enter(phase);
        waits
    });
    for (child, waits) in children.iter().zip(&mut waits) {
        waits.wait_for_bytes(true, child.begin(), child.limits());
        child.wait(waits).unwrap();
    }
    let survey = connections.survey(1);
    let one = &survey.connections[0];
    assert_eq!((one.requests, survey.requests, one.connection.is_multiplexed()), (3, 3, true));
    let shortest =
        [(limits().idle, Phase::Idle), (limits().read_header, Phase::Head), (limits().linger, Phase::Linger)];
    assert_eq!(one.wait.unwrap().phase, shortest.into_iter().min_by_key(|(limit, _)| *limit).unwrap().1);
}

#[tokio::test(start_paused = true)]
async fn the_ids_of_open_connections_differ_and_fit_into_json() {
    let (one, other) = (connections(limits()), connections(limits()));
    let open: Vec<_> = (0..50).flat_map(|_| [piped(&one, 64), piped(&other, 64)]).collect();
    let mut ids: Vec<u64> = open.iter().map(|(guard, ..)| guard.id()).collect();
    assert!(ids.iter().all(|id| *id < 1 << 53));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn drained_to_resolves_when_so_many_are_left() {
    let connections = connections(limits());
    let mut open: Vec<_> = (0..3).map(|_| piped(&connections, 64)).collect();
    connections.drained_to(3).await;
    for left in (0..3).rev() {
        let drained = tokio::spawn({
            let connections = connections.clone();
            async move { connections.drained_to(left).await }
        });
        sleep(secs(1)).await;
        assert!(!drained.is_finished(), "{left}");
        open.pop();
        drained.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_got_its_bytes_is_told_no_more() {
    let connections = connections(limits());
    let (_guard, mut wire, mut client) = piped(&connections, 64);
    client.write_all(b"x").await.unwrap();
    assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(1));
    drop(wire);
    assert_eq!(connections.survey(1).connections[0].wait, None);
}
