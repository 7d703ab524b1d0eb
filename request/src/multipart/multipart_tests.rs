//! The parser's work is linear in the bytes, whatever they are.

use super::*;

/// Reads the data of a part in pieces of `piece` bytes; returns how many bytes the parser looked at.
fn looked(boundary: &str, data: &[u8], piece: usize) -> usize {
    let boundary = Boundary::parse(format!("multipart/form-data; boundary={boundary}").as_bytes()).unwrap();
    let mut multipart = Multipart::new(&boundary, &MultipartLimits { total: u64::MAX, ..MultipartLimits::default() });
    let dashed = String::from_utf8_lossy(&boundary.delimiter()[2..]).into_owned();
    let begin = format!("{dashed}\r\nContent-Disposition: form-data; name=a\r\n\r\n");
    let (mut read, mut steps) = (0, 0);
    for piece in [begin.as_bytes()].into_iter().chain(data.chunks(piece)) {
        let mut rest = piece;
        while !rest.is_empty() {
            let step = multipart.next(rest).unwrap();
            read += match step {
                MultipartStep::Kept(_) => multipart.kept().len(),
                MultipartStep::Data(n) => n,
                _ => 0,
            };
            rest = &rest[step.len()..];
            steps += 1;
        }
    }
    assert!(read <= data.len() && data.len() - read <= multipart.delimiter.len(), "{read} of {}", data.len());
    // A step for each piece, and one for a start of a boundary that was kept from the piece before.
    assert!(steps <= begin.len() + 3 * data.len().div_ceil(piece), "{steps} steps");
    multipart.looked
}

#[test]
fn ten_mib_of_near_boundaries_cost_linear_work() {
    let long = "x".repeat(70);
    let almost = format!("\r\n--{}", &long[..69]);
    for (boundary, unit, len) in [
        ("b", "\r\n--", 10 << 20),
        (long.as_str(), almost.as_str(), 10 << 20),
        (long.as_str(), "\r\n--", 1 << 20),
        (long.as_str(), "x", 1 << 20),
        ("b", "\r", 1 << 20),
        ("b", "\r\n", 1 << 20),
        ("b", "\r\r\n--\r\n", 1 << 20),
        ("b", "-", 1 << 20),
        ("--", "\r\n---", 1 << 20),
    ] {
        let mut data = unit.repeat(len / unit.len()).into_bytes();
        data.push(b'.');
        for (len, piece) in [(data.len(), data.len()), (data.len(), 16 << 10), (64 << 10, 1)] {
            let looked = looked(boundary, &data[..len], piece);
            assert!(looked <= 3 * len + 1_000, "{looked} looks at {len} bytes of {unit:?} by {piece}");
        }
    }
}
