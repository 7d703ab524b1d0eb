//! The greatest age of one connection: the setting, up to a tenth more or less.

use std::time::Duration;

/// The greatest age of the connection of this [seed](quintet_conn::Connection::seed): `max_age`, less or more by up to a
/// tenth of it. Connections that were opened together, after a restart for example, do not all close together.
pub(crate) fn jittered(max_age: Duration, seed: u32) -> Duration {
    let tenth = max_age / 10;
    let part = f64::from(seed) / f64::from(u32::MAX);
    // Nine tenths, and up to two more. Only that part is multiplied by a fraction: `mul_f64` panics if its result is no
    // `Duration`.
    (tenth * 9).saturating_add(tenth.mul_f64(2.0 * part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_is_jittered_by_a_tenth() {
        let hour = Duration::from_secs(3600);
        for (max_age, seed, expected) in
            [(hour, 0, hour / 10 * 9), (hour, u32::MAX, hour / 10 * 11), (Duration::ZERO, u32::MAX, Duration::ZERO)]
        {
            assert_eq!(jittered(max_age, seed), expected);
        }
        let middle = jittered(hour, u32::MAX / 2);
        assert!(middle.abs_diff(hour) < Duration::from_millis(1), "{middle:?}");
        assert!(jittered(Duration::MAX, u32::MAX) > Duration::MAX / 10 * 9);
    }
}
