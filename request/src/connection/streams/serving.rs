//! What serving one stream needs beside the stream itself: its clock, its body, and whether the client is still there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use h2::Reason;
use quintet_conn::{ActiveRequest, Phase, RequestGuard, RequestValues, Tick, WaitState, WireError};

use crate::{BodyError, body::received_body::ReceivedBody};

/// The address of no waker.
const NO_TASK: usize = usize::MAX;

/// What serving one stream needs beside the stream itself. Dropping it ends the request: a body that is kept fails from
/// then on.
#[derive(Debug)]
pub(super) struct Serving {
    /// The child of the connection; `None` on a wire without an entry.
    guard: Option<RequestGuard>,
    /// The waits, since the first one: most requests have none.
    waits: Option<Box<WaitState>>,
    /// The bytes of the reply for which there was room before the first wait.
    moved: usize,
    /// The wait for a place, which few requests have.
    place: Option<Box<WaitState>>,
    /// The body, if it had not arrived whole with its head.
    body: Option<Arc<ReceivedBody>>,
    /// Counts the streams that the client has reset, for the connection.
    resets: Arc<AtomicU32>,
    /// The address of the waker that is registered, as in a wire.
    task: usize,
    /// Whether the client has reset the stream, or its connection has ended.
    gone: bool,
}

impl Serving {
    pub(super) fn new(guard: Option<RequestGuard>, resets: Arc<AtomicU32>) -> Self {
        Self { guard, waits: None, moved: 0, place: None, body: None, resets, task: NO_TASK, gone: false }
    }

    pub(super) fn set_body(&mut self, body: Arc<ReceivedBody>) {
        self.body = Some(body);
    }

    /// Begins to time the request.
    fn begin_waits(&mut self) {
        if self.waits.is_none() {
            let mut waits = Box::new(WaitState::new());
            waits.taken(self.moved, Tick::START);
            if self.body.is_some() {
                waits.enter(Phase::Body);
            }
            self.waits = Some(waits);
        }
    }

    pub(super) fn active(&self) -> Option<ActiveRequest> {
        self.guard.as_ref().map(RequestGuard::active)
    }

    pub(super) fn guard(&self) -> Option<&RequestGuard> {
        self.guard.as_ref()
    }

    /// How many bytes of the body a handler has taken.
    pub(super) fn received(&self) -> u64 {
        self.body.as_ref().map_or(0, |body| body.taken())
    }

    pub(super) fn take_values(&self, into: &mut RequestValues) {
        if let Some(guard) = &self.guard {
            guard.take_values(into);
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Registers the task that serves the stream.
    pub(super) fn register_waker(&mut self, cx: &Context<'_>) {
        // The address identifies the task, as in a wire: the entry keeps a clone of the waker.
        let task = cx.waker().data().addr();
        if self.task != task {
            self.task = task;
            if let Some(guard) = &self.guard {
                guard.register_waker(cx.waker());
            }
        }
    }

    /// Takes what the library knows of a reset. `true` if the client is gone.
    pub(super) fn note_reset(&mut self, polled: Poll<Result<Reason, h2::Error>>) -> bool {
        let Poll::Ready(reset) = polled else { return self.gone };
        if !self.gone {
            self.gone = true;
            // An error is the end of the connection.
            if reset.is_ok() {
                self.resets.fetch_add(1, Relaxed);
            }
            if let Some(guard) = &self.guard {
                guard.set_disconnected();
            }
            if let Some(body) = &self.body {
                body.fail(BodyError::UnexpectedEof);
            }
        }
        true
    }

    /// Begins or continues the wait for a place among the requests in progress, for the time of a head.
    ///
    /// # Errors
    /// [`WireError::TimedOut`] after that time, [`WireError::Aborted`] if the server aborted the connection.
    pub(super) fn wait_for_place(&mut self) -> Result<(), WireError> {
        let Some(guard) = &self.guard else { return Ok(()) };
        let waits = self.place.get_or_insert_default();
        waits.enter(Phase::Head);
        let now = if waits.goes_on_for_bytes() { guard.now() } else { guard.begin() };
        // Not for the first byte of anything: a server that stops still serves this request.
        waits.wait_for_bytes(false, now, guard.limits());
        guard.wait(waits)
    }

    /// Begins or continues the wait for room to send into.
    pub(super) fn wait_for_room(&mut self) {
        self.begin_waits();
        if let (Some(guard), Some(waits)) = (&self.guard, &mut self.waits) {
            let now = if waits.goes_on_for_room() { guard.now() } else { guard.begin() };
            waits.wait_for_room(now, guard.limits());
        }
    }

    /// The client gave room for `n` bytes: ends that wait.
    pub(super) fn taken(&mut self, n: usize) {
        match (&self.guard, &mut self.waits) {
            (Some(guard), Some(waits)) => waits.taken(n, guard.now()),
            _ => self.moved = self.moved.saturating_add(n),
        }
    }

    /// Times the waits in progress. A body that is late fails, and its handler can still reply.
    ///
    /// # Errors
    /// [`WireError::TimedOut`] of [`Phase::Reply`]: the client does not read. [`WireError::Aborted`].
    pub(super) fn wait(&mut self, cx: &Context<'_>) -> Result<(), WireError> {
        self.begin_waits();
        let (Some(guard), Some(waits)) = (&self.guard, &mut self.waits) else { return Ok(()) };
        if let Some(body) = &self.body {
            let progress = body.progress(cx.waker());
            if progress.arrived > 0 {
                waits.arrived(progress.arrived, guard.now());
            }
            if progress.reading {
                let now = if waits.goes_on_for_bytes() { guard.now() } else { guard.begin() };
                waits.wait_for_bytes(false, now, guard.limits());
            } else {
                waits.pause(guard.now());
            }
        }
        match guard.wait(waits) {
            Err(WireError::TimedOut(Phase::Body)) => {
                if let Some(body) = self.body.take() {
                    body.fail(BodyError::TimedOut);
                }
                Ok(())
            }
            waited => waited,
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(body) = &self.body {
            body.fail(BodyError::AfterReply);
        }
    }
}
