//! Decimal digits, appended to bytes.

/// The digits of the longest number, 2^64 - 1.
const MAX_DIGITS: usize = 20;

/// The first number that has more than eight digits.
const NINE_DIGITS: u64 = 100_000_000;
/// The digit 0, eight times.
const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// The two digits of each number below 100.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [*b"00"; 100];
    let mut value = 0_u8;
    while value < 100 {
        pairs[value as usize] = [b'0' + value / 10, b'0' + value % 10];
        value += 1;
    }
    pairs
};

/// Appends a number.
#[inline]
pub(crate) fn push_decimal(out: &mut Vec<u8>, value: u64) {
    match value {
        0..10 => out.push(b'0' + (value % 10) as u8),
        10..NINE_DIGITS => push_short(out, value),
        NINE_DIGITS.. => push_long(out, value),
    }
}

/// Appends a number of two to eight digits. The copy has a fixed length, and what is too much is cut off: a copy of any
/// length would be a call.
fn push_short(out: &mut Vec<u8>, value: u64) {
    let digits = eight_digits(value);
    let zeros = digits.trailing_zeros() / 8;
    let end = out.len() + 8 - zeros as usize;
    out.extend_from_slice(&((digits | ZEROS) >> (zeros * 8)).to_le_bytes());
    out.truncate(end);
}

#[cold]
fn push_long(out: &mut Vec<u8>, value: u64) {
    push_decimal(out, value / NINE_DIGITS);
    out.extend_from_slice(&(eight_digits(value % NINE_DIGITS) | ZEROS).to_le_bytes());
}

/// The three digits of a number below 1000.
#[inline]
pub(super) fn three_digits(value: u16) -> [u8; 3] {
    let [tens, ones] = PAIRS[usize::from(value % 100)];
    [b'0' + (value / 100 % 10) as u8, tens, ones]
}

/// The digits of a number below [`NINE_DIGITS`] as numbers from 0 to 9, a byte each, the first one in the lowest byte. All
/// parts of the word are divided at once: for numbers as small as these, a multiplication and a shift are a division.
#[inline]
fn eight_digits(value: u64) -> u64 {
    // Two numbers of four digits, 32 bits each.
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    // Four of two digits, 16 bits each.
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((twos - tens * 10) << 8)
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
        let around = (0..20).flat_map(|digits| [10_u64.pow(digits) - 1, 10_u64.pow(digits), 10_u64.pow(digits) + 1]);
        let small = (0..10_000).chain((0..10_000).map(|number| number * 10_000));
        for value in around.chain(small).chain([65_535, u64::from(u32::MAX), u64::MAX - 1, u64::MAX]) {
            let mut out = b"a".to_vec();
            push_decimal(&mut out, value);
            assert_eq!(out, format!("a{value}").as_bytes());
        }
    }

    #[test]
    fn a_number_of_three_digits_is_written_as_std_writes_it() {
        for value in 0..1000 {
            assert_eq!(three_digits(value), format!("{value:03}").as_bytes());
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
