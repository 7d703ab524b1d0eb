//! The handlers at work on one connection of HTTP/2, and what their tasks share.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::{
    ended::Ended,
    fair::{REQUESTS, Turn},
    observe::discard,
    sampling::Sampling,
    served::{EndedStreams, Outcome, StreamNote},
    shared::Shared,
};

/// What the tasks of one connection share: the server, the connection, and how many handlers are at work.
///
/// Handlers are counted and not streams: a client that resets a request ends the stream at once, and its handler goes on.
/// The connection is counted by the server until the last of these tasks has ended.
pub(super) struct Work<H> {
    pub(super) server: Arc<Shared<H>>,
    pub(super) connection: Ended,
    at_work: AtomicUsize,
    most: usize,
    /// Whether a handler asked to close the connection.
    asked_to_close: AtomicBool,
    /// Whether the connection's task waits, and has to be woken when a place is freed.
    parked: AtomicBool,
    /// The notes of the streams that have ended, if requests are observed.
    pub(super) ended: EndedStreams,
}

impl<H> Work<H> {
    pub(super) fn new(server: Arc<Shared<H>>, connection: Ended) -> Arc<Self> {
        // At least one, or no request would ever be served.
        let most = (server.config.http2.max_concurrent_streams as usize).max(1);
        Arc::new(Self {
            server,
            connection,
            at_work: AtomicUsize::new(0),
            most,
            asked_to_close: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            ended: EndedStreams::new(),
        })
    }

    /// How many handlers are at work.
    pub(super) fn at_work(&self) -> usize {
        self.at_work.load(SeqCst)
    }

    /// Whether so many handlers are at work that no other may begin.
    pub(super) fn is_full(&self, at_work: usize) -> bool {
        at_work >= self.most
    }

    /// Takes a place for a handler. Only the connection's task takes places, after it asked [`is_full`](Self::is_full).
    pub(super) fn take_place(self: &Arc<Self>) -> Place<H> {
        self.at_work.fetch_add(1, SeqCst);
        Place { work: Arc::clone(self), left: false, wakes: false, note: None, sampling: Sampling::none() }
    }

    /// The connection's task, which is registered at the connection, waits. `false` if a place was freed since `at_work` was read, and the
    /// task has to look again.
    pub(super) fn park(&self, at_work: usize) -> bool {
        self.parked.store(true, SeqCst);
        // After the flag was set: a place that is freed later finds it, and one that was freed before is seen here.
        let now = self.at_work();
        now == at_work || (now > 0 && !self.is_full(at_work))
    }

    /// Ends the connection after this reply.
    pub(super) fn ask_to_close(&self) {
        self.asked_to_close.store(true, SeqCst);
        self.connection.wake_task();
    }

    pub(super) fn is_asked_to_close(&self) -> bool {
        self.asked_to_close.load(SeqCst)
    }

    /// The task of an observed request has ended. The event is fired when the connection has sent its last frame.
    #[cold]
    pub(super) fn end_stream(&self, note: StreamNote) {
        self.ended.push(note, &self.server.observer, &self.connection);
        // The connection's task may have sent that frame already, in another thread.
        self.connection.wake_task();
    }

    /// The connection's task no longer waits: it looks by itself when it has done all it can do.
    pub(super) fn unpark(&self) {
        self.parked.store(false, SeqCst);
    }
}

/// The place of one handler among those at work. Dropping it frees the place.
pub(super) struct Place<H> {
    pub(super) work: Arc<Work<H>>,
    left: bool,
    /// Whether the connection's task may wait for this place: it was the last one, or all were taken.
    wakes: bool,
    /// The note of the request, if it is observed.
    pub(super) note: Option<Box<StreamNote>>,
    /// The sample of the request for the live figure.
    pub(super) sampling: Sampling,
}

impl<H> Place<H> {
    /// Frees the place. Called just before the end of the reply is queued, so that a client that has read the whole reply
    /// finds the place free. If the connection's task has to know, it is woken when the place is dropped, after the reply
    /// was queued: otherwise it would run twice, and flush twice.
    pub(super) fn leave(&mut self) {
        if !std::mem::replace(&mut self.left, true) {
            let before = self.work.at_work.fetch_sub(1, SeqCst);
            self.wakes = before == 1 || self.work.is_full(before);
        }
    }

    /// Notes something of the request, if it is observed.
    #[inline]
    pub(super) fn observe(&mut self, tell: impl FnOnce(&mut StreamNote)) {
        if let Some(note) = &mut self.note {
            tell(note);
        }
    }

    /// The end of the reply, whose body has so many bytes, was handed to the connection; or the client has reset the
    /// request.
    #[inline]
    pub(super) fn end(&mut self, is_sent: bool, body: usize) {
        self.observe(|note| note.end(is_sent, body));
        self.sampling.set_outcome(if is_sent { Outcome::Complete } else { Outcome::Reset });
    }

    /// The end of the reply was handed to the connection.
    pub(super) fn whole(&mut self) {
        self.observe(StreamNote::whole);
        self.sampling.set_outcome(Outcome::Complete);
    }

    /// The reply ended early.
    pub(super) fn fail(&mut self, outcome: Outcome) {
        self.observe(|note| note.fail(outcome));
        self.sampling.set_outcome(outcome);
    }

    /// The handler or the body of the reply panicked.
    pub(super) fn panicked(&self) {
        if let Some(note) = &self.note {
            note.panicked();
        }
        self.sampling.panicked();
    }
}

impl<H> Drop for Place<H> {
    fn drop(&mut self) {
        self.leave();
        if let Some(note) = self.note.take() {
            self.work.end_stream(*note);
        }
        if self.wakes && self.work.parked.swap(false, SeqCst) {
            self.work.connection.wake_task();
        }
    }
}

/// Runs the tasks of a connection's streams.
pub(super) struct Runner {
    /// Whether all tasks share one thread, so that a task costs nothing but itself and gains nothing.
    is_inline: bool,
    turn: Turn,
}

impl Runner {
    pub(super) fn new() -> Self {
        let is_inline = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
        Self { is_inline, turn: Turn::of(REQUESTS) }
    }

    /// The connection's task has waited or yielded.
    pub(super) fn begin_turn(&mut self) {
        self.turn.begin();
    }

    /// Whether the connection's task has run so many streams, or for so long, that it must yield to others.
    pub(super) fn is_turn_over(&mut self) -> bool {
        self.is_inline && self.turn.is_over()
    }

    /// Runs the task of a stream, which is boxed by the caller, so that it is moved once. On a runtime of one thread it is polled here, and becomes a task of its own only if it
    /// has to wait: most never do, and spawning costs 2,000 instructions. On a runtime of many threads it is spawned at
    /// once, so that another thread can take it.
    ///
    /// # Cancel safety
    /// It never waits.
    pub(super) async fn run(&self, mut stream: Pin<Box<impl Future<Output = ()> + Send + 'static>>) {
        if !self.is_inline {
            tokio::spawn(stream);
            return;
        }
        // A panic that no other place catches (in the destructor of a handler's future) costs this stream alone, as it does
        // in a task.
        let polled = poll_fn(|cx| Poll::Ready(catch_unwind(AssertUnwindSafe(|| stream.as_mut().poll(cx))))).await;
        match polled {
            Ok(Poll::Ready(())) => {}
            Ok(Poll::Pending) => drop(tokio::spawn(stream)),
            Err(payload) => discard(payload),
        }
    }
}
