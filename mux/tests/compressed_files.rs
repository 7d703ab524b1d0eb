//! A file server behind the middleware that compresses: which of the two decides what.

#![allow(missing_docs)]
#![cfg(all(feature = "compress", feature = "files"))]

use std::io::Read;

use quintet_mux::{FileOptions, FileServer, Handler, Listing, MemoryFiles, Precompressed, Response, compress};
use quintet_request::Request;

/// 230,000 bytes of text.
fn page() -> String {
    "a line of a long page \n".repeat(10_000)
}

fn handler() -> impl Handler {
    let files = MemoryFiles::new()
        .with_file("page.css", page())
        .with_file("page.css.gz", "not really gzip")
        .with_file("other.css", page())
        .with_file("picture.png", page());
    compress(FileServer::with_options(
        files,
        FileOptions { precompressed: vec![Precompressed::Gzip], ..FileOptions::default() },
    ))
}

async fn ask(method: &str, path: &str, fields: &str) -> Response {
    let text = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n{fields}\r\n");
    handler().call(Request::parse(text.as_bytes()).expect("a request")).await
}

fn field(response: &Response, name: &str) -> String {
    response.header(name).map_or(String::new(), |value| value.to_str().expect("text").to_owned())
}

#[tokio::test]
async fn a_file_is_compressed_unless_a_compressed_one_lies_beside() {
    for (path, len) in [("/other.css", None), ("/page.css", Some(15)), ("/picture.png", Some(230_000))] {
        let mut reply = ask("GET", path, "").await;
        assert_eq!(reply.body().len(), len, "{path}");
        let coding = if path == "/picture.png" { "" } else { "gzip" };
        assert_eq!(field(&reply, "content-encoding"), coding, "{path}");
        assert_eq!(field(&reply, "vary"), "Accept-Encoding", "{path}");
        let is_weak = field(&reply, "etag").starts_with("W/");
        assert_eq!((is_weak, field(&reply, "accept-ranges").is_empty()), (len.is_none(), len.is_none()), "{path}");
        if len.is_none() {
            let bytes = reply.take_body().to_bytes(100_000).await.expect("a body");
            let mut plain = String::new();
            flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut plain).expect("gzip");
            assert!(plain == page());
        }
    }
}

#[tokio::test]
async fn a_copy_of_the_compressed_file_is_revalidated_by_its_weak_etag() {
    let etag = field(&ask("GET", "/other.css", "").await, "etag");
    assert!(etag.starts_with("W/\""), "{etag}");
    let reply = ask("GET", "/other.css", &format!("If-None-Match: {etag}\r\n")).await;
    assert_eq!((reply.status().as_u16(), field(&reply, "etag")), (304, etag.clone()));
    // The weak tag joins no parts: the bytes of the compressed content may differ.
    let reply = ask("GET", "/other.css", &format!("Range: bytes=5-\r\nIf-Range: {etag}\r\n")).await;
    assert_eq!((reply.status().as_u16(), field(&reply, "content-encoding").as_str()), (200, "gzip"));
    // A part that is asked for without condition is one of the file as it is.
    let mut reply = ask("GET", "/other.css", "Range: bytes=0-1999\r\n").await;
    assert_eq!((reply.status().as_u16(), field(&reply, "content-encoding").as_str()), (206, ""));
    assert_eq!(reply.take_body().to_bytes(2_000).await.expect("a body"), page()[..2_000]);
}

#[tokio::test]
async fn head_of_a_file_has_the_fields_of_get() {
    for path in ["/other.css", "/page.css", "/picture.png"] {
        let (get, head) = (ask("GET", path, "").await, ask("HEAD", path, "").await);
        for name in ["content-encoding", "vary", "etag", "content-type", "last-modified", "accept-ranges"] {
            assert_eq!(field(&head, name), field(&get, name), "{path} {name}");
        }
        let said = field(&head, "content-length").parse().ok().filter(|_| head.body().len() == Some(0));
        assert_eq!(said, get.body().len(), "{path}");
    }
}

/// A page whose length is not known has the coding of a stream, also if the body is left out.
#[tokio::test]
async fn head_of_a_listing_has_the_coding_of_get() {
    let options = FileOptions { listing: Some(Listing::default()), ..FileOptions::default() };
    let handler = compress(FileServer::with_options(MemoryFiles::new().with_file("a/x.txt", "x"), options));
    for accepted in ["gzip, br", "br, gzip;q=0.5", "gzip", "identity"] {
        let mut codings = Vec::new();
        for method in ["GET", "HEAD"] {
            let text = format!("{method} /a/ HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {accepted}\r\n\r\n");
            let reply = handler.call(Request::parse(text.as_bytes()).expect("a request")).await;
            codings.push([field(&reply, "content-encoding"), field(&reply, "vary")]);
        }
        assert_eq!(codings[0], codings[1], "{accepted}");
    }
}
