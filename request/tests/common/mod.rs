//! Helpers that parse heads and bodies in every split.

#![allow(dead_code, reason = "each test file uses its part")]

use http::HeaderMap;
use quintet_request::{ChunkError, Chunked, HeadError, HeadRef, Index, Limits, Scan, parse};

/// Parses `bytes` as a whole, byte by byte, with bytes left over, by the reference parser, and when [`Scan`] asks for
/// it; all must agree. `Ok(None)` if the head is incomplete.
pub(crate) fn every_way(bytes: &[u8], limits: &Limits) -> Result<Option<Index>, HeadError> {
    let whole = parse(bytes, limits);
    let mut reference = Index::default();
    assert_eq!(
        reference.parse_reference(bytes, limits).map(|parsed| parsed.map(|_| reference)),
        whole,
        "the reference parser"
    );

    // Split at every byte: no head before the end, and the same error from the first malformed byte on.
    let mut scan = Scan::new(limits);
    let mut dribbled = Ok(None);
    let stride = bytes.len() / 4_096 * 64 + 1; // Long ones at every 65th: the test itself is quadratic.
    for end in (0..bytes.len()).step_by(stride).chain([bytes.len()]) {
        let prefix = parse(&bytes[..end], limits);
        match (&prefix, &whole) {
            (Ok(None), _) => {}
            (Ok(Some(index)), Ok(Some(all))) if index == all && end >= all.len() => {}
            (Err(early), Err(late)) if early == late => {}
            _ => panic!("{end} bytes of {} give {prefix:?}, all give {whole:?}", bytes.escape_ascii()),
        }
        if dribbled == Ok(None) && scan.look(&bytes[..end]) {
            dribbled = prefix;
        }
    }
    // After the last byte the result is that of the whole.
    if dribbled == Ok(None) && scan.look_last(bytes) {
        dribbled = parse(bytes, limits);
    }
    assert_eq!(dribbled, whole, "dribbled");

    // A malformed byte is refused when it arrives, not at the end of its line or of the head.
    if let Err(error) = &whole {
        let wait = match error {
            HeadError::BareCr { .. } => 2,
            HeadError::Method { .. }
            | HeadError::MethodTooLong { .. }
            | HeadError::TargetTooLong { .. }
            | HeadError::Version { .. }
            | HeadError::EmptyLines { .. }
            | HeadError::BareLf { .. }
            | HeadError::Fold { .. }
            | HeadError::FieldName { .. }
            | HeadError::SpaceBeforeColon { .. }
            | HeadError::FieldValue { .. }
            | HeadError::FieldTooLong { .. }
            | HeadError::TooManyFields { .. } => 1,
            _ => bytes.len(),
        };
        let end = bytes.len().min(error.at() as usize + wait);
        assert_eq!(parse(&bytes[..end], limits), Err(*error), "as soon as it came");
    }

    // Bytes that follow do not change the result.
    if whole != Ok(None) {
        for rest in [&b"x"[..], b"\r\n\r\n", b"\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\0\xff: "] {
            assert_eq!(parse(&[bytes, rest].concat(), limits), whole, "followed by {}", rest.escape_ascii());
        }
    }
    whole
}

/// The error of a head that must be refused in every split.
#[track_caller]
pub(crate) fn refused(bytes: impl AsRef<[u8]>) -> HeadError {
    match every_way(bytes.as_ref(), &Limits::default()) {
        Err(error) => error,
        other => panic!("not refused but {other:?}: {}", bytes.as_ref().escape_ascii()),
    }
}

/// Calls `look` with a head that must be accepted in every split.
#[track_caller]
pub(crate) fn taken<T>(bytes: impl AsRef<[u8]>, look: impl FnOnce(HeadRef<'_>) -> T) -> T {
    match every_way(bytes.as_ref(), &Limits::default()) {
        Ok(Some(index)) => look(HeadRef::new(bytes.as_ref(), &index)),
        other => panic!("not taken but {other:?}: {}", bytes.as_ref().escape_ascii()),
    }
}

/// A decoded chunked body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) data: Vec<u8>,
    pub(crate) trailers: HeaderMap,
    /// Its length on the wire in bytes.
    pub(crate) len: usize,
}

/// Decodes `bytes` as a whole, in single bytes, in two pieces split at every byte, and with bytes left over; all must
/// agree. `Ok(None)` if the body is incomplete.
pub(crate) fn every_chunk(bytes: &[u8], limits: &Limits) -> Result<Option<Body>, ChunkError> {
    let whole = decode(bytes, &[], limits);
    assert_eq!(decode(bytes, &(1..bytes.len()).collect::<Vec<_>>(), limits), whole, "in single bytes");
    for split in 1..bytes.len() {
        assert_eq!(decode(bytes, &[split], limits), whole, "split at {split}");
    }
    if whole != Ok(None) {
        for rest in [&b"\r\n"[..], b"0\r\n\r\n", b"GET / HTTP/1.1\r\n", b"\n"] {
            assert_eq!(decode(&[bytes, rest].concat(), &[], limits), whole, "followed by {}", rest.escape_ascii());
        }
    }
    whole
}

fn decode(bytes: &[u8], splits: &[usize], limits: &Limits) -> Result<Option<Body>, ChunkError> {
    let mut chunked = Chunked::new(limits);
    let mut body = Body::default();
    for end in splits.iter().copied().chain([bytes.len()]) {
        loop {
            let given = &bytes[body.len..end];
            let step = chunked.next(given)?;
            assert!(step.len() <= given.len());
            body.data.extend_from_slice(&given[step.framing..step.len()]);
            body.len += step.len();
            if chunked.is_end() {
                body.trailers = chunked.take_trailers().unwrap_or_default();
                return Ok(Some(body));
            }
            if step.is_empty() {
                assert_eq!(body.len, end, "what is given is taken");
                break;
            }
        }
    }
    Ok(None)
}

/// Helpers with a connection in memory.
#[cfg(feature = "io")]
pub(crate) mod io {
    use std::sync::Arc;

    use http::StatusCode;
    use quintet_conn::Wire;
    use quintet_request::{Exchange, Limits, Next, Requests, RequestsError, reply::Head};
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    /// Writes an empty reply and discards the rest of the request's body, at most `limit` bytes; returns what is next.
    pub(crate) async fn settle(requests: &mut Requests<DuplexStream>, exchange: &mut Exchange, limit: u64) -> Next {
        let head = Head { length: Some(0), ..Head::new(StatusCode::OK) };
        let plan = exchange.begin_reply(&head);
        exchange.end_reply(&plan);
        requests.settle(exchange, limit).await.expect("the connection holds");
        exchange.finish()
    }

    /// The result of the first head of a client that sends `bytes` in pieces that end at `splits`, and then FIN: its
    /// target, `None`, or a status and the text of the error.
    pub(crate) fn verdict(bytes: &[u8], splits: &[usize]) -> Result<Option<String>, (Option<u16>, String)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        // Unconstrained: else tokio returns pending to a task that has used up its budget, although there are bytes to
        // read.
        runtime.block_on(tokio::task::unconstrained(async {
            let (mut client, server) = duplex(bytes.len().max(1));
            let mut requests = Requests::new(Wire::new(server), Arc::new(Limits::default()));
            let mut at = 0;
            for end in splits.iter().copied().chain([bytes.len()]) {
                client.write_all(&bytes[at..end]).await.expect("the pipe holds it all");
                if end == bytes.len() {
                    client.shutdown().await.expect("the pipe is open");
                }
                at = end;
                // The server reads the bytes that have arrived and waits for more.
                loop {
                    match requests.try_next() {
                        Ok(Some(request)) => return Ok(Some(request.target().raw().to_owned())),
                        Ok(None) => {}
                        Err(error) => return Err(told(&error.into())),
                    }
                    let mut more = std::pin::pin!(requests.readable());
                    match std::future::poll_fn(|cx| std::task::Poll::Ready(more.as_mut().poll(cx))).await {
                        std::task::Poll::Pending => break,
                        std::task::Poll::Ready(Ok(true)) => {}
                        std::task::Poll::Ready(Ok(false)) => return Ok(None),
                        std::task::Poll::Ready(Err(error)) => return Err(told(&error)),
                    }
                }
            }
            panic!("a client that sent FIN is not waited for");
        }))
    }

    fn told(error: &RequestsError) -> (Option<u16>, String) {
        (error.status().map(|status| status.as_u16()), error.to_string())
    }
}
