//! The line of a request, in the formats of an access log.

use std::{fmt, net::IpAddr, time::Duration};

use quintet_request::Version;

use super::{
    decimal::{push_decimal, three_digits},
    escape::{push_json as push_json_text, push_quoted},
    line_clock::LineClock,
};
use crate::served::{Note, Outcome, Peer, Served};

/// The usual length of a line: memory for it is taken at once.
const USUAL_BYTES: usize = 512;

/// What a line tells of: the note of a request, and its peer.
#[derive(Clone, Copy)]
pub(super) struct Logged<'a> {
    note: &'a Note,
    peer: Peer,
}

impl<'a> Logged<'a> {
    /// A request whose event is fired just now.
    fn of(served: &Served<'a>) -> Self {
        Self { note: served.note(), peer: Peer::of(served.connection()) }
    }

    /// A request whose note was kept for a log.
    pub(super) fn of_note(note: &'a Note) -> Self {
        Self { note, peer: note.peer() }
    }
}

/// The line of a request in the Common format of Apache and NCSA:
///
/// ```text
/// 192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] "GET /a?b=c HTTP/1.1" 200 2326
/// ```
///
/// The fields: the address of the client, without its port (`unix:` on a Unix socket); two that are always `-`; the time at
/// which the request began, in UTC; method, target and version as they were sent; the status; the bytes of the reply's body,
/// as they were sent on the wire. What is not there is `-`: the request that could not be read, the status of a
/// connection that was cut before its reply, a body without bytes.
///
/// In the quotes `"` and `\` are written `\"` and `\\`, and any byte that is not printable ASCII is `\xhh`.
///
/// # Spec
/// Apache: `LogFormat "%h %l %u %t \"%r\" %>s %b" common`.
pub fn common<'a>(served: &'a Served<'_>) -> impl fmt::Display + 'a {
    Line { logged: Logged::of(served), push: push_common }
}

/// The line of a request in the Combined format of Apache and nginx: that of [`common`], and the fields `Referer` and
/// `User-Agent`, with the same escapes.
///
/// ```text
/// 192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] "GET /a?b=c HTTP/1.1" 200 2326 "https://a.example/" "curl/8.5.0"
/// ```
///
/// # Spec
/// Apache: `LogFormat "… \"%{Referer}i\" \"%{User-agent}i\"" combined`. nginx: `log_format combined`.
pub fn combined<'a>(served: &'a Served<'_>) -> impl fmt::Display + 'a {
    Line { logged: Logged::of(served), push: push_combined }
}

/// The line of a request as an object of JSON:
///
/// ```text
/// {"time":"2000-10-10T13:55:36.123Z","client":"192.0.2.1","port":54321,"method":"GET","target":"/a?b=c",
/// "version":"HTTP/1.1","host":"a.example","pattern":"GET /a","status":200,"request_body_bytes":0,
/// "reply_body_bytes":2326,"time_to_first_byte_us":41,"duration_us":57,"outcome":"complete","user_agent":"curl/8.5.0"}
/// ```
///
/// A field that is not known is left out; so only those marked * are in every line.
///
/// | field | is |
/// |---|---|
/// | `time` * | when the request began: its first byte was there. RFC 3339, UTC, milliseconds |
/// | `client` * | the address of the client: told by a trusted proxy, or else the peer's. `unix:` on a Unix socket |
/// | `port` | the port of the peer, if `client` is the peer |
/// | `proxy` | the address of the peer, if `client` was told by a proxy |
/// | `request_id` | the id that the request was given |
/// | `method`, `target`, `version`, `host` | as they were sent; not there if the request could not be read |
/// | `pattern` | the pattern of the mux that matched |
/// | `status` | the status of the reply; not there if the connection was cut before |
/// | `request_body_bytes` * | the bytes of the request's body that were read |
/// | `reply_body_bytes` * | the bytes of the reply's body that were sent |
/// | `time_to_first_byte_us` | microseconds from `time` until the first byte of the reply was sent |
/// | `duration_us` * | microseconds from `time` until the last byte was sent, or the connection was cut |
/// | `outcome` * | how it ended: the name of an [`Outcome`](crate::Outcome) |
/// | `refused` | the rule that the client broke, if `outcome` is `refused` |
/// | `close_reason` | why the connection ends, if it ends with this request: a name of a [`CloseReason`](crate::request::CloseReason) |
/// | `tls` | the version of TLS |
/// | `user_agent`, `referer` | the fields of the request |
///
/// Text is that of the request as UTF-8, where what is no UTF-8 is U+FFFD. The line itself is ASCII.
pub fn json<'a>(served: &'a Served<'_>) -> impl fmt::Display + 'a {
    Line { logged: Logged::of(served), push: push_json }
}

/// A line that is formatted when it is displayed.
struct Line<'a> {
    logged: Logged<'a>,
    push: fn(&mut Vec<u8>, &mut LineClock, Logged<'_>),
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(USUAL_BYTES);
        (self.push)(&mut out, &mut LineClock::default(), self.logged);
        f.write_str(std::str::from_utf8(&out).expect("a line is ASCII"))
    }
}

/// Appends the line of [`common`].
pub(super) fn push_common(out: &mut Vec<u8>, clock: &mut LineClock, logged: Logged<'_>) {
    let note = logged.note;
    push_address(out, client(logged));
    out.extend_from_slice(b" - - ");
    clock.push_common(out, note.began());
    out.extend_from_slice(b" \"");
    match (note.method(), note.target(), note.version()) {
        (Some(method), Some(target), Some(version)) => {
            push_quoted(out, method);
            out.push(b' ');
            push_quoted(out, target);
            out.push(b' ');
            out.extend_from_slice(name(version).as_bytes());
        }
        _ => out.push(b'-'),
    }
    out.extend_from_slice(b"\" ");
    match note.status() {
        Some(status) => out.extend_from_slice(status.as_str().as_bytes()),
        None => out.push(b'-'),
    }
    out.push(b' ');
    match note.reply_body_bytes() {
        0 => out.push(b'-'),
        bytes => push_decimal(out, bytes),
    }
}

/// Appends the line of [`combined`].
pub(super) fn push_combined(out: &mut Vec<u8>, clock: &mut LineClock, logged: Logged<'_>) {
    push_common(out, clock, logged);
    for field in [logged.note.referer(), logged.note.user_agent()] {
        out.extend_from_slice(b" \"");
        match field {
            Some(value) if !value.is_empty() => push_quoted(out, value),
            _ => out.push(b'-'),
        }
        out.push(b'"');
    }
}

/// Appends the line of [`json`].
pub(super) fn push_json(out: &mut Vec<u8>, clock: &mut LineClock, logged: Logged<'_>) {
    // Once for all pieces of a usual line.
    out.reserve(USUAL_BYTES);
    out.extend_from_slice(b"{\"time\":\"");
    let note = logged.note;
    clock.push_rfc3339(out, note.began());
    out.extend_from_slice(b"\",\"client\":\"");
    push_who(out, logged);
    match note.method() {
        // The usual one is a copy of a fixed length.
        Some(b"GET") => out.extend_from_slice(b",\"method\":\"GET\""),
        Some(method) => push_text(out, b",\"method\":\"", method),
        None => {}
    }
    if let Some(target) = note.target() {
        push_text(out, b",\"target\":\"", target);
    }
    match note.version() {
        Some(Version::Http10) => out.extend_from_slice(b",\"version\":\"HTTP/1.0\""),
        Some(Version::Http11) => out.extend_from_slice(b",\"version\":\"HTTP/1.1\""),
        Some(Version::Http2) => out.extend_from_slice(b",\"version\":\"HTTP/2.0\""),
        None => {}
    }
    if let Some(host) = note.host() {
        push_text(out, b",\"host\":\"", host);
    }
    if let Some(pattern) = note.pattern() {
        push_text(out, b",\"pattern\":\"", pattern.as_bytes());
    }
    if let Some(status) = note.status() {
        out.extend_from_slice(b",\"status\":");
        out.extend_from_slice(&three_digits(status.as_u16()));
    }
    push_number(out, b",\"request_body_bytes\":", note.request_body_bytes());
    push_number(out, b",\"reply_body_bytes\":", note.reply_body_bytes());
    let (first_byte, duration) = note.times();
    if let Some(time) = first_byte {
        push_number(out, b",\"time_to_first_byte_us\":", micros(time));
    }
    push_number(out, b",\"duration_us\":", micros(duration));
    push_end(out, logged);
    if let Some(agent) = note.user_agent() {
        push_text(out, b",\"user_agent\":\"", agent);
    }
    if let Some(referer) = note.referer() {
        push_text(out, b",\"referer\":\"", referer);
    }
    out.push(b'}');
}

/// Appends who the client is, after `"client":"`.
#[inline]
fn push_who(out: &mut Vec<u8>, logged: Logged<'_>) {
    let peer = logged.peer.addr;
    match told(logged) {
        Some(client) => {
            push_address(out, Some(client));
            out.extend_from_slice(b"\",\"proxy\":\"");
            push_address(out, peer.map(|peer| peer.ip()));
            out.push(b'"');
        }
        None => {
            push_address(out, peer.map(|peer| peer.ip()));
            out.push(b'"');
            if let Some(peer) = peer {
                push_number(out, b",\"port\":", peer.port().into());
            }
        }
    }
    if let Some(id) = logged.note.request_id() {
        push_text(out, b",\"request_id\":\"", id.as_bytes());
    }
}

/// Appends how the request ended.
#[inline]
fn push_end(out: &mut Vec<u8>, logged: Logged<'_>) {
    let outcome = logged.note.outcome();
    match outcome {
        // As above.
        Outcome::Complete => out.extend_from_slice(b",\"outcome\":\"complete\""),
        _ => push_text(out, b",\"outcome\":\"", outcome.as_str().as_bytes()),
    }
    if let Outcome::Refused(refusal) = outcome {
        push_text(out, b",\"refused\":\"", refusal.as_str().as_bytes());
    }
    if let Some(reason) = logged.note.close_reason() {
        push_text(out, b",\"close_reason\":\"", reason.as_str().as_bytes());
    }
    if let Some(tls) = logged.peer.tls {
        push_text(out, b",\"tls\":\"", tls.as_bytes());
    }
}

/// Appends `,"name":"`, the text and the quote at its end.
#[inline]
fn push_text<const N: usize>(out: &mut Vec<u8>, name: &[u8; N], text: &[u8]) {
    out.extend_from_slice(name);
    push_json_text(out, text);
    out.push(b'"');
}

/// Appends `,"name":` and the number.
#[inline]
fn push_number<const N: usize>(out: &mut Vec<u8>, name: &[u8; N], number: u64) {
    out.extend_from_slice(name);
    push_decimal(out, number);
}

/// The address of the client; `None` on a Unix socket.
#[inline]
fn client(logged: Logged<'_>) -> Option<IpAddr> {
    told(logged).or_else(|| logged.peer.addr.map(|peer| peer.ip()))
}

/// The address of the client, if a trusted proxy told it: the peer is that proxy.
#[inline]
fn told(logged: Logged<'_>) -> Option<IpAddr> {
    let client = logged.note.client()?;
    if client.hops() > 0 { client.ip() } else { None }
}

fn push_address(out: &mut Vec<u8>, address: Option<IpAddr>) {
    match address {
        Some(IpAddr::V4(v4)) => {
            for octet in v4.octets() {
                push_octet(out, octet);
            }
            // The last dot.
            out.pop();
        }
        // Of digits and colons. Infallible: it is memory.
        Some(IpAddr::V6(v6)) => drop(std::io::Write::write_fmt(out, format_args!("{v6}"))),
        // Without its path: a client can give its end any name.
        None => out.extend_from_slice(b"unix:"),
    }
}

/// Each octet in decimal, and a dot.
const OCTETS: [[u8; 4]; 256] = {
    let mut texts = [[0; 4]; 256];
    let mut octet = 0_u8;
    loop {
        let [a, b, c] = [b'0' + octet / 100, b'0' + octet / 10 % 10, b'0' + octet % 10];
        texts[octet as usize] = match octet {
            0..10 => [c, b'.', 0, 0],
            10..100 => [b, c, b'.', 0],
            100.. => [a, b, c, b'.'],
        };
        if octet == u8::MAX {
            break;
        }
        octet += 1;
    }
    texts
};

/// Appends an octet and a dot.
#[inline]
fn push_octet(out: &mut Vec<u8>, octet: u8) {
    let end = out.len() + 2 + usize::from(octet >= 10) + usize::from(octet >= 100);
    out.extend_from_slice(&OCTETS[usize::from(octet)]);
    out.truncate(end);
}

/// The version as a request line has it.
fn name(version: Version) -> &'static str {
    match version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
        Version::Http2 => "HTTP/2.0",
    }
}

fn micros(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000).saturating_add(time.subsec_micros().into())
}
