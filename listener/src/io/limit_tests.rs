//! Tests of `Limit`: who waits where, what is counted, and when the pressure is raised.

use std::{future::poll_fn, io, task::Poll, time::Duration};

use tokio::{
    io::DuplexStream,
    time::{Instant, timeout},
};

use super::{
    Limit, Listener, Permits, Pressure, Retry,
    testing::{
        AcceptStep::{self, Accept, Fail},
        Dialer, EBADF, EMFILE, MemoryListener, ScriptedListener,
    },
};
use crate::Addr;

fn limit(n: usize, steps: impl IntoIterator<Item = AcceptStep>) -> Limit<ScriptedListener> {
    Limit::new(ScriptedListener::new(steps), n)
}

/// What is accepted without further events.
async fn accept_now<L: Listener>(listener: &mut L) -> Option<L::Stream> {
    let (stream, _) = timeout(Duration::from_millis(1), listener.accept()).await.ok()?.unwrap();
    Some(stream)
}

#[tokio::test(start_paused = true)]
async fn the_third_of_two_waits_and_the_fourth_is_not_accepted() {
    let mut limit = limit(2, [Accept; 4]);
    let one = accept_now(&mut limit).await.unwrap();
    let two = accept_now(&mut limit).await.unwrap();
    assert_eq!(limit.permits().available(), 0);
    // Every attempt is cancelled, and none of them accepts another client or loses the one that waits.
    for _ in 0..3 {
        assert!(accept_now(&mut limit).await.is_none());
        assert_eq!(limit.get_ref().calls(), 3);
    }

    drop(one);
    assert!(accept_now(&mut limit).await.is_some());
    assert_eq!(limit.get_ref().calls(), 3);
    drop(two);
    assert!(accept_now(&mut limit).await.is_some());
    assert_eq!(limit.get_ref().calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_pressure_is_raised_while_a_client_waits_for_a_permit() {
    let pressure = Pressure::new();
    let mut limit = Retry::new(limit(1, [Accept; 2]));
    limit.set_pressure(&pressure);
    let one = accept_now(&mut limit).await.unwrap();
    assert!(!pressure.is_raised(), "the limit is reached, but no client waits");
    assert!(accept_now(&mut limit).await.is_none());
    assert!(pressure.is_raised(), "a cancelled accept does not make the client go away");
    drop(one);
    let two = accept_now(&mut limit).await.unwrap();
    assert!(!pressure.is_raised(), "the client is served");
    assert!(accept_now(&mut limit).await.is_none());
    assert!(!pressure.is_raised(), "the limit is reached again, but no client waits");
    drop(two);
}

/// Where the permits are of one listener, no other one's connections are closed for them.
#[tokio::test(start_paused = true)]
async fn the_pressure_of_permits_that_are_not_shared_is_the_listeners_own() {
    for shared in [false, true] {
        let (pressure, permits) = (Pressure::new(), Permits::new(1));
        let mut limit = Limit::shared(ScriptedListener::new([Accept; 2]), &permits);
        let _other = shared.then(|| Limit::shared(ScriptedListener::new([]), limit.permits()));
        limit.set_pressure(&pressure);
        let _one = accept_now(&mut limit).await.unwrap();
        assert!(accept_now(&mut limit).await.is_none());
        assert!(pressure.is_raised());
        assert_eq!(pressure.is_own(), !shared);
        let late = Pressure::new();
        limit.set_pressure(&late);
        assert!(late.is_raised() && !pressure.is_raised());
        assert_eq!(late.is_own(), !shared);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pressure_set_late_is_raised_for_the_client_that_waits() {
    let mut limit = limit(1, [Accept; 2]);
    let _one = accept_now(&mut limit).await.unwrap();
    assert!(accept_now(&mut limit).await.is_none());
    let pressure = Pressure::new();
    limit.set_pressure(&pressure);
    assert!(pressure.is_raised());
    drop(limit);
    assert!(!pressure.is_raised(), "the client is gone with the listener");
}

#[tokio::test(start_paused = true)]
async fn a_connection_dropped_under_pressure_lets_the_client_in() {
    let pressure = Pressure::new();
    let mut limit = limit(1, [Accept; 2]);
    limit.set_pressure(&pressure);
    let idle = accept_now(&mut limit).await.unwrap();
    let (served, ()) = tokio::join!(timeout(Duration::from_secs(1), limit.accept()), async {
        pressure.raised().await;
        drop(idle);
    });
    served.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waiting_accept_goes_on_when_a_connection_is_dropped() {
    let mut limit = limit(1, [Accept; 2]);
    let one = accept_now(&mut limit).await.unwrap();
    let start = Instant::now();
    let (two, ()) = tokio::join!(limit.accept(), async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        drop(one);
    });
    two.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_stream_taken_out_is_still_counted() {
    let mut limit = limit(1, [Accept; 2]);
    let (stream, permit) = accept_now(&mut limit).await.unwrap().into_parts();
    drop(stream);
    assert!(accept_now(&mut limit).await.is_none());
    drop(permit);
    assert!(accept_now(&mut limit).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_error_or_a_cancelled_accept_costs_no_permit() {
    let mut limit = limit(1, [Fail(EBADF)]);
    assert!(limit.accept().await.is_err());
    assert_eq!(limit.permits().available(), 1);
    for _ in 0..3 {
        assert!(accept_now(&mut limit).await.is_none());
        assert_eq!(limit.permits().available(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_nothing_is_a_limit_of_one() {
    let mut limit = limit(0, [Accept; 2]);
    let _one = accept_now(&mut limit).await.unwrap();
    assert!(accept_now(&mut limit).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn retry_works_inside_and_outside() {
    let steps = [Fail(EMFILE), Accept, Accept];
    let mut inside = Limit::new(Retry::new(ScriptedListener::new(steps)), 1);
    let mut outside = Retry::new(Limit::new(ScriptedListener::new(steps), 1));
    let one = inside.accept().await.unwrap();
    assert!(accept_now(&mut inside).await.is_none());
    let two = outside.accept().await.unwrap();
    assert!(accept_now(&mut outside).await.is_none());
    drop((one, two));
    assert!(accept_now(&mut inside).await.is_some());
    assert!(accept_now(&mut outside).await.is_some());
}

/// A listener of streams that are no more than there.
fn memory() -> (MemoryListener<DuplexStream>, Dialer<DuplexStream>) {
    MemoryListener::new()
}

fn stream() -> DuplexStream {
    tokio::io::duplex(1).0
}

#[tokio::test(start_paused = true)]
async fn a_listener_without_clients_takes_no_permit_from_another() {
    let permits = Permits::new(1);
    let ((listener, clients), (other, silent)) = (memory(), memory());
    let mut busy = Limit::shared(listener, &permits);
    let mut idle = Limit::shared(other, &permits);
    let waiting = tokio::spawn(async move { idle.accept().await });
    tokio::task::yield_now().await;
    for _ in 0..3 {
        assert!(clients.send(stream()));
        assert!(accept_now(&mut busy).await.is_some());
    }
    // And the other is served as soon as a client of its own comes.
    assert!(clients.send(stream()));
    let held = accept_now(&mut busy).await.unwrap();
    assert!(silent.send(stream()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!waiting.is_finished());
    drop(held);
    waiting.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_client_is_lost_between_many_listeners_on_many_threads() {
    serve_every_client(How::ToItsEnd).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_client_is_lost_by_accepts_that_are_cancelled() {
    serve_every_client(How::Cancelled).await;
}

#[derive(Clone, Copy)]
enum How {
    ToItsEnd,
    /// Dropped whenever it would have to wait, and begun anew.
    Cancelled,
}

async fn accept<L: Listener>(listener: &mut L, how: How) -> io::Result<(L::Stream, Addr)> {
    loop {
        if let How::ToItsEnd = how {
            return listener.accept().await;
        }
        let mut accepting = Box::pin(listener.accept());
        let polled = poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx))).await;
        drop(accepting);
        match polled {
            Poll::Ready(accepted) => return accepted,
            Poll::Pending => tokio::task::yield_now().await,
        }
    }
}

/// Four listeners that share three permits, and 500 clients for each of them.
async fn serve_every_client(how: How) {
    let permits = Permits::new(3);
    let (mut senders, mut servers) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let (listener, dialer) = memory();
        let mut limit = Limit::shared(listener, &permits);
        let permits = permits.clone();
        servers.push(tokio::spawn(async move {
            let mut accepted = 0;
            while let Ok((stream, _)) = accept(&mut limit, how).await {
                accepted += 1;
                assert!(permits.available() < 3);
                tokio::spawn(async move {
                    tokio::task::yield_now().await;
                    drop(stream);
                });
            }
            accepted
        }));
        senders.push(tokio::spawn(async move {
            for _ in 0..500 {
                assert!(dialer.send(stream()));
                tokio::task::yield_now().await;
            }
            assert!(dialer.fail(io::ErrorKind::NotConnected.into()));
        }));
    }
    for server in servers {
        assert_eq!(timeout(Duration::from_secs(20), server).await.unwrap().unwrap(), 500);
    }
}
