//! A client of HTTP/2 that sends any bytes, and reads what a server sends strictly.

use std::{collections::BTreeMap, future::poll_fn, io, pin::Pin, task::Poll, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf},
    time::timeout,
};

use super::frames::{self, Frame, FrameReader};

/// How long a server may be silent before all is taken for said.
const QUIET: Duration = Duration::from_millis(5);
/// How long a server may take to close after a GOAWAY.
const CLOSES: Duration = Duration::from_secs(60);

/// A client of HTTP/2 that sends any bytes.
pub struct FrameClient {
    pub io: DuplexStream,
    reader: FrameReader,
    /// Whether the server has closed.
    pub closed: bool,
    /// Whether it closed within a frame.
    pub cut: bool,
    /// Whether a write has failed.
    pub broken: bool,
}

impl FrameClient {
    pub fn new(io: DuplexStream) -> Self {
        Self { io, reader: FrameReader::new(), closed: false, cut: false, broken: false }
    }

    /// Begins the connection with the preface and these settings, and reads the server's.
    pub async fn begin(io: DuplexStream, settings: &[(u16, u32)]) -> Self {
        let mut client = Self::new(io);
        client.send([&frames::PREFACE[..], &frames::settings(settings)].concat()).await;
        let first = client.next().await;
        assert!(matches!(first, Some(Frame::Settings(_))), "{first:?}");
        client.send(frames::settings_ack()).await;
        while client.next_soon().await.is_some() {}
        client
    }

    /// Sends bytes, and reads meanwhile: a server that sends much would otherwise wait for the client.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let mut bytes = bytes.as_ref();
        self.reader.note_sent(bytes);
        poll_fn(|cx| {
            let mut room = [0; 4096];
            loop {
                let mut read = ReadBuf::new(&mut room);
                match Pin::new(&mut self.io).poll_read(cx, &mut read) {
                    Poll::Ready(Ok(())) if !read.filled().is_empty() => self.reader.push(read.filled()),
                    Poll::Ready(_) => self.closed = true,
                    Poll::Pending => {}
                }
                if self.closed || read.filled().is_empty() {
                    break;
                }
            }
            while !bytes.is_empty() {
                match Pin::new(&mut self.io).poll_write(cx, bytes) {
                    Poll::Ready(Ok(n)) => bytes = &bytes[n..],
                    Poll::Ready(Err(_)) => {
                        self.broken = true;
                        return Poll::Ready(());
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Sends bytes without reading, until the server takes no more. Returns how many it took.
    pub async fn send_unread(&mut self, bytes: &[u8]) -> usize {
        self.reader.note_sent(bytes);
        let mut sent = 0;
        while sent < bytes.len() {
            match timeout(QUIET, self.io.write(&bytes[sent..])).await {
                Ok(Ok(n)) => sent += n,
                _ => break,
            }
        }
        sent
    }

    /// The next frame; `None` when the server has closed.
    pub async fn next(&mut self) -> Option<Frame> {
        let mut room = [0; 4096];
        loop {
            if let Some(frame) = self.reader.next() {
                return Some(frame);
            }
            match self.io.read(&mut room).await {
                Ok(0) | Err(_) => {
                    self.closed = true;
                    self.cut = !self.reader.is_at_end();
                    return None;
                }
                Ok(n) => self.reader.push(&room[..n]),
            }
        }
    }

    /// The next frame, if it comes before the server is quiet.
    pub async fn next_soon(&mut self) -> Option<Frame> {
        timeout(QUIET, self.next()).await.ok().flatten()
    }

    /// What the server says from now on until it is quiet or closes, as a line: what came on each stream, and then what
    /// came on the connection.
    pub async fn said(&mut self) -> String {
        let mut said = Said::default();
        while let Some(frame) = self.next_soon().await {
            said.add(frame);
        }
        if said.goaway.is_some_and(|code| code != frames::NO_ERROR) {
            while let Ok(Some(frame)) = timeout(CLOSES, self.next()).await {
                said.add(frame);
            }
            assert!(self.closed, "the server closes after a GOAWAY with an error");
        }
        said.line(self.closed, self.cut)
    }

    /// Whether the connection still serves: a request on this stream is answered.
    pub async fn serves(&mut self, stream: u32) -> bool {
        self.send(frames::get(stream)).await;
        self.said().await.contains(&format!("{stream}: 200"))
    }
}

/// What a server said.
#[derive(Default)]
struct Said {
    streams: BTreeMap<u32, String>,
    connection: Vec<String>,
    goaway: Option<u32>,
}

impl Said {
    fn add(&mut self, frame: Frame) {
        match frame {
            Frame::Headers { stream, fields, .. } => {
                let text = fields.iter().find(|field| field.0 == ":status").map_or("trailers", |field| &field.1);
                self.on(stream, text);
            }
            Frame::Data { stream, bytes, .. } if !bytes.is_empty() => {
                self.on(stream, &bytes.escape_ascii().to_string());
            }
            Frame::Reset { stream, code } => self.on(stream, &format!("RST {}", name(code))),
            Frame::Goaway { code, .. } => {
                self.goaway = Some(code);
                self.connection.push(format!("GOAWAY {}", name(code)));
            }
            Frame::PingAck(bytes) => self.connection.push(format!("PONG {}", bytes.escape_ascii())),
            Frame::Ping(_) => self.connection.push("PING".into()),
            Frame::SettingsAck => self.connection.push("ACK".into()),
            Frame::Data { .. } | Frame::Settings(_) | Frame::WindowUpdate { .. } => {}
        }
    }

    fn on(&mut self, stream: u32, text: &str) {
        let said = self.streams.entry(stream).or_default();
        said.push(' ');
        said.push_str(text);
    }

    fn line(self, closed: bool, cut: bool) -> String {
        let streams = self.streams.into_iter().map(|(stream, said)| format!("{stream}:{said}"));
        let connection = self.connection.into_iter();
        let end = if cut { "cut" } else { "closed" };
        let closed = (cut || closed && self.goaway.is_none()).then(|| end.into());
        streams.chain(connection).chain(closed).collect::<Vec<_>>().join(", ")
    }
}

/// The name of an error code. RFC 9113 §7.
fn name(code: u32) -> String {
    match code {
        frames::NO_ERROR => "NO_ERROR".into(),
        frames::PROTOCOL_ERROR => "PROTOCOL_ERROR".into(),
        frames::INTERNAL_ERROR => "INTERNAL_ERROR".into(),
        frames::FLOW_CONTROL_ERROR => "FLOW_CONTROL_ERROR".into(),
        frames::STREAM_CLOSED => "STREAM_CLOSED".into(),
        frames::FRAME_SIZE_ERROR => "FRAME_SIZE_ERROR".into(),
        frames::REFUSED_STREAM => "REFUSED_STREAM".into(),
        frames::CANCEL => "CANCEL".into(),
        frames::COMPRESSION_ERROR => "COMPRESSION_ERROR".into(),
        frames::ENHANCE_YOUR_CALM => "ENHANCE_YOUR_CALM".into(),
        code => format!("{code}"),
    }
}
