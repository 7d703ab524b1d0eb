//! Tests of a wire that is shared with a body.

use std::{
    future::poll_fn,
    io::ErrorKind::{BrokenPipe, ConnectionReset},
    pin::Pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use bytes::Bytes;
use http_body::Body as _;
use quintet_conn::{Connections, Timeouts};
use quintet_listener::testing::{IoStep, ScriptedStream};

use super::wire_guard::{Guard, WireGuard};
use crate::{Body, Limits, Requests};

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Fin,
    Reset,
    WriteError,
    /// The client sends the body slowly.
    Slow,
    /// The client does not read the replies to earlier requests.
    Deaf,
    Malformed,
    Aborted,
}

fn held(requests: &mut Requests<ScriptedStream>) -> usize {
    let WireGuard(Guard::Shared(incoming)) = requests.wire() else { panic!("it is shared") };
    let (input, output) = (&incoming.wire.input, &incoming.wire.output);
    input.capacity() + output.capacity() + output.len() + incoming.scratch.capacity()
}

/// As the server does while a handler runs: it watches the client until the connection ends.
fn watch(requests: &mut Requests<ScriptedStream>, gone: &mut bool) {
    let cx = &mut Context::from_waker(Waker::noop());
    if !*gone {
        *gone = requests.poll_watch(cx).is_ready();
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_shared_body_holds_at_most_4_kib_in_every_phase() {
    let heads = [
        ("large", "Content-Length: 1000000"),
        ("small", "Content-Length: 8000"),
        ("chunked", "Transfer-Encoding: chunked"),
    ];
    let ends = [End::Fin, End::Reset, End::WriteError, End::Slow, End::Deaf, End::Malformed, End::Aborted];
    for ((kind, field), end) in heads.into_iter().flat_map(|head| ends.map(|end| (head, end))) {
        for reads in [0, 1, 2] {
            if end == End::Malformed && kind != "chunked" {
                continue;
            }
            let (connections, sweeper) = Connections::new(Timeouts::default(), None, None);
            let sweeper = tokio::spawn(sweeper);
            let (stream, peer) = ScriptedStream::new();
            let (_connection, wire) = connections.admit(stream, "192.0.2.1:1".parse().unwrap());
            let mut requests = Requests::new(wire, Arc::new(Limits::default()));
            peer.sends(format!("POST / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n"));
            let mut request = requests.next().await.unwrap().unwrap();
            let mut body: Body = std::mem::take(request.body_mut());
            let piece = if kind == "chunked" { b"5\r\nhello\r\n".to_vec() } else { vec![b'x'; 2000] };
            let mut gone = false;

            // The handler reads a part of the body, then does other work while the client sends ahead.
            for _ in 0..reads {
                peer.sends(piece.clone());
                poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.unwrap().unwrap();
                watch(&mut requests, &mut gone);
            }
            if end == End::Slow {
                let cx = &mut Context::from_waker(Waker::noop());
                assert!(Pin::new(&mut body).poll_frame(cx).is_pending());
            } else {
                peer.sends(piece.clone());
            }
            watch(&mut requests, &mut gone);
            let peer = match end {
                End::Fin => peer.reads([IoStep::End]),
                End::Reset => peer.reads([IoStep::Error(ConnectionReset)]),
                End::Malformed => peer.sends([b'!'; 50_000]),
                End::WriteError => peer.writes(vec![IoStep::Error(BrokenPipe); 100]),
                End::Deaf | End::Aborted => peer.deaf(),
                End::Slow => &peer,
            };
            if matches!(end, End::WriteError | End::Deaf | End::Aborted) {
                requests.wire().output.extend(&[b'r'; 90_000]);
                requests.wire().output.push(vec![b'R'; 1 << 20].into());
            }
            if end == End::Aborted {
                connections.abort();
            }
            for _ in 0..40 {
                watch(&mut requests, &mut gone);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            if end == End::Malformed || end == End::Fin {
                // The handler gets the error when it reads on, after the bytes that arrived before it.
                let mut read = 0;
                let error = loop {
                    let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.expect("it did not end");
                    match frame {
                        Ok(frame) => read += frame.data_ref().map_or(0, Bytes::len),
                        Err(error) => break error,
                    }
                };
                assert_eq!(read, if kind == "chunked" { 5 } else { 2000 }, "{kind} {end:?}: {error}");
            }
            let held = held(&mut requests);
            assert!(held <= 4096, "{kind} after {reads} reads and {end:?} holds {held}");
            let broken = matches!(end, End::Reset | End::WriteError | End::Deaf | End::Aborted);
            assert_eq!(gone, broken, "{kind} {end:?}");
            assert_eq!(peer.is_aborted(), matches!(end, End::Deaf | End::Aborted), "{kind} {end:?}");
            sweeper.abort();
        }
    }
}
