//! A reader of one reply: strict, slow, and of another make than what writes it.

/// One reply as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReadReply<'a> {
    pub(super) old: bool,
    pub(super) status: u16,
    /// Names as they are written, values without the blank before them.
    pub(super) fields: Vec<(&'a [u8], &'a [u8])>,
    pub(super) body: Vec<u8>,
    /// Whether the body ends with the connection.
    pub(super) until_close: bool,
}

impl<'a> ReadReply<'a> {
    /// Reads the reply to a request with this method at the start of some bytes, which are then what is behind it.
    /// Panics if they are no reply, or if two readers could disagree about where it ends.
    pub(super) fn read(bytes: &mut &'a [u8], method: &str) -> Self {
        let start = line(bytes);
        assert!(start.len() >= 13 && start[12] == b' ', "status line {}", start.escape_ascii());
        let old = match &start[..9] {
            b"HTTP/1.1 " => false,
            b"HTTP/1.0 " => true,
            other => panic!("version {}", other.escape_ascii()),
        };
        assert!(start[9..12].iter().all(u8::is_ascii_digit) && start[13..].iter().all(|b| (b' '..=b'~').contains(b)));
        let status = start[9..12].iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
        let mut reply = Self { old, status, fields: fields(bytes), body: Vec::new(), until_close: false };
        reply.read_body(bytes, method);
        reply
    }

    /// The values of a field.
    pub(super) fn all(&self, name: &str) -> Vec<&'a [u8]> {
        let named = self.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|(_, value)| *value).collect()
    }

    /// Whether `Connection` names this.
    pub(super) fn connection_names(&self, token: &str) -> bool {
        let values = self.all("connection");
        let mut tokens = values.iter().flat_map(|value| value.split(|&byte| byte == b','));
        tokens.any(|other| other.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }

    /// RFC 9112 §6.3, of which nothing is guessed.
    fn read_body(&mut self, bytes: &mut &'a [u8], method: &str) {
        let (lengths, codings) = (self.all("content-length"), self.all("transfer-encoding"));
        assert!(lengths.len() + codings.len() <= 1, "the length is said once");
        if method == "CONNECT" && (200..300).contains(&self.status) {
            assert!(lengths.is_empty() && codings.is_empty(), "a tunnel has no length");
        } else if matches!(self.status, 100..200 | 204 | 304) {
            assert!(lengths.is_empty() && codings.is_empty(), "a reply without content has no length");
            return;
        } else if method == "HEAD" {
            return;
        } else if let [coding] = codings[..] {
            assert!(coding == b"chunked" && !self.old, "{}", coding.escape_ascii());
            return self.read_chunks(bytes);
        } else if let [length] = lengths[..] {
            let text = std::str::from_utf8(length).expect("digits");
            assert!(text.bytes().all(|digit| digit.is_ascii_digit()));
            self.body = take(bytes, text.parse().expect("a length")).to_vec();
            return;
        }
        self.until_close = true;
        self.body = take(bytes, bytes.len()).to_vec();
    }

    fn read_chunks(&mut self, bytes: &mut &'a [u8]) {
        loop {
            let size = line(bytes);
            let text = std::str::from_utf8(size).expect("a size is text");
            assert!(!text.starts_with('0') || text == "0", "one size has one spelling");
            let size = usize::from_str_radix(text, 16).expect("a size is hexadecimal");
            if size == 0 {
                assert!(fields(bytes).is_empty(), "no trailer was given");
                return;
            }
            self.body.extend_from_slice(take(bytes, size));
            assert!(line(bytes).is_empty(), "a chunk ends with a line");
        }
    }
}

/// Field lines up to the empty line.
fn fields<'a>(bytes: &mut &'a [u8]) -> Vec<(&'a [u8], &'a [u8])> {
    let mut fields = Vec::new();
    loop {
        let line = line(bytes);
        if line.is_empty() {
            return fields;
        }
        let colon = line.iter().position(|&byte| byte == b':').expect("a field has a colon");
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        assert!(!name.is_empty() && name.iter().all(|&byte| is_tchar(byte)), "name {}", name.escape_ascii());
        assert!(value.first() == Some(&b' ') && value.iter().all(|&byte| is_value(byte)), "{}", value.escape_ascii());
        fields.push((name, &value[1..]));
    }
}

fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// The bytes up to CRLF, which must be there; neither CR nor LF may stand anywhere else.
fn line<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let end = bytes.windows(2).position(|window| window == b"\r\n").expect("a line ends");
    let line = &bytes[..end];
    assert!(!line.iter().any(|byte| matches!(byte, b'\r' | b'\n')), "a bare CR or LF: {}", line.escape_ascii());
    *bytes = &bytes[end + 2..];
    line
}

fn take<'a>(bytes: &mut &'a [u8], n: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at_checked(n).expect("the body is all there");
    *bytes = rest;
    taken
}
