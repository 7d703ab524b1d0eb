//! The PINGs that we send: whether a client with requests in progress is still there.

use std::task::{Context, Poll};

use h2::{Ping, PingPong};
use quintet_conn::{Tick, Timeouts};

use super::alarm::Alarm;
use crate::Http2Config;

/// The PINGs that we send on a connection whose client is silent while requests are in progress. Go: `SendPingTimeout`,
/// `PingTimeout`.
#[derive(Debug)]
pub(super) struct Pings {
    send_after: Option<u64>,
    timeout: Option<u64>,
    /// The bytes received from the client and taken by it when it was last heard, and when that was.
    moved: u64,
    heard: Tick,
    /// The library's handle, since the first PING.
    handle: Option<PingPong>,
    /// Whether a PING is unanswered: nothing at all was received or taken since.
    unanswered: bool,
}

/// What a turn has to do for the PINGs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// A PING is to be sent.
    Ping,
    /// The client has not answered: the connection ends.
    End,
}

impl Pings {
    pub(super) fn new(config: &Http2Config) -> Self {
        Self {
            send_after: millis(config.send_ping_timeout),
            timeout: millis(config.ping_timeout),
            moved: 0,
            heard: Tick::START,
            handle: None,
            unanswered: false,
        }
    }

    /// What is due at the end of a turn with requests in progress. Sets the alarm for the next thing.
    ///
    /// The alarm is not moved with each byte that arrives, but set again when it is over. A connection whose requests
    /// are short sets it once in the time of a silence.
    pub(super) fn turn(&mut self, alarm: &mut Alarm, moved: u64, cx: &Context<'_>) -> Due {
        let Some(send_after) = self.send_after else { return Due::Nothing };
        if moved != self.moved {
            (self.moved, self.heard, self.unanswered) = (moved, alarm.now(), false);
        }
        let was_set = alarm.is_set();
        if was_set && !alarm.is_over() {
            return Due::Nothing;
        }
        let now = alarm.now();
        if !was_set {
            if self.unanswered {
                return Due::Nothing; // and without a timeout: the alarm is set again when the client is heard
            }
            // The first request in progress for some time: the silence begins now.
            self.heard = now;
        }
        if self.unanswered {
            return Due::End;
        }
        match self.heard.after_millis(send_after) {
            Some(end) if end <= now => {
                self.unanswered = true;
                alarm.set(self.timeout.and_then(|timeout| now.after_millis(timeout)), cx);
                Due::Ping
            }
            end => {
                alarm.set(end, cx);
                Due::Nothing
            }
        }
    }

    /// Sends a PING. `take` takes the library's handle, which it gives once.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, take: impl FnOnce() -> Option<PingPong>) {
        if self.handle.is_none() {
            self.handle = take();
        }
        let Some(handle) = &mut self.handle else { return };
        // The answer to the last one is taken, or else the library sends no other. Any byte counts as an answer, so that
        // it may be unanswered itself; then it does for this one as well.
        while let Poll::Ready(Ok(_)) = handle.poll_pong(cx) {}
        let _ = handle.send_ping(Ping::opaque());
    }
}

fn millis(wait: std::time::Duration) -> Option<u64> {
    let until = Timeouts { idle: wait, ..Timeouts::none() }.end(quintet_conn::Phase::Idle, Tick::START)?;
    Some(until.as_millis())
}
