//! Tests of forms with files: which parts they have, what is refused with which status, and how they are read.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::Frame;

use super::*;
use crate::{Body, BodyError, Part};

const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nSunset\r\n\
    --b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"C:\\x\\a.png\"\r\nContent-Type: image/png\r\n\r\n\
    \0PNG\r\n--\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"none\"; filename=\"\"\r\n\r\n\r\n\
    --b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\n\r\n--b--\r\n";

/// A body in pieces. After each one it is pending once, as a body on the wire is.
struct Pieces {
    pieces: std::vec::IntoIter<Bytes>,
    pending: bool,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.pending = !self.pending;
        if self.pending {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.pieces.next().map(|piece| Ok(Frame::data(piece))))
    }
}

fn in_pieces(body: &str, size: usize) -> Body {
    let pieces: Vec<_> = body.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
    Body::new(Pieces { pieces: pieces.into_iter(), pending: false })
}

/// A POST with these fields.
fn posted(fields: &str, body: impl Into<Body>) -> Request {
    let mut request = Request::parse(format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes()).unwrap();
    *request.body_mut() = body.into();
    request
}

fn form(body: impl Into<Body>) -> Request {
    posted("Content-Type: multipart/form-data; boundary=b\r\n", body)
}

fn limited(body: impl Into<Body>, limits: MultipartLimits) -> Request {
    let mut request = form(body);
    request.set_multipart_limits(limits);
    request
}

async fn next(parts: &mut Parts) -> Part<'_> {
    parts.next_part().await.unwrap().expect("another part")
}

#[tokio::test]
async fn multipart_reader_has_the_parts_in_pieces_of_any_size() {
    for size in 1..FORM.len() + 1 {
        let mut request = form(in_pieces(FORM, size));
        let mut parts = request.multipart_reader().unwrap();
        let mut seen = Vec::new();
        while let Some(part) = parts.next_part().await.unwrap() {
            let names = (part.form_name().to_owned(), part.file_name().map(str::to_owned));
            let content_type = part.content_type().map(str::to_owned);
            assert!(part.header().contains_key("content-disposition"));
            seen.push((names, content_type, part.collect(100).await.unwrap()));
        }
        assert!(parts.next_part().await.unwrap().is_none(), "as often as one asks");
        let part = |name: &str, file_name: Option<&str>, content_type: Option<&str>, data: &'static str| {
            let names = (name.to_owned(), file_name.map(str::to_owned));
            (names, content_type.map(str::to_owned), Bytes::from_static(data.as_bytes()))
        };
        let expected = [
            part("title", None, None, "Sunset"),
            part("photo", Some("a.png"), Some("image/png"), "\0PNG\r\n--\r\n"),
            part("none", Some(""), None, ""),
            part("title", None, None, ""),
        ];
        assert_eq!(seen, expected, "pieces of {size}");
    }
}

#[tokio::test]
async fn a_part_that_is_dropped_unread_is_skipped() {
    for size in [1, 7, usize::MAX] {
        let mut request = form(in_pieces(FORM, size));
        let mut parts = request.multipart_reader().unwrap();
        drop(next(&mut parts).await);
        let mut photo = next(&mut parts).await;
        assert!(photo.chunk().await.unwrap().is_some_and(|piece| !piece.is_empty()));
        drop(photo);
        let mut none = next(&mut parts).await;
        assert_eq!(none.form_name(), "none");
        assert_eq!(none.chunk().await.unwrap(), None);
        assert_eq!(none.chunk().await.unwrap(), None, "as often as one asks");
        assert_eq!(next(&mut parts).await.collect(0).await.unwrap(), "");
        assert!(parts.next_part().await.unwrap().is_none());
    }
}

/// Both waits may be dropped and begun again: no part and no byte is lost.
#[tokio::test]
async fn waits_for_a_part_or_a_piece_can_be_dropped() {
    let mut request = form(in_pieces(FORM, 3));
    let mut parts = request.multipart_reader().unwrap();
    let (mut seen, mut polls) = (Vec::new(), 0);
    'parts: loop {
        let mut part = loop {
            polls += 1;
            let once = std::pin::pin!(parts.next_part());
            match poll_once(once).await {
                Some(Ok(Some(part))) => break part,
                Some(Ok(None)) => break 'parts,
                Some(Err(error)) => panic!("{error}"),
                None => {}
            }
        };
        loop {
            polls += 1;
            match poll_once(std::pin::pin!(part.chunk())).await {
                Some(Ok(Some(piece))) => seen.extend_from_slice(&piece),
                Some(Ok(None)) => break,
                Some(Err(error)) => panic!("{error}"),
                None => {}
            }
        }
        seen.push(b'|');
    }
    assert_eq!(String::from_utf8(seen).unwrap(), "Sunset|\0PNG\r\n--\r\n|||");
    assert!(polls > FORM.len() / 3, "{polls} polls");
}

/// Polls a future once, and drops it.
async fn poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    poll_fn(|cx| match Pin::new(&mut future).poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn a_part_past_the_limit_of_its_reader_is_413() {
    for size in [1, 4, usize::MAX] {
        let mut request = form(in_pieces(FORM, size));
        let mut parts = request.multipart_reader().unwrap();
        let error = next(&mut parts).await.collect(5).await.unwrap_err();
        assert!(matches!(error, MultipartReadError::PartTooLarge { limit: 5 }) && error.status() == 413);
        let mut written = Vec::new();
        let error = next(&mut parts).await.copy_to(&mut written, 9).await.unwrap_err();
        assert!(matches!(error, MultipartReadError::PartTooLarge { limit: 9 }));
        assert!(written.len() <= 9 && b"\0PNG\r\n--\r\n".starts_with(&written), "{written:?}");
        // The parts after it can be read.
        assert_eq!(next(&mut parts).await.form_name(), "none");

        let mut request = form(in_pieces(FORM, size));
        let mut parts = request.multipart_reader().unwrap();
        assert_eq!(next(&mut parts).await.collect(6).await.unwrap(), "Sunset");
        let mut written = Vec::new();
        assert_eq!(next(&mut parts).await.copy_to(&mut written, 10).await.unwrap(), 10);
        assert_eq!(written, b"\0PNG\r\n--\r\n");
    }
}

#[tokio::test]
async fn another_content_type_is_415_and_another_boundary_400() {
    for (fields, status) in [
        ("", 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n", 415),
        ("Content-Type: multipart/mixed; boundary=b\r\n", 415),
        ("Content-Type: multipart/form-data\r\n", 400),
        ("Content-Type: multipart/form-data; boundary=\r\n", 400),
        ("Content-Type: multipart/form-data; boundary=b; boundary=c\r\n", 400),
        ("Content-Type: multipart/form-data; boundary=b\r\nContent-Type: multipart/form-data; boundary=b\r\n", 400),
        ("Content-Type: multipart/form-data; boundary=b\r\nContent-Encoding: gzip\r\n", 415),
        (
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Encoding: identity\r\nContent-Encoding: br\r\n",
            415,
        ),
    ] {
        let mut request = posted(fields, FORM);
        assert_eq!(request.multipart_reader().unwrap_err().status(), status, "{fields}");
        assert_eq!(request.parse_multipart_form(1).await.unwrap_err().status(), status, "{fields}");
        assert_eq!(request.body().len(), Some(FORM.len() as u64), "no byte was read");
    }
    let identity = "Content-Type: multipart/form-data; boundary=b\r\nContent-Encoding: Identity\r\n";
    assert_eq!(posted(identity, FORM).parse_multipart_form(0).await.unwrap().values.len(), 2);
}

#[tokio::test]
async fn a_form_that_was_begun_cannot_be_read_again() {
    let mut request = form(FORM);
    drop(request.multipart_reader().unwrap());
    assert!(matches!(request.multipart_reader(), Err(MultipartReadError::Begun)));
    assert!(matches!(request.parse_multipart_form(0).await, Err(MultipartReadError::Begun)));
    // Also on the other side of a bridge.
    let mut back = Request::try_from(request.into_http().unwrap()).unwrap();
    assert_eq!(back.parse_multipart_form(0).await.unwrap_err().status(), 400);
}

#[tokio::test]
async fn limits_cross_to_http_and_back() {
    let request = limited(FORM, MultipartLimits { parts: 1, ..MultipartLimits::default() });
    let mut back = Request::try_from(request.into_http().unwrap()).unwrap();
    assert_eq!(back.parse_multipart_form(0).await.unwrap_err().status(), 413);
}

#[tokio::test]
async fn every_limit_of_a_form_is_413() {
    let all = MultipartLimits::default();
    let header =
        "Content-Disposition: form-data; name=\"photo\"; filename=\"C:\\x\\a.png\"\r\nContent-Type: image/png\r\n\r\n"
            .len()
            + "Content-Disposition: form-data; name=\"none\"; filename=\"\"\r\n\r\n".len();
    let values = "titleSunset".len() + "title".len() + header;
    for (limits, status) in [
        (MultipartLimits { total: FORM.len() as u64, ..all }, None),
        (MultipartLimits { total: FORM.len() as u64 - 1, ..all }, Some(413)),
        (MultipartLimits { total: 0, ..all }, Some(413)),
        (MultipartLimits { parts: 4, ..all }, None),
        (MultipartLimits { parts: 3, ..all }, Some(413)),
        (MultipartLimits { name: 5, ..all }, None),
        (MultipartLimits { name: 4, ..all }, Some(413)),
        (MultipartLimits { header_lines: 2, ..all }, None),
        (MultipartLimits { header_lines: 1, ..all }, Some(413)),
        (MultipartLimits { header: 90, ..all }, Some(413)),
        (MultipartLimits { values, ..all }, None),
        (MultipartLimits { values: values - 1, ..all }, Some(413)),
        (MultipartLimits { values: 10, ..all }, Some(413)),
        (MultipartLimits { values: 0, ..all }, Some(413)),
    ] {
        for size in [1, usize::MAX] {
            let parsed = limited(in_pieces(FORM, size), limits).parse_multipart_form(1 << 20).await;
            assert_eq!(parsed.err().map(|error| error.status().as_u16()), status, "{limits:?}");
        }
    }
}

#[tokio::test]
async fn a_malformed_form_is_400() {
    let value =
        |bytes: &[u8]| [b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n", bytes, b"\r\n--b--\r\n"].concat();
    for body in [
        Vec::new(),
        b"--b\r\n".to_vec(),
        FORM.as_bytes()[..FORM.len() - 5].to_vec(),
        FORM.replace("title", "").into_bytes(),
        value(b"\xff"),
        value(b"caf\xe9"),
    ] {
        let error = form(body.clone()).parse_multipart_form(0).await.unwrap_err();
        assert_eq!(error.status(), 400, "{}: {error}", body.escape_ascii());
    }
    assert_eq!(form(value("é".as_bytes())).parse_multipart_form(0).await.unwrap().value("a"), Some("é"));
    let cut = Body::new(http_body_util::StreamBody::new(CutShort(Some(FORM[..70].into()))));
    let error = form(cut).parse_multipart_form(0).await.unwrap_err();
    assert!(matches!(error, MultipartReadError::Body(BodyError::UnexpectedEof)), "{error}");
}

/// A stream of one piece whose client then disconnects.
struct CutShort(Option<Bytes>);

impl futures_core::Stream for CutShort {
    type Item = Result<Frame<Bytes>, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(self.0.take().map(Frame::data).ok_or(BodyError::UnexpectedEof)))
    }
}
