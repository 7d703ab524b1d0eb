//! From when to when a certificate is valid.

use std::time::{Duration, SystemTime};

/// The time in which a certificate is valid, both ends included.
///
/// # Spec
/// RFC 5280 §4.1.2.5. Go: `x509.Certificate.NotBefore`, `NotAfter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Validity {
    /// The first moment.
    pub not_before: SystemTime,
    /// The last second.
    pub not_after: SystemTime,
}

impl Validity {
    /// Reads it from a certificate in DER; `None` if there is none to be found.
    ///
    /// Shape: `SEQUENCE { SEQUENCE { [0] version, serial, algorithm, issuer, SEQUENCE { not_before, not_after }, … } … }`
    pub(super) fn read(certificate: &[u8]) -> Option<Self> {
        let mut certificate = Der(certificate).inside(SEQUENCE)?.inside(SEQUENCE)?;
        if certificate.0.first() == Some(&VERSION) {
            certificate.next()?;
        }
        for _serial_algorithm_issuer in 0..3 {
            certificate.next()?;
        }
        let mut validity = certificate.inside(SEQUENCE)?;
        Some(Self { not_before: time(validity.next()?)?, not_after: time(validity.next()?)? })
    }

    /// Whether `now` is later.
    pub fn is_expired(&self, now: SystemTime) -> bool {
        now.duration_since(self.not_after).is_ok_and(|late| late >= Duration::from_secs(1))
    }

    /// Whether `now` is earlier.
    pub fn is_not_yet_valid(&self, now: SystemTime) -> bool {
        now < self.not_before
    }
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The rest of a list of DER values: `tag length value`.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value and its tag.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let [tag, length, rest @ ..] = self.0 else { return None };
        let (length, rest) = match *length {
            short @ ..=0x7f => (usize::from(short), rest),
            // The length has so many bytes; a certificate of 16 MiB is none of ours.
            long @ 0x81..=0x83 => {
                let (length, rest) = rest.split_at_checked(usize::from(long - 0x80))?;
                (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, value))
    }

    /// What is inside the next value.
    fn inside(&mut self, expected: u8) -> Option<Self> {
        let (tag, value) = self.next()?;
        (tag == expected).then_some(Der(value))
    }
}

/// `YYMMDDHHMMSSZ` (1950 to 2049) or `YYYYMMDDHHMMSSZ`. RFC 5280 §4.1.2.5.1 and .2: always UTC, always with seconds.
fn time((tag, text): (u8, &[u8])) -> Option<SystemTime> {
    let digits = text.strip_suffix(b"Z").filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let year = number(&digits[..2]);
            (if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        (GENERALIZED_TIME, 14) => (number(&digits[..4]), &digits[4..]),
        _ => return None,
    };
    let part = |n: usize| number(&rest[2 * n..2 * n + 2]);
    let (month, day, hour, minute, second) = (part(0), part(1), part(2), part(3), part(4));
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !in_range {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    if seconds < 0 { epoch.checked_sub(distance) } else { epoch.checked_add(distance) }
}

/// The number that at most four digits write.
fn number(digits: &[u8]) -> i64 {
    digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
}

/// The days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that the day that
/// leap years add is their last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// The date of the Gregorian calendar that is so many days after 1970-01-01: year, month and day. The inverse of [`days`].
fn date(days: i64) -> (i64, i64, i64) {
    // The calendar repeats itself after 400 years, which are so many days.
    const CYCLE: i64 = 146_097;
    // From 0000-03-01 on.
    let days = days + 719_468;
    let in_cycle = days.rem_euclid(CYCLE);
    let year = (in_cycle - in_cycle / 1460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
    let in_year = in_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let year = year + 400 * days.div_euclid(CYCLE);
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

/// A time as `2024-02-29 23:59:59 UTC`. What is less than a second is left out.
pub(super) fn utc(time: SystemTime) -> String {
    let seconds = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds),
    };
    let ((year, month, day), second) = (date(seconds.div_euclid(86_400)), seconds.rem_euclid(86_400));
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn unix(seconds: i64) -> SystemTime {
        let distance = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 { SystemTime::UNIX_EPOCH - distance } else { SystemTime::UNIX_EPOCH + distance }
    }

    #[test]
    fn a_time_of_a_certificate_is_a_moment() {
        for (tag, text, seconds) in [
            (UTC_TIME, "700101000000Z", Some(0)),
            (UTC_TIME, "500101000000Z", Some(-631_152_000)),
            (UTC_TIME, "000229235959Z", Some(951_868_799)),
            (UTC_TIME, "261125224136Z", Some(1_795_646_496)),
            (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (GENERALIZED_TIME, "20500101000000Z", Some(2_524_608_000)),
            (GENERALIZED_TIME, "21000301000000Z", Some(4_107_542_400)),
            (GENERALIZED_TIME, "99991231235959Z", Some(253_402_300_799)),
            (UTC_TIME, "701301000000Z", None),
            (UTC_TIME, "700100000000Z", None),
            (UTC_TIME, "700101240000Z", None),
            (UTC_TIME, "7001010000Z", None),
            (UTC_TIME, "700101000000+0100", None),
            (UTC_TIME, "70010100000éZ", None),
            (UTC_TIME, "19700101000000Z", None),
            (GENERALIZED_TIME, "19700101000000.5Z", None),
            (GENERALIZED_TIME, "", None),
            (SEQUENCE, "700101000000Z", None),
        ] {
            assert_eq!(time((tag, text.as_bytes())), seconds.map(unix), "{text}");
        }
    }

    #[test]
    fn the_validity_of_a_certificate_is_read() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2024, 2, 29), date_time_ymd(2053, 1, 2));
        let certificate = params.self_signed(&key).unwrap();
        let validity = Validity::read(certificate.der()).unwrap();
        assert_eq!(validity, Validity { not_before: unix(1_709_164_800), not_after: unix(2_619_388_800) });
        for n in 0..certificate.der().len() {
            let _ = Validity::read(&certificate.der()[..n]);
        }
    }

    #[test]
    fn the_last_second_of_a_certificate_is_in_it() {
        let validity = Validity { not_before: unix(10), not_after: unix(20) };
        let at = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
        let expired = [20_000, 20_999, 21_000].map(|ms| validity.is_expired(at(ms)));
        let early = [9_999, 10_000, 30_000].map(|ms| validity.is_not_yet_valid(at(ms)));
        assert_eq!((expired, early), ([false, false, true], [true, false, false]));
    }

    #[test]
    fn a_time_is_written_with_its_date() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_164_800, "2024-02-29 00:00:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(utc(unix(seconds)), text);
        }
    }

    proptest! {
        #[test]
        fn a_time_is_read_as_it_is_written(seconds in -62_167_219_200_i64..253_402_300_800) {
            let text = utc(unix(seconds)).replace(['-', ' ', ':'], "").replace("UTC", "Z");
            prop_assert_eq!(time((GENERALIZED_TIME, text.as_bytes())), Some(unix(seconds)));
        }

        #[test]
        fn no_certificate_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..80), nested: bool) {
            if nested {
                bytes = [&b"\x30\x81\x60\x30\x81\x5d"[..], &bytes].concat();
            }
            let _ = Validity::read(&bytes);
        }
    }
}
