//! An upload in constant memory. Alone in its process, because it measures the memory of the process.

#![cfg(target_os = "linux")]

mod support;

use quintet_server::{Request, Response};
use support::{bounded, on_loopback};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn an_echo_of_a_gibibyte_takes_constant_memory() {
    bounded(async {
        let server = support::server(async |request: Request| Response::new(request.into_body()));
        let (addr, _) = on_loopback(&server);
        assert_eq!(upload_and_compare(&addr, 32 << 20).await, 32 << 20);
        let before = most_memory();
        assert_eq!(upload_and_compare(&addr, 1 << 30).await, 1 << 30);
        let more = most_memory().saturating_sub(before);
        assert!(more < 8 << 10, "{more} KiB more");
        assert!(most_memory() < 32 << 10, "{} KiB", most_memory());
    })
    .await;
}

/// Uploads a pattern to an echo; returns the bytes that came back unchanged.
async fn upload_and_compare(addr: &str, len: u64) -> u64 {
    let stream = tokio::net::TcpStream::connect(addr).await.expect("a server listens");
    let (mut reader, mut writer) = stream.into_split();
    let piece: Vec<u8> = (0..=250).cycle().take(251 * 256).collect();
    let sent = piece.clone();
    let writing = tokio::spawn(async move {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n");
        writer.write_all(head.as_bytes()).await.expect("the server reads");
        let mut left = len;
        while left > 0 {
            let n = left.min(sent.len() as u64);
            writer.write_all(&sent[..usize::try_from(n).expect("a piece")]).await.expect("the server reads");
            left -= n;
        }
        writer
    });
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(reader.read_u8().await.expect("a head"));
    }
    let (mut buffer, mut right) = (vec![0; 60_000], 0_u64);
    let twice = piece.repeat(2);
    loop {
        let n = reader.read(&mut buffer).await.expect("a whole reply");
        if n == 0 {
            break;
        }
        let at = usize::try_from(right % piece.len() as u64).expect("in the piece");
        assert!(buffer[..n] == twice[at..at + n], "wrong after {right} bytes");
        right += n as u64;
    }
    writing.await.expect("sent");
    right
}

/// The peak memory of this process, in KiB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}
