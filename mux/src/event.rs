//! One server-sent event, as text.

use std::{fmt, time::Duration};

/// One server-sent event: its data, its name, its id, and how long the client waits before it connects again.
///
/// Its text ([`Display`](fmt::Display)) is one block of the format `text/event-stream`. A client reads the same values
/// again, whatever the data is: each of its lines becomes a `data` field, so that no data can end the event or begin
/// another field (event injection).
///
/// Shape: `event: name LF  id: id LF  retry: milliseconds LF  data: line LF …  LF`, of which only what is set is written
/// Units: text in UTF-8
///
/// # Example
/// ```
/// use quintet_mux::Event;
///
/// let event = Event::new("two\nlines").with_name("note")?.with_id("7")?;
/// assert_eq!(event.to_string(), "event: note\nid: 7\ndata: two\ndata: lines\n\n");
/// # Ok::<(), quintet_mux::EventError>(())
/// ```
///
/// # Spec
/// HTML Standard §9.2.5 and §9.2.6.
#[doc(alias = "server-sent events")]
#[doc(alias = "EventSource")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    comment: Option<Box<str>>,
    name: Option<Box<str>>,
    id: Option<Box<str>>,
    retry: Option<Duration>,
    data: Option<Box<str>>,
}

/// The reason why a text cannot be the name or the id of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The text has a line end (CR or LF), which would end the field, or a NUL. Clients ignore an id with a NUL.
    #[error("the name or id of an event has a line end or a NUL at byte {at}")]
    Forbidden {
        /// The position in the text, in bytes.
        at: usize,
    },
}

impl Event {
    /// An event with this data, which may have any text and any number of lines.
    ///
    /// A line ends at CR, LF or CRLF. The client gets LF for each of them.
    #[must_use]
    pub fn new(data: impl Into<Box<str>>) -> Self {
        Self { data: Some(data.into()), ..Self::default() }
    }

    /// An event without data. The client takes its id and its reconnection time, and calls no listener.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A comment: lines that the client ignores.
    #[must_use]
    pub fn comment(text: impl Into<Box<str>>) -> Self {
        Self { comment: Some(text.into()), ..Self::default() }
    }

    /// Sets the name, which selects the listener of the client: `addEventListener(name, …)`. Without a name it is `message`.
    ///
    /// # Errors
    /// [`EventError`] if the name has a line end or a NUL.
    pub fn with_name(mut self, name: impl Into<Box<str>>) -> Result<Self, EventError> {
        self.name = Some(checked(name.into())?);
        Ok(self)
    }

    /// Sets the id, which the client sends as `Last-Event-ID` when it connects again. An empty id makes it send none.
    ///
    /// # Errors
    /// [`EventError`] if the id has a line end or a NUL.
    pub fn with_id(mut self, id: impl Into<Box<str>>) -> Result<Self, EventError> {
        self.id = Some(checked(id.into())?);
        Ok(self)
    }

    /// Sets how long the client waits before it connects again, in whole milliseconds.
    #[must_use]
    pub fn with_retry(mut self, retry: Duration) -> Self {
        self.retry = Some(retry);
        self
    }
}

fn checked(text: Box<str>) -> Result<Box<str>, EventError> {
    match text.bytes().position(|byte| matches!(byte, b'\r' | b'\n' | b'\0')) {
        Some(at) => Err(EventError::Forbidden { at }),
        None => Ok(text),
    }
}

/// In a handler of `events`, `?` ends the stream with this error.
impl From<EventError> for std::io::Error {
    fn from(error: EventError) -> Self {
        Self::new(std::io::ErrorKind::InvalidInput, error)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.comment.iter().flat_map(|comment| lines(comment)) {
            writeln!(f, ": {line}")?;
        }
        if let Some(name) = &self.name {
            writeln!(f, "event: {name}")?;
        }
        if let Some(id) = &self.id {
            writeln!(f, "id: {id}")?;
        }
        if let Some(retry) = self.retry {
            writeln!(f, "retry: {}", retry.as_millis())?;
        }
        for line in self.data.iter().flat_map(|data| lines(data)) {
            // A client removes one blank after the colon, so that a line that begins with a blank keeps it.
            writeln!(f, "data: {line}")?;
        }
        f.write_str("\n")
    }
}

/// The lines of a text, of which there is always one. Each ends at CR, LF or CRLF.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some((line, after)) = text.find(['\r', '\n']).map(|at| text.split_at(at)) else { return rest.take() };
        let len = if after.starts_with("\r\n") { 2 } else { 1 };
        rest = Some(&after[len..]);
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_writes_only_what_is_set() {
        let second = Duration::from_secs(1);
        for (event, text) in [
            (Event::empty(), "\n"),
            (Event::new(""), "data: \n\n"),
            (Event::new("a"), "data: a\n\n"),
            (Event::new(" a"), "data:  a\n\n"),
            (Event::new("a").with_name("n").unwrap(), "event: n\ndata: a\n\n"),
            (Event::new("a").with_name("").unwrap(), "event: \ndata: a\n\n"),
            (Event::new("a").with_id("").unwrap(), "id: \ndata: a\n\n"),
            (Event::new("a").with_id("1: é").unwrap(), "id: 1: é\ndata: a\n\n"),
            (Event::empty().with_retry(second), "retry: 1000\n\n"),
            (Event::empty().with_retry(Duration::from_micros(1999)), "retry: 1\n\n"),
            (Event::comment(""), ": \n\n"),
            (Event::comment("a\r\nb"), ": a\n: b\n\n"),
        ] {
            assert_eq!(event.to_string(), text);
        }
    }

    #[test]
    fn data_is_split_at_every_line_end() {
        for (data, text) in [
            ("a\nb", "data: a\ndata: b\n\n"),
            ("a\rb", "data: a\ndata: b\n\n"),
            ("a\r\nb", "data: a\ndata: b\n\n"),
            ("a\n\rb", "data: a\ndata: \ndata: b\n\n"),
            ("a\n\nb", "data: a\ndata: \ndata: b\n\n"),
            ("a\r\r\nb", "data: a\ndata: \ndata: b\n\n"),
            ("a\n", "data: a\ndata: \n\n"),
            ("\n", "data: \ndata: \n\n"),
            ("\r\n", "data: \ndata: \n\n"),
            ("a\n\nevent: evil\ndata: b", "data: a\ndata: \ndata: event: evil\ndata: data: b\n\n"),
            // None of these ends a line (HTML Standard §9.2.5): they are data.
            ("a\u{85}b\u{2028}c\u{b}d\0", "data: a\u{85}b\u{2028}c\u{b}d\0\n\n"),
        ] {
            assert_eq!(Event::new(data).to_string(), text, "{data:?}");
        }
    }

    #[test]
    fn a_name_or_an_id_with_cr_lf_or_nul_is_refused() {
        for (text, at) in [("a\nb", 1), ("\r", 0), ("é\0", 2), ("a\r\ndata: evil", 1)] {
            let refused = Err(EventError::Forbidden { at });
            assert_eq!(Event::new("x").with_name(text), refused, "{text:?}");
            assert_eq!(Event::new("x").with_id(text), refused, "{text:?}");
        }
    }
}
