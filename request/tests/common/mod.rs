//! Readers of heads and bodies, run in every way that bytes can come.

#![allow(dead_code, reason = "each test file uses its part")]

use http::HeaderMap;
use quintet_request::{ChunkError, Chunked, HeadError, HeadRef, Index, Limits, Scan, parse};

/// Parses `bytes` as a whole, byte by byte, with bytes left over, by the reference parser and in the pieces that
/// [`Scan`] finds worth it; all must agree. `Ok(None)` if the head is not all there.
pub(crate) fn every_way(bytes: &[u8], limits: &Limits) -> Result<Option<Index>, HeadError> {
    let whole = parse(bytes, limits);
    let mut reference = Index::default();
    assert_eq!(
        reference.parse_reference(bytes, limits).map(|parsed| parsed.map(|_| reference)),
        whole,
        "the reference parser"
    );

    // Split at every byte: nothing before the end, the same error from the first byte that is wrong.
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
    // When nothing more will come, the verdict is that of the whole.
    if dribbled == Ok(None) && scan.look_last(bytes) {
        dribbled = parse(bytes, limits);
    }
    assert_eq!(dribbled, whole, "dribbled");

    // A wrong byte is refused when it comes, not when its line or the head is over.
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

    // What follows changes nothing that is decided.
    if whole != Ok(None) {
        for rest in [&b"x"[..], b"\r\n\r\n", b"\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\0\xff: "] {
            assert_eq!(parse(&[bytes, rest].concat(), limits), whole, "followed by {}", rest.escape_ascii());
        }
    }
    whole
}

/// The error of a head that must be refused, whichever way it comes.
#[track_caller]
pub(crate) fn refused(bytes: impl AsRef<[u8]>) -> HeadError {
    match every_way(bytes.as_ref(), &Limits::default()) {
        Err(error) => error,
        other => panic!("not refused but {other:?}: {}", bytes.as_ref().escape_ascii()),
    }
}

/// Looks at a head that must be taken, whichever way it comes.
#[track_caller]
pub(crate) fn taken<T>(bytes: impl AsRef<[u8]>, look: impl FnOnce(HeadRef<'_>) -> T) -> T {
    match every_way(bytes.as_ref(), &Limits::default()) {
        Ok(Some(index)) => look(HeadRef::new(bytes.as_ref(), &index)),
        other => panic!("not taken but {other:?}: {}", bytes.as_ref().escape_ascii()),
    }
}

/// A chunked body as it was understood.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) data: Vec<u8>,
    pub(crate) trailers: HeaderMap,
    /// How many bytes it has on the wire.
    pub(crate) len: usize,
}

/// Decodes `bytes` as a whole, in single bytes, in two pieces split at every byte, and with bytes left over; all must
/// agree. `Ok(None)` if the body is not all there.
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

/// A connection of its own for some bytes.
#[cfg(feature = "io")]
pub(crate) mod io {
    use std::sync::Arc;

    use http::StatusCode;
    use quintet_conn::Wire;
    use quintet_request::{Exchange, Limits, Next, Requests, RequestsError, reply::Head};
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    /// What is next when an empty reply was written and what is left of the request's body, at most `limit` bytes, was
    /// thrown away.
    pub(crate) async fn settle(requests: &mut Requests<DuplexStream>, exchange: &mut Exchange, limit: u64) -> Next {
        let head = Head { length: Some(0), ..Head::new(StatusCode::OK) };
        let plan = exchange.begin_reply(&head);
        exchange.end_reply(&plan);
        requests.settle(exchange, limit).await.expect("the connection holds");
        exchange.finish()
    }

    /// What comes of the first head of a client that sends `bytes` in pieces, which end at `splits`, and then FIN: its
    /// target, nothing, or a status and what is wrong where.
    pub(crate) fn verdict(bytes: &[u8], splits: &[usize]) -> Result<Option<String>, (Option<u16>, String)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        // Unconstrained: else tokio answers "pending" to a task that has done much, whatever there is to read.
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
                // The server reads what is here and asks for more.
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
