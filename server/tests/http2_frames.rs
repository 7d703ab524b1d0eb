//! What is answered to each frame, by RFC 9113 and RFC 7541: tables of raw frames. The expected answer is what came on
//! each stream and on the connection. A connection that is not ended must still serve.

#![cfg(feature = "http2")]

mod support;

use std::time::Duration;

use quintet_server::{Handler, IntoResponse, Request, Response, Server};
use support::{
    Dial, bounded, config,
    frame_client::FrameClient,
    frames::*,
    hpack::{block, huffman, integer},
    in_memory,
};

const GOAWAY_PROTOCOL: &str = "GOAWAY PROTOCOL_ERROR";
const GOAWAY_SIZE: &str = "GOAWAY FRAME_SIZE_ERROR";
const GOAWAY_WINDOW: &str = "GOAWAY FLOW_CONTROL_ERROR";
// RFC 9113 has a more exact code for these, FRAME_SIZE_ERROR and so on; the frame layer says PROTOCOL_ERROR. The
// connection ends in both cases, and a stream error may be treated as one of the connection (§5.4.1).
const GOAWAY_FOR_SIZE: &str = GOAWAY_PROTOCOL;
const GOAWAY_FOR_CLOSED: &str = GOAWAY_PROTOCOL;
const GOAWAY_FOR_WINDOW: &str = GOAWAY_PROTOCOL;
const GOAWAY_FOR_COMPRESSION: &str = GOAWAY_PROTOCOL;
const GOAWAY_FOR_STREAM: &str = GOAWAY_PROTOCOL;
const RST_PROTOCOL: &str = "1: RST PROTOCOL_ERROR";

/// What was asked, the frames after the beginning of a connection, and the answer.
type Row<'a> = (&'a str, Vec<u8>, &'a str);

/// Reads the body and the trailers of the request to their end, and answers with the body and the number of trailers.
async fn echo(mut request: Request) -> Response {
    let body = match request.to_bytes(1 << 20).await {
        Ok(body) => body,
        Err(error) => return error.status().into_response(),
    };
    match request.trailers() {
        Some(trailers) if !trailers.is_empty() => format!("{}+{}", body.escape_ascii(), trailers.len()).into_response(),
        _ => body.escape_ascii().to_string().into_response(),
    }
}

async fn client(settings: &[(u16, u32)]) -> FrameClient {
    client_of(echo, settings).await
}

async fn client_of<H: Handler>(handler: H, settings: &[(u16, u32)]) -> FrameClient {
    FrameClient::begin(dial(handler).connect().io, settings).await
}

/// A server of HTTP/2 in cleartext, and of HTTP/1.
fn dial<H: Handler>(handler: H) -> Dial {
    let mut config = config();
    config.protocols.unencrypted_http2 = true;
    let server = Server::with_config(handler, config);
    in_memory(&server).0
}

/// Sends the frames of each row on a connection of their own: as a whole, and in single bytes.
async fn answers(rows: impl IntoIterator<Item = Row<'_>>) {
    let mut wrong = Vec::new();
    for (row, frames, expected) in rows {
        for single in [false, true] {
            if single && frames.len() > 2_000 {
                continue;
            }
            let mut client = client(&[]).await;
            for bytes in frames.chunks(if single { 1 } else { usize::MAX }) {
                if !client.closed && !client.broken {
                    client.send(bytes).await;
                }
            }
            let said = client.said().await;
            // In single bytes, requests before the error are answered in time.
            let answered = single && expected.starts_with("GOAWAY") && said.ends_with(expected);
            if said != expected && !answered {
                wrong.push(format!("{row}, in single bytes: {single}: {said}"));
            }
            if !client.closed {
                assert!(client.serves(1001).await, "{row}: the connection goes on");
            }
        }
    }
    assert!(wrong.is_empty(), "other answers:\n{}", wrong.join("\n"));
}

/// Parts of a request.
fn of(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.concat()
}

/// A GET with fields in place of the usual ones.
fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(1, END_STREAM, fields)
}

/// A GET with more fields.
fn with(more: &[(&str, &str)]) -> Vec<u8> {
    head(&fields("GET", more))
}

mod rfc9113_3_4_preface {
    use super::*;

    /// The connection ends, and nothing is answered but the GOAWAY.
    #[tokio::test(start_paused = true)]
    async fn a_malformed_preface_ends_the_connection() {
        bounded(async {
            let mut config = config();
            config.protocols.unencrypted_http2 = true;
            config.protocols.http1 = false;
            let server = Server::with_config(echo, config);
            let (dial, _) = in_memory(&server);
            for bytes in [
                &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"[..],
                b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                b"INVALID CONNECTION PREFACE\r\n\r\n",
            ] {
                let mut client = dial.connect();
                client.send(bytes).await;
                let mut all = Vec::new();
                tokio::io::AsyncReadExt::read_to_end(&mut client.io, &mut all).await.expect("an end");
                let goaway = goaway(0, PROTOCOL_ERROR);
                assert!(
                    all.is_empty() || all.ends_with(&goaway) || all.starts_with(b"HTTP/1.1 4"),
                    "{}",
                    all.escape_ascii()
                );
            }
        })
        .await;
    }

    /// In one piece and in single bytes, and with frames right after it.
    #[tokio::test(start_paused = true)]
    async fn a_preface_is_read_in_any_pieces() {
        bounded(async {
            let bytes = of(&[hello(), get(1), settings_ack()]);
            for piece in [1, 2, 23, 24, 25, 33, bytes.len()] {
                let mut client = FrameClient::new(dial(echo).connect().io);
                for bytes in bytes.chunks(piece) {
                    client.send(bytes).await;
                    tokio::task::yield_now().await;
                }
                assert_eq!(client.said().await, "1: 200, ACK", "in pieces of {piece}");
            }
        })
        .await;
    }
}

mod rfc9113_4_frames {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rfc9113_4_1_what_is_not_known_is_ignored() {
        let mut reserved = ping(0, b"01234567");
        reserved[5] |= 0x80;
        bounded(answers([
            ("a frame of an unknown type", frame(0x42, 0xff, 0, "abc"), ""),
            (
                "a frame of an unknown type on a stream",
                of(&[post(1), frame(0x42, 0, 1, ""), data(1, 1, "a")]),
                "1: 200 a",
            ),
            ("undefined flags of a PING", ping(0x16, b"01234567"), "PONG 01234567"),
            (
                "undefined flags of HEADERS",
                frame(HEADERS, 0xd2 & !PADDED & !PRIORITIZED | 5, 1, block(&fields("GET", &[]))),
                "1: 200",
            ),
            ("the reserved bit of a PING", reserved, "PONG 01234567"),
        ]))
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_4_2_a_frame_longer_than_we_allow_is_refused() {
        let long = vec![b'x'; MAX_PAYLOAD + 1];
        let body = "x".repeat(MAX_PAYLOAD);
        bounded(answers([
            ("DATA of 16,384 bytes", of(&[post(1), data(1, END_STREAM, &long[1..])]), &*format!("1: 200 {body}")),
            ("DATA of 16,385 bytes", of(&[post(1), data(1, END_STREAM, &long)]), GOAWAY_SIZE),
            ("HEADERS of 16,385 bytes", frame(HEADERS, 5, 1, &long), GOAWAY_SIZE),
            ("an unknown frame of 16,385 bytes", frame(0x42, 0, 0, &long), GOAWAY_SIZE),
            ("SETTINGS of 16,386 bytes", frame(SETTINGS, 0, 0, [&long[..], &[0]].concat()), GOAWAY_SIZE),
        ]))
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_4_3_a_field_block_is_not_interrupted() {
        let begun = frame(HEADERS, END_STREAM, 1, block(&fields("GET", &[])));
        bounded(answers([
            ("PRIORITY", of(&[begun.clone(), priority(1, 0, 1)]), GOAWAY_PROTOCOL),
            ("HEADERS of another stream", of(&[begun.clone(), get(3)]), GOAWAY_PROTOCOL),
            ("HEADERS of the same stream", of(&[begun.clone(), get(1)]), GOAWAY_PROTOCOL),
            ("DATA", of(&[begun.clone(), data(1, 0, "a")]), GOAWAY_PROTOCOL),
            ("PING", of(&[begun.clone(), ping(0, b"01234567")]), GOAWAY_PROTOCOL),
            ("SETTINGS", of(&[begun.clone(), settings(&[])]), GOAWAY_PROTOCOL),
            ("an unknown frame", of(&[begun.clone(), frame(0x42, 0, 0, "")]), GOAWAY_PROTOCOL),
            ("RST_STREAM", of(&[begun.clone(), reset(1, CANCEL)]), GOAWAY_PROTOCOL),
        ]))
        .await;
    }
}

mod rfc9113_5_streams {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rfc9113_5_1_an_idle_stream_takes_headers_and_priority() {
        bounded(answers([
            ("DATA", data(1, END_STREAM, "a"), GOAWAY_PROTOCOL),
            ("RST_STREAM", reset(1, CANCEL), GOAWAY_PROTOCOL),
            ("WINDOW_UPDATE", window_update(1, 100), GOAWAY_PROTOCOL),
            ("CONTINUATION", continuation(1, END_HEADERS, block(&fields("GET", &[]))), GOAWAY_PROTOCOL),
            ("PRIORITY", priority(1, 0, 1), ""),
        ]))
        .await;
    }

    /// The client has ended its side, and the reply may still be sent.
    #[tokio::test(start_paused = true)]
    async fn rfc9113_5_1_a_half_closed_stream_takes_no_data() {
        bounded(answers([
            ("DATA", of(&[get(1), data(1, END_STREAM, "a")]), GOAWAY_FOR_CLOSED),
            ("HEADERS", of(&[get(1), get(1)]), GOAWAY_FOR_CLOSED),
            ("CONTINUATION", of(&[get(1), continuation(1, END_HEADERS, block(&[("a", "b")]))]), GOAWAY_PROTOCOL),
            ("WINDOW_UPDATE", of(&[get(1), window_update(1, 100)]), "1: 200"),
            ("PRIORITY", of(&[get(1), priority(1, 0, 1)]), "1: 200"),
            ("RST_STREAM", of(&[get(1), reset(1, CANCEL)]), ""),
        ]))
        .await;
    }

    /// The stream was reset by the client.
    #[tokio::test(start_paused = true)]
    async fn rfc9113_5_1_a_closed_stream_takes_priority_alone() {
        let closed = of(&[post(1), reset(1, CANCEL)]);
        bounded(answers([
            ("DATA", of(&[closed.clone(), data(1, END_STREAM, "a")]), "1: RST STREAM_CLOSED"),
            ("HEADERS", of(&[closed.clone(), get(1)]), GOAWAY_FOR_CLOSED),
            ("CONTINUATION", of(&[closed.clone(), continuation(1, END_HEADERS, "")]), GOAWAY_PROTOCOL),
            ("WINDOW_UPDATE", of(&[closed.clone(), window_update(1, 100)]), ""),
            ("PRIORITY", of(&[closed.clone(), priority(1, 0, 1)]), ""),
            ("RST_STREAM", of(&[closed.clone(), reset(1, CANCEL)]), ""),
        ]))
        .await;
    }

    /// Both sides have ended: the reply was sent.
    #[tokio::test(start_paused = true)]
    async fn rfc9113_5_1_a_finished_stream_takes_no_headers() {
        bounded(async {
            for (row, bytes, expected) in [
                ("DATA", data(1, END_STREAM, "a"), "1: RST STREAM_CLOSED"),
                ("HEADERS", get(1), GOAWAY_FOR_CLOSED),
                ("CONTINUATION", continuation(1, END_HEADERS, block(&[("a", "b")])), GOAWAY_PROTOCOL),
                ("WINDOW_UPDATE", window_update(1, 100), ""),
                ("PRIORITY", priority(1, 0, 1), ""),
                ("RST_STREAM", reset(1, CANCEL), ""),
            ] {
                let mut client = client(&[]).await;
                client.send(get(1)).await;
                assert_eq!(client.said().await, "1: 200");
                client.send(bytes).await;
                assert_eq!(client.said().await, expected, "{row}");
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_5_1_1_stream_identifiers_are_odd_and_grow() {
        bounded(answers([
            ("an even one", get(2), GOAWAY_PROTOCOL),
            ("a smaller one", of(&[get(5), get(3)]), "GOAWAY PROTOCOL_ERROR"),
            ("the same one, as trailers", of(&[post(5), get(5)]), "5: 200"),
            ("one that leaves some out", of(&[get(1), get(501)]), "1: 200, 501: 200"),
        ]))
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_5_1_2_more_streams_than_we_allow_are_refused() {
        bounded(async {
            let mut client = client(&[]).await;
            let streams: Vec<u8> = (0..101).flat_map(|n| post(2 * n + 1)).collect();
            client.send(streams).await;
            assert_eq!(client.said().await, "201: RST REFUSED_STREAM");
            client.send(data(1, END_STREAM, "a")).await;
            assert_eq!(client.said().await, "1: 200 a");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_5_3_priorities_are_ignored() {
        let dependent = |on: u32| {
            let block = [&on.to_be_bytes()[..], &[255], &block(&fields("GET", &[]))].concat();
            frame(HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, block)
        };
        bounded(answers([
            ("HEADERS with a priority", dependent(0), "1: 200"),
            ("an exclusive one", dependent(1 << 31), "1: 200"),
            ("on a stream that is idle", dependent(77), "1: 200"),
            ("PRIORITY and then HEADERS", of(&[priority(1, 0, 255), get(1)]), "1: 200"),
            ("PRIORITY of a stream that is idle", of(&[priority(9, 7, 0), get(1)]), "1: 200"),
            ("HEADERS that depend on themselves", dependent(1), RST_PROTOCOL),
            ("PRIORITY that depends on itself", priority(1, 1, 255), RST_PROTOCOL),
            ("PRIORITY_UPDATE of RFC 9218", frame(0x10, 0, 0, [0, 0, 0, 1, b'u', b'=', b'1']), ""),
        ]))
        .await;
    }
}

mod rfc9113_6_1_data {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn data_is_the_body_without_its_padding() {
        let padded = |len: u8, bytes: &str| {
            let payload = [&[len][..], bytes.as_bytes(), &vec![0; len.into()]].concat();
            frame(DATA, PADDED | END_STREAM, 1, payload)
        };
        bounded(answers([
            ("one frame", of(&[post(1), data(1, END_STREAM, "abc")]), "1: 200 abc"),
            ("two frames", of(&[post(1), data(1, 0, "ab"), data(1, END_STREAM, "c")]), "1: 200 abc"),
            ("an empty last frame", of(&[post(1), data(1, 0, "abc"), data(1, END_STREAM, "")]), "1: 200 abc"),
            ("an empty body", of(&[post(1), data(1, END_STREAM, "")]), "1: 200"),
            ("padding", of(&[post(1), padded(6, "abc")]), "1: 200 abc"),
            ("padding alone", of(&[post(1), padded(255, "")]), "1: 200"),
            ("padding of no bytes", of(&[post(1), padded(0, "abc")]), "1: 200 abc"),
            (
                "padding that is longer than the frame",
                of(&[post(1), frame(DATA, PADDED, 1, [4, b'a', b'b', b'c'])]),
                GOAWAY_PROTOCOL,
            ),
            ("padding without a length", of(&[post(1), frame(DATA, PADDED, 1, "")]), GOAWAY_PROTOCOL),
            ("on the stream 0", of(&[post(1), data(0, 0, "abc")]), GOAWAY_PROTOCOL),
        ]))
        .await;
    }
}

mod rfc9113_6_2_headers {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn headers_are_read_with_padding_and_priority() {
        let block = block(&fields("GET", &[]));
        let padded =
            |flags: u8, payload: &[&[u8]]| frame(HEADERS, END_STREAM | END_HEADERS | flags, 1, payload.concat());
        bounded(answers([
            ("one frame", get(1), "1: 200"),
            ("padding", padded(PADDED, &[&[3], &block, b"\0\0\0"]), "1: 200"),
            ("padding and priority", padded(PADDED | PRIORITIZED, &[&[2, 0, 0, 0, 0, 9], &block, b"\0\0"]), "1: 200"),
            ("padding that is longer than the frame", padded(PADDED, &[&[200], &block]), GOAWAY_PROTOCOL),
            ("padding without a length", frame(HEADERS, END_HEADERS | PADDED, 1, ""), GOAWAY_PROTOCOL),
            ("a priority that is cut off", frame(HEADERS, END_HEADERS | PRIORITIZED, 1, [0, 0, 0]), GOAWAY_PROTOCOL),
            ("on the stream 0", frame(HEADERS, END_HEADERS, 0, &block), GOAWAY_PROTOCOL),
        ]))
        .await;
    }
}

mod rfc9113_6_3_to_6_8 {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rfc9113_6_3_priority_has_a_stream_and_five_bytes() {
        bounded(answers([
            ("on the stream 0", priority(0, 1, 1), GOAWAY_PROTOCOL),
            ("four bytes", of(&[post(1), frame(PRIORITY, 0, 1, [0; 4])]), GOAWAY_FOR_SIZE),
            ("six bytes", frame(PRIORITY, 0, 1, [0; 6]), GOAWAY_FOR_SIZE),
        ]))
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_6_4_rst_stream_has_a_stream_and_four_bytes() {
        bounded(answers([
            ("on the stream 0", reset(0, CANCEL), GOAWAY_PROTOCOL),
            ("three bytes", of(&[post(1), frame(RST_STREAM, 0, 1, [0; 3])]), GOAWAY_FOR_SIZE),
            ("five bytes", of(&[post(1), frame(RST_STREAM, 0, 1, [0; 5])]), GOAWAY_FOR_SIZE),
            ("an unknown code", of(&[post(1), reset(1, 0xff)]), ""),
            ("of a request", of(&[post(1), reset(1, CANCEL)]), ""),
        ]))
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_6_5_settings_are_acknowledged_or_refused() {
        let set = |id: u16, value: u32| settings(&[(id, value)]);
        bounded(answers([
            ("empty", settings(&[]), "ACK"),
            ("two frames", of(&[settings(&[]), settings(&[])]), "ACK, ACK"),
            ("an unknown setting", set(0xff, 1), "ACK"),
            ("an acknowledgement that was not asked for", settings_ack(), GOAWAY_PROTOCOL),
            ("an acknowledgement with a payload", frame(SETTINGS, ACK, 0, [0; 6]), GOAWAY_FOR_SIZE),
            ("on a stream", frame(SETTINGS, 0, 1, ""), GOAWAY_PROTOCOL),
            ("three bytes", frame(SETTINGS, 0, 0, [0; 3]), GOAWAY_FOR_SIZE),
            ("ENABLE_PUSH 0", set(ENABLE_PUSH, 0), "ACK"),
            ("ENABLE_PUSH 1", set(ENABLE_PUSH, 1), "ACK"),
            ("ENABLE_PUSH 2", set(ENABLE_PUSH, 2), GOAWAY_PROTOCOL),
            ("INITIAL_WINDOW_SIZE of 2^31", set(INITIAL_WINDOW_SIZE, 1 << 31), GOAWAY_FOR_WINDOW),
            ("INITIAL_WINDOW_SIZE of 2^31 - 1", set(INITIAL_WINDOW_SIZE, (1 << 31) - 1), "ACK"),
            ("MAX_FRAME_SIZE below 2^14", set(MAX_FRAME_SIZE, 16_383), GOAWAY_PROTOCOL),
            ("MAX_FRAME_SIZE of 2^24", set(MAX_FRAME_SIZE, 1 << 24), GOAWAY_PROTOCOL),
            ("MAX_FRAME_SIZE of 2^24 - 1", set(MAX_FRAME_SIZE, (1 << 24) - 1), "ACK"),
            ("HEADER_TABLE_SIZE 0, and a request", of(&[set(HEADER_TABLE_SIZE, 0), get(1)]), "1: 200, ACK"),
            ("MAX_CONCURRENT_STREAMS 0", set(MAX_CONCURRENT_STREAMS, 0), "ACK"),
            ("MAX_HEADER_LIST_SIZE 1", of(&[set(MAX_HEADER_LIST_SIZE, 1), get(1)]), "1: 200, ACK"),
        ]))
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_6_6_push_promise_of_a_client_is_refused() {
        let promise = [&2_u32.to_be_bytes()[..], &block(&fields("GET", &[]))].concat();
        bounded(answers([
            (
                "on a stream that is open",
                of(&[post(1), frame(PUSH_PROMISE, END_HEADERS, 1, &promise)]),
                GOAWAY_PROTOCOL,
            ),
            ("on a stream that is idle", frame(PUSH_PROMISE, END_HEADERS, 1, &promise), GOAWAY_PROTOCOL),
        ]))
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_6_7_ping_is_answered_once() {
        bounded(answers([
            ("a PING", ping(0, b"01234567"), "PONG 01234567"),
            ("an answer that was not asked for", ping(ACK, b"01234567"), ""),
            ("on a stream", frame(PING, 0, 1, [0; 8]), GOAWAY_PROTOCOL),
            ("six bytes", frame(PING, 0, 0, [0; 6]), GOAWAY_FOR_SIZE),
            ("nine bytes", frame(PING, 0, 0, [0; 9]), GOAWAY_FOR_SIZE),
        ]))
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_6_8_goaway_of_a_client_ends_the_connection() {
        bounded(answers([
            ("on a stream", frame(GOAWAY, 0, 1, [0; 8]), GOAWAY_PROTOCOL),
            ("cut off", frame(GOAWAY, 0, 0, [0; 7]), GOAWAY_FOR_SIZE),
        ]))
        .await;
    }

    /// The requests that were sent are still answered.
    #[tokio::test(start_paused = true)]
    async fn rfc9113_6_8_requests_before_a_goaway_are_answered() {
        bounded(async {
            for (code, debug) in [(NO_ERROR, ""), (0xff, "debug")] {
                let mut client = client(&[]).await;
                let payload = [&[0; 4][..], &code.to_be_bytes(), debug.as_bytes()].concat();
                client.send(of(&[post(1), frame(GOAWAY, 0, 0, payload), data(1, END_STREAM, "a")])).await;
                let said = client.said().await;
                assert!(said.starts_with("1: 200 a"), "{said}");
            }
        })
        .await;
    }
}

mod rfc9113_6_9_flow_control {
    use super::*;

    const MOST: u32 = (1 << 31) - 1;

    #[tokio::test(start_paused = true)]
    async fn window_update_adds_between_one_and_the_most() {
        bounded(answers([
            ("of the connection", window_update(0, 1), ""),
            ("of a stream", of(&[post(1), window_update(1, 1), data(1, END_STREAM, "a")]), "1: 200 a"),
            ("0 on the connection", window_update(0, 0), GOAWAY_PROTOCOL),
            ("0 on a stream", of(&[post(1), window_update(1, 0)]), GOAWAY_FOR_STREAM),
            ("three bytes", frame(WINDOW_UPDATE, 0, 0, [0; 3]), GOAWAY_FOR_SIZE),
            ("five bytes", frame(WINDOW_UPDATE, 0, 0, [0; 5]), GOAWAY_FOR_SIZE),
            (
                "more than the most on the connection",
                of(&[window_update(0, MOST), window_update(0, MOST)]),
                GOAWAY_WINDOW,
            ),
            ("the most on a stream", of(&[post(1), window_update(1, MOST)]), "1: RST FLOW_CONTROL_ERROR"),
            (
                "more than the most by SETTINGS",
                of(&[post(1), window_update(1, MOST - 65_535), settings(&[(INITIAL_WINDOW_SIZE, 65_536)])]),
                "ACK, GOAWAY FLOW_CONTROL_ERROR",
            ),
        ]))
        .await;
    }

    /// The reader fails if the server sends more than the windows allow.
    #[tokio::test(start_paused = true)]
    async fn a_reply_waits_for_its_window() {
        bounded(async {
            let mut client = client(&[(INITIAL_WINDOW_SIZE, 1)]).await;
            client.send(of(&[post(1), data(1, END_STREAM, "abc")])).await;
            assert_eq!(client.said().await, "1: 200 a");
            client.send(window_update(1, 1)).await;
            assert_eq!(client.said().await, "1: b");
            client.send(settings(&[(INITIAL_WINDOW_SIZE, 9)])).await;
            assert_eq!(client.said().await, "1: c, ACK");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn settings_can_make_a_window_negative() {
        bounded(async {
            let mut client = client(&[(INITIAL_WINDOW_SIZE, 3)]).await;
            client.send(of(&[post(1), data(1, END_STREAM, "abcdef")])).await;
            assert_eq!(client.said().await, "1: 200 abc");
            client.send(settings(&[(INITIAL_WINDOW_SIZE, 0)])).await; // the window is -3
            client.send(window_update(1, 3)).await;
            assert_eq!(client.said().await, "ACK");
            client.send(window_update(1, 2)).await;
            assert_eq!(client.said().await, "1: de");
            client.send(of(&[settings(&[(INITIAL_WINDOW_SIZE, 5), (INITIAL_WINDOW_SIZE, 1)])])).await;
            assert_eq!(client.said().await, "1: f, ACK", "the last value counts");
        })
        .await;
    }

    /// A client that sends more than our window allows breaks the protocol.
    #[tokio::test(start_paused = true)]
    async fn data_beyond_our_window_is_refused() {
        async fn hold(request: Request) {
            tokio::time::sleep(Duration::from_secs(3)).await;
            drop(request);
        }
        bounded(async {
            let mut client = client_of(hold, &[]).await;
            client.send(post(1)).await;
            let piece = vec![b'x'; MAX_PAYLOAD];
            for _ in 0..64 {
                client.send(data(1, 0, &piece)).await;
            }
            assert_eq!(client.said().await, "", "1 MiB is the window");
            client.send(data(1, 0, "x")).await;
            assert_eq!(client.said().await, GOAWAY_WINDOW);
        })
        .await;
    }
}

mod rfc9113_6_10_continuation {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn continuation_goes_on_with_a_head() {
        let block = block(&fields("GET", &[("x", "y")]));
        let (first, rest) = block.split_at(20);
        let begun = frame(HEADERS, END_STREAM, 1, first);
        let single: Vec<u8> = rest.iter().flat_map(|byte| continuation(1, 0, [*byte])).collect();
        bounded(answers([
            ("one", of(&[begun.clone(), continuation(1, END_HEADERS, rest)]), "1: 200"),
            (
                "two",
                of(&[begun.clone(), continuation(1, 0, &rest[..5]), continuation(1, END_HEADERS, &rest[5..])]),
                "1: 200",
            ),
            (
                "an empty first frame",
                of(&[frame(HEADERS, END_STREAM, 1, ""), continuation(1, END_HEADERS, &block)]),
                "1: 200",
            ),
            (
                "an empty last one",
                of(&[frame(HEADERS, END_STREAM, 1, &block), continuation(1, END_HEADERS, "")]),
                "1: 200",
            ),
            (
                "of trailers",
                of(&[
                    post(1),
                    frame(HEADERS, END_STREAM, 1, ""),
                    continuation(1, END_HEADERS, support::hpack::block(&[("x", "y")])),
                ]),
                "1: 200 +1",
            ),
            ("on the stream 0", of(&[begun.clone(), continuation(0, END_HEADERS, rest)]), GOAWAY_PROTOCOL),
            ("on another stream", of(&[begun.clone(), continuation(3, END_HEADERS, rest)]), GOAWAY_PROTOCOL),
            (
                "followed by another frame",
                of(&[begun.clone(), continuation(1, 0, &rest[..5]), data(1, 0, "a")]),
                GOAWAY_PROTOCOL,
            ),
            ("after END_HEADERS", of(&[post(1), continuation(1, END_HEADERS, rest)]), GOAWAY_PROTOCOL),
            (
                "after a CONTINUATION with END_HEADERS",
                of(&[
                    frame(HEADERS, 0, 1, first),
                    continuation(1, END_HEADERS, rest),
                    continuation(1, END_HEADERS, ""),
                ]),
                GOAWAY_PROTOCOL,
            ),
            ("after DATA", of(&[post(1), data(1, 0, "a"), continuation(1, END_HEADERS, rest)]), GOAWAY_PROTOCOL),
            (
                "of single bytes, so many of them",
                of(&[begun.clone(), single, continuation(1, END_HEADERS, "")]),
                GOAWAY_CALM,
            ),
        ]))
        .await;
    }

    const GOAWAY_CALM: &str = "GOAWAY ENHANCE_YOUR_CALM";
}

mod rfc9113_8_requests {
    use super::*;

    const METHOD: (&str, &str) = (":method", "GET");
    const SCHEME: (&str, &str) = (":scheme", "http");
    const PATH: (&str, &str) = (":path", "/");
    const AUTHORITY: (&str, &str) = (":authority", "a.example");

    #[tokio::test(start_paused = true)]
    async fn rfc9113_8_1_a_request_is_a_head_a_body_and_trailers() {
        let trailers = |end: u8, fields: &[(&str, &str)]| headers(1, end, fields);
        bounded(answers([
            ("a GET", get(1), "1: 200"),
            ("a HEAD", headers(1, END_STREAM, &fields("HEAD", &[])), "1: 200"),
            ("a GET with a body", of(&[headers(1, 0, &fields("GET", &[])), data(1, END_STREAM, "a")]), "1: 200 a"),
            ("trailers", of(&[post(1), data(1, 0, "a"), trailers(END_STREAM, &[("x", "y")])]), "1: 200 a+1"),
            ("trailers without a body", of(&[post(1), trailers(END_STREAM, &[("x", "y")])]), "1: 200 +1"),
            (
                "a field that is no trailer",
                of(&[post(1), trailers(END_STREAM, &[("host", "b"), ("x", "y")])]),
                "1: 200 +1",
            ),
            ("trailers that do not end the stream", of(&[post(1), trailers(0, &[("x", "y")])]), RST_PROTOCOL),
            ("a pseudo-header in trailers is dropped", of(&[post(1), trailers(END_STREAM, &[METHOD])]), "1: 200"),
            (
                "DATA after trailers",
                of(&[post(1), trailers(END_STREAM, &[("x", "y")]), data(1, 0, "a")]),
                GOAWAY_FOR_CLOSED,
            ),
            ("100 Continue", headers(1, 0, &fields("POST", &[("expect", "100-continue")])), "1: 100"),
        ]))
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_8_1_1_content_length_is_the_sum_of_data() {
        let length = |value: &str| headers(1, 0, &fields("POST", &[("content-length", value)]));
        bounded(answers([
            ("as long as it says", of(&[length("3"), data(1, END_STREAM, "abc")]), "1: 200 abc"),
            ("in two frames", of(&[length("3"), data(1, 0, "ab"), data(1, END_STREAM, "c")]), "1: 200 abc"),
            ("zero", of(&[length("0"), data(1, END_STREAM, "")]), "1: 200"),
            ("shorter", of(&[length("3"), data(1, END_STREAM, "ab")]), RST_PROTOCOL),
            ("shorter, in two frames", of(&[length("3"), data(1, 0, "a"), data(1, END_STREAM, "b")]), RST_PROTOCOL),
            ("longer", of(&[length("1"), data(1, END_STREAM, "ab")]), RST_PROTOCOL),
            ("longer, in two frames", of(&[length("1"), data(1, 0, "a"), data(1, END_STREAM, "b")]), RST_PROTOCOL),
            (
                "shorter, with trailers",
                of(&[length("3"), data(1, 0, "ab"), headers(1, END_STREAM, &[("x", "y")])]),
                RST_PROTOCOL,
            ),
            ("without a body", with(&[("content-length", "3")]), RST_PROTOCOL),
            ("no number", of(&[length("x"), data(1, END_STREAM, "ab")]), RST_PROTOCOL),
            (
                "twice",
                of(&[
                    headers(1, 0, &fields("POST", &[("content-length", "2"), ("content-length", "2")])),
                    data(1, END_STREAM, "ab"),
                ]),
                "1: 400 400 Bad Request: content-length is repeated at byte 69\\n",
            ),
        ]))
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_8_2_field_names_are_lower_case() {
        bounded(answers([
            ("a capital", with(&[("X-Test", "a")]), GOAWAY_FOR_STREAM),
            ("a blank", with(&[("x ", "a")]), GOAWAY_FOR_STREAM),
            ("a colon", with(&[("x:y", "a")]), GOAWAY_FOR_STREAM),
            ("an empty name", with(&[("", "a")]), GOAWAY_FOR_STREAM),
            ("a control in a name", with(&[("x\r\ny", "a")]), GOAWAY_FOR_STREAM),
            ("a line end in a value", with(&[("x", "a\r\nb: c")]), GOAWAY_FOR_STREAM),
            ("a NUL in a value", with(&[("x", "a\0")]), GOAWAY_FOR_STREAM),
            ("a tab in a value", with(&[("x", "a\tb")]), "1: 200"),
            ("a byte past ASCII in a value", with(&[("x", "\u{e4}")]), "1: 200"),
        ]))
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_8_2_1_a_value_has_no_blank_at_its_ends() {
        let refused = "1: 400 400 Bad Request: whitespace at an end of a field value at byte 33\\n";
        bounded(answers([("before it", with(&[("x", " a")]), refused), ("after it", with(&[("x", "a\t")]), refused)]))
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_8_2_2_fields_of_a_connection_are_malformed() {
        bounded(answers([
            ("connection", with(&[("connection", "keep-alive")]), RST_PROTOCOL),
            ("keep-alive", with(&[("keep-alive", "timeout=5")]), RST_PROTOCOL),
            ("proxy-connection", with(&[("proxy-connection", "close")]), RST_PROTOCOL),
            ("transfer-encoding", with(&[("transfer-encoding", "chunked")]), RST_PROTOCOL),
            ("upgrade", with(&[("upgrade", "h2c")]), RST_PROTOCOL),
            ("te: gzip", with(&[("te", "trailers, deflate;q=0.5")]), RST_PROTOCOL),
            ("te: trailers", with(&[("te", "trailers")]), "1: 200"),
        ]))
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_8_2_3_cookies_are_joined() {
        let crumbs = vec![("cookie", "a=b"); 100];
        let refused = "1: 431";
        bounded(async {
            answers([("three", with(&[("cookie", "a=b"), ("cookie", "c=d")]), "1: 200")]).await;
            let mut client = client(&[]).await;
            client.send(with(&crumbs)).await;
            let said = client.said().await;
            assert!(said.starts_with(refused), "{said}");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_8_3_pseudo_headers_are_those_of_a_request() {
        bounded(answers([
            ("in another order", head(&[AUTHORITY, PATH, SCHEME, METHOD]), "1: 200"),
            ("unknown", head(&[METHOD, SCHEME, PATH, AUTHORITY, (":x", "y")]), GOAWAY_FOR_STREAM),
            ("of a response", head(&[METHOD, SCHEME, PATH, AUTHORITY, (":status", "200")]), RST_PROTOCOL),
            ("after a field", head(&[METHOD, SCHEME, ("x", "y"), PATH, AUTHORITY]), RST_PROTOCOL),
            (":method twice", head(&[METHOD, METHOD, SCHEME, PATH, AUTHORITY]), RST_PROTOCOL),
            (":scheme twice", head(&[METHOD, SCHEME, SCHEME, PATH, AUTHORITY]), RST_PROTOCOL),
            (":path twice", head(&[METHOD, SCHEME, PATH, PATH, AUTHORITY]), RST_PROTOCOL),
            (":authority twice", head(&[METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY]), RST_PROTOCOL),
            ("no :method", head(&[SCHEME, PATH, AUTHORITY]), RST_PROTOCOL),
            ("no :scheme", head(&[METHOD, PATH, AUTHORITY]), RST_PROTOCOL),
            ("no :path", head(&[METHOD, SCHEME, AUTHORITY]), RST_PROTOCOL),
            ("an empty :path", head(&[METHOD, SCHEME, (":path", ""), AUTHORITY]), RST_PROTOCOL),
            ("an empty :method", head(&[(":method", ""), SCHEME, PATH, AUTHORITY]), GOAWAY_FOR_STREAM),
            (
                ":protocol without CONNECT",
                head(&[METHOD, SCHEME, PATH, AUTHORITY, (":protocol", "websocket")]),
                RST_PROTOCOL,
            ),
        ]))
        .await;
    }

    /// A GET with a head that is too long for one frame.
    fn in_two(fields: &[(&str, &str)]) -> Vec<u8> {
        let block = block(fields);
        let (first, rest) = block.split_at(MAX_PAYLOAD);
        of(&[frame(HEADERS, END_STREAM, 1, first), continuation(1, END_HEADERS, rest)])
    }

    /// What the frame layer lets through is judged by the rules of HTTP/1.1, and has a status.
    #[tokio::test(start_paused = true)]
    async fn rfc9113_8_3_1_a_refused_head_has_the_status_of_http_1() {
        let long = "a".repeat(9_000);
        let path = |path: &str| head(&[METHOD, SCHEME, (":path", path), AUTHORITY]);
        let authority = |authority: &str, more: &[(&str, &str)]| {
            head(&[&[METHOD, SCHEME, PATH, (":authority", authority)], more].concat())
        };
        bounded(async {
            for (row, bytes, status) in [
                ("host agrees", with(&[("host", "A.example:80")]), "200"),
                ("host is another", with(&[("host", "b.example")]), "400"),
                ("host alone", head(&[METHOD, SCHEME, PATH, ("host", "a")]), "200"),
                ("no host", head(&[METHOD, SCHEME, PATH]), "400"),
                ("host twice", head(&[METHOD, SCHEME, PATH, ("host", "a"), ("host", "a")]), "400"),
                ("an authority with a password", authority("u:p@a", &[]), "400"),
                ("an authority with an escape", authority("a%41", &[]), "RST"),
                ("a malformed escape in the path", path("/%zz"), "400"),
                ("a malformed escape in the query", path("/?q=100%"), "200"),
                ("a path that is too long", path(&format!("/{long}")), "414"),
                ("a fragment is cut off", path("/a#b"), "200"),
                ("an asterisk with GET", path("*"), "400"),
                ("an asterisk with OPTIONS", head(&[(":method", "OPTIONS"), SCHEME, (":path", "*"), AUTHORITY]), "200"),
                ("an unknown expectation", with(&[("expect", "x")]), "417"),
                ("a method that is too long", head(&[(":method", &long[..40]), SCHEME, PATH, AUTHORITY]), "501"),
                ("too many fields", with(&vec![("x", "y"); 100]), "431"),
                ("a list that is too long", in_two(&fields("GET", &[("x", &long), ("y", &long)])), "431"),
            ] {
                let mut client = client(&[]).await;
                client.send(bytes).await;
                let said = client.said().await;
                assert_eq!(said.split(' ').nth(1), Some(status), "{row}: {said}");
                assert!(client.serves(1001).await, "{row}: the connection goes on");
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn rfc9113_8_5_connect_has_an_authority_alone() {
        const CONNECT: (&str, &str) = (":method", "CONNECT");
        bounded(async {
            for (row, fields, said) in [
                ("with a path", vec![CONNECT, (":authority", "a:1"), PATH], RST_PROTOCOL),
                ("with a scheme", vec![CONNECT, (":authority", "a:1"), SCHEME], RST_PROTOCOL),
                (
                    "without an authority",
                    vec![CONNECT],
                    "1: 400 400 Bad Request: target has no form for this method at byte 8\\n",
                ),
            ] {
                let mut client = client(&[]).await;
                client.send(headers(1, END_STREAM, &fields)).await;
                assert_eq!(client.said().await, said, "{row}");
            }
        })
        .await;
    }
}

mod rfc7541_hpack {
    use super::*;

    /// A GET whose block has this at its end.
    fn then(bytes: &[u8]) -> Vec<u8> {
        frame(HEADERS, END_STREAM | END_HEADERS, 1, [&block(&fields("GET", &[])), bytes].concat())
    }

    /// A literal with this first byte, and with a new name.
    fn literal(first: u8, name: &[u8], value: &[u8]) -> Vec<u8> {
        [&[first][..], name, value].concat()
    }

    fn plain(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        integer(&mut bytes, 0, 7, text.len());
        [&bytes, text.as_bytes()].concat()
    }

    #[tokio::test(start_paused = true)]
    async fn every_form_of_a_field_is_read() {
        let (name, value) = (plain("x"), plain("y"));
        let indexed = [0x82, 0x86, 0x84, 0x41]; // GET, http, /, and a literal :authority
        let head = [&indexed[..], &plain("a.example")].concat();
        bounded(answers([
            ("indexed fields, and an indexed name", frame(HEADERS, 5, 1, head), "1: 200"),
            ("with indexing", then(&literal(0x40, &name, &value)), "1: 200"),
            ("without indexing", then(&literal(0, &name, &value)), "1: 200"),
            ("never indexed", then(&literal(0x10, &name, &value)), "1: 200"),
            ("a name of the table, without indexing", then(&[&[0x0f, 58 - 15][..], &value].concat()), "1: 200"),
            ("a name of the table, never indexed", then(&[&[0x1f, 58 - 15][..], &value].concat()), "1: 200"),
            ("a field that was added", then(&[&literal(0x40, &name, &value)[..], &[0xbe]].concat()), "1: 200"),
            ("Huffman coding of the name", then(&literal(0, &huffman("x-long-name"), &value)), "1: 200"),
            (
                "Huffman coding of the value",
                then(&literal(0, &name, &huffman("Mon, 21 Oct 2013 20:13:21 GMT"))),
                "1: 200",
            ),
            ("Huffman coding of all", then(&literal(0x40, &huffman("x"), &huffman("~{}\u{e4}"))), "1: 200"),
            ("an empty value", then(&literal(0, &name, &plain(""))), "1: 200"),
            (
                "a size update at the start",
                frame(HEADERS, 5, 1, [&[0x20][..], &block(&fields("GET", &[]))].concat()),
                "1: 200",
            ),
            (
                "two size updates",
                frame(HEADERS, 5, 1, [&[0x20, 0x3f, 0xe1, 0x1f][..], &block(&fields("GET", &[]))].concat()),
                "1: 200",
            ),
        ]))
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_malformed_block_ends_the_connection() {
        let name = plain("x");
        bounded(answers([
            ("the index 0", then(&[0x80]), GOAWAY_FOR_COMPRESSION),
            ("an index past the tables", then(&[0xc6]), GOAWAY_FOR_COMPRESSION),
            ("a name past the tables", then(&[&[0x7f, 0x10][..], &plain("y")].concat()), GOAWAY_FOR_COMPRESSION),
            (
                "an integer without an end",
                then(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
                GOAWAY_FOR_COMPRESSION,
            ),
            (
                "a string longer than the block",
                then(&[&[0][..], &name, &[0x20, b'y']].concat()),
                GOAWAY_FOR_COMPRESSION,
            ),
            ("padding of eight bits", then(&literal(0, &name, &[0x82, 0x1f, 0xff])), GOAWAY_FOR_COMPRESSION),
            ("padding of zeros", then(&literal(0, &name, &[0x81, 0x18])), GOAWAY_FOR_COMPRESSION),
            (
                "the end of a string in a string",
                then(&literal(0, &name, &[0x84, 0xff, 0xff, 0xff, 0xff])),
                GOAWAY_FOR_COMPRESSION,
            ),
            ("a size update at the end", then(&[0x20]), GOAWAY_FOR_COMPRESSION),
            (
                "a table larger than we allow",
                frame(HEADERS, 5, 1, [&[0x3f, 0xe2, 0x1f][..], &block(&fields("GET", &[]))].concat()),
                GOAWAY_FOR_COMPRESSION,
            ),
            ("a block that is cut off", frame(HEADERS, END_STREAM | END_HEADERS, 1, [0x40]), GOAWAY_FOR_COMPRESSION),
        ]))
        .await;
    }
}
