//! The body of a reply of several ranges.

use std::{
    collections::{VecDeque, hash_map::RandomState},
    hash::{BuildHasher, Hasher},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderValue;
use http_body::{Body as HttpBody, Frame, SizeHint};
use quintet_request::{Body, BodyError, ByteRange, Byteranges, Ranges};

use super::content::Content;

/// The body of a `multipart/byteranges` reply: for each range the head of its part and then its bytes. It opens one range at
/// a time.
pub(super) struct ByterangesBody {
    content: Content,
    parts: VecDeque<Part>,
    current: Option<Body>,
    left: u64,
}

enum Part {
    Framing(Bytes),
    Range(ByteRange),
}

impl ByterangesBody {
    /// The body of these ranges, and its content type.
    pub(super) fn new(content: Content, ranges: &Ranges, content_type: Option<&HeaderValue>) -> (Self, HeaderValue) {
        let framing = Byteranges::new(ranges, content.len(), content_type, boundary());
        let mut parts = VecDeque::new();
        for (head, range) in framing.parts() {
            parts.extend([Part::Framing(head.into()), Part::Range(range)]);
        }
        parts.push_back(Part::Framing(framing.end().into()));
        (Self { content, parts, current: None, left: framing.content_length() }, framing.content_type())
    }
}

/// A number that cannot be known before, so that no file can have it in its bytes and so look like two parts.
fn boundary() -> u128 {
    // The keys of two hashers, which the standard library takes from the system's random numbers.
    let half = || u128::from(RandomState::new().build_hasher().finish());
    (half() << 64) | half()
}

impl HttpBody for ByterangesBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if let Some(body) = &mut self.current {
                match ready!(Pin::new(body).poll_frame(cx)) {
                    Some(frame) => {
                        if let Some(data) = frame.as_ref().ok().and_then(Frame::data_ref) {
                            self.left = self.left.saturating_sub(data.len() as u64);
                        }
                        return Poll::Ready(Some(frame));
                    }
                    None => self.current = None,
                }
            }
            match self.parts.pop_front() {
                Some(Part::Framing(bytes)) => self.current = Some(bytes.into()),
                Some(Part::Range(range)) => self.current = Some(self.content.body(range)),
                None => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_boundaries_are_never_the_same() {
        let mut seen: Vec<_> = (0..1000).map(|_| boundary()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 1000);
    }
}
