//! hyper's server on a stream in memory. It is laxer than we are; where both accept a request, both must see the
//! same one.

use std::{
    cell::RefCell,
    convert::Infallible,
    io,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
};

use http_body_util::{BodyExt, Empty};
use hyper::{
    body::{Bytes, Incoming},
    rt::{Read, ReadBufCursor, Write},
    server::conn::http1,
    service::service_fn,
};

use super::{Limits, Message, our_messages};

/// As far as both read, both read the same.
pub fn versus_hyper(data: &[u8]) {
    let ours = our_messages(data, &Limits::default());
    let theirs = hyper_messages(data);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        // What follows CONNECT is no longer HTTP to hyper.
        if ours.method == "CONNECT" {
            return;
        }
        // hyper has a URI and writes `http://a` as `http://a/`.
        let target = ours.target.parse::<http::Uri>().expect("an accepted target is a URI").to_string();
        assert_eq!((&ours.method, &target, &ours.body), (&theirs.method, &theirs.target, &theirs.body));
    }
}

fn hyper_messages(data: &[u8]) -> Vec<Message> {
    let messages = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: http::Request<Incoming>| {
        let messages = messages.clone();
        async move {
            let (parts, body) = request.into_parts();
            if let Ok(body) = body.collect().await {
                messages.borrow_mut().push(Message {
                    method: parts.method.as_str().into(),
                    target: parts.uri.to_string(),
                    body: body.to_bytes().to_vec(),
                });
            }
            Ok::<_, Infallible>(http::Response::new(Empty::<Bytes>::new()))
        }
    });
    let stream = Memory { left: data.to_vec(), at: 0 };
    let mut connection = pin!(http1::Builder::new().serve_connection(stream, service));
    // The stream never makes it wait, so a few polls are enough for anything.
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000 {
        if connection.as_mut().poll(&mut context).is_ready() {
            break;
        }
    }
    messages.take()
}

/// A client that has sent everything and reads nothing.
struct Memory {
    left: Vec<u8>,
    at: usize,
}

impl Read for Memory {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let end = self.left.len().min(self.at + buf.remaining());
        buf.put_slice(&self.left[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(()))
    }
}

impl Write for Memory {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
