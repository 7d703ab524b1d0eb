//! A `tower` service is cancelled when its client has gone, as under hyper, unless it is to run to its end.
#![cfg(feature = "tower")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use quintet_server::{Handler, Server, TowerHandler};
use support::{bounded, config, in_memory};
use tokio::time::sleep;

mod support;

/// What became of the calls of a service.
#[derive(Clone, Default)]
struct Calls {
    begun: Arc<AtomicU32>,
    done: Arc<AtomicU32>,
    dropped: Arc<AtomicU32>,
}

impl Calls {
    fn seen(&self) -> (u32, u32, u32) {
        (self.begun.load(Relaxed), self.done.load(Relaxed), self.dropped.load(Relaxed))
    }
}

/// Counts a call that is dropped before its end.
struct Call(Calls);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Relaxed);
    }
}

/// A service that waits for ten seconds, and one that answers at once.
fn service(calls: &Calls) -> axum::Router {
    let calls = calls.clone();
    let slow = async move || {
        calls.begun.fetch_add(1, Relaxed);
        let call = Call(calls.clone());
        sleep(Duration::from_secs(10)).await;
        calls.done.fetch_add(1, Relaxed);
        std::mem::forget(call);
        "slow"
    };
    axum::Router::new().route("/slow", axum::routing::get(slow)).route("/fast", axum::routing::get(async || "fast"))
}

/// The calls after a client went away in the middle of one, and ten seconds more.
async fn after_the_client_went<H: Handler>(handler: H, calls: &Calls, half_closed: bool) -> (u32, u32, u32) {
    let server = Server::with_config(handler, config());
    let (dial, _serving) = in_memory(&server);
    let mut client = dial.connect();
    assert_eq!(client.fetch("/fast").await.text(), "fast");
    client.get("/slow").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(calls.seen(), (1, 0, 0));
    let rest = if half_closed {
        client.finish().await;
        client.rest().await
    } else {
        drop(client);
        Vec::new()
    };
    sleep(Duration::from_secs(1)).await;
    if calls.seen().2 == 1 {
        assert_eq!((rest, server.counts().total()), (Vec::new(), 0), "nothing is sent, and the connection ends");
    }
    sleep(Duration::from_secs(10)).await;
    calls.seen()
}

#[tokio::test(start_paused = true)]
async fn a_service_is_dropped_when_its_client_disconnected() {
    bounded(async {
        for half_closed in [false, true] {
            let calls = Calls::default();
            let seen = after_the_client_went(TowerHandler(service(&calls)), &calls, half_closed).await;
            assert_eq!(seen, (1, 0, 1), "half-closed: {half_closed}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_runs_to_its_end_goes_on_without_its_client() {
    bounded(async {
        for half_closed in [false, true] {
            let calls = Calls::default();
            let seen = after_the_client_went(TowerHandler(service(&calls)).run_to_end(), &calls, half_closed).await;
            assert_eq!(seen, (1, 1, 0), "half-closed: {half_closed}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_client_waits_answers() {
    bounded(async {
        let calls = Calls::default();
        let (dial, _serving) = in_memory(&Server::with_config(TowerHandler(service(&calls)), config()));
        let mut client = dial.connect();
        for _ in 0..2 {
            assert_eq!(client.fetch("/slow").await.text(), "slow");
        }
        assert_eq!(calls.seen(), (2, 2, 0));
    })
    .await;
}
