//! The time in the lines, of which the part that is the same for a whole second is kept.

use std::time::SystemTime;

use super::time_stamp::TimeStamp;

/// Writes times, and keeps the text of the last second: lines of one second are written without a calendar.
#[derive(Clone, Debug)]
pub(super) struct LineClock {
    /// The second of the text; none yet if it is greater than every [`TimeStamp`]'s.
    second: u64,
    rfc3339: [u8; 19],
    common: [u8; 28],
}

impl Default for LineClock {
    fn default() -> Self {
        Self { second: u64::MAX, rfc3339: [0; 19], common: [0; 28] }
    }
}

impl LineClock {
    /// Appends `2000-10-10T13:55:36.123Z` (RFC 3339).
    #[inline]
    pub(super) fn push_rfc3339(&mut self, out: &mut Vec<u8>, when: SystemTime) {
        let time = self.at(when);
        out.extend_from_slice(&self.rfc3339);
        time.push_rfc3339_millis(out);
    }

    /// Appends `[10/Oct/2000:13:55:36 +0000]`.
    #[inline]
    pub(super) fn push_common(&mut self, out: &mut Vec<u8>, when: SystemTime) {
        self.at(when);
        out.extend_from_slice(&self.common);
    }

    #[inline]
    fn at(&mut self, when: SystemTime) -> TimeStamp {
        let time = TimeStamp::of(when);
        if time.second != self.second {
            self.keep(time);
        }
        time
    }

    #[cold]
    fn keep(&mut self, time: TimeStamp) {
        self.second = time.second;
        let (mut rfc3339, mut common) = (Vec::new(), Vec::new());
        time.push_rfc3339_second(&mut rfc3339);
        time.push_common(&mut common);
        self.rfc3339.copy_from_slice(&rfc3339);
        self.common.copy_from_slice(&common);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_clock_writes_each_time_of_any_order() {
        let mut clock = LineClock::default();
        for (millis, rfc3339, common) in [
            (971_186_136_007, "2000-10-10T13:55:36.007Z", "[10/Oct/2000:13:55:36 +0000]"),
            (971_186_136_999, "2000-10-10T13:55:36.999Z", "[10/Oct/2000:13:55:36 +0000]"),
            (0, "1970-01-01T00:00:00.000Z", "[01/Jan/1970:00:00:00 +0000]"),
            (971_186_136_007, "2000-10-10T13:55:36.007Z", "[10/Oct/2000:13:55:36 +0000]"),
        ] {
            let when = UNIX_EPOCH + Duration::from_millis(millis);
            let mut out = Vec::new();
            clock.push_rfc3339(&mut out, when);
            clock.push_common(&mut out, when);
            assert_eq!(String::from_utf8(out).expect("text"), format!("{rfc3339}{common}"));
        }
    }
}
