//! The time of a line, as the formats write it.

use std::time::{SystemTime, UNIX_EPOCH};

use super::decimal::{push_padded, three_digits};

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const SECONDS_OF_A_DAY: u64 = 86_400;
/// 9999-12-31T23:59:59Z: a year has four digits.
const LAST_SECOND: u64 = 253_402_300_799;

/// A moment in UTC, whole milliseconds, from 1970 to 9999. An earlier or later one is the first or the last of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeStamp {
    /// Seconds since 1970.
    pub(super) second: u64,
    pub(super) millis: u16,
}

impl TimeStamp {
    pub(super) fn of(when: SystemTime) -> Self {
        // A clock before 1970 was never set.
        let since = when.duration_since(UNIX_EPOCH).unwrap_or_default();
        match since.as_secs() {
            second @ ..=LAST_SECOND => Self { second, millis: (since.subsec_millis() % 1000) as u16 },
            _ => Self { second: LAST_SECOND, millis: 999 },
        }
    }

    /// Appends `2000-10-10T13:55:36`, the part of RFC 3339 that is the same for the whole second.
    pub(super) fn push_rfc3339_second(self, out: &mut Vec<u8>) {
        let (year, month, day) = self.date();
        push_padded(out, year, 4);
        for (mark, value) in std::iter::zip(*b"--T::", [month, day, self.hour(), self.minute(), self.second % 60]) {
            out.push(mark);
            push_padded(out, value, 2);
        }
    }

    /// Appends `.123Z`, the rest of it.
    #[inline]
    pub(super) fn push_rfc3339_millis(self, out: &mut Vec<u8>) {
        let [a, b, c] = three_digits(self.millis);
        out.extend_from_slice(&[b'.', a, b, c, b'Z']);
    }

    /// Appends `[10/Oct/2000:13:55:36 +0000]`. Apache: `%t`.
    pub(super) fn push_common(self, out: &mut Vec<u8>) {
        let (year, month, day) = self.date();
        out.push(b'[');
        push_padded(out, day, 2);
        out.push(b'/');
        out.extend_from_slice(month_name(month));
        out.push(b'/');
        push_padded(out, year, 4);
        for value in [self.hour(), self.minute(), self.second % 60] {
            out.push(b':');
            push_padded(out, value, 2);
        }
        out.extend_from_slice(b" +0000]");
    }

    fn hour(self) -> u64 {
        self.second % SECONDS_OF_A_DAY / 3600
    }

    fn minute(self) -> u64 {
        self.second % 3600 / 60
    }

    /// Year, month from 1, day from 1.
    fn date(self) -> (u64, u64, u64) {
        // Days since 0000-03-01: with the leap day at its end, a year has no exception. An era is 400 years.
        let days = self.second / SECONDS_OF_A_DAY + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Months from March on have 31, 30, 31, 30, 31 days, and again: 153 days for five.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        (era * 400 + year_of_era + u64::from(month <= 2), month, day)
    }
}

/// The name of a month from 1 to 12.
fn month_name(month: u64) -> &'static [u8; 3] {
    MONTHS.into_iter().zip(1..).find(|(_, number)| *number == month).map_or(b"???", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quintet_request::HttpDate;

    use super::*;

    fn at(millis: u64) -> TimeStamp {
        TimeStamp::of(UNIX_EPOCH + Duration::from_millis(millis))
    }

    fn texts(time: TimeStamp) -> (String, String) {
        let (mut rfc3339, mut common) = (Vec::new(), Vec::new());
        time.push_rfc3339_second(&mut rfc3339);
        time.push_rfc3339_millis(&mut rfc3339);
        time.push_common(&mut common);
        (String::from_utf8(rfc3339).expect("text"), String::from_utf8(common).expect("text"))
    }

    #[test]
    fn a_time_is_written_in_both_forms() {
        for (millis, rfc3339, common) in [
            (0, "1970-01-01T00:00:00.000Z", "[01/Jan/1970:00:00:00 +0000]"),
            (971_186_136_007, "2000-10-10T13:55:36.007Z", "[10/Oct/2000:13:55:36 +0000]"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z", "[29/Feb/2000:00:00:00 +0000]"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z", "[29/Feb/2000:23:59:59 +0000]"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z", "[01/Mar/2100:00:00:00 +0000]"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z", "[31/Dec/9999:23:59:59 +0000]"),
            (253_402_300_800_000, "9999-12-31T23:59:59.999Z", "[31/Dec/9999:23:59:59 +0000]"),
        ] {
            assert_eq!(texts(at(millis)), (rfc3339.to_owned(), common.to_owned()));
        }
        assert_eq!(TimeStamp::of(UNIX_EPOCH - Duration::from_millis(1)), at(0));
    }

    /// The calendar repeats after 400 years.
    #[test]
    fn a_date_of_every_day_of_400_years_is_that_of_the_calendar() {
        for day in 0..146_097 {
            let time = TimeStamp { second: day * SECONDS_OF_A_DAY, millis: 0 };
            let (year, month, day) = time.date();
            let name = std::str::from_utf8(month_name(month)).expect("text");
            let date = HttpDate::at(time.second).to_string();
            assert_eq!(&date[5..16], format!("{day:02} {name} {year:04}"));
        }
    }
}
