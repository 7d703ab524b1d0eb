//! Frames of HTTP/2 for the tests: written byte by byte, and read strictly. RFC 9113 §4, §6.

use std::collections::{BTreeMap, VecDeque};

use super::hpack::{Decoder, block};

/// What a client sends first. RFC 9113 §3.4.
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// The flag of DATA and HEADERS.
pub const END_STREAM: u8 = 1;
/// The flag of SETTINGS and PING.
pub const ACK: u8 = 1;
/// The flags of HEADERS.
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const PRIORITIZED: u8 = 0x20;

pub const HEADER_TABLE_SIZE: u16 = 1;
pub const ENABLE_PUSH: u16 = 2;
pub const MAX_CONCURRENT_STREAMS: u16 = 3;
pub const INITIAL_WINDOW_SIZE: u16 = 4;
pub const MAX_FRAME_SIZE: u16 = 5;
pub const MAX_HEADER_LIST_SIZE: u16 = 6;

pub const NO_ERROR: u32 = 0;
pub const PROTOCOL_ERROR: u32 = 1;
pub const INTERNAL_ERROR: u32 = 2;
pub const FLOW_CONTROL_ERROR: u32 = 3;
pub const STREAM_CLOSED: u32 = 5;
pub const FRAME_SIZE_ERROR: u32 = 6;
pub const REFUSED_STREAM: u32 = 7;
pub const CANCEL: u32 = 8;
pub const COMPRESSION_ERROR: u32 = 9;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// The largest payload that a peer sends unasked.
pub const MAX_PAYLOAD: usize = 16_384;
const WINDOW: i64 = 65_535;

/// A frame with this payload, as it is sent.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let len = u32::try_from(payload.len()).expect("a small payload").to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The beginning of each connection: the preface and empty SETTINGS.
pub fn hello() -> Vec<u8> {
    [&PREFACE[..], &settings(&[])].concat()
}

pub fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> =
        values.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
    frame(SETTINGS, 0, 0, payload)
}

pub fn settings_ack() -> Vec<u8> {
    frame(SETTINGS, ACK, 0, "")
}

/// A head that ends its stream or not, in one frame.
pub fn headers(stream: u32, end: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | end, stream, block(fields))
}

/// The fields of a request, before those given.
pub fn fields<'f>(method: &'f str, more: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let head = [(":method", method), (":scheme", "http"), (":path", "/"), (":authority", "a.example")];
    [&head[..], more].concat()
}

/// A request without a body.
pub fn get(stream: u32) -> Vec<u8> {
    headers(stream, END_STREAM, &fields("GET", &[]))
}

/// The head of a request with a body.
pub fn post(stream: u32) -> Vec<u8> {
    headers(stream, 0, &fields("POST", &[]))
}

pub fn data(stream: u32, end: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    frame(DATA, end, stream, bytes)
}

pub fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, code.to_be_bytes())
}

pub fn ping(flags: u8, bytes: &[u8; 8]) -> Vec<u8> {
    frame(PING, flags, 0, bytes)
}

pub fn goaway(last: u32, code: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, [last.to_be_bytes(), code.to_be_bytes()].concat())
}

pub fn window_update(stream: u32, by: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, by.to_be_bytes())
}

pub fn priority(stream: u32, depends_on: u32, weight: u8) -> Vec<u8> {
    frame(PRIORITY, 0, stream, [&depends_on.to_be_bytes()[..], &[weight]].concat())
}

pub fn continuation(stream: u32, flags: u8, block: impl AsRef<[u8]>) -> Vec<u8> {
    frame(CONTINUATION, flags, stream, block)
}

/// A frame that a server sent, as it is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    Data {
        stream: u32,
        bytes: Vec<u8>,
        end: bool,
    },
    /// With the frames that continue it.
    Headers {
        stream: u32,
        fields: Vec<(String, String)>,
        end: bool,
    },
    Reset {
        stream: u32,
        code: u32,
    },
    Settings(Vec<(u16, u32)>),
    SettingsAck,
    Ping([u8; 8]),
    PingAck([u8; 8]),
    Goaway {
        last: u32,
        code: u32,
    },
    WindowUpdate {
        stream: u32,
        by: u32,
    },
}

/// The reader of what a server sends on one connection. It panics on every frame that a server must not send, also on one
/// that the client's windows do not allow.
#[derive(Debug, Default)]
pub struct FrameReader {
    bytes: Vec<u8>,
    hpack: Decoder,
    /// The head that the next CONTINUATION goes on with.
    open: Option<(u32, bool, Vec<u8>)>,
    streams: BTreeMap<u32, Reply>,
    /// What the client has given of the connection's window and of each stream's initial one, less what was used.
    window: i64,
    initial: i64,
    /// The initial windows that the client has set: the one that the server has acknowledged, and, for each SETTINGS
    /// since, the one in it.
    acknowledged: i64,
    unacknowledged: VecDeque<Option<i64>>,
    /// What was sent and is no whole frame yet.
    begun: Vec<u8>,
    settings_seen: bool,
    last: Option<u32>,
}

/// What was sent on one stream.
#[derive(Debug, Default)]
struct Reply {
    window: i64,
    /// Whether the final head was sent.
    head: bool,
    ended: bool,
    length: Option<u64>,
    sent: u64,
}

impl FrameReader {
    pub fn new() -> Self {
        Self { window: WINDOW, initial: WINDOW, acknowledged: WINDOW, ..Self::default() }
    }

    /// Adds bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether the bytes so far end with a whole frame.
    pub fn is_at_end(&self) -> bool {
        self.bytes.is_empty() && self.open.is_none()
    }

    /// Takes note of bytes that the client has sent, as far as they are whole frames: of the streams that it has opened,
    /// and of the windows that it has given.
    pub fn note_sent(&mut self, bytes: &[u8]) {
        self.begun.extend_from_slice(bytes);
        let begun = std::mem::take(&mut self.begun);
        let mut rest = begun.strip_prefix(PREFACE).unwrap_or(&begun);
        while let Some((head, after)) = rest.split_first_chunk::<9>() {
            let len = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
            let Some((payload, after)) = after.split_at_checked(len) else { break };
            self.note_frame(head[3], head[4], stream, payload);
            rest = after;
        }
        self.begun = rest.to_vec();
    }

    fn note_frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        if stream != 0 {
            let window = self.initial;
            self.streams.entry(stream).or_insert_with(|| Reply { window, ..Reply::default() });
        }
        match (kind, self.streams.get_mut(&stream)) {
            (WINDOW_UPDATE, _) if stream == 0 => self.window += i64::from(number(payload)),
            (WINDOW_UPDATE, Some(reply)) => reply.window += i64::from(number(payload)),
            (SETTINGS, _) if flags & ACK == 0 => {
                let mut sizes =
                    payload.chunks_exact(6).filter(|setting| number(&setting[..2]) == u32::from(INITIAL_WINDOW_SIZE));
                let size = sizes.next_back().map(|setting| number(&setting[2..]).into());
                self.unacknowledged.push_back(size);
                self.set_initial_window(self.initial.max(size.unwrap_or(0)));
            }
            _ => {}
        }
    }

    /// The server has acknowledged the first SETTINGS. The initial window of streams is the largest that it may still go
    /// by: the last one that it has acknowledged, or one that came later.
    fn acknowledge(&mut self) {
        let acknowledged = self.unacknowledged.pop_front().expect("SETTINGS that were sent");
        self.acknowledged = acknowledged.unwrap_or(self.acknowledged);
        if self.acknowledged < self.initial {
            let later = self.unacknowledged.iter().flatten();
            self.set_initial_window(later.fold(self.acknowledged, |most, size| most.max(*size)));
        }
    }

    fn set_initial_window(&mut self, initial: i64) {
        let by = initial - self.initial;
        self.initial = initial;
        if by != 0 {
            self.streams.values_mut().for_each(|reply| reply.window += by);
        }
    }

    /// The next whole frame, if it has arrived.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            let (head, rest) = self.bytes.split_first_chunk::<9>()?;
            let len = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            assert!(len <= MAX_PAYLOAD, "a frame of {len} bytes");
            let payload = rest.get(..len)?.to_vec();
            let (kind, flags) = (head[3], head[4]);
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            self.bytes.drain(..9 + len);
            if let Some(frame) = self.read(kind, flags, stream, payload) {
                return Some(frame);
            }
        }
    }

    fn read(&mut self, kind: u8, flags: u8, stream: u32, payload: Vec<u8>) -> Option<Frame> {
        assert!(stream < 1 << 31, "the reserved bit is not set");
        assert!(self.open.is_none() || kind == CONTINUATION, "a head is continued at once");
        assert!(self.settings_seen || kind == SETTINGS && flags == 0, "SETTINGS come first");
        let on_stream = matches!(kind, DATA | HEADERS | RST_STREAM | CONTINUATION);
        assert!(kind == WINDOW_UPDATE || on_stream == (stream != 0), "a frame {kind} of the stream {stream}");
        assert!(stream == 0 || self.streams.contains_key(&stream), "a frame of the stream {stream}, which is idle");
        let known = match kind {
            DATA => END_STREAM,
            HEADERS => END_STREAM | END_HEADERS,
            CONTINUATION => END_HEADERS,
            SETTINGS | PING => ACK,
            _ => 0,
        };
        assert_eq!(flags & !known, 0, "the flags of a frame {kind}");
        let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().expect("four bytes"));
        Some(match kind {
            DATA => self.data(stream, flags & END_STREAM != 0, payload),
            HEADERS => return self.head(stream, flags, flags & END_STREAM != 0, payload),
            CONTINUATION => {
                let (open, end, begun) = self.open.take().expect("a CONTINUATION goes on with a head");
                assert_eq!(open, stream, "a head is continued on its stream");
                return self.head(stream, flags, end, [begun, payload].concat());
            }
            RST_STREAM => {
                assert_eq!(payload.len(), 4);
                self.streams.entry(stream).or_default().ended = true;
                Frame::Reset { stream, code: number(0) }
            }
            SETTINGS if flags == ACK => {
                assert!(payload.is_empty());
                self.acknowledge();
                Frame::SettingsAck
            }
            SETTINGS => {
                self.settings_seen = true;
                assert_eq!(payload.len() % 6, 0);
                Frame::Settings(
                    payload
                        .chunks(6)
                        .map(|value| {
                            (
                                u16::from_be_bytes([value[0], value[1]]),
                                u32::from_be_bytes([value[2], value[3], value[4], value[5]]),
                            )
                        })
                        .collect(),
                )
            }
            PING => {
                let bytes = payload.try_into().expect("eight bytes");
                if flags == ACK { Frame::PingAck(bytes) } else { Frame::Ping(bytes) }
            }
            GOAWAY => {
                let last = number(0);
                assert!(self.last.is_none_or(|before| last <= before), "the last stream of a GOAWAY does not grow");
                self.last = Some(last);
                Frame::Goaway { last, code: number(4) }
            }
            WINDOW_UPDATE => {
                assert!(payload.len() == 4 && (1..1 << 31).contains(&number(0)));
                Frame::WindowUpdate { stream, by: number(0) }
            }
            kind => panic!("a server sends no frame {kind}"),
        })
    }

    fn data(&mut self, stream: u32, end: bool, bytes: Vec<u8>) -> Frame {
        let len = i64::try_from(bytes.len()).expect("a small payload");
        let reply = self.streams.get_mut(&stream).expect("a stream that is open");
        assert!(reply.head && !reply.ended, "DATA of the stream {stream} without its head, or after its end");
        self.window -= len;
        reply.window -= len;
        assert!(len == 0 || self.window >= 0 && reply.window >= 0, "more DATA than the windows allow");
        reply.sent += bytes.len() as u64;
        reply.end(end);
        Frame::Data { stream, bytes, end }
    }

    fn head(&mut self, stream: u32, flags: u8, end: bool, block: Vec<u8>) -> Option<Frame> {
        if flags & END_HEADERS == 0 {
            self.open = Some((stream, end, block));
            return None;
        }
        let fields = self.hpack.decode(&block);
        let reply = self.streams.get_mut(&stream).expect("a stream that is open");
        assert!(!reply.ended, "a head after the end of the stream {stream}");
        check_fields(&fields, reply.head);
        if reply.head {
            assert!(end, "trailers end a stream");
        } else {
            reply.head = !fields[0].1.starts_with('1');
            assert!(reply.head || !end, "an interim head does not end a stream");
            let bodiless = matches!(&*fields[0].1, "204" | "304");
            let length = fields.iter().find(|field| field.0 == "content-length");
            reply.length = length.map(|field| field.1.parse().expect("a number")).filter(|_| !bodiless && !end);
        }
        reply.end(end);
        Some(Frame::Headers { stream, fields, end })
    }
}

impl Reply {
    fn end(&mut self, end: bool) {
        self.ended |= end;
        if let (true, Some(length)) = (end, self.length) {
            assert_eq!(self.sent, length, "the body is as long as it was said to be");
        }
    }
}

/// A head begins with its status, trailers have none, and names are those of HTTP/2.
fn check_fields(fields: &[(String, String)], trailers: bool) {
    const OF_CONNECTION: [&str; 6] =
        ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];
    let status = fields.iter().filter(|field| field.0 == ":status").count();
    assert_eq!(status, usize::from(!trailers), "{fields:?}");
    for (i, (name, value)) in fields.iter().enumerate() {
        assert!(!name.starts_with(':') || i == 0 && !trailers, "{name} stands first: {fields:?}");
        assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase()) && !OF_CONNECTION.contains(&&**name), "{name}");
        assert_eq!(value.trim(), value, "{name}");
    }
}
