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

/// A date as HTTP writes it, from 1601 to 9999, in whole seconds.
///
/// Its `Display` is the only form that HTTP writes: `Sun, 06 Nov 1994 08:49:37 GMT`. Two other forms are read.
///
/// | value of a date field | RFC 9110 §5.6.7 | Go | Quintet |
/// |---|---|---|---|
/// | `Sun, 06 Nov 1994 08:49:37 GMT` | IMF-fixdate | read | read |
/// | `Sunday, 06-Nov-94 08:49:37 GMT` | RFC 850, must be read | 1994 | 1994 |
/// | `Tuesday, 06-Nov-68 …`, `Wednesday, 06-Nov-69 …` | more than 50 years ahead is the past | 2068, 1969 | 2068, 2069 |
/// | `Sun Nov  6 08:49:37 1994` | asctime, must be read | read | read |
/// | `Mon, 06 Nov 1994 08:49:37 GMT`, a Sunday | not a date | read | none |
/// | `sun, 06 nov 1994 …`, `Sun, 06 Nov 1994 8:49:37 GMT`, `…:37.5 GMT` | case-sensitive, fixed length | read | none |
/// | `Sunday, 06-Nov-94 08:49:37 EST` | GMT only | read as GMT | none |
/// | `Sun, 31 Feb 2021 …`, `… 24:00:00 GMT`, `… 08:49:60 GMT` | a leap second is one | none | none |
/// | `Mon, 01 Jan 1601 00:00:00 GMT` | a date | read | read |
/// | `0`, `-1`, `1994-11-06T08:49:37Z`, `784111777` | not a date | none | none |
///
/// A value that is no date makes its field one that was not sent (RFC 9110 §13.1.3, §13.1.4): reading less than Go does
/// costs a reply of the whole content.
///
/// ```
/// use quintet_request::HttpDate;
///
/// let date = HttpDate::parse(b"Sunday, 06-Nov-94 08:49:37 GMT").unwrap();
/// assert_eq!(date.to_string(), "Sun, 06 Nov 1994 08:49:37 GMT");
/// assert_eq!(date.unix(), 784_111_777);
/// ```
///
/// # Spec
/// RFC 9110 §5.6.7. Go: `ParseTime` (header.go:128).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpDate {
    /// Seconds since 1970, from -[`FROM_1601_TO_1970`] to [`LAST_SECOND`].
    unix: i64,
}

impl HttpDate {
    /// The date of a second of Unix time; the last second of 9999 for any later one.
    pub fn at(unix: u64) -> Self {
        Self { unix: unix.min(LAST_SECOND) as i64 }
    }

    /// The date of a moment, rounded down to a second. `None` before 1601, where Go and browsers stop, and after 9999.
    pub fn of(when: SystemTime) -> Option<Self> {
        match when.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => (after.as_secs() <= LAST_SECOND).then(|| Self::at(after.as_secs())),
            Err(before) => {
                let before = before.duration();
                let seconds = before.as_secs().checked_add((before.subsec_nanos() > 0).into())?;
                (seconds <= FROM_1601_TO_1970).then(|| Self { unix: -(seconds as i64) })
            }
        }
    }

    /// Reads the value of a date field, in one of the three forms. `None` for anything else.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        // `httpdate` trims, and takes any byte between day and time of the form of RFC 850.
        let is_split = value.len().checked_sub(" 08:49:37 GMT".len()).and_then(|at| value.get(at)) == Some(&b' ');
        if text.trim().len() != text.len() || (value.ends_with(b" GMT") && !is_split) {
            return None;
        }
        let Some(later) = shift(text) else { return read(text).map(|unix| Self { unix }) };
        read(&later).map(|unix| Self { unix: unix - CYCLE as i64 })
    }

    /// The seconds since 1970-01-01T00:00:00Z; negative before.
    pub fn unix(self) -> i64 {
        self.unix
    }
}

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |unix: u64| httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(unix));
        if let Ok(unix) = u64::try_from(self.unix) {
            return f.write_str(&at(unix));
        }
        // `httpdate` panics before 1970. The year stands at a fixed place: `Sun, 06 Nov 1994 08:49:37 GMT`.
        let date = at(CYCLE - self.unix.unsigned_abs());
        let year: u16 = date[12..16].parse().expect("a year has four digits");
        write!(f, "{}{:04}{}", &date[..12], year - 400, &date[16..])
    }
}

/// Seconds of Unix time, from 1970 on.
fn read(text: &str) -> Option<i64> {
    let when = httpdate::parse_http_date(text).ok()?;
    i64::try_from(when.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// The same date 400 years later, if its year is from 1601 to 1969, which `httpdate` does not read.
fn shift(text: &str) -> Option<String> {
    let at = match text.len() {
        29 => 12, // Sun, 06 Nov 1994 08:49:37 GMT
        24 => 20, // Sun Nov  6 08:49:37 1994
        _ => return None,
    };
    let (before, rest) = text.split_at_checked(at)?;
    let (digits, after) = rest.split_at_checked(4)?;
    let year: u16 = digits.parse().ok()?;
    (1601..1970).contains(&year).then(|| format!("{before}{}{after}", year + 400))
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

    #[test]
    fn three_forms_of_a_date_are_read_and_no_other() {
        let nov_1994 = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (value, date) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", nov_1994),
            ("Sunday, 06-Nov-94 08:49:37 GMT", nov_1994),
            ("Sun Nov  6 08:49:37 1994", nov_1994),
            ("Tuesday, 06-Nov-68 08:49:37 GMT", Some("Tue, 06 Nov 2068 08:49:37 GMT")),
            ("Wednesday, 06-Nov-69 08:49:37 GMT", Some("Wed, 06 Nov 2069 08:49:37 GMT")),
            ("Mon, 01 Jan 1601 00:00:00 GMT", Some("Mon, 01 Jan 1601 00:00:00 GMT")),
            ("Wed Dec 31 23:59:59 1969", Some("Wed, 31 Dec 1969 23:59:59 GMT")),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some("Fri, 31 Dec 9999 23:59:59 GMT")),
            ("Mon, 06 Nov 1994 08:49:37 GMT", None),
            ("sun, 06 nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 8:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37.5 GMT", None),
            ("Sunday, 06-Nov-94 08:49:37 EST", None),
            ("Sunday, 06-Nov-94%08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 UTC", None),
            ("Sun, 31 Feb 2021 00:00:00 GMT", None),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 06 Nov 1994 08:49:60 GMT", None),
            ("Sun, 31 Dec 1600 23:59:59 GMT", None),
            ("Sun, 00 Jan 0000 00:00:00 GMT", None),
            (" Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT\x0b", None),
            ("Sun, 06 Nov +199 08:49:37 GMT", None),
            ("Sun, 06 Nov 199\u{e9} 08:49:37 GMT", None),
            ("1994-11-06T08:49:37Z", None),
            ("784111777", None),
            ("0", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(HttpDate::parse(value.as_bytes()).map(|date| date.to_string()).as_deref(), date, "{value}");
        }
        assert_eq!(HttpDate::parse(b"Sun, 06 Nov 1994 08:49:37 GM\xff"), None);
    }

    proptest::proptest! {
        #[test]
        fn a_printed_date_is_read_again_in_order(a in -11_644_473_600..=253_402_300_799_i64, b in -9_000_000_000..9_000_000_000_i64) {
            let (a, b) = (HttpDate { unix: a }, HttpDate { unix: b });
            assert_eq!(HttpDate::parse(a.to_string().as_bytes()), Some(a));
            assert_eq!(HttpDate::parse(b.to_string().as_bytes()), Some(b));
            assert_eq!(a < b, a.unix() < b.unix());
        }
    }
}
