//! Tests of bodies from memory and from other types.

use super::*;
use http_body_util::{BodyExt, Full, StreamBody};

struct Pieces(Vec<&'static [u8]>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = io::Error;
    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        let piece = self.0.remove(0);
        Poll::Ready(Some(match piece {
            b"!" => Err(io::Error::other("broken")),
            data => Ok(Frame::data(Bytes::from_static(data))),
        }))
    }
}

#[tokio::test]
async fn to_bytes_collects_a_body_of_any_source() {
    assert_eq!(Body::empty().to_bytes(0).await.unwrap(), "");
    assert_eq!(Body::from("abc").to_bytes(3).await.unwrap(), "abc");
    assert_eq!(Body::new(Full::new(Bytes::from("abc"))).to_bytes(3).await.unwrap(), "abc");
    assert_eq!(Body::new(Pieces(vec![b"a", b"b", b"c"])).to_bytes(3).await.unwrap(), "abc");
    assert_eq!(Body::new(Pieces(vec![])).to_bytes(0).await.unwrap(), "");
}

#[tokio::test]
async fn a_body_larger_than_the_limit_is_413() {
    for body in [Body::from("abcd"), Body::new(Pieces(vec![b"abcd"])), Body::new(Pieces(vec![b"a", b"bc", b"d"]))] {
        let error = body.to_bytes(3).await.unwrap_err();
        assert!(matches!(error, BodyError::TooLarge { limit: 3 }));
        assert_eq!(error.status(), 413);
    }
}

#[tokio::test]
async fn the_error_of_a_source_is_the_error_of_the_body() {
    let error = Body::new(Pieces(vec![b"a", b"!"])).to_bytes(10).await.unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "broken");
    assert_eq!(error.status(), 500);
}

#[tokio::test]
async fn wrapping_a_body_twice_keeps_its_error() {
    let inner = Body::new(StreamBody::new(Once(Some(Err::<Frame<Bytes>, _>(BodyError::UnexpectedEof)))));
    assert!(matches!(Body::new(inner).to_bytes(10).await, Err(BodyError::UnexpectedEof)));
}

struct Once<T>(Option<T>);
impl<T: Unpin> futures_core::Stream for Once<T> {
    type Item = T;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(self.0.take())
    }
}

#[tokio::test]
async fn a_body_is_read_as_an_http_body() {
    assert_eq!(BodyExt::collect(Body::from("abc")).await.unwrap().to_bytes(), "abc");
    assert_eq!(Body::from("abc").len(), Some(3));
    assert!(Body::empty().is_end_stream());
}

#[test]
fn a_body_is_send_and_sync() {
    fn check<T: Send + Sync>() {}
    check::<Body>();
}

#[tokio::test]
async fn a_limited_body_yields_its_limit_and_then_413() {
    for (pieces, limit, allowed, over) in [
        (&[&b"abc"[..]][..], 3, "abc", false),
        (&[b"abc"], 2, "ab", true),
        (&[b"abc"], 0, "", true),
        (&[b"a", b"bc", b"d"], 4, "abcd", false),
        (&[b"a", b"bc", b"d"], 3, "abc", true),
        (&[b"a", b"bc", b"d"], 2, "ab", true),
        (&[], 0, "", false),
    ] {
        for whole in [false, true] {
            let body = if whole { pieces.concat().into() } else { Body::new(Pieces(pieces.to_vec())) };
            let (mut body, mut read) = (body.limited(limit), Vec::new());
            let end = loop {
                match body.chunk().await {
                    Ok(Some(piece)) => read.extend_from_slice(&piece),
                    end => break end,
                }
            };
            assert_eq!(read, allowed.as_bytes(), "{pieces:?} {limit}");
            assert_eq!(end.is_err(), over);
            for _ in 0..usize::from(over) * 2 {
                let error = body.chunk().await.unwrap_err();
                assert!(matches!(error, BodyError::TooLarge { limit: told } if told == limit));
                assert_eq!(error.status(), 413);
            }
        }
    }
}

#[tokio::test]
async fn a_body_limited_twice_has_the_smaller_limit() {
    for (outer, inner) in [(2, 5), (5, 2)] {
        let body = Body::new(Pieces(vec![b"abc", b"def"])).limited(inner).limited(outer);
        assert!(matches!(body.to_bytes(100).await, Err(BodyError::TooLarge { limit: 2 })));
    }
    let known = Body::from("abc").limited(3);
    assert_eq!(known.try_into_bytes().unwrap(), "abc", "a body that is short enough stays as it is");
}
