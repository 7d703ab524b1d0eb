//! The body of a reply of server-sent events: what is written to it, and heartbeats.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use quintet_request::{Body, BodyError, ReplyBody, quintet_conn::ActiveRequest};
use tokio::time::{Instant, Sleep, sleep};

use super::event_options::EventOptions;
use crate::Event;

/// A comment without text.
const HEARTBEAT: &[u8] = b":\n\n";
/// A heartbeat is sent after at least this time, so that one of zero does not keep the thread.
const MIN_HEARTBEAT: Duration = Duration::from_millis(10);

/// The body of a reply of server-sent events: what is written to it, and a heartbeat when nothing was for a time. It ends
/// when its client has disconnected or the server stops.
pub(super) struct EventStream {
    /// The body that the handler's future writes; each of its frames has whole events.
    written: Body,
    /// What is sent before the first event.
    opening: Option<Bytes>,
    heartbeat: Option<Heartbeat>,
    /// Resolves when the stream is to end.
    ending: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    ended: bool,
}

struct Heartbeat {
    every: Duration,
    /// Made at the first poll, which has a runtime.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Heartbeat {
    fn restart(&mut self) {
        if let Some(timer) = &mut self.timer {
            timer.as_mut().reset(Instant::now() + self.every);
        }
    }

    /// Ready when a heartbeat is to be sent.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let every = self.every;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(every)));
        let polled = timer.as_mut().poll(cx);
        if polled.is_ready() {
            self.restart();
        }
        polled
    }
}

impl EventStream {
    pub(super) fn new(written: Body, options: EventOptions) -> Self {
        let opening = options.retry.map(|retry| Event::empty().with_retry(retry).to_string().into());
        let heartbeat = options.heartbeat.map(|every| Heartbeat { every: every.max(MIN_HEARTBEAT), timer: None });
        Self { written, opening, heartbeat, ending: None, ended: false }
    }

    /// Whether the stream is to end, although its future has not.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.ending.as_mut().is_some_and(|ending| ending.as_mut().poll(cx).is_ready())
    }
}

impl HttpBody for EventStream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if let Some(opening) = this.opening.take() {
            return Poll::Ready(Some(Ok(Frame::data(opening))));
        }
        // Before `is_over`: a future that was told of the shutdown has sent its last events when it waits again.
        if let Poll::Ready(frame) = Pin::new(&mut this.written).poll_frame(cx) {
            this.ended = frame.is_none();
            if let Some(heartbeat) = &mut this.heartbeat {
                heartbeat.restart();
            }
            return Poll::Ready(frame);
        }
        if this.is_over(cx) {
            this.ended = true;
            this.written = Body::empty(); // drops the future of the handler
            return Poll::Ready(None);
        }
        if this.heartbeat.as_mut().is_some_and(|heartbeat| heartbeat.poll(cx).is_ready()) {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(HEARTBEAT)))));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

impl ReplyBody for EventStream {
    fn set_active(mut self: Pin<&mut Self>, active: &ActiveRequest) {
        self.written.set_active(active);
        let active = active.clone();
        self.ending = Some(Box::pin(async move {
            let (mut gone, mut stopping) = (pin!(active.disconnected()), pin!(active.connection().stopping()));
            poll_fn(|cx| match gone.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => stopping.as_mut().poll(cx),
            })
            .await;
        }));
    }
}
