//! Entity tags of files.

use std::time::{Duration, SystemTime};

use http::HeaderValue;

/// The age from which the time of a change and a size tell one version of a file from the next.
const SETTLED: Duration = Duration::from_secs(2);

/// The entity tag of a version of a file: the time of its last change in nanoseconds and its size, in hexadecimal. `None`
/// for a time before 1970 or after 2553.
///
/// Shape: `"18a2b3c4d5e6f708-1f40"`
pub(super) fn version_etag(modified: SystemTime, size: u64) -> Option<HeaderValue> {
    let nanoseconds = modified.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos();
    // Two numbers of 16 digits, two quotes and a hyphen; written by hand, as `format!` costs ten times as much, and each
    // request for a file needs it. The times of a file system end before 2554, where 16 digits do.
    let mut text = [b'"'; 35];
    let len = hexadecimal(&mut text[1..], u64::try_from(nanoseconds).ok()?) + 1;
    text[len] = b'-';
    let len = hexadecimal(&mut text[len + 1..], size) + len + 1;
    HeaderValue::from_bytes(&text[..=len]).ok()
}

/// Writes a number in hexadecimal, without leading zeros, and returns the number of its digits. What follows them is a
/// quotation mark.
fn hexadecimal(text: &mut [u8], number: u64) -> usize {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let len = (64 - number.leading_zeros()).div_ceil(4).max(1) as usize;
    for (at, digit) in text[..len].iter_mut().rev().enumerate() {
        *digit = DIGITS[(number >> (4 * at) & 15) as usize];
    }
    len
}

/// The entity tag of the same file with another coding: RFC 9110 §8.8.3.3 wants one for each.
pub(super) fn coded_etag(etag: &HeaderValue, coding: &str) -> Option<HeaderValue> {
    let bytes = etag.as_bytes().strip_suffix(b"\"")?;
    HeaderValue::from_bytes(&[bytes, b"-", coding.as_bytes(), b"\""].concat()).ok()
}

/// The entity tag as it is sent now: weak if the file was changed less than 2 seconds ago, or in the future. The clock of a
/// file system moves in steps of some milliseconds, on some file systems of a second or two: a file that is changed again
/// within one step, with the same size, has the same tag (RFC 9110 §8.8.2.2).
pub(super) fn at(now: SystemTime, etag: HeaderValue, modified: Option<SystemTime>) -> HeaderValue {
    let is_settled = modified.is_none_or(|modified| now.duration_since(modified).is_ok_and(|age| age >= SETTLED));
    if is_settled || etag.as_bytes().starts_with(b"W/") {
        return etag;
    }
    HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat()).unwrap_or(etag)
}

/// The entity tag of bytes that do not change: a hash of them (FNV-1a of 128 bits), so it is the same after a restart.
pub(super) fn content_etag(bytes: &[u8]) -> Option<HeaderValue> {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = bytes.iter().fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME));
    HeaderValue::try_from(format!("\"{hash:032x}\"")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(nanoseconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)
    }

    #[test]
    fn an_etag_is_the_time_in_nanoseconds_and_the_size() {
        let tag = |nanoseconds, size| version_etag(time(nanoseconds), size).unwrap();
        assert_eq!(tag(0x18a2_b3c4_d5e6_f708, 8000), "\"18a2b3c4d5e6f708-1f40\"");
        assert_eq!((tag(0, 0), tag(15, 16)), ("\"0-0\"".parse().unwrap(), "\"f-10\"".parse().unwrap()));
        assert_eq!(tag(u64::MAX, u64::MAX), "\"ffffffffffffffff-ffffffffffffffff\"");
        assert_eq!(version_etag(time(u64::MAX) + Duration::from_nanos(1), 5), None);
        assert_ne!(tag(1_000_000_001, 5), tag(1_000_000_000, 5));
        assert_eq!(version_etag(SystemTime::UNIX_EPOCH - Duration::from_secs(1), 5), None);
        assert_eq!(coded_etag(&tag(1, 2), "br").unwrap(), "\"1-2-br\"");
        assert_eq!(coded_etag(&HeaderValue::from_static("W/\"a\""), "gzip").unwrap(), "W/\"a-gzip\"");
        assert_eq!(coded_etag(&HeaderValue::from_static("odd"), "gzip"), None);
    }

    #[test]
    fn an_etag_is_weak_while_its_file_is_young() {
        let tag = HeaderValue::from_static("\"a\"");
        let changed = time(10_000_000_000);
        for (now, sent) in [
            (10_000_000_000, "W/\"a\""),
            (11_999_999_999, "W/\"a\""),
            (12_000_000_000, "\"a\""),
            (9_000_000_000, "W/\"a\""),
        ] {
            assert_eq!(at(time(now), tag.clone(), Some(changed)), sent, "{now}");
        }
        assert_eq!(at(time(0), tag, None), "\"a\"");
        assert_eq!(at(time(0), HeaderValue::from_static("W/\"a\""), Some(changed)), "W/\"a\"");
    }

    /// Test vectors of FNV-1a (draft-eastlake-fnv).
    #[test]
    fn a_content_etag_is_a_hash_of_the_bytes() {
        assert_eq!(content_etag(b"").unwrap(), "\"6c62272e07bb014262b821756295c58d\"");
        assert_eq!(content_etag(b"a").unwrap(), "\"d228cb696f1a8caf78912b704e4a8964\"");
        assert_eq!(content_etag(b"foobar").unwrap(), "\"343e1662793c64bf6f0d3597ba446f18\"");
    }
}
