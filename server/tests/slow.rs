//! Slow clients: each way of being slow meets its timeout (slowloris is a head sent byte by byte). Time is paused.

mod support;

use std::time::Duration;

use quintet_server::{Body, BodyError, Config, Request, Response, ServeMux, Server, Timeouts, conn::State};
use support::{Client, Dial, bounded, in_memory};
use tokio::{
    io::DuplexStream,
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

const SECOND: Duration = Duration::from_secs(1);

/// A mux with a handler for each way of being slow, served in memory.
fn start(config: Config) -> (Server<ServeMux>, Dial) {
    let mux = ServeMux::new();
    mux.handle("/{$}", async |_| "hello\n");
    mux.handle("/collect", async |mut request: Request| {
        let body = request.to_bytes(u64::MAX).await?;
        Ok::<_, BodyError>(format!("{}\n", body.len()))
    });
    mux.handle("/ignore", async |_| "ignored\n");
    mux.handle("/large", async |_| vec![b'x'; 16 << 20]);
    mux.handle("/late", async |mut request: Request| {
        sleep(60 * SECOND).await;
        let body = request.to_bytes(u64::MAX).await?;
        Ok::<_, BodyError>(format!("{}\n", body.len()))
    });
    mux.handle("/ticks", async |_| {
        let body = Body::writer(|mut w| async move {
            for _ in 0..10 {
                sleep(60 * SECOND).await;
                w.write("tick\n").await?;
                w.flush().await?;
            }
            Ok(())
        });
        Response::new(body).with_content_type("text/plain")
    });
    let server = Server::with_config(mux, config);
    let (dial, _) = in_memory(&server);
    (server, dial)
}

/// Asserts that this limit has passed, and at most a second more: a deadline is never early.
#[track_caller]
fn took(since: Instant, limit: Duration) {
    let took = since.elapsed();
    assert!((limit..limit + SECOND).contains(&took), "{took:?} instead of {limit:?}");
}

/// Sends a byte a second until the server closes or replies.
async fn dribble(client: &mut Client<DuplexStream>, bytes: impl IntoIterator<Item = u8>) {
    for byte in bytes {
        if client.try_send([byte]).await.is_err() {
            return;
        }
        sleep(SECOND).await;
    }
}

/// Reads this many bytes of a reply.
async fn read(client: &mut Client<DuplexStream>, n: usize) -> usize {
    let mut bytes = vec![0; n];
    tokio::io::AsyncReadExt::read(&mut client.io, &mut bytes).await.unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_after_10_s_without_a_reply() {
    bounded(async {
        let (server, dial) = start(Config::default());
        let (since, mut client) = (Instant::now(), dial.connect());
        assert_eq!(client.rest().await, b"");
        took(since, 10 * SECOND);
        sleep(SECOND).await;
        assert_eq!(server.counts().total(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dribbled_head_is_answered_408_after_10_s() {
    bounded(async {
        let (_server, dial) = start(Config::default());
        let (since, client) = (Instant::now(), dial.connect());
        let (mut reader, mut writer) = tokio::io::split(client.io);
        let writing = tokio::spawn(async move {
            loop {
                if tokio::io::AsyncWriteExt::write_all(&mut writer, b"G").await.is_err() {
                    return;
                }
                sleep(SECOND).await;
            }
        });
        let mut reply = vec![0; 1000];
        let n = tokio::io::AsyncReadExt::read(&mut reader, &mut reply).await.unwrap();
        assert!(reply[..n].starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&reply[..n]));
        took(since, 10 * SECOND);
        // The client goes on sending; the connection closes all the same.
        drop(reader);
        writing.await.unwrap();
        assert!(since.elapsed() < 15 * SECOND, "{:?}", since.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_head_of_one_byte_is_answered_408() {
    bounded(async {
        let (_server, dial) = start(Config::default());
        let (since, mut client) = (Instant::now(), dial.connect());
        client.send("G").await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.is_last()), (408, true));
        took(since, 10 * SECOND);
        assert!(client.ends().await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_later_head_begins_with_its_first_byte() {
    bounded(async {
        let (_server, dial) = start(Config::default());
        let mut client = dial.connect();
        assert_eq!(client.fetch("/").await.status, 200);
        sleep(40 * SECOND).await;
        let since = Instant::now();
        client.send("G").await;
        assert_eq!(client.reply().await.status, 408);
        took(since, 10 * SECOND);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_pipelined_half_head_has_its_own_timeout_of_10_s() {
    bounded(async {
        let (_server, dial) = start(Config::default());
        let mut client = dial.connect();
        sleep(5 * SECOND).await;
        let since = Instant::now();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT").await;
        assert_eq!(client.reply().await.status, 200);
        assert_eq!(client.reply().await.status, 408);
        took(since, 10 * SECOND);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_75_s_without_a_reply() {
    bounded(async {
        let (server, dial) = start(Config::default());
        let mut client = dial.connect();
        assert_eq!(client.fetch("/").await.status, 200);
        let since = Instant::now();
        sleep(60 * SECOND).await;
        assert_eq!(server.counts().idle, 1);
        assert_eq!(client.rest().await, b"");
        took(since, 75 * SECOND);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn every_request_restarts_the_idle_timeout() {
    bounded(async {
        let (_server, dial) = start(Config::default());
        let mut client = dial.connect();
        for _ in 0..5 {
            assert_eq!(client.fetch("/").await.status, 200);
            sleep(70 * SECOND).await;
        }
        let since = Instant::now();
        assert!(client.ends().await);
        took(since, 5 * SECOND);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dribbled_body_is_a_timeout_to_the_handler_after_5_s() {
    bounded(async {
        let (_server, dial) = start(Config::default());
        let mut client = dial.connect();
        client.send("POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n").await;
        let since = Instant::now();
        dribble(&mut client, *b"abcde").await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.text(), reply.is_last()), (408, "the body arrived too slowly\n", true));
        took(since, 5 * SECOND);
        assert!(client.ends().await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dribbled_chunked_body_times_out() {
    bounded(async {
        let (_server, dial) = start(Config::default());
        let mut client = dial.connect();
        client.send("POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let since = Instant::now();
        for _ in 0..5 {
            client.send("1\r\nx\r\n").await;
            sleep(SECOND).await;
        }
        assert_eq!(client.reply().await.status, 408);
        took(since, 5 * SECOND);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_quick_body_that_stalls_times_out_after_30_s() {
    bounded(async {
        let (_server, dial) = start(Config::default());
        let mut client = dial.connect();
        client.send("POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n").await;
        for _ in 0..9 {
            client.send([b'x'; 10_000]).await;
            sleep(SECOND / 10).await;
        }
        let since = Instant::now() - SECOND / 10;
        assert_eq!(client.reply().await.status, 408);
        took(since, 30 * SECOND);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_at_240_bytes_a_second_never_times_out() {
    bounded(async {
        let (_server, dial) = start(Config::default());
        let mut client = dial.connect();
        client.send("POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 28800\r\n\r\n").await;
        for _ in 0..120 {
            client.send([b'x'; 240]).await;
            sleep(SECOND).await;
        }
        assert_eq!(client.reply().await.text(), "28800\n");
        assert_eq!(client.fetch("/").await.status, 200);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_handler_counts_toward_no_timeout() {
    bounded(async {
        let (_server, dial) = start(Config::default());
        let mut client = dial.connect();
        client.send("POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n").await;
        let since = Instant::now();
        sleep(61 * SECOND).await;
        client.send([b'x'; 1000]).await;
        assert_eq!(client.reply().await.text(), "1000\n");
        took(since, 61 * SECOND);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unread_body_that_never_comes_is_awaited_for_2_s() {
    bounded(async {
        let (server, dial) = start(Config::default());
        let mut client = dial.connect();
        client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n").await;
        let since = Instant::now();
        assert_eq!(client.reply().await.text(), "ignored\n");
        assert!(since.elapsed() < SECOND, "the reply does not wait for the body");
        assert!(client.ends().await);
        took(since, 2 * SECOND);
        // Then the connection lingers, so that no reset destroys the reply of a client that is still sending.
        sleep(3 * SECOND).await;
        assert_eq!(server.counts().total(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stalls_is_cut_off_after_60_s() {
    bounded(async {
        let (server, dial) = start(Config::default());
        let mut client = dial.connect();
        client.get("/large").await;
        sleep(60 * SECOND - SECOND / 10).await;
        assert_eq!(server.counts().active, 1, "not early");
        sleep(SECOND + SECOND / 10).await;
        assert_eq!(server.counts().total(), 0);
        let got = client.rest().await.len();
        assert!(got < 1 << 20, "{got} bytes");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_took_little_has_only_the_min_rate_grace() {
    if support::over_tls() {
        return; // every byte counts
    }
    bounded(async {
        let (server, dial) = start(Config::default());
        let mut client = dial.connect_sized(240);
        client.get("/large").await;
        sleep(6 * SECOND - SECOND / 10).await;
        assert_eq!(server.counts().active, 1, "5 s, and one for 240 bytes");
        sleep(SECOND + SECOND / 10).await;
        assert_eq!(server.counts().total(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_steady_reader_gets_the_whole_reply() {
    bounded(async {
        let (server, dial) = start(Config::default());
        let mut client = dial.connect();
        client.get("/large").await;
        let mut got = 0;
        for _ in 0..300 {
            got += read(&mut client, 300).await;
            sleep(SECOND).await;
        }
        assert_eq!((got, server.counts().active), (300 * 300, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_below_240_bytes_a_second_is_cut_off() {
    bounded(async {
        let (server, dial) = start(Config::default());
        let mut client = dial.connect();
        client.get("/large").await;
        // The 64 KiB that were taken at once pay for 273 s at 240 B/s. What is read later, at 100 B/s, pays for 5/12 of
        // its time.
        for _ in 0..500 {
            read(&mut client, 100).await;
            sleep(SECOND).await;
        }
        assert_eq!(server.counts().total(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_handlers_reply_never_times_out() {
    bounded(async {
        let (_server, dial) = start(Config::default());
        let mut client = dial.connect();
        let reply = client.fetch("/ticks").await;
        assert_eq!(reply.text(), "tick\n".repeat(10));
        assert_eq!(client.fetch("/").await.status, 200);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_without_timeouts_waits_for_an_hour() {
    bounded(async {
        let (server, dial) = start(Config { timeouts: Timeouts::none(), ..Config::default() });
        let (_silent, mut half, mut idle) = (dial.connect(), dial.connect(), dial.connect());
        let (mut body, mut reader) = (dial.connect(), dial.connect());
        half.send("GET / HT").await;
        assert_eq!(idle.fetch("/").await.status, 200);
        body.send("POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx").await;
        reader.get("/large").await;
        sleep(3600 * SECOND).await;
        let counts = server.counts();
        assert_eq!((counts.new, counts.active, counts.idle), (1, 3, 1));
        half.send("TP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(half.reply().await.status, 200);
        body.send("123456789").await;
        assert_eq!(body.reply().await.text(), "10\n");
        assert_eq!(reader.reply().await.body.len(), 16 << 20);
    })
    .await;
}

mod last_replies {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_reply_to_the_last_of_max_requests_says_close() {
        bounded(async {
            let (server, dial) = start(Config { max_requests: 3, ..Config::default() });
            let mut client = dial.connect();
            for n in 1..=3 {
                let reply = client.fetch("/").await;
                assert_eq!((reply.status, reply.is_last()), (200, n == 3), "request {n}");
            }
            assert!(client.ends().await);
            let mut ahead = dial.connect();
            ahead.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5)).await;
            for n in 1..=3 {
                assert_eq!(ahead.reply().await.is_last(), n == 3, "request {n}");
            }
            assert!(ahead.ends().await, "a fourth reply to a request that was sent ahead");
            drop((client, ahead));
            sleep(3 * SECOND).await;
            assert_eq!(server.counts().total(), 0);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_past_max_age_gets_one_more_reply() {
        bounded(async {
            let (_server, dial) = start(Config { max_age: 30 * SECOND, ..Config::default() });
            let mut client = dial.connect();
            let begin = Instant::now();
            // A tenth less or more.
            for at in [0, 10, 20, 26] {
                sleep_until(begin + at * SECOND).await;
                assert!(!client.fetch("/").await.is_last(), "at {at} s");
            }
            sleep_until(begin + 34 * SECOND).await;
            assert!(client.fetch("/").await.is_last());
            assert!(client.ends().await);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn connections_of_one_time_do_not_all_close_at_max_age() {
        bounded(async {
            let timeouts = Timeouts { idle: Duration::MAX, ..Timeouts::default() };
            let (_server, dial) = start(Config { max_age: 1000 * SECOND, timeouts, ..Config::default() });
            let begin = Instant::now();
            let mut clients: Vec<_> = (0..100).map(|_| dial.connect()).collect();
            for client in &mut clients {
                assert!(!client.fetch("/").await.is_last());
            }
            let mut closed = Vec::new();
            for at in (880..=1120).step_by(20) {
                sleep_until(begin + at * SECOND).await;
                let before = clients.len();
                let mut open = Vec::new();
                for mut client in clients {
                    if !client.fetch("/").await.is_last() {
                        open.push(client);
                    }
                }
                clients = open;
                closed.push(before - clients.len());
            }
            // None before nine tenths, none after eleven, and no more than a quarter within 20 s.
            assert_eq!((closed[0], closed.iter().sum()), (0, 100), "{closed:?}");
            assert!(clients.is_empty() && closed.iter().all(|n| *n <= 25), "{closed:?}");
        })
        .await;
    }
}

mod deadlines_of_a_handler {
    use super::*;

    /// Serves handlers that move their deadlines, and reports how each ended.
    fn start() -> (Server<ServeMux>, Dial, mpsc::UnboundedReceiver<String>) {
        let (tell, told) = mpsc::unbounded_channel();
        let mux = ServeMux::new();
        mux.handle("/read/{s}", move |mut request: Request| {
            let tell = tell.clone();
            async move {
                let limit =
                    request.path_value("s").and_then(|s| s.parse().ok()).map_or(Duration::MAX, Duration::from_secs);
                request.set_read_deadline(limit);
                let outcome = request.to_bytes(u64::MAX).await.map(|body| body.len());
                tell.send(format!("{outcome:?}")).expect("the test listens");
                "read\n"
            }
        });
        mux.handle("/write/{s}", async |request: Request| {
            let limit = request.path_value("s").and_then(|s| s.parse().ok()).map_or(Duration::MAX, Duration::from_secs);
            request.set_write_deadline(limit);
            vec![b'x'; 16 << 20]
        });
        mux.handle("/reads-then-writes", async |request: Request| {
            request.set_read_deadline(3600 * SECOND);
            vec![b'x'; 16 << 20]
        });
        mux.handle("/writes-then-reads", async |mut request: Request| {
            request.set_write_deadline(3600 * SECOND);
            request.to_bytes(u64::MAX).await.map(|_| "read\n")
        });
        mux.handle("/plain", async |mut request: Request| request.to_bytes(u64::MAX).await.map(|_| "read\n"));
        let server = Server::new(mux);
        let (dial, _) = in_memory(&server);
        (server, dial, told)
    }

    const BODY: &str = "HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";

    #[tokio::test(start_paused = true)]
    async fn a_read_deadline_may_be_sooner_or_later_than_the_servers() {
        bounded(async {
            let (_server, dial, mut told) = start();
            for limit in [1, 100] {
                let mut client = dial.connect();
                client.send(format!("POST /read/{limit} {BODY}")).await;
                let since = Instant::now();
                assert_eq!(client.reply().await.text(), "read\n");
                took(since, limit * SECOND);
                assert_eq!(told.recv().await.as_deref(), Some("Err(TimedOut)"));
            }
            let mut client = dial.connect();
            client.send(format!("POST /read/never {BODY}")).await;
            sleep(3600 * SECOND).await;
            client.send("0123456789").await;
            assert_eq!(client.reply().await.status, 200);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_deadline_may_be_sooner_or_later_than_the_servers() {
        bounded(async {
            let (server, dial, _told) = start();
            for limit in [1, 100] {
                let mut client = dial.connect();
                client.get(&format!("/write/{limit}")).await;
                sleep(limit * SECOND - SECOND / 10).await;
                assert_eq!(server.counts().active, 1, "{limit} s: not early");
                sleep(SECOND + SECOND / 10).await;
                assert_eq!(server.counts().total(), 0, "{limit} s");
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_request_has_the_timeouts_of_the_server_again() {
        bounded(async {
            let (_server, dial, _told) = start();
            let mut client = dial.connect();
            client.send(format!("POST /read/100 {BODY}0123456789")).await;
            assert_eq!(client.reply().await.status, 200);
            client.send(format!("POST /plain {BODY}")).await;
            let since = Instant::now();
            assert_eq!(client.reply().await.status, 408);
            took(since, 5 * SECOND);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_moved_deadline_leaves_the_other_deadline_as_it_is() {
        bounded(async {
            let (server, dial, _told) = start();
            let mut stalls = dial.connect();
            stalls.get("/reads-then-writes").await;
            sleep(61 * SECOND).await;
            assert_eq!(server.counts().total(), 0, "a reader that stalls is cut off");
            let mut dribbles = dial.connect();
            dribbles.send(format!("POST /writes-then-reads {BODY}")).await;
            let since = Instant::now();
            assert_eq!(dribbles.reply().await.status, 408);
            took(since, 5 * SECOND);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_timed_out_is_reported_closed() {
    bounded(async {
        let states = mpsc::unbounded_channel();
        let (tell, mut told) = states;
        let mut config = Config::default();
        config.hooks.state = Some(std::sync::Arc::new(move |_, _, to| tell.send(to).expect("the test listens")));
        let (_server, dial) = start(config);
        let mut client = dial.connect();
        assert!(client.ends().await);
        assert_eq!(told.recv().await, Some(State::New));
        assert_eq!(told.recv().await, Some(State::Closed));
    })
    .await;
}
