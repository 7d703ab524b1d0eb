//! Reading and writing by a wire on scripted streams: every short read, short write, error and end.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{future::poll_fn, io, task::Poll, time::Duration};

use bytes::{Bytes, BytesMut};
use common::{Bell, Script, Step, connections, ends_after, limits, piped, poll_once, scripted};
use quintet_conn::{BLOCK, Connection, Filled, Phase, Wire, WireError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

mod reading {
    use super::*;

    #[tokio::test]
    async fn received_bytes_stay_in_the_input_until_consumed() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.sends(*b"hel").reads([Step::Later]).sends(*b"lo").reads([Step::End]);
        assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(3));
        assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(2));
        assert_eq!(wire.input.filled(), b"hello");
        assert!(!wire.is_ended());
        assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::End);
        assert!(wire.is_ended());
        assert_eq!(wire.input.filled(), b"hello");
    }

    #[tokio::test]
    async fn a_fin_stays_the_end_of_the_input() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.reads([Step::End]).sends(*b"a ghost");
        for _ in 0..3 {
            assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::End);
        }
        let mut into = BytesMut::new();
        assert_eq!(poll_fn(|cx| wire.poll_fill_into(cx, &mut into, 10)).await.unwrap(), Filled::End);
        assert!(into.is_empty());
    }

    #[tokio::test]
    async fn a_read_stops_at_its_limit() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.sends(vec![b'x'; 1000]);
        assert_eq!(wire.flush_and_fill(600).await.unwrap(), Filled::Bytes(600));
        assert_eq!(wire.flush_and_fill(600).await.unwrap(), Filled::Full);
        wire.input.consume(100);
        assert_eq!(wire.flush_and_fill(600).await.unwrap(), Filled::Bytes(100));
        assert_eq!(wire.flush_and_fill(0).await.unwrap(), Filled::Full);
    }

    #[tokio::test]
    async fn a_read_error_keeps_the_bytes_before_it() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.sends(*b"x").reads([Step::Error(io::ErrorKind::ConnectionReset)]);
        assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(1));
        let error = wire.flush_and_fill(1024).await.unwrap_err();
        assert!(matches!(&error, WireError::Io(error) if error.kind() == io::ErrorKind::ConnectionReset), "{error:?}");
        assert_eq!(wire.input.filled(), b"x");
    }

    #[tokio::test]
    async fn a_large_body_is_read_past_the_input() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.sends(vec![b'x'; 100_000]).reads([Step::Later]).sends(*b"tail").reads([Step::End]);
        let (mut into, mut sizes) = (BytesMut::with_capacity(30_000), Vec::new());
        while let Filled::Bytes(n) = poll_fn(|cx| wire.poll_fill_into(cx, &mut into, 20_000)).await.unwrap() {
            sizes.push(n);
        }
        assert!(sizes.iter().all(|n| *n <= 20_000), "{sizes:?}");
        assert_eq!((into.len(), wire.input.capacity()), (100_004, 0));
        assert!(into.ends_with(b"xtail") && wire.is_ended());
    }

    #[tokio::test]
    async fn a_read_of_zero_bytes_is_not_the_end() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.sends(*b"x");
        let mut into = BytesMut::new();
        assert_eq!(poll_fn(|cx| wire.poll_fill_into(cx, &mut into, 0)).await.unwrap(), Filled::Full);
        assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(1));
    }

    #[tokio::test]
    async fn a_dropped_flush_and_fill_loses_no_byte() {
        let (mut client, ours) = tokio::io::duplex(16);
        let mut wire = Wire::new(ours);
        wire.output.extend(&[b'o'; 40]);
        let mut received = vec![0; 40];
        for at in 0..40 {
            assert!(poll_once(&Bell::new(), wire.flush_and_fill(1024)).is_pending());
            client.read_exact(&mut received[at..=at]).await.unwrap();
        }
        assert_eq!(received, [b'o'; 40]);
        assert!(poll_once(&Bell::new(), wire.flush_and_fill(1024)).is_pending());
        client.write_all(b"hello").await.unwrap();
        assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(5));
    }

    #[tokio::test]
    async fn into_parts_returns_unread_and_unsent_bytes() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.sends(*b"leftover").sends(*b"later");
        wire.flush_and_fill(1024).await.unwrap();
        wire.output.extend(b"unsent");
        let (mut stream, mut input, output) = wire.into_parts();
        assert_eq!((input.take(), output.len()), (b"leftover".to_vec(), 6));
        let mut later = [0; 5];
        stream.read_exact(&mut later).await.unwrap();
        assert_eq!(&later, b"later");
    }
}

mod writing {
    use super::*;

    #[tokio::test]
    async fn sixteen_pipelined_replies_leave_in_one_write() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        for _ in 0..16 {
            wire.output.extend(b"HTTP/1.1 200 OK\r\n\r\n");
            wire.output.push(Bytes::from_static(b"hello"));
        }
        wire.flush().await.unwrap();
        assert_eq!((peer.calls(), peer.written().len()), (1, 16 * 24));
        assert!(wire.output.is_empty());
    }

    #[tokio::test]
    async fn a_large_piece_leaves_with_its_head_uncopied() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        let mut expected = Vec::new();
        for n in 0..7 {
            let (head, body) = (format!("head {n} "), vec![b'0' + n; 20_000]);
            wire.output.extend(head.as_bytes());
            wire.output.push(body.clone().into());
            expected.extend(head.into_bytes());
            expected.extend(body);
        }
        wire.flush().await.unwrap();
        assert_eq!(peer.calls(), 1);
        assert_eq!(peer.written(), expected);
    }

    #[tokio::test]
    async fn a_stream_without_writev_gets_piece_by_piece() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.plain();
        wire.output.extend(b"head");
        wire.output.push(vec![b'x'; 20_000].into());
        wire.output.extend(b"tail");
        wire.flush().await.unwrap();
        assert_eq!(peer.calls(), 3);
        assert_eq!(peer.written(), [&b"head"[..], &vec![b'x'; 20_000], b"tail"].concat());
    }

    #[tokio::test]
    async fn a_short_write_is_continued() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.writes([Step::Take(1), Step::Later, Step::Take(3), Step::Take(10_000), Step::Later, Step::Later]);
        wire.output.extend(b"head");
        wire.output.push(vec![b'x'; 20_000].into());
        wire.flush().await.unwrap();
        assert_eq!(peer.written(), [&b"head"[..], &vec![b'x'; 20_000]].concat());
    }

    #[tokio::test]
    async fn a_write_of_zero_bytes_fails_instead_of_spinning() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.writes([Step::Take(0)]);
        wire.output.extend(b"x");
        let error = wire.flush().await.unwrap_err();
        assert!(matches!(&error, WireError::Io(error) if error.kind() == io::ErrorKind::WriteZero), "{error:?}");
    }

    #[tokio::test]
    async fn a_write_error_discards_unsent_bytes_and_stays() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.writes([Step::Take(2), Step::Error(io::ErrorKind::BrokenPipe)]);
        wire.output.extend(b"hello");
        assert!(matches!(wire.flush().await, Err(WireError::Io(_))));
        assert!(wire.output.is_empty());
        // The bytes are lost: no later flush may say that everything was sent.
        for more in [&b""[..], b"more"] {
            wire.output.extend(more);
            let error = wire.flush().await.unwrap_err();
            assert!(matches!(&error, WireError::Io(error) if error.kind() == io::ErrorKind::BrokenPipe), "{error:?}");
            assert!(wire.output.is_empty() && wire.output.capacity() == 0);
            assert!(matches!(wire.flush_and_fill(1024).await, Err(WireError::Io(_))));
        }
        assert_eq!(peer.written(), b"he");
    }

    #[tokio::test]
    async fn a_stream_that_buffers_is_flushed() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.buffers().flushes([Step::Later, Step::Later]);
        wire.output.extend(b"hello");
        // Dropped in the middle: the stream has taken every byte and has passed none on.
        assert!(poll_once(&Bell::new(), wire.flush()).is_pending());
        assert!(wire.output.is_empty());
        wire.flush().await.unwrap();
        assert_eq!(peer.written(), b"hello");
        wire.flush().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_never_flushes_times_out() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        peer.buffers().flushes([Step::Never, Step::Never]);
        wire.output.extend(b"hello");
        assert!(ends_after(Duration::from_secs(5), wire.flush()).await.is_err());
        assert!(peer.written().is_empty());
    }

    #[tokio::test]
    async fn a_flush_comes_before_every_wait() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.sends(*b"next").writes([Step::Take(3), Step::Later]);
        wire.output.extend(b"reply");
        assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(4));
        assert_eq!(peer.written(), b"reply");
    }

    #[tokio::test]
    async fn a_half_close_follows_the_last_byte_and_still_reads() {
        let (mut client, ours) = tokio::io::duplex(4);
        let mut wire = Wire::new(ours);
        wire.output.extend(b"reply");
        let closing = tokio::spawn(async move {
            wire.half_close().await.unwrap();
            assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(4));
            wire.input.take()
        });
        let mut reply = Vec::new();
        client.read_to_end(&mut reply).await.unwrap();
        assert_eq!(reply, b"reply");
        client.write_all(b"late").await.unwrap();
        assert_eq!(closing.await.unwrap(), b"late");
    }

    #[tokio::test]
    async fn a_half_close_that_waits_or_fails_reports_it() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.shutdowns([Step::Later, Step::Later, Step::Error(io::ErrorKind::NotConnected)]);
        assert!(matches!(wire.half_close().await, Err(WireError::Io(_))));
        assert!(!peer.is_shut());
        wire.half_close().await.unwrap();
        assert!(peer.is_shut());
    }
}

mod watching {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_watch_sends_and_reads_ahead_while_a_handler_works() {
        let connections = connections(limits());
        let (connection, mut wire, mut client) = piped(&connections, 1024);
        wire.clear_phase();
        wire.output.extend(b"an earlier reply");
        client.write_all(b"the next request").await.unwrap();
        let watching = poll_fn(|cx| wire.poll_watch(cx, 1024));
        assert!(timeout(Duration::from_secs(60), watching).await.is_err());
        assert_eq!(wire.input.filled(), b"the next request");
        let mut reply = [0; 16];
        client.read_exact(&mut reply).await.unwrap();
        assert_eq!(&reply, b"an earlier reply");
        assert!(!connection.active().is_disconnected());
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_reads_ahead_only_to_its_limit() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        wire.clear_phase();
        for _ in 0..100 {
            peer.sends(vec![b'x'; 1000]);
        }
        let bell = Bell::new();
        for _ in 0..10 {
            assert!(poll_once(&bell, poll_fn(|cx| wire.poll_watch(cx, 8 * 1024))).is_pending());
            assert_eq!(wire.input.len(), 8 * 1024);
        }
        assert_eq!(bell.rings(), 0, "no task is woken for bytes that will not be read");
    }

    #[tokio::test(start_paused = true)]
    async fn a_half_closed_client_still_gets_its_reply() {
        let connections = connections(limits());
        let (connection, mut wire, peer) = scripted(&connections);
        wire.clear_phase();
        peer.reads([Step::End]);
        let bell = Bell::new();
        assert!(poll_once(&bell, poll_fn(|cx| wire.poll_watch(cx, 1024))).is_pending());
        assert!(connection.active().is_disconnected());
        wire.output.extend(b"reply");
        assert!(poll_once(&bell, poll_fn(|cx| wire.poll_watch(cx, 1024))).is_pending());
        assert_eq!(peer.written(), b"reply");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reset_ends_a_watch() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        wire.clear_phase();
        peer.reads([Step::Error(io::ErrorKind::ConnectionReset)]);
        let watched = poll_once(&Bell::new(), poll_fn(|cx| wire.poll_watch(cx, 1024)));
        assert!(matches!(watched, Poll::Ready(Err(WireError::Io(_)))), "{watched:?}");
    }
}

mod memory {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_waits_holds_no_buffer_memory() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        let bell = Bell::new();
        assert!(poll_once(&bell, wire.flush_and_fill(1 << 20)).is_pending());
        assert_eq!((wire.input.capacity(), wire.output.capacity()), (0, 0));
        for size in [1, 100, BLOCK - 1, BLOCK, BLOCK + 1, 1 << 20] {
            // A body, and as much in reply; then it waits.
            peer.sends(vec![b'x'; size]);
            let mut read = 0;
            while let Poll::Ready(Ok(Filled::Bytes(n))) = poll_once(&bell, wire.flush_and_fill(1 << 20)) {
                read += n;
            }
            assert_eq!(read, size);
            let bytes = wire.input.filled().to_vec();
            wire.input.consume(bytes.len());
            wire.output.extend(&bytes[..size.min(1000)]);
            wire.output.push(bytes.into());
            wire.enter(Phase::Idle);
            assert!(poll_once(&bell, wire.flush_and_fill(1 << 20)).is_pending());
            assert_eq!((wire.input.capacity(), wire.output.capacity()), (0, 0), "after {size} bytes");
            wire.clear_phase();
            assert!(poll_once(&bell, poll_fn(|cx| wire.poll_watch(cx, 1 << 20))).is_pending());
            assert_eq!((wire.input.capacity(), wire.output.capacity()), (0, 0), "watching after {size} bytes");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_head_holds_its_bytes_and_at_most_4_kib() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        let bell = Bell::new();
        let mut sent = 0;
        for piece in [1, 1, 1, 4093, 1, 4095, 1, 100, 8000, 20_000, 28_000].into_iter().cycle().take(22) {
            peer.sends(vec![b'x'; piece]);
            sent += piece;
            while poll_once(&bell, wire.flush_and_fill(1 << 20)).is_ready() {}
            assert_eq!(wire.input.len(), sent);
            assert!(wire.input.capacity() <= sent + 4096, "{} for {sent}", wire.input.capacity());
        }
    }

    /// What one wire holds, in bytes: both buffers, and large pieces that were to be sent.
    fn held(wire: &Wire<Script>) -> usize {
        wire.input.capacity() + wire.output.capacity() + wire.output.len()
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Call {
        Turn,
        Fill,
        FillInto,
        Flush,
        Watch,
        HalfClose,
        Linger,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum End {
        Fin,
        Reset,
        WriteError,
        WriteZero,
        FlushError,
        Timeout,
        Aborted,
    }

    impl Call {
        /// One poll; `None` while it waits.
        fn poll(self, wire: &mut Wire<Script>, bell: &std::sync::Arc<Bell>) -> Option<Result<(), WireError>> {
            let polled = match self {
                Self::Turn => poll_once(bell, wire.flush_and_fill(1 << 20)).map_ok(drop),
                Self::Fill => poll_once(bell, poll_fn(|cx| wire.poll_fill(cx, 1 << 20))).map_ok(drop),
                Self::FillInto => {
                    let mut into = BytesMut::new();
                    poll_once(bell, poll_fn(|cx| wire.poll_fill_into(cx, &mut into, 1 << 20))).map_ok(drop)
                }
                Self::Flush => poll_once(bell, wire.flush()),
                Self::Watch => poll_once(bell, poll_fn(|cx| wire.poll_watch(cx, 64 * 1024))).map_ok(drop),
                Self::HalfClose => poll_once(bell, wire.half_close()),
                Self::Linger => poll_once(bell, wire.linger(1 << 20)),
            };
            match polled {
                Poll::Ready(done) => Some(done),
                Poll::Pending => None,
            }
        }
    }

    /// A handler may work for long after its client disconnected, and the wire holds no memory meanwhile.
    #[tokio::test(start_paused = true)]
    async fn a_wire_that_failed_holds_at_most_4_kib_in_every_phase() {
        use Call::*;
        let mut failed = 0;
        for end in [End::Fin, End::Reset, End::WriteError, End::WriteZero, End::FlushError, End::Timeout, End::Aborted]
        {
            for call in [Turn, Fill, FillInto, Flush, Watch, HalfClose, Linger] {
                for phase in [None, Some(Phase::Idle), Some(Phase::Head), Some(Phase::Body), Some(Phase::Linger)] {
                    let connections = connections(limits());
                    let (_connection, mut wire, peer) = scripted(&connections);
                    let bell = Bell::new();
                    // Traffic before, so that the wire took memory for both directions.
                    peer.sends(vec![b'x'; 60_000]);
                    wire.flush_and_fill(1 << 20).await.unwrap();
                    wire.input.consume(60_000);
                    if let Some(phase) = phase {
                        wire.enter(phase);
                    } else {
                        wire.clear_phase();
                    }
                    wire.output.extend(&[b'y'; 90_000]);
                    wire.output.push(vec![b'z'; 1 << 20].into());
                    match end {
                        End::Fin => drop(peer.reads([Step::End])),
                        End::Reset => drop(peer.reads([Step::Error(io::ErrorKind::ConnectionReset)])),
                        End::WriteError => drop(peer.writes([Step::Take(9), Step::Error(io::ErrorKind::BrokenPipe)])),
                        End::WriteZero => drop(peer.writes([Step::Take(9), Step::Take(0)])),
                        End::FlushError => drop(peer.flushes([Step::Error(io::ErrorKind::BrokenPipe)])),
                        End::Timeout | End::Aborted => drop(peer.deaf()),
                    }
                    let mut outcome = call.poll(&mut wire, &bell);
                    if end == End::Aborted {
                        connections.abort();
                    }
                    for _ in 0..16 {
                        if outcome.is_some() {
                            break;
                        }
                        tokio::time::sleep(Duration::from_secs(5)).await;
                        outcome = call.poll(&mut wire, &bell);
                    }
                    let context = format!("{call:?} in {phase:?} after {end:?}: {outcome:?}");
                    match outcome {
                        Some(Err(error)) => {
                            failed += 1;
                            // The client can still be sent a 408, so the reply is kept.
                            let broken = !matches!(error, WireError::TimedOut(phase) if phase != Phase::Reply);
                            let reply = if broken { 0 } else { wire.output.capacity() + wire.output.len() };
                            assert!(held(&wire) - reply <= 4096, "{context} holds {}", held(&wire));
                            let aborted = matches!(error, WireError::Aborted | WireError::TimedOut(Phase::Reply));
                            assert_eq!(peer.is_aborted(), aborted, "{context}");
                            assert!(!broken || wire.flush().await.is_err(), "{context}");
                        }
                        // It reads and does not send: what is to be sent is not its own.
                        _ if matches!(call, Fill | FillInto) => assert_eq!(wire.input.capacity(), 0, "{context}"),
                        // All is sent, and nothing was waited for.
                        Some(Ok(())) if call == Flush => assert_eq!(wire.output.len(), 0),
                        _ => assert!(held(&wire) <= 4096, "{context} holds {}", held(&wire)),
                    }
                }
            }
        }
        assert!(failed > 100, "{failed}");
    }

    #[tokio::test(start_paused = true)]
    async fn pipelined_bytes_before_a_reset_are_discarded_by_a_watch() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        wire.clear_phase();
        peer.sends(vec![b'x'; 50_000]);
        let bell = Bell::new();
        assert!(poll_once(&bell, poll_fn(|cx| wire.poll_watch(cx, 64 * 1024))).is_pending());
        assert_eq!(wire.input.len(), 50_000);
        peer.reads([Step::Error(io::ErrorKind::ConnectionReset)]);
        assert!(poll_once(&bell, poll_fn(|cx| wire.poll_watch(cx, 64 * 1024))).is_ready());
        assert_eq!((wire.input.len(), held(&wire)), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn pipelined_bytes_before_a_fin_are_kept_by_a_watch() {
        let connections = connections(limits());
        let (connection, mut wire, peer) = scripted(&connections);
        wire.clear_phase();
        peer.sends(vec![b'x'; 50_000]).reads([Step::End]);
        assert!(poll_once(&Bell::new(), poll_fn(|cx| wire.poll_watch(cx, 64 * 1024))).is_pending());
        assert!(connection.active().is_disconnected());
        assert_eq!(wire.input.len(), 50_000);
        assert!(held(&wire) <= 50_000 + 4096);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_gone_in_a_head_holds_its_bytes_and_at_most_4_kib() {
        for end in [Step::End, Step::Error(io::ErrorKind::ConnectionReset)] {
            let connections = connections(limits());
            let (_connection, mut wire, peer) = scripted(&connections);
            peer.sends(*b"GET / HT").reads([end]);
            wire.flush_and_fill(1 << 20).await.unwrap();
            let _ = wire.flush_and_fill(1 << 20).await;
            assert_eq!(wire.input.filled(), b"GET / HT");
            assert!(held(&wire) <= 4096, "{}", held(&wire));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_pipelines_and_never_reads_is_not_read_from() {
        let connections = connections(limits());
        let (_connection, mut wire, mut client) = piped(&connections, 4096);
        let flood = tokio::spawn(async move {
            let mut sent = 0_usize;
            while client.write_all(&[b'?'; 100]).await.is_ok() {
                sent += 100;
            }
            sent
        });
        // A reply of 1000 bytes for each byte of request, flushed before the next is read.
        let outcome = loop {
            match wire.flush_and_fill(1024).await {
                Ok(_) => {
                    let n = wire.input.len();
                    wire.input.consume(n);
                    (0..n).for_each(|_| wire.output.extend(&[b'!'; 1000]));
                }
                Err(error) => break error,
            }
            assert!(wire.output.len() <= 1024 * 1000, "{} bytes are waiting", wire.output.len());
        };
        assert!(matches!(outcome, WireError::TimedOut(Phase::Reply)), "{outcome:?}");
        assert!(wire.input.capacity() == 0);
        drop(wire);
        let sent = flood.await.unwrap();
        assert!(sent <= 2 * 4096 + 1024, "{sent} bytes were accepted from a client that does not read");
    }

    #[test]
    fn a_wire_is_at_most_a_few_words() {
        // It has to fit into a connection's future, which is to stay under 1 KiB; the entry is allocated beside it.
        let size = size_of::<Wire<tokio::net::TcpStream>>();
        assert!(size <= 264, "{size} bytes");
        let size = size_of::<Connection>();
        assert!(size <= 144, "{size} bytes");
    }
}
