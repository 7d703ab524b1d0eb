//! Decimal digits, appended to bytes.

/// The digits of the longest number, 2^64 - 1.
const MAX_DIGITS: usize = 20;

/// Appends a number.
#[inline]
pub(super) fn push_decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; MAX_DIGITS];
    let mut at = MAX_DIGITS;
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

/// Appends a number with zeros in front, at most [`MAX_DIGITS`] digits. Digits that have no place are left out.
pub(super) fn push_padded(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let mut digits = [b'0'; MAX_DIGITS];
    for digit in digits.iter_mut().rev().take(width) {
        *digit += (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[MAX_DIGITS - width..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_std_writes_it() {
        for value in [0, 1, 9, 10, 99, 100, 200, 65_535, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            push_decimal(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
        }
    }

    #[test]
    fn a_padded_number_has_its_width() {
        for (value, width, text) in [(7, 2, "07"), (0, 3, "000"), (1999, 4, "1999"), (123, 2, "23")] {
            let mut out = Vec::new();
            push_padded(&mut out, value, width);
            assert_eq!(out, text.as_bytes());
        }
    }
}
