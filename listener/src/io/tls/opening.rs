//! A TLS stream whose handshake is not over yet.

use std::{
    fmt,
    future::Future,
    io, mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use rustls::{
    HandshakeKind, InvalidMessage, ServerConnection,
    server::{Accepted, AcceptedAlert, Acceptor},
};
use tokio::{
    io::ReadBuf,
    time::{Instant, Sleep, sleep},
};
use tokio_rustls::{FallibleAccept, StartHandshake};

use super::{
    ClientHello, HandshakeErrorKind,
    counted::{Counted, OpenStream},
    hello_reader::{HelloProgress, HelloReader},
    refusal::Refusal,
    settings::{Heard, Settings},
    tls_health::OpeningGuard,
};
use crate::{
    Addr, HostScope, Opened, Stream, TlsState,
    contain::{Panicked, contain},
};

/// A TLS stream whose handshake is not over yet.
///
/// ```text
///  Inner ─▶ Hello ─▶ HelloWhole ─▶ Handshake ─▶ the open stream
///             ╰──────────┴─────────────┴──────▶ Refusing ─▶ an error
/// ```
pub(super) struct Opening<S> {
    stage: Stage<S>,
    deadline: Pin<Box<Sleep>>,
    settings: Arc<Settings>,
    peer: Addr,
    /// What the stream inside told when it was opened.
    opened: Opened,
    hosts: Option<HostScope>,
    /// What is wrong with what came with the ClientHello. The client hears of it before the handshake ends.
    early_error: Option<rustls::Error>,
    counted: OpeningGuard,
}

enum Stage<S> {
    /// The stream inside is being opened.
    Inner(S),
    /// The ClientHello is being read. Nothing else is acquired before it is whole.
    Hello(S, HelloReader),
    /// It is whole. Other tasks have been let go first, once.
    HelloWhole(S, Vec<u8>),
    /// What looked whole is more than that, by rustls, which was given so many bytes.
    HelloOdd(S, Box<Acceptor>, usize),
    /// rustls does the rest. The local address is kept, since this future gives no access to its stream.
    Handshake(Box<FallibleAccept<Counted<S>>>, Option<Addr>),
    /// The client hears of it, then it is over.
    Refusing(Refusal<S>, io::Error),
    Done,
}

/// What a stage came to.
enum Step<S> {
    Wait(Stage<S>),
    Next(Stage<S>),
    /// The client is lost, and hears this if it still can.
    Refuse(S, Vec<u8>, io::Error, Heard),
    /// The client is gone.
    Fail(io::Error, Heard),
    /// It is over, and has been reported.
    Over(io::Error),
    Open(OpenStream<S>),
}

/// What Go answers (server.go, `serve`).
const HTTPS_EXPECTED: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// RFC 8446 §5.1 and §6: an alert, version 1.0 for those that know no other, fatal, unexpected_message.
const UNEXPECTED_MESSAGE: &[u8] = &[21, 3, 1, 0, 2, 2, 10];

/// The same for a message that is too large, as OpenSSL says it: illegal_parameter.
const ILLEGAL_PARAMETER: &[u8] = &[21, 3, 1, 0, 2, 2, 47];

/// The same for an error that is not the client's: internal_error.
const INTERNAL_ERROR: &[u8] = &[21, 3, 1, 0, 2, 2, 80];

impl<S: Stream> Opening<S> {
    /// How long a client that was refused may take to hear of it.
    const REFUSAL_TIME: Duration = Duration::from_secs(1);

    /// What rustls keeps for a client that does not read, instead of 64 KiB. It is also the most that one call of the
    /// socket sends: 32 KiB with a head or the framing of a chunk are one, 64 KiB with a head are two. With 16 KiB, a
    /// reply of 64 KiB costs half as much again.
    const MAX_UNSENT_BYTES: usize = 36 << 10;

    /// Begins now: the time for the handshake runs.
    pub(super) fn new(stream: S, peer: Addr, settings: Arc<Settings>) -> Self {
        Self {
            stage: Stage::Inner(stream),
            deadline: Box::pin(sleep(settings.handshake_timeout)),
            counted: settings.health.opening(),
            settings,
            peer,
            opened: Opened::default(),
            hosts: None,
            early_error: None,
        }
    }

    /// Goes on as far as it goes without waiting.
    ///
    /// # Errors
    /// [`HandshakeErrorKind::of`] knows of what kind it is. It has been counted and reported. Not to be polled again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(OpenStream<S>, Opened)>> {
        let is_refusing = matches!(self.stage, Stage::Refusing(..));
        if !is_refusing && self.deadline.as_mut().poll(cx).is_ready() {
            let error = HandshakeErrorKind::TimedOut.into();
            self.report(&error, Heard::Something);
            self.stage = Stage::Done;
            return Poll::Ready(Err(error));
        }
        loop {
            let stage = mem::replace(&mut self.stage, Stage::Done);
            // rustls calls functions of its configuration: one that looks for a certificate, say. The stream is lost with
            // a panic in one, but the task that serves it is not.
            let step = contain(|| self.step(stage, cx));
            let step =
                step.unwrap_or_else(|Panicked| Step::Fail(HandshakeErrorKind::Panicked.into(), Heard::Something));
            match step {
                Step::Wait(stage) => {
                    self.stage = stage;
                    return Poll::Pending;
                }
                Step::Next(stage) => self.stage = stage,
                Step::Refuse(stream, answer, error, heard) => {
                    self.report(&error, heard);
                    let limit = self.deadline.deadline().min(Instant::now() + Self::REFUSAL_TIME);
                    self.deadline.as_mut().reset(limit);
                    self.stage = Stage::Refusing(Refusal::new(stream, answer), error);
                }
                Step::Fail(error, heard) => {
                    self.report(&error, heard);
                    return Poll::Ready(Err(error));
                }
                Step::Over(error) => return Poll::Ready(Err(error)),
                Step::Open(stream) => return Poll::Ready(Ok(self.finish(stream))),
            }
        }
    }

    fn step(&mut self, stage: Stage<S>, cx: &mut Context<'_>) -> Step<S> {
        match stage {
            Stage::Inner(stream) => self.open_inner(stream, cx),
            Stage::Hello(stream, reader) => read_hello(stream, reader, cx),
            Stage::HelloWhole(stream, bytes) => self.give_to_rustls(stream, Box::default(), 0, &bytes),
            Stage::HelloOdd(stream, acceptor, given) => self.read_more(stream, acceptor, given, cx),
            Stage::Handshake(accept, local_addr) => self.go_on(accept, local_addr, cx),
            Stage::Refusing(mut refusal, error) => match refusal.poll(self.deadline.as_mut(), cx) {
                Poll::Ready(()) => Step::Over(error),
                Poll::Pending => Step::Wait(Stage::Refusing(refusal, error)),
            },
            // Not reached: what is over is not polled again.
            Stage::Done => Step::Over(HandshakeErrorKind::Disconnected.into()),
        }
    }

    /// The stream, where there is one to be had.
    pub(super) fn get_mut(&mut self) -> Option<&mut S> {
        match &mut self.stage {
            Stage::Inner(stream)
            | Stage::Hello(stream, _)
            | Stage::HelloWhole(stream, _)
            | Stage::HelloOdd(stream, ..) => Some(stream),
            Stage::Refusing(refusal, _) => Some(refusal.get_mut()),
            Stage::Handshake(..) | Stage::Done => None,
        }
    }

    pub(super) fn local_addr(&self) -> Option<Addr> {
        match &self.stage {
            Stage::Inner(stream)
            | Stage::Hello(stream, _)
            | Stage::HelloWhole(stream, _)
            | Stage::HelloOdd(stream, ..) => stream.local_addr(),
            Stage::Handshake(_, local_addr) => local_addr.clone(),
            Stage::Refusing(refusal, _) => refusal.get_ref().local_addr(),
            Stage::Done => None,
        }
    }

    fn open_inner(&mut self, mut stream: S, cx: &mut Context<'_>) -> Step<S> {
        match stream.poll_open(cx) {
            Poll::Pending => Step::Wait(Stage::Inner(stream)),
            Poll::Ready(Ok(opened)) => {
                self.opened = opened;
                Step::Next(Stage::Hello(stream, HelloReader::default()))
            }
            Poll::Ready(Err(error)) => Step::Fail(error, Heard::Below),
        }
    }

    /// Reads on what is not what it looked like.
    fn read_more(&mut self, mut stream: S, acceptor: Box<Acceptor>, given: usize, cx: &mut Context<'_>) -> Step<S> {
        if given >= HelloReader::MAX_BYTES {
            return too_large(stream);
        }
        let mut bytes = [0; 1024];
        let mut buffer = ReadBuf::new(&mut bytes);
        match Pin::new(&mut stream).poll_read(cx, &mut buffer) {
            Poll::Pending => Step::Wait(Stage::HelloOdd(stream, acceptor, given)),
            Poll::Ready(Err(error)) => Step::Fail(error, Heard::Something),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                Step::Fail(HandshakeErrorKind::Disconnected.into(), Heard::Something)
            }
            Poll::Ready(Ok(())) => self.give_to_rustls(stream, acceptor, given, buffer.filled()),
        }
    }

    /// Lets rustls, which was given so many bytes before, read a ClientHello and what follows it.
    fn give_to_rustls(&mut self, stream: S, mut acceptor: Box<Acceptor>, given: usize, mut bytes: &[u8]) -> Step<S> {
        let given = given + bytes.len();
        while !bytes.is_empty() {
            if let Err(error) = acceptor.read_tls(&mut bytes) {
                return Step::Refuse(stream, Vec::new(), error, Heard::Something);
            }
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => return self.start(stream, accepted, bytes),
                Err((error, alert)) => return refuse(stream, error, alert),
            }
        }
        Step::Next(Stage::HelloOdd(stream, acceptor, given))
    }

    /// Answers a ClientHello: this is where the key exchange and the signature are computed.
    fn start(&mut self, stream: S, accepted: Accepted, mut rest: &[u8]) -> Step<S> {
        let hello = accepted.client_hello();
        let server_name = hello.server_name().map(str::to_ascii_lowercase);
        let hello = ClientHello::of_message(server_name.as_deref(), &hello);
        let Ok((config, hosts)) = contain(|| self.settings.config.choose(&hello, SystemTime::now())) else {
            return Step::Refuse(stream, INTERNAL_ERROR.into(), HandshakeErrorKind::Panicked.into(), Heard::Something);
        };
        self.hosts = hosts;
        let local_addr = stream.local_addr();
        let mut unread = Ok(0);
        let accept =
            StartHandshake::from_parts(accepted, Counted::new(stream)).into_stream_with(config, |connection| {
                connection.set_buffer_limit(Some(Self::MAX_UNSENT_BYTES));
                while !rest.is_empty() && unread.is_ok() {
                    unread = connection.read_tls(&mut rest);
                }
                // What came with the ClientHello is looked at now, not when more comes. No client of TLS has something to
                // say yet; the alert that tells it so is sent by the handshake.
                self.early_error = connection.process_new_packets().err();
            });
        match unread {
            Ok(_) => Step::Next(Stage::Handshake(Box::new(accept.into_fallible()), local_addr)),
            Err(error) => Step::Fail(error, Heard::Something),
        }
    }

    /// Lets rustls do the rest.
    fn go_on(
        &mut self,
        mut accept: Box<FallibleAccept<Counted<S>>>,
        local_addr: Option<Addr>,
        cx: &mut Context<'_>,
    ) -> Step<S> {
        match Pin::new(&mut *accept).poll(cx) {
            Poll::Pending => Step::Wait(Stage::Handshake(accept, local_addr)),
            Poll::Ready(Ok(stream)) => Step::Open(Box::new(stream)),
            // The alert has been sent.
            Poll::Ready(Err((error, stream))) => {
                let early = self.early_error.take();
                let error = early.map_or(error, |early| io::Error::new(io::ErrorKind::InvalidData, early));
                Step::Refuse(stream.stream, Vec::new(), error, Heard::Something)
            }
        }
    }

    fn finish(&mut self, stream: OpenStream<S>) -> (OpenStream<S>, Opened) {
        let tls = tls_state(stream.get_ref().1);
        self.settings.health.succeeded(tls.did_resume);
        self.counted.settle();
        let hosts = self.hosts.take();
        let ours = Opened { tls: Some(Arc::new(tls)), own_tls: true, hosts, ..Opened::default() };
        (stream, ours.or(mem::take(&mut self.opened)))
    }

    fn report(&mut self, error: &io::Error, heard: Heard) {
        self.counted.settle();
        let peer = self.opened.peer.as_ref().unwrap_or(&self.peer);
        self.settings.failed(peer, error, heard);
    }
}

fn read_hello<S: Stream>(mut stream: S, mut reader: HelloReader, cx: &mut Context<'_>) -> Step<S> {
    let mut bytes = [0; 4096];
    loop {
        let heard = if reader.is_empty() { Heard::Nothing } else { Heard::Something };
        let room = reader.room().min(bytes.len());
        let mut buffer = ReadBuf::new(&mut bytes[..room]);
        match Pin::new(&mut stream).poll_read(cx, &mut buffer) {
            Poll::Pending => return Step::Wait(Stage::Hello(stream, reader)),
            Poll::Ready(Err(error)) => return Step::Fail(error, heard),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                return Step::Fail(HandshakeErrorKind::Disconnected.into(), heard);
            }
            Poll::Ready(Ok(())) => {}
        }
        let (answer, kind) = match reader.push(buffer.filled()) {
            HelloProgress::Partial => continue,
            HelloProgress::Whole => {
                // What comes now takes a signature's time. Replies of connections that are open go first; once is
                // enough, since every other handshake does the same.
                let _ = pin!(tokio::task::yield_now()).poll(cx);
                return Step::Wait(Stage::HelloWhole(stream, reader.into_bytes()));
            }
            HelloProgress::Http => (HTTPS_EXPECTED, HandshakeErrorKind::PlainHttp),
            HelloProgress::Other => (UNEXPECTED_MESSAGE, HandshakeErrorKind::NotTls),
            HelloProgress::TooLarge => return too_large(stream),
        };
        return Step::Refuse(stream, answer.into(), kind.into(), Heard::Something);
    }
}

/// A ClientHello that does not end.
fn too_large<S>(stream: S) -> Step<S> {
    let error = rustls::Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge);
    let error = io::Error::new(io::ErrorKind::InvalidData, error);
    Step::Refuse(stream, ILLEGAL_PARAMETER.into(), error, Heard::Something)
}

fn refuse<S>(stream: S, error: rustls::Error, mut alert: AcceptedAlert) -> Step<S> {
    let mut answer = Vec::new();
    // Writing to memory does not fail.
    let _ = alert.write_all(&mut answer);
    Step::Refuse(stream, answer, io::Error::new(io::ErrorKind::InvalidData, error), Heard::Something)
}

/// What a handshake agreed on.
fn tls_state(connection: &ServerConnection) -> TlsState {
    let peer_certificates = connection.peer_certificates().unwrap_or_default();
    TlsState {
        version: connection.protocol_version().map_or(0, u16::from),
        cipher_suite: connection.negotiated_cipher_suite().map_or(0, |suite| suite.suite().into()),
        negotiated_protocol: connection.alpn_protocol().unwrap_or_default().into(),
        server_name: connection.server_name().map(|name| name.to_ascii_lowercase().into()),
        peer_certificates: peer_certificates.iter().map(|certificate| certificate.as_ref().into()).collect(),
        peer_common_name: None,
        did_resume: connection.handshake_kind() == Some(HandshakeKind::Resumed),
    }
}

impl<S> fmt::Debug for Opening<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Stage::Inner(_) => "Inner",
            Stage::Hello(..) => "Hello",
            Stage::HelloWhole(..) => "HelloWhole",
            Stage::HelloOdd(..) => "HelloOdd",
            Stage::Handshake(..) => "Handshake",
            Stage::Refusing(..) => "Refusing",
            Stage::Done => "Done",
        };
        f.debug_struct("Opening").field("stage", &stage).field("peer", &self.peer).finish_non_exhaustive()
    }
}
