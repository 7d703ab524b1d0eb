//! Ranges, against a reader that marks each byte.

use http::HeaderValue;
use quintet_request::{Byteranges, Ranges};

/// The value of `Range` for content of up to 511 bytes, or of a huge one: what is sent is what a naive reader marks, no
/// byte twice; a multipart body of it, read again, has the content's bytes at their places.
pub fn range(data: &[u8]) {
    let [kind, size, value @ ..] = data else { return };
    let value = if kind & 1 == 0 { [b"bytes=", value].concat() } else { value.to_vec() };
    if kind & 2 != 0 {
        let size = u64::MAX - u64::from(*size);
        if let Ok(Some(ranges)) = Ranges::parse(&value, size) {
            assert!(
                ranges.as_slice().iter().all(|range| range.length > 0 && range.end() <= size) && ranges.size() <= size
            );
        }
        return;
    }
    let size = usize::from(*size) + if kind & 4 == 0 { 0 } else { 256 };
    let asked = read(&value, size);
    match Ranges::parse(&value, size as u64) {
        Ok(None) => assert_eq!(asked, None),
        Err(error) => {
            assert_eq!(error.size, size as u64);
            assert!(asked.is_some_and(|ranges| ranges.is_empty()));
        }
        Ok(Some(ranges)) => {
            let asked = asked.expect("the naive reader reads it too");
            let mut marks = vec![0_u8; size];
            for (start, end) in &asked {
                marks[*start..*end].fill(1);
            }
            // In the order of the request: each begins at or before the first one that it has a part of.
            let place = |range: &quintet_request::ByteRange| {
                asked.iter().position(|(start, _)| (range.start..range.end()).contains(&(*start as u64)))
            };
            assert!(ranges.as_slice().is_sorted_by_key(place));
            for range in ranges.as_slice() {
                for mark in &mut marks[range.start as usize..range.end() as usize] {
                    assert_eq!(*mark, 1, "not asked for, or sent twice");
                    *mark = 2;
                }
            }
            assert!(!marks.contains(&1), "asked for, and not sent");
            multipart(&ranges, size);
        }
    }
}

/// What is asked for and there; `None` to ignore the field.
fn read(value: &[u8], size: usize) -> Option<Vec<(usize, usize)>> {
    let text: String = value.iter().map(|&byte| char::from(byte)).collect();
    let (unit, list) = text.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") || size == 0 {
        return None;
    }
    let mut found = Vec::new();
    let mut count = 0;
    for element in
        list.split(',').map(|element| element.trim_matches([' ', '\t'])).filter(|element| !element.is_empty())
    {
        count += 1;
        if count > 200 {
            return None;
        }
        let (first, last) = element.split_once('-')?;
        let is_number = |text: &str| text.chars().all(|c| "0123456789".contains(c));
        if first.is_empty() && last.is_empty() || !is_number(first) || !is_number(last) {
            return None;
        }
        // Numbers of any length: all that matters is whether they are larger than the content, and which is larger.
        let key = |text: &str| (text.trim_start_matches('0').len(), text.trim_start_matches('0').to_owned());
        let small = |text: &str| if key(text).0 > 6 { 1_000_000 } else { text.parse::<usize>().unwrap_or(1_000_000) };
        let (start, end) = match (first, last) {
            ("", length) => (size.saturating_sub(small(length)), size),
            (first, "") => (small(first), size),
            // Beyond 2⁶⁴ − 1 all numbers are one.
            (first, last) if key(first) > key(last) && key(last) < (20, "18446744073709551615".to_owned()) => {
                return None;
            }
            (first, last) => (small(first), (small(last) + 1).min(size)),
        };
        if start < end {
            found.push((start, end));
        }
    }
    let sum: usize = found.iter().map(|(start, end)| end - start).sum();
    (count > 0 && (found.len() == 1 || sum <= size)).then_some(found)
}

/// Writes the parts of some content and reads them again.
fn multipart(ranges: &Ranges, size: usize) {
    let content: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
    let plain = HeaderValue::from_static("text/plain");
    let framing = Byteranges::new(ranges, size as u64, Some(&plain), 0xfeed_f00d);
    let mut body = Vec::new();
    for (before, range) in framing.parts() {
        body.extend_from_slice(&before);
        body.extend_from_slice(&content[range.start as usize..range.end() as usize]);
    }
    body.extend_from_slice(&framing.end());
    assert_eq!(body.len() as u64, framing.content_length());
    let content_type = framing.content_type();
    let boundary = content_type.to_str().expect("text").split_once("boundary=").expect("a boundary").1.to_owned();
    let body: String = body.iter().map(|&byte| char::from(byte)).collect();
    let whole = format!("\r\n{body}");
    let delimiter = format!("\r\n--{boundary}");
    let mut parts = whole.split(&delimiter);
    assert_eq!(parts.next(), Some(""), "nothing before the first part");
    let mut read = Vec::new();
    for part in parts {
        if part == "--\r\n" {
            break;
        }
        let (head, data) = part.split_once("\r\n\r\n").expect("a part has a head");
        let named = head.split_once("Content-Range: bytes ").expect("a range").1;
        let named = named.split("\r\n").next().expect("a line");
        let (start, rest) = named.split_once('-').expect("a range");
        let (last, all) = rest.split_once('/').expect("a size");
        let (start, last): (usize, usize) = (start.parse().expect("a number"), last.parse().expect("a number"));
        assert_eq!(all, size.to_string());
        let data: Vec<u8> = data.chars().map(|c| u8::try_from(c).expect("a byte")).collect();
        assert_eq!(data, content[start..=last]);
        read.push((start as u64, (last + 1 - start) as u64));
    }
    assert!(read.iter().copied().eq(ranges.as_slice().iter().map(|range| (range.start, range.length))));
}
