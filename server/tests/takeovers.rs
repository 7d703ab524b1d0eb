//! Takeovers with every status, with and without a body before them, split at every byte. The other protocol begins after
//! the request, however the request was split.

mod support;

use http::StatusCode;
use quintet_server::{Config, Handler, Request, Response, Server, mux::Upgraded};
use support::{bounded, in_memory};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The other protocol: an echo in capitals, of the leftover bytes and of what follows.
async fn shout(mut upgraded: Upgraded) {
    let mut heard = std::mem::take(&mut upgraded.leftover);
    loop {
        heard.make_ascii_uppercase();
        if upgraded.io.write_all(&heard).await.is_err() {
            return;
        }
        heard.clear();
        match upgraded.io.read_buf(&mut heard).await {
            Ok(n) if n > 0 => {}
            _ => return,
        }
    }
}

/// Takes over with the status in the path (for CONNECT, which has no path, 200). Other words in the path: `read` reads the
/// body first, `held` keeps it, `nameless` leaves out the `Upgrade` field.
async fn take_over(mut request: Request) -> Response {
    let path = request.path().to_owned();
    if path == "/hello" {
        return Response::new("hello\n").with_content_type("text/plain");
    }
    let status =
        path.trim_start_matches('/').get(..3).and_then(|digits| StatusCode::from_bytes(digits.as_bytes()).ok());
    let held = request.take_body();
    if path.contains("read") {
        if let Err(error) = held.to_bytes(1 << 20).await {
            return Response::text(StatusCode::IM_A_TEAPOT, error);
        }
    } else if path.contains("held") {
        tokio::spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
    }
    let response = Response::upgrade(status.unwrap_or(StatusCode::OK), shout);
    if path.contains("nameless") { response } else { response.with_header("upgrade", "shout") }
}

/// All bytes of the server, without 100s, after these pieces and a FIN. Each piece arrives before the next is sent.
async fn answers(handler: impl Handler, config: Config, pieces: &[&[u8]]) -> String {
    let server = Server::with_config(handler, config);
    let (dial, _) = in_memory(&server);
    let mut client = dial.connect_sized(1 << 20);
    for piece in pieces {
        if client.try_send(piece).await.is_err() {
            break;
        }
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }
    client.finish().await;
    let all = String::from_utf8(client.rest().await).expect("text");
    let all = all.replace("HTTP/1.1 100 Continue\r\n\r\n", "");
    // The dates may differ.
    all.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect()
}

const ASKS: &str = "Host: a\r\nConnection: Upgrade\r\nUpgrade: shout\r\n";
const CHUNKS: &str = "Transfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n";

/// Requests with their bodies, and the status of the reply. After each of them `abc` is sent.
fn requests() -> Vec<(String, u16)> {
    let asks = |line: &str, rest: &str| format!("{line} HTTP/1.1\r\n{ASKS}{rest}");
    let plain = |line: &str, rest: &str| format!("{line} HTTP/1.1\r\nHost: a\r\n{rest}");
    vec![
        // 101, RFC 9110 §7.8: to a client that asks for it, after the whole request.
        (asks("GET /101", "\r\n"), 101),
        (asks("HEAD /101", "\r\n"), 101),
        (asks("POST /101", "Content-Length: 0\r\n\r\n"), 101),
        (asks("POST /101", "Content-Length: 3\r\n\r\nxyz"), 101),
        (asks("POST /101-read", "Content-Length: 3\r\n\r\nxyz"), 101),
        (asks("POST /101-held", "Content-Length: 3\r\n\r\nxyz"), 101),
        (asks("POST /101", CHUNKS), 101),
        (asks("POST /101-read", CHUNKS), 101),
        (asks("POST /101-held", CHUNKS), 101),
        (asks("POST /101", "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nxyz"), 101),
        (asks("POST /101", "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: 1\r\n\r\n"), 101),
        // A body without an end: where the other protocol begins is unknown.
        (asks("POST /101", "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"), 400),
        (asks("POST /101", "Content-Length: 300\r\n\r\n"), 400),
        // The client did not ask for an upgrade.
        (plain("GET /101", "\r\n"), 426),
        (plain("GET /101", "Upgrade: shout\r\n\r\n"), 426),
        (plain("GET /101", "Connection: upgrade\r\n\r\n"), 426),
        (plain("POST /101", "Content-Length: 3\r\n\r\nxyz"), 426),
        (format!("GET /101 HTTP/1.0\r\n{ASKS}\r\n"), 426),
        ("GET /101 HTTP/1.0\r\nConnection: upgrade, keep-alive\r\nUpgrade: shout\r\n\r\n".into(), 426),
        // Mistakes of the handler: a protocol without a name, and statuses that no protocol can follow.
        (asks("GET /101-nameless", "\r\n"), 500),
        (plain("GET /101-nameless", "\r\n"), 500),
        (asks("GET /100", "\r\n"), 500),
        (asks("GET /103", "\r\n"), 500),
        (plain("GET /204", "\r\n"), 500),
        (plain("GET /205", "\r\n"), 500),
        (plain("GET /304", "\r\n"), 500),
        (plain("HEAD /200", "\r\n"), 500),
        // Another status: the body ends with the connection.
        (plain("GET /200", "\r\n"), 200),
        (plain("POST /200", "Content-Length: 3\r\n\r\nxyz"), 200),
        (plain("POST /200-read", "Content-Length: 3\r\n\r\nxyz"), 200),
        (plain("POST /200", CHUNKS), 200),
        (plain("POST /200-read", CHUNKS), 200),
        (plain("POST /200", "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"), 400),
        (plain("GET /403", "\r\n"), 403),
        ("GET /200 HTTP/1.0\r\n\r\n".into(), 200),
        // A tunnel, RFC 9110 §9.3.6. CONNECT with content can be read in two ways, and is refused.
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n".into(), 200),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 0\r\n\r\n".into(), 200),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 3\r\n\r\nxyz".into(), 400),
        (format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n{CHUNKS}"), 400),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nxyz".into(), 400),
    ]
}

fn check(seen: &str, sent: &str, status: u16, taken: bool) {
    let (head, rest) = seen.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{sent:?}: {seen:?}"));
    assert_eq!(head.get(9..12), Some(status.to_string().as_str()), "{sent:?}: {seen:?}");
    let lower = head.to_ascii_lowercase();
    if !taken {
        assert!(lower.contains("\r\nconnection: close") || lower.starts_with("http/1.0"), "{sent:?}: {head}");
        assert!(!rest.contains("ABC") && !rest.contains("HTTP/"), "{sent:?}: {rest:?}");
        assert!(status != 426 || lower.contains("\r\nupgrade: shout"), "{sent:?}: {head}");
        return;
    }
    assert_eq!(rest, "ABC", "{sent:?}: nothing but what came behind the request");
    assert!(!lower.contains("content-length") && !lower.contains("transfer-encoding"), "{sent:?}: {head}");
    let says_close = lower.contains("\r\nconnection: close");
    let tunnel = sent.starts_with("CONNECT");
    assert_eq!(says_close, status != 101 && !tunnel && !sent.contains("HTTP/1.0"), "{sent:?}: {head}");
}

async fn every_split(config: &Config, before: &str) {
    for (request, status) in requests() {
        let sent = format!("{before}{request}abc");
        let bytes = sent.as_bytes();
        let taken = status < 300 || status == 403;
        let whole = answers(take_over, config.clone(), &[bytes]).await;
        let seen = if before.is_empty() { &whole } else { whole.split_once("hello\n").expect("the reply before").1 };
        check(seen, &request, status, taken);
        for at in 1..bytes.len() {
            let split = answers(take_over, config.clone(), &[&bytes[..at], &bytes[at..]]).await;
            assert_eq!(split, whole, "{sent:?}, cut at {at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(answers(take_over, config.clone(), &single).await, whole, "{sent:?}, byte by byte");
    }
}

#[tokio::test(start_paused = true)]
async fn a_takeover_is_the_same_for_any_split_of_its_request() {
    bounded(every_split(&support::config(), "")).await;
}

#[tokio::test(start_paused = true)]
async fn a_takeover_is_the_same_if_max_drain_bytes_is_zero() {
    bounded(every_split(&Config { max_drain_bytes: 0, ..support::config() }, "")).await;
}

#[tokio::test(start_paused = true)]
async fn a_pipelined_takeover_is_the_same_for_any_split() {
    bounded(every_split(&support::config(), "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")).await;
}

#[tokio::test(start_paused = true)]
async fn a_takeover_skips_256_kib_of_a_body_and_no_more() {
    bounded(async {
        for (len, status) in [(1000, 101), (70_000, 101), (256 << 10, 101), ((256 << 10) + 1, 400), (1 << 30, 400)] {
            for framing in ["length", "chunked"] {
                let body = "x".repeat(len.min(600_000));
                let request = match framing {
                    "length" => format!("POST /101 HTTP/1.1\r\n{ASKS}Content-Length: {len}\r\n\r\n{body}"),
                    _ => {
                        let body = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
                        format!("POST /101 HTTP/1.1\r\n{ASKS}Transfer-Encoding: chunked\r\n\r\n{body}")
                    }
                };
                let sent = format!("{request}abc");
                // Framing counts too: a chunked body whose data is at the limit is over it.
                let status = if framing == "chunked" && len == 256 << 10 { 400 } else { status };
                for cut in [1, 60, 150, 1000, 65_536] {
                    let (first, second) = sent.as_bytes().split_at(cut.min(sent.len()));
                    let seen = answers(take_over, support::config(), &[first, second]).await;
                    assert!(seen.starts_with(&format!("HTTP/1.1 {status} ")), "{framing} {len}, cut at {cut}: {seen}");
                    assert_eq!(seen.ends_with("\r\n\r\nABC"), status == 101, "{framing} {len}, cut at {cut}: {seen}");
                }
            }
        }
    })
    .await;
}
