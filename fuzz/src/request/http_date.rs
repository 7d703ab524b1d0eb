//! Dates, against the texts that they are made of.

use std::time::{Duration, SystemTime};

use quintet_request::HttpDate;

/// The value of a date field: what is read is the date that the text spells, in one of four ways; every date is read
/// again as it was printed.
pub fn http_date(data: &[u8]) {
    if let Some(date) = HttpDate::parse(data) {
        let text = std::str::from_utf8(data).expect("a date is ASCII");
        assert!(spellings(date).iter().any(|spelling| spelling == text), "{text} is not {date}");
        assert_eq!(HttpDate::parse(date.to_string().as_bytes()), Some(date));
    }
    let mut eight = [0; 8];
    data.iter().zip(&mut eight).for_each(|(from, to)| *to = *from);
    let seconds = Duration::from_secs(u64::from_be_bytes(eight) % 300_000_000_000);
    for when in [SystemTime::UNIX_EPOCH.checked_add(seconds), SystemTime::UNIX_EPOCH.checked_sub(seconds)] {
        let Some(date) = when.and_then(HttpDate::of) else { continue };
        assert_eq!(date.unix().unsigned_abs(), seconds.as_secs());
        for spelling in spellings(date).iter().filter(|spelling| !spelling.is_empty()) {
            assert_eq!(HttpDate::parse(spelling.as_bytes()), Some(date), "{spelling}");
        }
    }
}

/// IMF-fixdate, asctime with a space or a zero before one digit, and RFC 850 in the years that two digits can say.
fn spellings(date: HttpDate) -> [String; 4] {
    let fixdate = date.to_string();
    let words: Vec<&str> = fixdate.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let [weekday, day, month, year, time, "GMT"] = words[..] else { panic!("{fixdate}") };
    let asctime = |day: &str| format!("{weekday} {month} {day:>2} {time} {year}");
    let asctimes = [asctime(day.trim_start_matches('0')), asctime(day)];
    let long = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let long = long.into_iter().find(|name| name.starts_with(weekday)).expect("a day of the week");
    let is_near = ("1970"..="2069").contains(&year);
    let rfc850 = if is_near { format!("{long}, {day}-{month}-{} {time} GMT", &year[2..]) } else { String::new() };
    // The calendar, counted year by year.
    let number = |text: &str| text.parse::<i64>().expect("digits");
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.find(month).expect("a month") / 3;
    let lengths = [31, if is_leap(number(year)) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let years = |from, to| (from..to).map(|year| if is_leap(year) { 366 } else { 365 }).sum::<i64>();
    let days =
        years(1970, number(year)) - years(number(year), 1970) + lengths[..month].iter().sum::<i64>() + number(day) - 1;
    let clock = time.split(':').fold(0, |sum, part| sum * 60 + number(part));
    assert_eq!(date.unix(), days * 86_400 + clock, "{fixdate}");
    let [spaced, zeroed] = asctimes;
    [fixdate, spaced, zeroed, rfc850]
}
