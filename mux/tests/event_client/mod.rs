//! A client of server-sent events, as the HTML Standard describes it (§9.2.6), for the tests and the fuzz targets.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

/// An event that the client gives to its listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub name: String,
    pub data: String,
    /// The last id that the client knew when it got the event.
    pub last_id: String,
}

/// What a client has read.
#[derive(Debug, Default)]
pub struct EventClient {
    pub events: Vec<Received>,
    pub last_id: String,
    pub retry: Option<u64>,
    data: String,
    name: String,
    id: String,
}

impl EventClient {
    /// Reads a whole stream. An event without its empty line at the end is not given to listeners.
    pub fn read(stream: &str) -> Self {
        let mut client = Self::default();
        let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
        // One kind of line end, so that the rest is simple.
        let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
        let lines: Vec<&str> = stream.split('\n').collect();
        // What follows the last line end is no line.
        for line in &lines[..lines.len() - 1] {
            client.line(line);
        }
        client
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = match line.split_once(':') {
            Some(("", _)) => return,
            Some((field, value)) => (field, value.strip_prefix(' ').unwrap_or(value)),
            None => (line, ""),
        };
        match field {
            "event" => self.name = value.to_owned(),
            "data" => self.data += &format!("{value}\n"),
            "id" if !value.contains('\0') => self.id = value.to_owned(),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => self.retry = value.parse().ok(),
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        self.last_id.clone_from(&self.id);
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        let Some(data) = data.strip_suffix('\n') else { return };
        let name = if name.is_empty() { "message".to_owned() } else { name };
        self.events.push(Received { name, data: data.to_owned(), last_id: self.last_id.clone() });
    }
}
