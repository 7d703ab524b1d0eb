//! The feed of the live figure: a stream of server-sent events for each viewer, and one task that makes them for all.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use quintet_conn::{ActiveRequest, Timeouts};
use quintet_mux::Response;
use quintet_request::{Body, Request, Writer};
use tokio::{
    sync::watch::{Receiver, Sender, channel},
    time::{Instant, sleep, sleep_until},
};

use super::{
    json::{Object, object},
    sample::millis,
    tick::{TICK, Ticker},
    watch::{Frame, Watch},
};
use crate::{
    select::{Either, select},
    stats::Stats,
};

/// The last event.
const BYE: &str = "event: bye\ndata: {}\n\n";
/// How long a viewer has to read the last events before it is cut off: it must not delay a shutdown.
const LAST_READ: Duration = Duration::from_millis(250);
/// How long an accept loop may take to see that its server stops, before it is looked for again.
const CLOSING: Duration = Duration::from_millis(5);

/// The reply to a viewer: the ticks of `stats`, until the viewer or the server has gone.
pub(super) fn feed(stats: Stats, request: &Request) -> Response {
    let is_own = Stats::of(request).is_some_and(|own| own.is_same(&stats));
    let body = Body::writer(async move |out| view(out, stats, is_own).await);
    Response::new(body).with_content_type("text/event-stream")
}

/// A viewer. Its drop tells the watch.
struct Viewer {
    watch: Arc<Watch>,
    own: Option<u64>,
}

impl Viewer {
    /// Enters, and begins the ticks if it is the first one.
    fn enter(stats: &Stats, own: Option<u64>) -> (Self, Receiver<Frame>) {
        let watch = Arc::clone(stats.watch());
        let frames = {
            let mut room = watch.room();
            room.own.extend(own);
            // Under the lock with which the task ends: either it has a receiver now and goes on, or it is gone.
            match room.sender.upgrade() {
                Some(sender) => sender.subscribe(),
                None => {
                    let (sender, frames) = channel(Frame::default());
                    let sender = Arc::new(sender);
                    room.sender = Arc::downgrade(&sender);
                    tokio::spawn(run(stats.clone(), sender));
                    frames
                }
            }
        };
        watch.enter();
        (Self { watch, own }, frames)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let mut room = self.watch.room();
        if let Some(at) = room.own.iter().position(|own| Some(*own) == self.own) {
            room.own.swap_remove(at);
        }
        drop(room);
        self.watch.leave();
    }
}

/// Writes the events to one viewer.
///
/// # Errors
/// Those of the writer; and one that breaks the reply off, if the viewer does not read the last events.
async fn view(mut out: Writer, stats: Stats, is_own: bool) -> io::Result<()> {
    let Some(active) = out.active() else { return Err(io::ErrorKind::NotConnected.into()) };
    let id = active.connection().id();
    let (_viewer, mut frames) = Viewer::enter(&stats, is_own.then_some(id));
    write(&mut out, &mut frames, hello(&active, id).as_bytes()).await?;
    let mut is_over = false;
    while !is_over {
        // The connection of a viewer of another server's figure ends with its own server.
        let ending = async {
            match is_own {
                true => out.disconnected().await,
                false => match select(out.disconnected(), out.stopping()).await {
                    Either::First(()) | Either::Second(()) => {}
                },
            }
        };
        match select(ending, frames.changed()).await {
            Either::First(()) => return Ok(()),
            // The task has ended with its runtime: the browser comes again.
            Either::Second(Err(_)) => return Ok(()),
            Either::Second(Ok(())) => {}
        }
        let frame = frames.borrow_and_update().clone();
        is_over = frame.is_last;
        if is_over {
            active.set_write_deadline(LAST_READ);
        }
        write(&mut out, &mut frames, &frame.bytes).await?;
    }
    Ok(())
}

/// Sends bytes to a viewer. One that does not read them is waited for, until the server has drained.
async fn write(out: &mut Writer, frames: &mut Receiver<Frame>, bytes: &[u8]) -> io::Result<()> {
    out.write(bytes).await?;
    let is_over = frames.borrow().is_last;
    let last = async {
        if !is_over {
            // An error: the task has ended, and no last frame comes.
            if frames.wait_for(|frame| frame.is_last).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        sleep(LAST_READ).await;
    };
    match select(out.flush(), last).await {
        Either::First(flushed) => flushed,
        Either::Second(()) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// The first event.
fn hello(active: &ActiveRequest, id: u64) -> String {
    let timeouts = active.connection().timeouts();
    let data = object(|out| {
        out.number("tick_ms", millis(TICK));
        out.number("own", id);
        out.object("limits", |out| put_limits(out, timeouts));
    });
    format!("event: hello\ndata: {data}\n\n")
}

/// The timeouts; `null` is never.
fn put_limits(out: &mut Object<'_>, timeouts: &Timeouts) {
    for (key, limit) in [
        ("read_header_ms", timeouts.read_header),
        ("idle_ms", timeouts.idle),
        ("min_rate_grace_ms", timeouts.min_rate_grace),
        ("stall_ms", timeouts.stall),
        ("reply_stall_ms", timeouts.reply_stall),
        ("linger_ms", timeouts.linger),
        ("drain_ms", timeouts.drain),
    ] {
        out.maybe_number(key, (limit != Duration::MAX).then(|| millis(limit)));
    }
    out.number("min_rate", timeouts.min_rate.into());
}

/// Makes the ticks for all viewers, until the last of them has gone or the server has drained.
async fn run(stats: Stats, sender: Arc<Sender<Frame>>) {
    let mut ticker = Ticker::new(stats.clone());
    let mut next = Instant::now() + TICK;
    // Whether the last tick came early, at the end of the drain. A request of a viewer's own connection may still be in
    // progress then, and the next tick must wait for its time: `drained` would resolve again at once, and again.
    let mut is_early = false;
    loop {
        let (mut text, is_last) = ticker.tick();
        if is_last {
            text.extend_from_slice(BYE.as_bytes());
        }
        sender.send_replace(Frame { bytes: Bytes::from(text), is_last });
        if is_last {
            return;
        }
        let was_stopping = stats.is_stopping();
        let drained = async {
            match is_early {
                true => std::future::pending().await,
                false => drained(&stats).await,
            }
        };
        match select(sender.closed(), select(sleep_until(next), drained)).await {
            Either::First(()) => {
                let mut room = stats.watch().room();
                if sender.is_closed() {
                    room.sender = std::sync::Weak::new();
                    return;
                }
            }
            // Ticks that were missed, while the process was stopped, are not made up for.
            Either::Second(Either::First(())) => (next, is_early) = ((next + TICK).max(Instant::now()), false),
            Either::Second(Either::Second(())) => is_early = was_stopping,
        }
    }
}

/// Resolves when the server stops, and again whenever only viewers are left: the picture of a drain is to be whole, and not
/// to delay it.
async fn drained(stats: &Stats) {
    let loops = stats.accept_loops().connections();
    let Some(first) = loops.first() else { return std::future::pending().await };
    if !stats.is_stopping() {
        return first.stopping().await;
    }
    while stats.is_accepting() {
        sleep(CLOSING).await;
    }
    for connections in loops {
        let own = stats.watch().room().own.clone();
        let is_own = |id: &u64| *id >> 24 & 0xff == u64::from(connections.number() & 0xff);
        let mut own: Vec<u64> = own.into_iter().filter(is_own).collect();
        own.sort_unstable();
        own.dedup();
        connections.drained_to(own.len()).await;
    }
}
