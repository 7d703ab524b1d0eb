//! A date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).

use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// The last second that the four digits of a year can say: 9999-12-31T23:59:59Z. `httpdate` panics after it.
pub(crate) const LAST_SECOND: u64 = 253_402_300_799;
/// The seconds from 1601-01-01 to 1970-01-01.
const FROM_1601_TO_1970: u64 = 11_644_473_600;
/// The seconds of 400 years. The calendar repeats after them, weekdays included: they are 20,871 whole weeks.
const CYCLE: u64 = 146_097 * 86_400;

/// A date from 1601 to 9999, in whole seconds. Its `Display` is what HTTP writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HttpDate {
    /// Seconds since 1970, at most [`LAST_SECOND`].
    unix: u64,
    /// Whether `unix` is 400 years later than the date. `httpdate` panics before 1970.
    is_shifted: bool,
}

impl HttpDate {
    /// The date of a second of Unix time; the last second of 9999 for any later one.
    pub(crate) fn at(unix: u64) -> Self {
        Self { unix: unix.min(LAST_SECOND), is_shifted: false }
    }

    /// The date of a moment, rounded down to a second. `None` before 1601, where Go and browsers stop, and after 9999.
    pub(crate) fn of(when: SystemTime) -> Option<Self> {
        match when.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => (after.as_secs() <= LAST_SECOND).then(|| Self::at(after.as_secs())),
            Err(before) => {
                let before = before.duration();
                let seconds = before.as_secs().checked_add((before.subsec_nanos() > 0).into())?;
                (seconds <= FROM_1601_TO_1970).then(|| Self { unix: CYCLE - seconds, is_shifted: true })
            }
        }
    }
}

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(self.unix));
        if !self.is_shifted {
            return f.write_str(&date);
        }
        // The year stands at a fixed place: `Sun, 06 Nov 1994 08:49:37 GMT`.
        let year: u16 = date[12..16].parse().expect("a year has four digits");
        write!(f, "{}{:04}{}", &date[..12], year - 400, &date[16..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> SystemTime {
        let distance = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 { SystemTime::UNIX_EPOCH - distance } else { SystemTime::UNIX_EPOCH + distance }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (-2_203_891_200, "Thu, 01 Mar 1900 00:00:00 GMT"),
            (-2_203_891_201, "Wed, 28 Feb 1900 23:59:59 GMT"),
            (-11_644_473_600, "Mon, 01 Jan 1601 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(HttpDate::of(at(seconds)).unwrap().to_string(), date);
        }
    }

    #[test]
    fn a_date_before_1601_or_after_9999_is_none() {
        assert_eq!(HttpDate::of(at(-11_644_473_600) - Duration::from_nanos(100)), None);
        assert_eq!(HttpDate::of(at(253_402_300_800)), None);
        assert_eq!(HttpDate::at(u64::MAX), HttpDate::at(LAST_SECOND));
    }

    #[test]
    fn a_date_before_1970_is_rounded_down_to_its_second() {
        let date = HttpDate::of(at(0) - Duration::from_nanos(100)).unwrap();
        assert_eq!(date.to_string(), "Wed, 31 Dec 1969 23:59:59 GMT");
    }
}
