//! A strict reader of replies: functions of bytes that find mistakes of the server.
//!
//! Malformed bytes fail an assertion; unfinished ones are `None`.

/// The head of one reply.
#[derive(Clone, Debug)]
pub struct ReplyHead {
    pub status: u16,
    /// Whether the version is HTTP/1.0; else it is HTTP/1.1.
    pub is_http10: bool,
    /// Everything before the empty line.
    pub text: String,
}

/// How the body of a reply ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// There is no body.
    NoBody,
    /// After so many bytes.
    Length(usize),
    /// After the last chunk and the trailers.
    Chunked,
    /// At the end of the connection.
    Close,
}

/// One chunk of a body, the last one (of no bytes) included.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    pub data: &'a [u8],
    /// Its bytes on the wire, framing included.
    pub len: usize,
}

impl ReplyHead {
    /// The head at the beginning of these bytes, and its length.
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let text = std::str::from_utf8(&bytes[..end]).expect("a head is text");
        let mut lines = text.split("\r\n");
        let line = lines.next().expect("a status line");
        let (version, rest) = line.split_at_checked(9).unwrap_or_else(|| panic!("{line:?}"));
        assert!(matches!(version, "HTTP/1.1 " | "HTTP/1.0 "), "{line:?}");
        assert!(rest.len() >= 4 && rest.as_bytes()[3] == b' ', "{line:?}");
        for field in lines {
            let (name, value) = field.split_once(": ").unwrap_or_else(|| panic!("{field:?} is no field"));
            assert!(!name.is_empty() && name.bytes().all(is_token), "{name:?}");
            assert!(!value.contains(['\r', '\n', '\0']), "{value:?}");
        }
        let status = rest[..3].parse().expect("a status");
        let head = Self { status, is_http10: version == "HTTP/1.0 ", text: text.to_owned() };
        let framing = (head.only("content-length"), head.only("transfer-encoding"));
        assert!(framing.0.is_none() || framing.1.is_none(), "two lengths: {text:?}");
        Some((head, end + 4))
    }

    /// Names and values, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text.split("\r\n").skip(1).filter_map(|line| line.split_once(": "))
    }

    /// The first value of a field; names are compared without case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields().find_map(|(known, value)| known.eq_ignore_ascii_case(name).then(|| value.trim()))
    }

    /// The value of a field that may occur at most once.
    pub fn only(&self, name: &str) -> Option<&str> {
        let count = self.fields().filter(|(known, _)| known.eq_ignore_ascii_case(name)).count();
        assert!(count <= 1, "{name} {count} times in {:?}", self.text);
        self.field(name)
    }

    /// Whether the reply says that it is the last on its connection.
    pub fn is_last(&self) -> bool {
        let Some(value) = self.only("connection") else { return self.is_http10 };
        let says = |token: &str| value.split(',').any(|known| known.trim().eq_ignore_ascii_case(token));
        says("close") || (self.is_http10 && !says("keep-alive"))
    }

    /// How the body of this reply to a request of this method ends (RFC 9112 §6.3).
    pub fn body_end(&self, method: &str) -> BodyEnd {
        if method == "HEAD" || matches!(self.status, 100..200 | 204 | 304) {
            return BodyEnd::NoBody;
        }
        if method == "CONNECT" && (200..300).contains(&self.status) {
            return BodyEnd::Close;
        }
        if let Some(coding) = self.only("transfer-encoding") {
            assert!(coding == "chunked" && !self.is_http10, "{:?}", self.text);
            return BodyEnd::Chunked;
        }
        if let Some(length) = self.only("content-length") {
            return BodyEnd::Length(length.parse().expect("a length"));
        }
        assert!(self.is_last(), "a body without an end: {:?}", self.text);
        BodyEnd::Close
    }
}

impl<'a> Chunk<'a> {
    /// The chunk at the beginning of these bytes. The last one ends with its line; [`trailers`] follow it.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let line = line(bytes)?;
        let digits = std::str::from_utf8(line).expect("a size is text");
        let size = usize::from_str_radix(digits, 16).expect("a size is hexadecimal");
        let start = line.len() + 2;
        if size == 0 {
            return Some(Chunk { data: &[], len: start });
        }
        let end = bytes.get(start..start + size + 2)?;
        let (data, end) = end.split_at(size);
        assert_eq!(end, b"\r\n", "a chunk ends with a line");
        Some(Chunk { data, len: start + size + 2 })
    }
}

/// The trailers (fields after the last chunk), a line each, and their length with the empty line.
pub fn trailers(bytes: &[u8]) -> Option<(String, usize)> {
    let (mut trailers, mut len) = (String::new(), 0);
    loop {
        let line = line(&bytes[len..])?;
        len += line.len() + 2;
        if line.is_empty() {
            return Some((trailers, len));
        }
        // A value may have bytes past ASCII (RFC 9110 §5.5).
        let line = String::from_utf8_lossy(line);
        assert!(line.contains(':'), "a trailer is a field: {line:?}");
        trailers.push_str(&line);
        trailers.push('\n');
    }
}

/// The text before the first line end, if there is one.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    bytes.windows(2).position(|window| window == b"\r\n").map(|end| &bytes[..end])
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
