//! The cost of parsing a head beside bare httparse, which only finds the words, of making one from parts, and of
//! decoding chunks.

use std::{hint::black_box, mem::MaybeUninit};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderValue, request::Parts};
use quintet_request::{Chunked, Head, HeadRef, Index, Limits};

const SMALL: &str = "GET /plaintext HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: bench\r\n\r\n";

const BROWSER: &str = "GET /articles/2026/the-shape-of-water?page=2&sort=new HTTP/1.1\r\n\
    Host: www.example.com\r\n\
    Connection: keep-alive\r\n\
    sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\", \"Google Chrome\";v=\"140\"\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
    Cookie: session=7f9c2ba4e88f827d616045507605853e; theme=dark; _ga=GA1.1.1234567890.1700000000\r\n\r\n";

fn large() -> String {
    let fields: String =
        (2..64).map(|i| format!("X-Custom-Header-{i}: some value of a usual length, {i}\r\n")).collect();
    format!("POST /upload HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 12\r\n{fields}\r\n")
}

/// The usual call of httparse.
fn bare(bytes: &[u8]) -> usize {
    let mut fields = [const { MaybeUninit::uninit() }; 100];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete(len)) => {
            black_box(&request);
            len
        }
        other => panic!("{other:?}"),
    }
}

fn heads(c: &mut Criterion) {
    let limits = Limits::default();
    for (name, head) in [("2 fields", SMALL.into()), ("12 fields, a browser's", BROWSER.into()), ("64 fields", large())]
    {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(head.len() as u64));
        group.bench_function("httparse", |b| b.iter(|| bare(black_box(head.as_bytes()))));
        let mut index = Index::default();
        group.bench_function("quintet", |b| b.iter(|| index.parse(black_box(head.as_bytes()), &limits)));
        group.bench_function("quintet, the reference parser", |b| {
            b.iter(|| index.parse_reference(black_box(head.as_bytes()), &limits));
        });
        group.finish();
    }
}

/// The head of a browser in HTTP/2: parts of the `http` crate become a head, in reused memory and in new memory.
fn parts(c: &mut Criterion) {
    let limits = Limits::default();
    let index = quintet_request::parse(BROWSER.as_bytes(), &limits).expect("a head").expect("a whole one");
    let mut parts = Parts::try_from(HeadRef::new(BROWSER.as_bytes(), &index)).expect("parts");
    parts.version = http::Version::HTTP_2;
    parts.uri = "https://www.example.com/articles/2026/the-shape-of-water?page=2&sort=new".parse().expect("a target");
    parts.headers.remove("host");
    parts.headers.remove("connection");
    parts.headers.append("cookie", HeaderValue::from_static("theme=dark"));
    let mut group = c.benchmark_group("12 fields, a browser's, in HTTP/2");
    let mut head = Head::default();
    group.bench_function("fill", |b| b.iter(|| head.fill(black_box(&parts), true, &limits)));
    group.bench_function("try_from", |b| b.iter(|| Head::try_from(black_box(&parts))));
    let bytes = String::from_utf8_lossy(head.as_ref().as_bytes()).replace("HTTP/2.0", "HTTP/1.1");
    let mut index = Index::default();
    group.bench_function("the same head parsed", |b| b.iter(|| index.parse(black_box(bytes.as_bytes()), &limits)));
    group.finish();
}

fn chunks(c: &mut Criterion) {
    for size in [16, 1024, 65536] {
        let chunk = format!("{size:x}\r\n{}\r\n", "d".repeat(size));
        let body = format!("{}0\r\n\r\n", chunk.repeat(64));
        let mut group = c.benchmark_group(format!("64 chunks of {size} bytes"));
        group.throughput(Throughput::Elements(64));
        group.bench_function("quintet", |b| {
            b.iter(|| {
                let (mut chunked, mut rest, mut data) =
                    (Chunked::new(&Limits::default()), black_box(body.as_bytes()), 0);
                while !chunked.is_end() {
                    let step = chunked.next(rest).expect("a proper body");
                    data += step.data;
                    rest = &rest[step.len()..];
                }
                data
            });
        });
        group.finish();
    }
}

criterion_group!(benches, heads, parts, chunks);
criterion_main!(benches);
