//! Every wait ends at its limit: never early, and less than half a second late. The clock is paused.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use common::{Step, connections, ends_after, limits, piped, scripted};
use quintet_conn::{Connections, Filled, Phase, State, Timeouts, Wire, WireError};
use quintet_listener::Stream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep, timeout},
};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Times between two sweeps at which a wait begins.
fn offsets() -> impl Iterator<Item = Duration> {
    (0..8).map(|n| millis(n * 31))
}

/// Reads until an error, and returns how many bytes arrived before it.
async fn read_on<S: Stream>(wire: &mut Wire<S>) -> (usize, WireError) {
    let mut read = 0;
    loop {
        match wire.flush_and_fill(1 << 20).await {
            Ok(Filled::Bytes(n)) => {
                wire.input.consume(n);
                read += n;
            }
            Ok(filled) => panic!("{filled:?} after {read} bytes"),
            Err(error) => return (read, error),
        }
    }
}

fn assert_late<T: std::fmt::Debug>(phase: Phase, outcome: Result<T, WireError>) {
    match outcome {
        Err(WireError::TimedOut(late)) => assert_eq!(late, phase),
        other => panic!("{other:?} instead of late for {phase:?}"),
    }
}

mod head {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_has_the_read_header_timeout() {
        for offset in offsets() {
            let connections = connections(limits());
            let (connection, mut wire, _client) = piped(&connections, 1024);
            sleep(offset).await;
            assert_late(Phase::Head, ends_after(secs(10), wire.flush_and_fill(1024)).await);
            assert_eq!(connection.state(), State::New);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_pipelined_line_has_a_head_timeout_of_its_own() {
        let connections = connections(limits());
        let (_connection, mut wire, mut client) = piped(&connections, 1024);
        tokio::spawn(async move {
            client.write_all(b"a li").await.unwrap();
            for _ in 0..100 {
                sleep(secs(1)).await;
                client.write_all(b"ne\na li").await.unwrap(); // the end of one and the beginning of the next
            }
            sleep(secs(1000)).await;
        });
        let (lines, error) = ends_after(secs(110), async {
            let mut lines = 0;
            loop {
                while let Some(end) = wire.input.filled().iter().position(|byte| *byte == b'\n') {
                    wire.input.consume(end + 1);
                    wire.clear_phase();
                    lines += 1;
                }
                wire.enter(Phase::Head);
                if let Err(error) = wire.flush_and_fill(1024).await {
                    return (lines, error);
                }
            }
        })
        .await;
        assert!(matches!(error, WireError::TimedOut(Phase::Head)), "{error:?}");
        assert_eq!(lines, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dribbled_head_does_not_prolong_its_timeout() {
        for offset in offsets() {
            let connections = connections(limits());
            let (_connection, mut wire, mut client) = piped(&connections, 1024);
            tokio::spawn(async move {
                sleep(offset).await;
                while client.write_all(b"x").await.is_ok() {
                    sleep(millis(700)).await;
                }
            });
            wire.flush_and_fill(1024).await.unwrap();
            wire.clear_phase();
            let (read, error) = ends_after(secs(10), async {
                loop {
                    wire.enter(Phase::Head);
                    match wire.flush_and_fill(1024).await {
                        Ok(_) => {}
                        Err(error) => return (wire.input.len(), error),
                    }
                }
            })
            .await;
            assert!(matches!(error, WireError::TimedOut(Phase::Head)), "{error:?}");
            assert_eq!(read, 15, "a byte each 700 ms for 10 s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_head_timeout_starts_at_its_first_byte() {
        for offset in offsets() {
            let connections = connections(limits());
            let (_connection, mut wire, mut client) = piped(&connections, 1024);
            sleep(offset).await;
            wire.enter(Phase::Idle);
            tokio::spawn(async move {
                sleep(secs(60)).await;
                client.write_all(b"G").await.unwrap();
                sleep(secs(3600)).await;
            });
            assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(1));
            wire.enter(Phase::Head);
            assert_late(Phase::Head, ends_after(secs(10), wire.flush_and_fill(1024)).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_408_to_a_late_head_has_the_timeout_of_a_reply() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        assert_late(Phase::Head, wire.flush_and_fill(1024).await);
        peer.deaf();
        wire.output.extend(b"HTTP/1.1 408 Request Timeout\r\n\r\n");
        assert_late(Phase::Reply, ends_after(secs(5), wire.flush()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_arrived_in_time_is_read_by_a_late_task() {
        let connections = connections(limits());
        let (_connection, mut wire, mut client) = piped(&connections, 1024);
        assert!(common::poll_once(&common::Bell::new(), wire.flush_and_fill(1024)).is_pending());
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        sleep(secs(20)).await;
        assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(18));
    }
}

mod idle {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_ends_at_the_idle_timeout() {
        for offset in offsets() {
            let connections = connections(limits());
            let (_connection, mut wire, _client) = piped(&connections, 1024);
            sleep(offset).await;
            wire.enter(Phase::Idle);
            assert_late(Phase::Idle, ends_after(secs(75), wire.flush_and_fill(1024)).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_idle_timeout_starts_after_the_reply_was_sent() {
        let connections = connections(Timeouts { idle: secs(3), ..limits() });
        let (_connection, mut wire, peer) = scripted(&connections);
        peer.deaf();
        wire.output.extend(b"hello");
        wire.enter(Phase::Idle);
        tokio::spawn(async move {
            sleep(secs(4)).await;
            peer.writes([Step::Take(5)]);
        });
        assert_late(Phase::Idle, ends_after(secs(7), wire.flush_and_fill(1024)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_without_timeouts_waits_for_days() {
        let (connections, _sweeper) = Connections::new(Timeouts::none(), None, None);
        let (_connection, mut wire, mut client) = piped(&connections, 1024);
        wire.enter(Phase::Idle);
        tokio::spawn(async move {
            sleep(secs(7 * 24 * 3600)).await;
            client.write_all(b"x").await.unwrap();
        });
        assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wire_that_was_not_admitted_has_no_timeouts() {
        let (ours, mut client) = tokio::io::duplex(1024);
        let mut wire = Wire::new(ours);
        wire.enter(Phase::Head);
        tokio::spawn(async move {
            sleep(secs(3600)).await;
            client.write_all(b"x").await.unwrap();
        });
        assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(1));
    }
}

mod body {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_dribbled_body_ends_below_the_min_rate() {
        for offset in offsets() {
            let connections = connections(limits());
            let (_connection, mut wire, mut client) = piped(&connections, 1024);
            sleep(offset).await;
            wire.enter(Phase::Body);
            tokio::spawn(async move {
                loop {
                    sleep(millis(100)).await;
                    if client.write_all(b"ab").await.is_err() {
                        return;
                    }
                }
            });
            // 20 B/s against 240: waited = 5 s + waited / 12.
            let (read, error) = ends_after(millis(5_454), read_on(&mut wire)).await;
            assert!(matches!(error, WireError::TimedOut(Phase::Body)), "{error:?}");
            assert!((106..=120).contains(&read), "{read}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_at_the_min_rate_never_times_out() {
        let connections = connections(limits());
        let (_connection, mut wire, mut client) = piped(&connections, 1024);
        wire.enter(Phase::Body);
        tokio::spawn(async move {
            for _ in 0..1800 {
                sleep(secs(1)).await;
                client.write_all(&[b'x'; 240]).await.unwrap();
            }
        });
        let mut read = 0;
        while let Filled::Bytes(n) = wire.flush_and_fill(1024).await.unwrap() {
            read += n;
            wire.input.consume(n);
        }
        assert_eq!(read, 1800 * 240);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_body_that_stops_ends_at_the_stall_timeout() {
        for offset in offsets() {
            let connections = connections(limits());
            let (_connection, mut wire, mut client) = piped(&connections, 1 << 20);
            sleep(offset).await;
            wire.enter(Phase::Body);
            client.write_all(&vec![b'x'; 1 << 20]).await.unwrap();
            let (read, error) = ends_after(secs(30), read_on(&mut wire)).await;
            assert_eq!(read, 1 << 20);
            assert!(matches!(error, WireError::TimedOut(Phase::Body)), "{error:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handlers_time_does_not_count_for_the_min_rate() {
        let connections = connections(limits());
        let (_connection, mut wire, _client) = piped(&connections, 1024);
        wire.enter(Phase::Body);
        let bell = common::Bell::new();
        assert!(common::poll_once(&bell, wire.flush_and_fill(1024)).is_pending());
        sleep(secs(2)).await;
        // The handler works for a minute without reading, and the wire watches meanwhile.
        let watching = poll_fn(|cx| wire.poll_watch(cx, 1024));
        assert!(timeout(secs(60), watching).await.is_err());
        // Two of its five seconds are used up.
        assert_late(Phase::Body, ends_after(secs(3), wire.flush_and_fill(1024)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn each_body_has_a_min_rate_grace_of_its_own() {
        let connections = connections(limits());
        let (_connection, mut wire, mut client) = piped(&connections, 1024);
        for _ in 0..3 {
            wire.enter(Phase::Body);
            let waiting = timeout(secs(4), wire.flush_and_fill(1024)).await;
            assert!(waiting.is_err(), "{waiting:?}");
            client.write_all(b"x").await.unwrap();
            assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(1));
            wire.clear_phase();
        }
    }
}

mod reply {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_has_the_min_rate_grace() {
        for offset in offsets() {
            let connections = connections(limits());
            let (_connection, mut wire, peer) = scripted(&connections);
            sleep(offset).await;
            peer.deaf();
            wire.output.extend(b"hello");
            assert_late(Phase::Reply, ends_after(secs(5), wire.flush()).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stops_ends_at_the_reply_stall_timeout() {
        for offset in offsets() {
            let connections = connections(limits());
            let (_connection, mut wire, mut client) = piped(&connections, 64 * 1024);
            sleep(offset).await;
            wire.output.push(vec![b'x'; 10 << 20].into());
            let reading = tokio::spawn(async move {
                client.read_exact(&mut vec![0; 1 << 20]).await.unwrap();
                sleep(secs(3600)).await;
            });
            assert!(timeout(secs(59), wire.flush()).await.is_err());
            assert_eq!(wire.output.len(), (10 << 20) - (1 << 20) - 64 * 1024);
            assert_late(Phase::Reply, ends_after(secs(1), wire.flush()).await);
            reading.abort();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_below_the_min_rate_ends() {
        let connections = connections(limits());
        let (_connection, mut wire, mut client) = piped(&connections, 24);
        wire.output.push(vec![b'x'; 1 << 20].into());
        tokio::spawn(async move {
            loop {
                sleep(millis(100)).await;
                if client.read_exact(&mut [0; 2]).await.is_err() {
                    return;
                }
            }
        });
        // 24 bytes at once, and then 20 B/s against 240.
        assert_late(Phase::Reply, ends_after(millis(5_563), wire.flush()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_at_the_min_rate_never_times_out() {
        let connections = connections(limits());
        let (_connection, mut wire, mut client) = piped(&connections, 240);
        wire.output.push(vec![b'x'; 1800 * 240].into());
        let reading = tokio::spawn(async move {
            for _ in 0..1800 {
                sleep(secs(1)).await;
                client.read_exact(&mut [0; 240]).await.unwrap();
            }
        });
        wire.flush().await.unwrap();
        reading.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_taken_at_once_earn_min_rate_time_for_the_whole_reply() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        wire.output.push(vec![0; 1 << 20].into());
        wire.flush().await.unwrap();
        // At the next piece the client pauses: it has the sixty seconds of the stall, and not the five of the grace.
        peer.deaf();
        wire.output.push(vec![0; 1 << 20].into());
        assert_late(Phase::Reply, ends_after(secs(60), wire.flush()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_that_was_taken_does_not_time_out_later() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        peer.deaf();
        wire.output.extend(b"x");
        let bell = common::Bell::new();
        // Both are waited for; then the reply is taken.
        assert!(common::poll_once(&bell, wire.flush()).is_pending());
        assert!(common::poll_once(&bell, poll_fn(|cx| wire.poll_fill(cx, 1024))).is_pending());
        peer.writes([Step::Take(1)]);
        assert_late(Phase::Head, ends_after(secs(10), wire.flush_and_fill(1024)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn each_reply_has_a_min_rate_of_its_own() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        wire.output.push(vec![0; 1 << 20].into());
        wire.enter(Phase::Idle);
        peer.sends(*b"x").reads([Step::Later]);
        wire.flush_and_fill(1024).await.unwrap();
        assert!(common::poll_once(&common::Bell::new(), wire.flush_and_fill(1024)).is_pending());
        wire.clear_phase();
        peer.deaf();
        wire.output.extend(b"the next reply");
        assert_late(Phase::Reply, ends_after(secs(5), wire.flush()).await);
        assert_eq!(peer.written().len(), 1 << 20);
    }
}

mod linger {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn linger_ends_at_its_timeout_with_a_silent_client() {
        for offset in offsets() {
            let connections = connections(limits());
            let (_connection, mut wire, _client) = piped(&connections, 1024);
            sleep(offset).await;
            ends_after(secs(2), wire.linger(u64::MAX)).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn linger_is_not_prolonged_by_bytes() {
        let connections = connections(limits());
        let (_connection, mut wire, mut client) = piped(&connections, 1024);
        tokio::spawn(async move {
            while client.write_all(&[b'x'; 500]).await.is_ok() {
                sleep(millis(50)).await;
            }
        });
        ends_after(secs(2), wire.linger(u64::MAX)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn linger_is_not_shortened_by_a_slow_stream_shutdown() {
        let connections = connections(Timeouts { min_rate_grace: secs(1), linger: secs(4), ..limits() });
        let (_connection, mut wire, peer) = scripted(&connections);
        peer.shutdowns([Step::Later]);
        ends_after(secs(4), wire.linger(u64::MAX)).await.unwrap();
        assert!(peer.is_shut());
    }

    #[tokio::test(start_paused = true)]
    async fn linger_ends_at_once_at_fin_or_at_its_byte_limit() {
        let connections = connections(limits());
        let (_connection, mut wire, client) = piped(&connections, 1024);
        drop(client);
        ends_after(Duration::ZERO, wire.linger(u64::MAX)).await.unwrap();

        let (_connection, mut wire, peer) = scripted(&connections);
        peer.sends(vec![b'x'; 100_000]).sends(*b"more");
        ends_after(Duration::ZERO, wire.linger(100_000)).await.unwrap();
        assert!(wire.input.is_empty());
        assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(4), "no more than the limit was read");
    }

    #[tokio::test(start_paused = true)]
    async fn linger_first_sends_a_413_with_the_timeout_of_a_reply() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        peer.deaf();
        wire.output.extend(b"413");
        let reader = peer.clone();
        tokio::spawn(async move {
            sleep(secs(4)).await;
            assert!(!reader.is_shut());
            reader.writes([Step::Take(3)]);
        });
        ends_after(secs(6), wire.linger(u64::MAX)).await.unwrap();
        assert_eq!(peer.written(), b"413");
        assert!(peer.is_shut());
    }
}

mod drain {
    use super::*;

    /// Stops after a second.
    fn stop_soon(connections: &Arc<Connections>) {
        let connections = Arc::clone(connections);
        tokio::spawn(async move {
            sleep(secs(1)).await;
            connections.stop();
        });
    }

    #[tokio::test(start_paused = true)]
    async fn drain_reads_an_idle_or_silent_connection_after_stop() {
        for (offset, phase) in offsets().zip([Phase::Idle, Phase::Head].into_iter().cycle()) {
            let connections = connections(limits());
            let (_connection, mut wire, _client) = piped(&connections, 1024);
            wire.enter(phase);
            sleep(offset).await;
            stop_soon(&connections);
            assert_late(Phase::Drain, ends_after(millis(1500), wire.flush_and_fill(1024)).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn drain_receives_a_request_on_its_way() {
        let connections = connections(limits());
        let (_connection, mut wire, mut client) = piped(&connections, 1024);
        wire.enter(Phase::Idle);
        stop_soon(&connections);
        tokio::spawn(async move {
            sleep(millis(1400)).await;
            client.write_all(b"GET").await.unwrap();
            sleep(secs(3600)).await;
        });
        assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(3));
        // The request has begun: from here on it has the timeout of a head.
        wire.enter(Phase::Head);
        assert_late(Phase::Head, ends_after(secs(10), wire.flush_and_fill(1024)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn drain_does_not_shorten_a_body() {
        let connections = connections(limits());
        let (_connection, mut wire, _client) = piped(&connections, 1024);
        wire.enter(Phase::Body);
        stop_soon(&connections);
        assert_late(Phase::Body, ends_after(secs(5), wire.flush_and_fill(1024)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn drain_begins_after_the_last_reply_was_sent() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        connections.stop();
        peer.deaf();
        wire.output.extend(b"bye");
        wire.enter(Phase::Idle);
        tokio::spawn(async move {
            sleep(secs(3)).await;
            peer.writes([Step::Take(3)]);
        });
        assert_late(Phase::Drain, ends_after(millis(3500), wire.flush_and_fill(1024)).await);
    }
}

mod moved {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_read_deadline_replaces_the_min_rate_and_the_stall() {
        for (after, offset) in [secs(1), secs(100)].into_iter().zip(offsets().skip(3)) {
            let connections = connections(limits());
            let (connection, mut wire, _client) = piped(&connections, 1024);
            sleep(offset).await;
            wire.enter(Phase::Body);
            connection.active().set_read_deadline(after);
            assert_late(Phase::Body, ends_after(after, wire.flush_and_fill(1024)).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_deadline_replaces_the_min_rate_and_the_stall() {
        for (after, offset) in [secs(1), secs(100)].into_iter().zip(offsets().skip(3)) {
            let connections = connections(limits());
            let (connection, mut wire, peer) = scripted(&connections);
            sleep(offset).await;
            peer.deaf();
            wire.output.extend(b"x");
            connection.active().set_write_deadline(after);
            assert_late(Phase::Reply, ends_after(after, wire.flush()).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_moved_read_deadline_leaves_the_write_rule_and_back() {
        let connections = connections(limits());
        let (connection, mut wire, peer) = scripted(&connections);
        peer.deaf();
        connection.active().set_read_deadline(Duration::MAX);
        wire.output.extend(b"x");
        assert_late(Phase::Reply, ends_after(secs(5), wire.flush()).await);

        let (connection, mut wire, _client) = piped(&connections, 1024);
        connection.active().set_write_deadline(Duration::MAX);
        wire.enter(Phase::Body);
        assert_late(Phase::Body, ends_after(secs(5), wire.flush_and_fill(1024)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_deadline_of_duration_max_never_ends() {
        let connections = connections(limits());
        let (connection, mut wire, mut client) = piped(&connections, 1024);
        connection.active().set_read_deadline(Duration::MAX);
        wire.enter(Phase::Body);
        tokio::spawn(async move {
            sleep(secs(3600)).await;
            client.write_all(b"x").await.unwrap();
        });
        assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_moved_deadline_counts_for_a_wait_in_progress() {
        let connections = connections(limits());
        let (connection, mut wire, peer) = scripted(&connections);
        peer.deaf();
        wire.output.extend(b"x");
        let handler = connection.active();
        tokio::spawn(async move {
            sleep(secs(1)).await;
            handler.set_write_deadline(secs(1));
        });
        assert_late(Phase::Reply, ends_after(secs(2), wire.flush()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_moved_deadline_wakes_the_owner_of_a_shared_wire() {
        let connections = connections(limits());
        let (connection, mut wire, _client) = piped(&connections, 1024);
        wire.enter(Phase::Body);
        let bell = common::Bell::new();
        // A body waits with this wire; the owner of the wire only checks it when it is woken.
        assert!(common::poll_once(&bell, wire.flush_and_fill(1024)).is_pending());
        connection.active().set_read_deadline(secs(1));
        assert_eq!(bell.rings(), 1);
        let start = Instant::now();
        while wire.check().is_ok() {
            sleep(millis(10)).await;
        }
        let took = start.elapsed();
        assert!(took >= secs(1) && took <= millis(1500), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_moved_deadline_ends_with_its_request() {
        let connections = connections(limits());
        let (connection, mut wire, _client) = piped(&connections, 1024);
        connection.active().set_read_deadline(Duration::MAX);
        connection.active().set_write_deadline(Duration::MAX);
        connection.end_request();
        wire.enter(Phase::Body);
        assert_late(Phase::Body, ends_after(secs(5), wire.flush_and_fill(1024)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_moved_deadline_does_not_count_for_heads() {
        let connections = connections(limits());
        let (connection, mut wire, _client) = piped(&connections, 1024);
        connection.active().set_read_deadline(Duration::MAX);
        assert_late(Phase::Head, ends_after(secs(10), wire.flush_and_fill(1024)).await);
    }
}

mod half_closed_timeout {
    use super::*;

    /// Watches as the server does while a handler makes a reply piece by piece.
    async fn make_nothing<S: Stream>(wire: &mut Wire<S>) -> Result<(), WireError> {
        poll_fn(|cx| match wire.poll_watch(cx, 1024) {
            Poll::Ready(ended) => Poll::Ready(ended.map(drop)),
            Poll::Pending => {
                wire.start_half_closed_timeout().map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending)
            }
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn a_half_closed_client_has_the_stall_timeout_of_a_reply() {
        for offset in offsets() {
            let connections = connections(limits());
            let (_connection, mut wire, peer) = scripted(&connections);
            wire.clear_phase();
            peer.reads([Step::End]);
            sleep(offset).await;
            // The timeout starts again after each piece.
            for _ in 0..3 {
                let made = timeout(secs(29), make_nothing(&mut wire)).await;
                assert!(made.is_err(), "{made:?}");
                wire.output.extend(b"a piece");
                wire.clear_half_closed_timeout();
                wire.flush().await.unwrap();
            }
            assert_late(Phase::Reply, ends_after(secs(30), make_nothing(&mut wire)).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_without_fin_has_no_half_closed_timeout() {
        let connections = connections(limits());
        let (_connection, mut wire, _peer) = scripted(&connections);
        wire.clear_phase();
        assert!(timeout(secs(3600), make_nothing(&mut wire)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_deadline_replaces_the_half_closed_timeout() {
        let connections = connections(limits());
        let (connection, mut wire, peer) = scripted(&connections);
        wire.clear_phase();
        peer.reads([Step::End]);
        connection.active().set_write_deadline(secs(300));
        assert_late(Phase::Reply, ends_after(secs(300), make_nothing(&mut wire)).await);
    }
}

/// Without timeouts only the event itself ends a wait, so each wait must register its task for the event.
mod liveness {
    use super::*;
    use common::{Bell, poll_once};

    #[tokio::test(start_paused = true)]
    async fn without_timeouts_every_wait_ends_with_its_event() {
        for phase in Phase::ALL {
            let connections = connections(Timeouts::none());
            let (connection, mut wire, peer) = scripted(&connections);
            let bell = Bell::new();
            wire.enter(phase);
            if phase != Phase::Linger && phase != Phase::Drain {
                assert!(timeout(secs(24 * 3600), wire.flush_and_fill(1024)).await.is_err(), "{phase:?} has no limit");
            }
            // Bytes.
            assert!(poll_once(&bell, wire.flush_and_fill(1024)).is_pending());
            let rings = bell.rings();
            peer.sends(*b"x");
            assert!(bell.rings() > rings, "{phase:?}: bytes came and no task was woken");
            assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(1));
            wire.input.consume(1);
            // Room.
            peer.writes([Step::Take(3)]).deaf();
            wire.output.extend(b"reply");
            assert!(poll_once(&bell, wire.flush_and_fill(1024)).is_pending());
            let rings = bell.rings();
            peer.writes([Step::Take(2)]);
            assert!(bell.rings() > rings, "{phase:?}: room came and no task was woken");
            wire.flush().await.unwrap();
            assert_eq!(peer.written(), b"reply");
            // While a handler is at work: bytes, and then the end of the client's half.
            wire.clear_phase();
            let mut watched = || poll_once(&bell, poll_fn(|cx| wire.poll_watch(cx, 1024)));
            assert!(watched().is_pending());
            let rings = bell.rings();
            peer.sends(*b"ahead");
            assert!(bell.rings() > rings, "{phase:?}: bytes came ahead and no task was woken");
            assert!(watched().is_pending());
            let rings = bell.rings();
            peer.reads([Step::End]);
            assert!(
                bell.rings() > rings && watched().is_pending() && connection.active().is_disconnected(),
                "{phase:?}: FIN"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_timeouts_stop_abort_and_close_if_idle_work() {
        for phase in [Phase::Idle, Phase::Head] {
            let connections = connections(Timeouts::none());
            let (_connection, mut wire, _peer) = scripted(&connections);
            wire.enter(phase);
            let stopping = Arc::clone(&connections);
            tokio::spawn(async move {
                sleep(secs(1)).await;
                stopping.stop();
            });
            assert_late(Phase::Drain, ends_after(millis(1500), wire.flush_and_fill(1024)).await);

            let connections = common::connections(Timeouts::none());
            let (connection, mut wire, _peer) = scripted(&connections);
            wire.enter(phase);
            let idle = common::connection_of(&connection);
            tokio::spawn(async move {
                sleep(secs(1)).await;
                connections.close_if_idle(&idle);
            });
            let start = Instant::now();
            assert_late(Phase::Drain, timeout(secs(60), wire.flush_and_fill(1024)).await.unwrap());
            assert_eq!(start.elapsed(), secs(1));
        }
        for phase in Phase::ALL {
            let connections = connections(Timeouts::none());
            let (_connection, mut wire, peer) = scripted(&connections);
            peer.deaf();
            wire.enter(phase);
            wire.output.extend(b"a reply that is not taken");
            let cutting = Arc::clone(&connections);
            tokio::spawn(async move {
                sleep(secs(1)).await;
                cutting.abort();
            });
            let cut = timeout(secs(60), poll_fn(|cx| wire.poll_watch(cx, 1024))).await.unwrap();
            assert!(matches!(cut, Err(WireError::Aborted)), "{phase:?}: {cut:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_timeouts_a_linger_ends_with_its_client() {
        let connections = connections(Timeouts { linger: Duration::MAX, ..Timeouts::none() });
        let (_connection, mut wire, mut client) = piped(&connections, 1024);
        tokio::spawn(async move {
            for _ in 0..100 {
                client.write_all(&[b'x'; 5000]).await.unwrap();
                sleep(secs(60)).await;
            }
        });
        timeout(secs(6_001), wire.linger(u64::MAX)).await.expect("the client has closed").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_wire_whose_guard_was_dropped_still_has_timeouts() {
        let connections = connections(limits());
        let (connection, mut wire, _peer) = scripted(&connections);
        drop(connection);
        assert_late(Phase::Head, ends_after(secs(10), wire.flush_and_fill(1024)).await);
        assert_eq!(connections.counts().new, 1);
        let active = wire.active().unwrap();
        let connection = Arc::clone(active.connection());
        drop(wire);
        assert_eq!(
            (connections.counts().total(), connection.state(), active.is_disconnected()),
            (0, State::Closed, true)
        );

        // The same if only the wire was ever kept.
        let (script, _peer) = common::Script::new();
        let (_, mut wire) = connections.admit(script, common::addr());
        assert_late(Phase::Head, ends_after(secs(10), wire.flush_and_fill(1024)).await);
    }
}

mod clear_phase {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_read_does_not_time_out_while_a_handler_works() {
        let connections = connections(limits());
        let (_connection, mut wire, _client) = piped(&connections, 1024);
        let bell = common::Bell::new();
        assert!(common::poll_once(&bell, wire.flush_and_fill(1024)).is_pending());
        wire.clear_phase();
        let watching = poll_fn(|cx| wire.poll_watch(cx, 1024));
        assert!(timeout(secs(3600), watching).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn clear_phase_forgets_the_timeout_of_the_wait() {
        let connections = connections(Timeouts { idle: secs(2), ..limits() });
        let (_connection, mut wire, peer) = scripted(&connections);
        wire.enter(Phase::Idle);
        assert!(common::poll_once(&common::Bell::new(), wire.flush_and_fill(1024)).is_pending());
        wire.clear_phase();
        peer.deaf();
        wire.output.extend(b"x");
        assert_late(Phase::Reply, ends_after(secs(5), wire.flush()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_phase_forgets_the_timeout_of_the_last_one() {
        let connections = connections(Timeouts { idle: secs(2), ..limits() });
        let (_connection, mut wire, peer) = scripted(&connections);
        wire.enter(Phase::Idle);
        assert!(common::poll_once(&common::Bell::new(), wire.flush_and_fill(1024)).is_pending());
        wire.enter(Phase::Linger);
        peer.deaf();
        wire.output.extend(b"x");
        assert_late(Phase::Reply, ends_after(secs(5), wire.flush()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_has_no_idle_timeout() {
        let connections = connections(Timeouts { idle: secs(2), ..limits() });
        let (_connection, mut wire, peer) = scripted(&connections);
        wire.enter(Phase::Idle);
        assert!(common::poll_once(&common::Bell::new(), wire.flush_and_fill(1024)).is_pending());
        // A late piece of a reply to an idle client, which is slow to take it.
        peer.deaf();
        wire.output.extend(b"x");
        assert_late(Phase::Reply, ends_after(secs(5), wire.flush_and_fill(1024)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_reader_times_out_while_a_handler_works() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        wire.clear_phase();
        peer.deaf();
        wire.output.extend(b"an earlier reply");
        assert_late(Phase::Reply, ends_after(secs(5), poll_fn(|cx| wire.poll_watch(cx, 1024))).await);
    }
}
