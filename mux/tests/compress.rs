//! Compression of replies, called without a connection.

#![allow(missing_docs)]
#![cfg(feature = "compress")]

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io::{Read, Write},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::{Body as _, Frame};
use quintet_mux::{Compression, Handler, IntoResponse, Response, compress};
use quintet_request::{Body, BodyError, Request};

/// 12,000 bytes of text.
fn page() -> String {
    "a long page\n".repeat(1_000)
}

fn request(method: &str, fields: &str) -> Request {
    Request::parse(format!("{method} / HTTP/1.1\r\nHost: h\r\n{fields}\r\n").as_bytes()).expect("a request")
}

fn field(response: &Response, name: &str) -> String {
    response.header(name).map_or(String::new(), |value| value.to_str().expect("text").to_owned())
}

/// The reply of a compressed handler that returns this response.
async fn reply(method: &str, fields: &str, make: impl Fn() -> Response + Send + Sync + 'static) -> Response {
    compress(move |_: Request| std::future::ready(make())).call(request(method, fields)).await
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).expect("whole gzip");
    plain
}

async fn body(mut response: Response) -> Vec<u8> {
    response.take_body().to_bytes(100 << 20).await.expect("a body").to_vec()
}

const GZIP: &str = "Accept-Encoding: gzip\r\n";

mod which_replies {
    use super::*;

    #[tokio::test]
    async fn content_encoding_follows_accept_encoding() {
        let first = if cfg!(feature = "brotli") { "br" } else { "gzip" };
        for (fields, coding) in [
            ("", ""),
            ("Accept-Encoding: gzip\r\n", "gzip"),
            ("Accept-Encoding: gzip, deflate, br, zstd\r\n", first),
            ("Accept-Encoding: gzip;q=1, br;q=0.5\r\n", "gzip"),
            ("Accept-Encoding: br;q=0\r\nAccept-Encoding: gzip\r\n", "gzip"),
            ("Accept-Encoding: *\r\n", first),
            ("Accept-Encoding: gzip;q=0, br;q=0\r\n", ""),
            ("Accept-Encoding: identity, gzip;q=0.5\r\n", ""),
            ("Accept-Encoding: *;q=0\r\n", ""),
            ("Accept-Encoding: zstd\r\n", ""),
        ] {
            let response = reply("GET", fields, || page().into_response()).await;
            assert_eq!(field(&response, "content-encoding"), coding, "{fields}");
            assert_eq!(field(&response, "vary"), "Accept-Encoding", "{fields}");
            assert_eq!(field(&response, "content-type"), "text/plain; charset=utf-8", "{fields}");
            let len = response.body().len().unwrap();
            let bytes = body(response).await;
            assert_eq!(bytes.len() as u64, len);
            match coding {
                "" => assert_eq!(bytes, page().as_bytes()),
                "gzip" => assert_eq!(gunzip(&bytes), page().as_bytes()),
                _ => assert!(bytes.len() < 100, "brotli: {}", bytes.len()),
            }
        }
    }

    /// A reply that is not compressed, and whether it has `Vary`.
    #[tokio::test]
    async fn small_partial_coded_and_other_replies_are_left_alone() {
        type Make = fn() -> Response;
        let rows: [(&str, Make, &str); 16] = [
            ("1,023 bytes", || "x".repeat(1_023).into_response(), ""),
            ("empty", || ().into_response(), ""),
            ("206", || page().into_response().with_status(StatusCode::PARTIAL_CONTENT), ""),
            ("a range", || page().into_response().with_header("content-range", "bytes 0-11999/20000"), ""),
            ("204", || page().into_response().with_status(StatusCode::NO_CONTENT), ""),
            ("205", || page().into_response().with_status(StatusCode::RESET_CONTENT), ""),
            ("coded", || page().into_response().with_header("content-encoding", "br"), ""),
            ("a digest", || page().into_response().with_header("content-digest", "sha-256=:x:"), ""),
            ("no-transform", || page().into_response().with_header("cache-control", "private, no-transform"), ""),
            ("an image", || page().into_response().with_content_type("image/png"), ""),
            ("no type", || page().into_response().without_content_type(), ""),
            ("binary, guessed", || Response::new(vec![0_u8; 5_000]), ""),
            ("streamed without type", || Response::new(Body::new(http_body_util::Full::new(Bytes::from(page())))), ""),
            ("a bad field", || page().into_response().with_header("x y", "z"), ""),
            ("abort", Response::abort, ""),
            ("noise", || Response::new(noise(5_000)).with_content_type("text/plain"), "Accept-Encoding"),
        ];
        for (what, make, vary) in rows {
            let response = reply("GET", GZIP, make).await;
            let expected = make();
            assert_eq!(field(&response, "content-encoding"), field(&expected, "content-encoding"), "{what}");
            assert_eq!(field(&response, "vary"), vary, "{what}");
            assert_eq!(response.status(), expected.status(), "{what}");
            assert_eq!(response.is_abort(), expected.is_abort(), "{what}");
            assert_eq!(body(response).await, body(expected).await, "{what}");
        }
    }

    #[tokio::test]
    async fn each_compressible_reply_is_compressed() {
        type Make = fn() -> Response;
        let rows: [(&str, Make); 6] = [
            ("1,024 bytes", || "x".repeat(1_024).into_response()),
            ("an error", || page().into_response().with_status(StatusCode::NOT_FOUND)),
            ("JSON", || Response::new(page()).with_content_type("application/json")),
            ("HTML, guessed", || Response::new(format!("<!doctype html>{}", page()))),
            ("an own field of type", || Response::new(page()).with_header("content-type", "text/css")),
            ("streamed", || {
                Response::new(Body::new(http_body_util::Full::new(Bytes::from(page())))).with_content_type("text/css")
            }),
        ];
        for (what, make) in rows {
            let response = reply("GET", GZIP, make).await;
            assert_eq!(field(&response, "content-encoding"), "gzip", "{what}");
            assert_eq!(response.status(), make().status(), "{what}");
            assert!(!field(&response, "content-type").contains("gzip"), "{what}");
            assert_eq!(gunzip(&body(response).await), body(make()).await, "{what}");
        }
    }

    #[tokio::test]
    async fn content_type_of_a_compressed_body_is_guessed_before_it() {
        let response = reply("GET", GZIP, || Response::new(format!("<!doctype html>{}", page()))).await;
        assert_eq!(field(&response, "content-type"), "text/html; charset=utf-8");
    }

    #[tokio::test]
    async fn settings_change_types_level_and_least_length() {
        let types = |content_type: &str| content_type == "x/y" || Compression::is_compressible(content_type);
        let settings = Compression { min_bytes: 1, gzip_level: 1, types, ..Compression::default() };
        let handler = settings.handler(async |_: Request| Response::new("x".repeat(100)).with_content_type("x/y"));
        let response = handler.call(request("GET", GZIP)).await;
        assert_eq!((field(&response, "content-encoding").as_str(), gunzip(&body(response).await).len()), ("gzip", 100));
        let empty = settings.handler(async |_: Request| Response::new(()).with_content_type("x/y"));
        assert_eq!(field(&empty.call(request("GET", GZIP)).await, "content-encoding"), "");
    }
}

/// Bytes that do not shrink.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

mod fields {
    use super::*;

    #[tokio::test]
    async fn etag_of_a_compressed_reply_is_weak_and_ranges_are_off() {
        let make = || {
            let reply = page().into_response().with_header("etag", "\"v1\"").with_header("accept-ranges", "bytes");
            reply.with_header("content-length", "12000").with_header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        };
        let response = reply("GET", GZIP, make).await;
        assert_eq!(field(&response, "etag"), "W/\"v1\"");
        assert_eq!(field(&response, "accept-ranges") + &field(&response, "content-length"), "");
        assert_eq!(field(&response, "last-modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
        let response = reply("GET", "", make).await;
        assert_eq!(
            (field(&response, "etag").as_str(), field(&response, "accept-ranges").as_str()),
            ("\"v1\"", "bytes")
        );
    }

    #[tokio::test]
    async fn a_304_repeats_the_weak_etag_of_the_client() {
        let make = || ().into_response().with_status(StatusCode::NOT_MODIFIED).with_header("etag", "\"v1\"");
        for (if_none_match, etag) in [
            ("W/\"v1\"", "W/\"v1\""),
            ("\"v0\", W/\"v1\"", "W/\"v1\""),
            ("\"v1\"", "\"v1\""),
            ("W/\"v10\"", "\"v1\""),
            ("*", "\"v1\""),
        ] {
            let response = reply("GET", &format!("{GZIP}If-None-Match: {if_none_match}\r\n"), make).await;
            assert_eq!(field(&response, "etag"), etag, "{if_none_match}");
            assert_eq!(field(&response, "vary"), "Accept-Encoding");
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        }
    }

    #[tokio::test]
    async fn head_has_the_fields_of_get() {
        type Make = fn() -> Response;
        let rows: [(&str, Make); 3] = [
            ("whole", || page().into_response().with_header("etag", "\"v1\"")),
            ("streamed", || stream(vec![Step::Data(Bytes::from(page()))]).0.with_header("etag", "\"v1\"")),
            ("short", || "short".into_response()),
        ];
        for (what, make) in rows {
            let (get, head) = (reply("GET", GZIP, make).await, reply("HEAD", GZIP, make).await);
            assert_eq!(get.headers(), head.headers(), "{what}");
            assert_eq!(get.body().len(), head.body().len(), "{what}");
        }
        // A handler that leaves out the body and says its length.
        let bare = || Response::new(()).with_content_type("text/css").with_header("content-length", "12000");
        let response = reply("HEAD", GZIP, bare).await;
        assert_eq!(field(&response, "content-encoding"), "gzip");
        assert_eq!((field(&response, "content-length").as_str(), response.body().len()), ("", None));
        let response = reply("HEAD", "", bare).await;
        assert_eq!((field(&response, "content-length").as_str(), response.body().len()), ("12000", Some(0)));
    }
}

/// What a source does.
#[derive(Debug)]
enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Wait,
    Fail,
}

/// A source of steps, which counts the bytes that were taken.
struct Source(VecDeque<Step>, Arc<AtomicUsize>);

impl http_body::Body for Source {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.0.pop_front() {
            None => Poll::Ready(None),
            Some(Step::Data(data)) => {
                self.1.fetch_add(data.len(), Ordering::Relaxed);
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Step::Trailers(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Some(Step::Fail) => Poll::Ready(Some(Err(std::io::Error::other("the disk is gone")))),
            Some(Step::Wait) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

fn stream(steps: Vec<Step>) -> (Response, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    (Response::new(Body::new(Source(steps.into(), Arc::clone(&taken)))).with_content_type("text/plain"), taken)
}

/// The compressed body of a source.
async fn compressed(steps: Vec<Step>) -> (Body, Arc<AtomicUsize>) {
    let (response, taken) = stream(steps);
    let once = std::sync::Mutex::new(Some(response));
    let mut response = reply("GET", GZIP, move || once.lock().expect("one thread").take().expect("one request")).await;
    assert_eq!(field(&response, "content-encoding"), "gzip");
    (response.take_body(), taken)
}

mod streams {
    use super::*;

    /// The bytes that a decoder has of what was sent so far.
    struct Decoder(flate2::write::GzDecoder<Vec<u8>>);

    impl Decoder {
        fn new() -> Self {
            Self(flate2::write::GzDecoder::new(Vec::new()))
        }

        fn decode(&mut self, bytes: &[u8]) -> String {
            self.0.write_all(bytes).expect("gzip");
            self.0.flush().expect("gzip");
            String::from_utf8(std::mem::take(self.0.get_mut())).expect("text")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn events_are_decoded_while_the_source_waits() {
        let started = tokio::time::Instant::now();
        let events = Body::writer(|mut w| async move {
            for n in 0..5 {
                w.write(format!("data: {n}\n\n")).await?;
                w.flush().await?;
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            w.write("bye\n\n").await
        });
        let once = std::sync::Mutex::new(Some(Response::new(events).with_content_type("text/event-stream")));
        let mut response =
            reply("GET", GZIP, move || once.lock().expect("one thread").take().expect("one request")).await;
        let mut body = response.take_body();
        let mut decoder = Decoder::new();
        for n in 0..5 {
            let piece = body.chunk().await.unwrap().unwrap();
            assert_eq!(decoder.decode(&piece), format!("data: {n}\n\n"));
            assert_eq!(started.elapsed().as_secs(), n * 60, "an event is seen when it was written");
        }
        let mut rest = Vec::new();
        while let Some(piece) = body.chunk().await.unwrap() {
            rest.extend_from_slice(&piece);
        }
        assert_eq!(decoder.decode(&rest), "bye\n\n");
        decoder.0.finish().expect("the end of gzip");
    }

    #[tokio::test]
    async fn a_source_that_waits_without_data_sends_nothing() {
        let steps =
            vec![Step::Wait, Step::Data(Bytes::new()), Step::Wait, Step::Wait, Step::Data("x".into()), Step::Wait];
        let (mut body, _) = compressed(steps).await;
        let mut waits = 0;
        let mut pieces = Vec::new();
        poll_fn(|cx| match Pin::new(&mut body).poll_frame(cx) {
            Poll::Pending => {
                waits += 1;
                Poll::Pending
            }
            Poll::Ready(Some(frame)) => {
                pieces.push((waits, frame.unwrap().into_data().unwrap()));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(None) => Poll::Ready(()),
        })
        .await;
        // The wait that flushed is seen as a frame.
        assert_eq!(pieces.iter().map(|piece| piece.0).collect::<Vec<_>>(), [3, 3]);
        assert_eq!(gunzip(&pieces.iter().flat_map(|piece| piece.1.to_vec()).collect::<Vec<_>>()), b"x");
    }

    #[tokio::test]
    async fn ready_pieces_are_compressed_as_one_text() {
        let steps = page().as_bytes().chunks(10).map(|piece| Step::Data(Bytes::copy_from_slice(piece))).collect();
        let (body, _) = compressed(steps).await;
        let bytes = body.to_bytes(100_000).await.unwrap();
        assert_eq!(gunzip(&bytes), page().as_bytes());
        assert!(bytes.len() < 200, "{} bytes: no flush between ready pieces", bytes.len());
    }

    #[tokio::test]
    async fn an_error_of_the_source_breaks_the_body() {
        let (mut body, _) = compressed(vec![Step::Data(page().into()), Step::Wait, Step::Fail]).await;
        let mut sent = body.chunk().await.unwrap().unwrap().to_vec();
        let error = loop {
            match body.chunk().await {
                Ok(Some(piece)) => sent.extend_from_slice(&piece),
                Ok(None) => panic!("the body ended as if it were whole"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, BodyError::Source(_)), "{error:?}");
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&sent[..]).read_to_end(&mut plain).expect_err("gzip without its end");
        assert_eq!(plain, page().as_bytes(), "what was flushed can be read");
    }

    #[tokio::test]
    async fn trailers_follow_the_end_of_the_content() {
        let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("7"))]);
        let (body, _) = compressed(vec![Step::Data(page().into()), Step::Trailers(trailers.clone())]).await;
        let whole = http_body_util::BodyExt::collect(body).await.unwrap();
        assert_eq!(whole.trailers(), Some(&trailers));
        assert_eq!(gunzip(&whole.to_bytes()), page().as_bytes());
    }

    #[tokio::test]
    async fn one_poll_compresses_at_most_64_kib() {
        // Zeros stay in the encoder, noise comes out; many small pieces, one large one.
        let pieces = |piece: Bytes, count: usize| (0..count).map(|_| Step::Data(piece.clone())).collect::<Vec<_>>();
        for (what, steps, least_polls) in [
            ("zeros", pieces(Bytes::from(vec![0; 1_000]), 500), 500_000 / 65_536),
            ("one piece of zeros", pieces(Bytes::from(vec![0; 1 << 20]), 1), (1 << 20) / 65_536),
            ("noise", pieces(Bytes::from(noise(1_000)), 500), 500_000 / 65_536),
            ("one piece of noise", pieces(Bytes::from(noise(1 << 20)), 1), (1 << 20) / 65_536),
            ("empty", pieces(Bytes::new(), 4_096), 4_096 / 256),
        ] {
            let is_many = steps.len() > 1;
            let (mut body, taken) = compressed(steps).await;
            let (mut polls, mut before) = (0, 0);
            poll_fn(|cx| {
                let polled = Pin::new(&mut body).poll_frame(cx);
                polls += 1;
                let now = taken.load(Ordering::Relaxed);
                assert!(!is_many || now - before <= 64 * 1024 + 1_000, "{what}: {} bytes in one poll", now - before);
                before = now;
                match polled {
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Ready(Some(frame)) => {
                        assert!(frame.unwrap().into_data().unwrap().len() <= 100 * 1024, "{what}");
                        cx.waker().wake_by_ref();
                    }
                    Poll::Pending => {}
                }
                Poll::Pending
            })
            .await;
            assert!(polls >= least_polls, "{what}: {polls} polls");
        }
    }

    #[tokio::test]
    async fn a_body_that_ended_stays_ended() {
        let (mut body, _) = compressed(vec![Step::Data("x".into())]).await;
        while body.chunk().await.unwrap().is_some() {}
        assert!(body.is_end_stream());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(Pin::new(&mut body).poll_frame(&mut cx), Poll::Ready(None)));
        let (mut broken, _) = compressed(vec![Step::Fail]).await;
        assert!(broken.chunk().await.is_err());
        assert!(broken.chunk().await.is_err(), "it does not end as if it were whole");
    }

    #[tokio::test]
    async fn a_large_body_in_memory_is_compressed_in_pieces() {
        let text = page().repeat(20);
        let large = text.clone();
        let response = reply("GET", GZIP, move || large.clone().into_response()).await;
        assert_eq!((field(&response, "content-encoding").as_str(), response.body().len()), ("gzip", None));
        assert_eq!(gunzip(&body(response).await), text.as_bytes());
    }

    /// The memory of a stream under way does not grow with its length.
    #[tokio::test]
    async fn a_compressed_stream_holds_its_encoder_and_no_more() {
        let rows: &[(&str, u64)] =
            if cfg!(feature = "brotli") { &[("gzip", 512 << 10), ("br", 6 << 20)] } else { &[("gzip", 512 << 10)] };
        for (coding, most) in rows {
            for count in [10, 100] {
                let piece = Bytes::from(noise(10_000));
                let steps = (0..count).map(|_| Step::Data(piece.clone())).collect();
                let once = std::sync::Mutex::new(Some(stream(steps).0));
                let make = move || once.lock().expect("one thread").take().expect("one request");
                let handler = compress(move |_: Request| std::future::ready(make()));
                let request = request("GET", &format!("Accept-Encoding: {coding}\r\n"));
                let mut sent = 0;
                let mut cx = Context::from_waker(Waker::noop());
                let mut reply = std::pin::pin!(handler.call(request));
                let held = allocation_counter::measure(|| {
                    let Poll::Ready(mut response) = reply.as_mut().poll(&mut cx) else { panic!("it is ready") };
                    let mut body = response.take_body();
                    loop {
                        match Pin::new(&mut body).poll_frame(&mut cx) {
                            Poll::Ready(Some(frame)) => sent += frame.unwrap().into_data().unwrap().len(),
                            Poll::Ready(None) => break,
                            Poll::Pending => {}
                        }
                    }
                });
                assert!(sent > 9_000, "{coding}: {sent} bytes");
                assert!(held.bytes_max < *most, "{coding}, {count} pieces: {} bytes", held.bytes_max);
            }
        }
    }

    #[tokio::test]
    async fn a_stream_of_unknown_length_prefers_gzip() {
        for (fields, coding) in [
            ("Accept-Encoding: br, gzip\r\n", "gzip"),
            ("Accept-Encoding: gzip;q=0.5, br\r\n", if cfg!(feature = "brotli") { "br" } else { "gzip" }),
        ] {
            let response = reply("GET", fields, || stream(Vec::new()).0).await;
            assert_eq!(field(&response, "content-encoding"), coding, "{fields}");
        }
    }

    #[cfg(feature = "brotli")]
    #[tokio::test]
    async fn brotli_events_are_decoded_while_the_source_waits() {
        let steps = || vec![Step::Data("one\n".into()), Step::Wait, Step::Data("two\n".into())];
        let mut response = reply("GET", "Accept-Encoding: br\r\n", move || stream(steps()).0).await;
        assert_eq!(field(&response, "content-encoding"), "br");
        let mut body = response.take_body();
        let mut decoder = brotli::DecompressorWriter::new(Vec::new(), 4096);
        for event in ["one\n", "two\n"] {
            decoder.write_all(&body.chunk().await.unwrap().unwrap()).unwrap();
            decoder.flush().unwrap();
            assert_eq!(std::mem::take(decoder.get_mut()), event.as_bytes());
        }
    }
}
