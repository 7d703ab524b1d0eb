//! The frames of one WebSocket under its times: pings, the idle time and the close.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{Sink as _, SinkExt as _, Stream as _};
use quintet_conn::ActiveRequest;
use quintet_listener::Stream;
use quintet_mux::Upgraded;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, Sleep, sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{message::Message, options::WebSocketOptions, websocket_error::WebSocketError};

/// The memory for bytes that are read and for those that are to be sent. A longer frame gets memory of its own.
const BUFFER_BYTES: usize = 8 * 1024;
/// The most bytes that are discarded after the close.
const MAX_LINGER_BYTES: usize = 256 * 1024;
/// How far off a timer is that nothing needs.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

/// The frames of one WebSocket under its times.
pub(super) struct Session {
    stream: WebSocketStream<Box<dyn Stream>>,
    active: Option<ActiveRequest>,
    stopping: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    times: Times,
    /// Goes off at the next time that is due, or before it.
    timer: Pin<Box<Sleep>>,
    /// When the last frame of the client arrived.
    heard: Instant,
    /// Whether a ping was sent since.
    pinged: bool,
    /// Whether a ping or a close may not be sent yet.
    unflushed: bool,
    /// Whether the client has sent a ping, and may not have taken the pong yet.
    answering: bool,
    state: State,
}

/// See [`WebSocketOptions`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    ping: Option<Duration>,
    idle: Option<Duration>,
    close: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// One of the two has sent a close. The other must answer until this time.
    Closing(Instant),
    /// No more frames are read.
    Ended,
}

/// How a session reads frames.
pub(super) fn config(options: &WebSocketOptions) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(options.max_message_bytes))
        .max_frame_size(Some(options.max_frame_bytes))
}

impl Times {
    pub(super) fn of(options: &WebSocketOptions) -> Self {
        Self { ping: options.ping, idle: options.idle, close: options.close }
    }
}

impl Session {
    /// The session on a connection that was handed over.
    ///
    /// # Cancel safety
    /// It never waits.
    pub(super) async fn new(upgraded: Upgraded, config: WebSocketConfig, times: Times) -> Self {
        let active = upgraded.active().cloned();
        let Upgraded { io, leftover, .. } = upgraded;
        let stream = WebSocketStream::from_partially_read(io, leftover, Role::Server, Some(config)).await;
        let stopping = active.clone().map(|active| {
            let stopping = async move { active.connection().stopping().await };
            Box::pin(stopping) as Pin<Box<dyn Future<Output = ()> + Send>>
        });
        Self {
            stream,
            active,
            stopping,
            times,
            timer: Box::pin(sleep(FAR)),
            heard: Instant::now(),
            pinged: false,
            unflushed: false,
            answering: false,
            state: State::Open,
        }
    }

    pub(super) fn active(&self) -> Option<&ActiveRequest> {
        self.active.as_ref()
    }

    /// The next message; `None` after the close.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, WebSocketError>>> {
        loop {
            if self.state == State::Ended {
                return Poll::Ready(None);
            }
            match self.poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    (self.heard, self.pinged) = (Instant::now(), false);
                    match frame {
                        tungstenite::Message::Text(text) => {
                            return Poll::Ready(Some(Ok(text.as_str().to_owned().into())));
                        }
                        tungstenite::Message::Binary(bytes) => return Poll::Ready(Some(Ok(bytes.into()))),
                        tungstenite::Message::Close(_) => self.set_closing(),
                        // The library answers a ping.
                        _ => {}
                    }
                    continue;
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(self.fail(error.into())))),
                Poll::Ready(None) => {
                    self.state = State::Ended;
                    continue;
                }
                Poll::Pending => {}
            }
            if let Err(error) = self.flush(cx) {
                return Poll::Ready(Some(Err(self.fail(error))));
            }
            if self.stopping.as_mut().is_some_and(|stopping| stopping.as_mut().poll(cx).is_ready()) {
                self.stopping = None;
                self.begin_close(1001, "the server stops");
                continue;
            }
            ready!(self.poll_due(cx));
            if let Some(error) = self.do_due() {
                return Poll::Ready(Some(Err(self.fail(error))));
            }
        }
    }

    /// The next frame of the client. After a ping none is read until the client has taken the pong: the library keeps each
    /// pong until it is taken, so a client that sends pings and does not read would fill the memory. It is idle instead.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<tungstenite::Message, tungstenite::Error>>> {
        if self.answering {
            if let Err(error) = ready!(Pin::new(&mut self.stream).poll_flush(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
        }
        let frame = ready!(Pin::new(&mut self.stream).poll_next(cx));
        self.answering = matches!(frame, Some(Ok(tungstenite::Message::Ping(_))));
        Poll::Ready(frame)
    }

    /// Sends what the session itself has to say, as far as the client takes it.
    fn flush(&mut self, cx: &mut Context<'_>) -> Result<(), WebSocketError> {
        if self.unflushed {
            if let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(cx) {
                self.unflushed = false;
                flushed?;
            }
        }
        Ok(())
    }

    /// When something is to be done although no frame arrives.
    fn due(&self) -> Option<Instant> {
        if let State::Closing(by) = self.state {
            return Some(by);
        }
        let ping = self.times.ping.filter(|_| !self.pinged);
        let after = [ping, self.times.idle].into_iter().flatten().min()?;
        self.heard.checked_add(after)
    }

    /// Ready when something is to be done. The timer is moved only when it goes off, or is too late: each frame moves what
    /// is due, and that costs nothing here.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let due = self.due().unwrap_or_else(|| Instant::now() + FAR);
            if self.timer.deadline() > due {
                self.timer.as_mut().reset(due);
            }
            ready!(self.timer.as_mut().poll(cx));
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(due);
        }
    }

    /// Does what is due; returns the error of a client that is idle.
    fn do_due(&mut self) -> Option<WebSocketError> {
        if let State::Closing(_) = self.state {
            self.state = State::Ended; // the client has not answered
            return None;
        }
        self.timer.as_mut().reset(Instant::now() + FAR);
        if self.times.idle.is_some_and(|idle| self.heard.elapsed() >= idle) {
            return Some(WebSocketError::TimedOut);
        }
        self.pinged = true;
        self.start_send(tungstenite::Message::Ping(Vec::new().into()));
        None
    }

    /// Appends a frame. An error is one of the connection, which the next read meets.
    fn start_send(&mut self, frame: tungstenite::Message) {
        let _ = Pin::new(&mut self.stream).start_send(frame);
        self.unflushed = true;
    }

    fn set_closing(&mut self) {
        if self.state == State::Open {
            self.state = State::Closing(Instant::now() + self.times.close);
        }
    }

    /// Begins the close, if none has begun. A code that may not be sent (RFC 6455 §7.4) becomes 1011, and a reason is cut
    /// off at the length of a close frame.
    pub(super) fn begin_close(&mut self, code: u16, reason: &str) {
        /// A control frame has 125 bytes, and two of them are the code (RFC 6455 §5.5).
        const MAX_REASON_BYTES: usize = 123;
        if self.state != State::Open {
            return;
        }
        let mut end = reason.len().min(MAX_REASON_BYTES);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let code = Some(code.into()).filter(|code: &CloseCode| code.is_allowed()).unwrap_or(CloseCode::Error);
        self.start_send(tungstenite::Message::Close(Some(CloseFrame { code, reason: reason[..end].into() })));
        self.set_closing();
    }

    /// Ends the session by an error, and tells the client of it.
    fn fail(&mut self, error: WebSocketError) -> WebSocketError {
        if let Some(code) = error.close_code() {
            self.begin_close(code, "");
        }
        self.state = State::Ended;
        error
    }

    /// Sends a message; see [`WebSocket::send`](super::WebSocket::send).
    pub(super) async fn send(&mut self, message: Message) -> Result<(), WebSocketError> {
        if self.state != State::Open {
            return Err(WebSocketError::Closed);
        }
        let message = match message {
            Message::Text(text) => tungstenite::Message::Text(text.into()),
            Message::Binary(bytes) => tungstenite::Message::Binary(bytes),
        };
        let idle = self.times.idle.unwrap_or(FAR);
        let sent = timeout(idle, self.stream.send(message)).await;
        let error = match sent {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.into(),
            Err(_) => WebSocketError::TimedOut,
        };
        self.state = State::Ended;
        Err(error)
    }

    /// Ends the connection: closes the session with this code if it is open, waits for the client's close, half-closes, and
    /// reads until the client has closed, so that no reset destroys what it has not read. All within the time of a close.
    ///
    /// # Cancel safety
    /// Not cancel safe: the connection ends without a close.
    pub(super) async fn finish(mut self, code: u16) {
        let close = self.times.close;
        let ending = async {
            self.begin_close(code, "");
            while let Some(Ok(_)) = poll_fn(|cx| self.poll_next(cx)).await {}
            // An error's close frame, which no read has sent.
            let _ = poll_fn(|cx| Pin::new(&mut self.stream).poll_flush(cx)).await;
            let io = self.stream.get_mut();
            let (mut left, mut discarded) = (MAX_LINGER_BYTES, [0; 1024]);
            if io.shutdown().await.is_err() {
                return;
            }
            while let Ok(n @ 1..) = io.read(&mut discarded).await {
                left = left.saturating_sub(n);
                if left == 0 {
                    return;
                }
            }
        };
        let _ = timeout(close, ending).await;
    }
}
