//! A section of a file as a body: in memory if it is small, else read in pieces.
#![cfg(feature = "sendfile")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use http_body::Body as _;
use http_body_util::BodyExt;
use quintet_request::{Body, BodyError};

/// Bytes in which a missing or moved piece is noticed.
fn content(len: usize) -> Vec<u8> {
    let pattern: Vec<u8> = (0..4093).map(|at| (at % 251) as u8).collect();
    let mut content = pattern.repeat(len / pattern.len() + 1);
    content.truncate(len);
    content
}

/// A file that is removed at once: only the descriptor keeps it.
fn file(len: usize) -> Arc<File> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("quintet-file-body-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
    let path = std::env::temp_dir().join(name);
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    file.write_all(&content(len)).unwrap();
    fs::remove_file(path).unwrap();
    Arc::new(file)
}

#[tokio::test]
async fn a_file_body_has_the_bytes_of_its_section() {
    let file = file(300_000);
    for (offset, len) in [(0, 0), (0, 1), (5, 16 * 1024), (5, 16 * 1024 + 1), (0, 300_000), (299_999, 1), (300_000, 0)]
    {
        let body = Body::file(Arc::clone(&file), offset as u64, len as u64);
        assert_eq!((body.len(), body.is_end_stream()), (Some(len as u64), len == 0));
        let bytes = body.to_bytes(u64::MAX).await.unwrap();
        assert!(bytes == content(300_000)[offset..offset + len], "{offset} {len}");
    }
    assert_eq!(Arc::strong_count(&file), 1);
}

#[tokio::test]
async fn a_file_body_is_read_in_pieces_of_64_kib() {
    let mut body = Body::file(file(200_000), 0, 200_000);
    assert!(body.as_bytes().is_none());
    let (mut read, mut left) = (Vec::new(), 200_000);
    while let Some(frame) = body.frame().await {
        let piece = frame.unwrap().into_data().unwrap();
        assert!(!piece.is_empty() && piece.len() <= 64 * 1024, "{} bytes", piece.len());
        left -= piece.len() as u64;
        assert_eq!(body.len(), Some(left));
        read.extend(piece);
    }
    assert!(body.is_end_stream() && read == content(200_000));
    assert!(body.frame().await.is_none(), "the end stays the end");
}

#[tokio::test]
async fn a_small_file_body_that_is_cached_is_in_memory() {
    let body = Body::file(file(16 * 1024), 0, 16 * 1024);
    // A system that cannot tell what is cached (tmpfs) reads it later.
    assert!(body.as_bytes().is_none_or(|bytes| bytes == content(16 * 1024)));
    assert_eq!(body.to_bytes(16 * 1024).await.unwrap(), content(16 * 1024));
}

#[tokio::test]
async fn a_file_body_that_is_shorter_than_announced_fails() {
    for (size, len) in [(0, 1), (99, 100), (16_000, 16_384), (100_000, 200_000)] {
        let error = Body::file(file(size), 0, len).to_bytes(u64::MAX).await.unwrap_err();
        let BodyError::Source(source) = &error else { panic!("{error:?}") };
        let source = source.downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(source.kind(), std::io::ErrorKind::UnexpectedEof);
        assert_eq!(error.status(), 500);
    }
}

#[tokio::test]
async fn a_file_body_can_be_limited_and_wrapped() {
    let file = file(100_000);
    let long = Body::file(Arc::clone(&file), 0, 100_000).limited(99_999);
    assert!(matches!(long.to_bytes(u64::MAX).await, Err(BodyError::TooLarge { limit: 99_999 })));
    let wrapped = Body::new(Body::file(Arc::clone(&file), 0, 100_000));
    assert!(wrapped.to_bytes(u64::MAX).await.unwrap() == content(100_000));
    let body = Body::file(Arc::clone(&file), 0, 100_000);
    assert_eq!(format!("{body:?}"), "Body::File(100000)");
    assert_eq!(body.try_into_file().unwrap().left(), 100_000);
    assert!(Body::from("in memory").try_into_file().is_err());
}
