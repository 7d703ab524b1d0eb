//! The start of a reply with its `Date` field, which each thread formats once a second.

use std::cell::RefCell;

use http::{HeaderValue, StatusCode};

use crate::{
    Version,
    http_date::{HttpDate, LAST_SECOND},
};

/// The offset of the `Date` field in [`Prefix::bytes`].
const DATE_AT: usize = b"HTTP/1.1 200 OK\r\n".len();

/// The start of the usual reply, which is copied into each reply of its second.
struct Prefix {
    /// The second it was made for, at most [`LAST_SECOND`]. More: it was not made yet.
    second: u64,
    /// `HTTP/1.1 200 OK CRLF Date: … CRLF`
    bytes: Vec<u8>,
}

thread_local! {
    static PREFIX: RefCell<Prefix> = const { RefCell::new(Prefix { second: u64::MAX, bytes: Vec::new() }) };
}

/// The value of the `Date` field of a second. A clone of it is counted, and not copied.
pub(super) fn date(unix: u64) -> HeaderValue {
    thread_local! {
        static DATE: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
    }
    let unix = unix.min(LAST_SECOND);
    DATE.with_borrow_mut(|kept| match kept {
        Some((second, value)) if *second == unix => value.clone(),
        _ => {
            let value = HeaderValue::try_from(HttpDate::at(unix).to_string()).expect("a date is text");
            kept.insert((unix, value)).1.clone()
        }
    })
}

/// Appends the status line, and the `Date` line if `dated`. `unix` is the time in seconds of Unix time.
#[inline]
pub(super) fn write_start(out: &mut Vec<u8>, status: StatusCode, version: Version, unix: u64, dated: bool) {
    let unix = unix.min(LAST_SECOND);
    PREFIX.with_borrow_mut(|prefix| {
        if prefix.second != unix {
            *prefix = Prefix::at(unix);
        }
        if status == StatusCode::OK && version == Version::Http11 && dated {
            return out.extend_from_slice(&prefix.bytes);
        }
        out.extend_from_slice(match version {
            Version::Http10 => b"HTTP/1.0 ",
            Version::Http11 => b"HTTP/1.1 ",
            Version::Http2 => b"HTTP/2.0 ",
        });
        out.extend_from_slice(status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(status.canonical_reason().unwrap_or("").as_bytes());
        out.extend_from_slice(b"\r\n");
        if dated && !status.is_informational() {
            out.extend_from_slice(&prefix.bytes[DATE_AT..]);
        }
    });
}

impl Prefix {
    #[cold]
    fn at(second: u64) -> Self {
        let date = HttpDate::at(second);
        Self { second, bytes: format!("HTTP/1.1 200 OK\r\nDate: {date}\r\n").into_bytes() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_for_every_second_and_stops_at_the_year_9999() {
        for (unix, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (LAST_SECOND, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (LAST_SECOND + 1, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX - 1, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (1, "Thu, 01 Jan 1970 00:00:01 GMT"),
        ] {
            for _ in 0..2 {
                let mut out = Vec::new();
                write_start(&mut out, StatusCode::OK, Version::Http11, unix, true);
                assert_eq!(String::from_utf8(out).unwrap(), format!("HTTP/1.1 200 OK\r\nDate: {date}\r\n"));
                let mut out = Vec::new();
                write_start(&mut out, StatusCode::NOT_FOUND, Version::Http10, unix, true);
                assert_eq!(String::from_utf8(out).unwrap(), format!("HTTP/1.0 404 Not Found\r\nDate: {date}\r\n"));
                assert_eq!(super::date(unix), date);
            }
        }
    }

    #[test]
    fn date_of_the_first_reply_of_a_thread_after_9999_is_written() {
        std::thread::spawn(|| {
            let mut out = Vec::new();
            write_start(&mut out, StatusCode::NOT_FOUND, Version::Http11, u64::MAX, true);
            assert!(out.ends_with(b" 9999 23:59:59 GMT\r\n"));
        })
        .join()
        .unwrap();
    }
}
