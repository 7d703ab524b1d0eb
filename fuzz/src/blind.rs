//! A mutator that works on stable Rust: it changes seeds without seeing which code they reach.
//!
//! libFuzzer finds more, because it keeps what reached something new. This finds what is a few changes away from a
//! seed, and needs nothing but `cargo run`. The same seeds and the same number give the same inputs in the same order.

use std::collections::BTreeSet;

/// The longest input that is made, in bytes.
pub const MAX_LEN: usize = 8 * 1024;

/// Changes inputs at random, but the same way for the same number.
#[derive(Debug)]
pub struct Mutator {
    state: u64,
    seeds: Vec<Vec<u8>>,
    /// What is put in as a whole: the words of HTTP below and those of the seeds.
    tokens: Vec<Vec<u8>>,
}

impl Mutator {
    /// A mutator of these seeds; if there are none, of the empty input.
    pub fn new(mut seeds: Vec<Vec<u8>>, number: u64) -> Self {
        if seeds.is_empty() {
            seeds.push(Vec::new());
        }
        seeds.iter_mut().for_each(|seed| seed.truncate(MAX_LEN));
        let mut tokens: BTreeSet<Vec<u8>> = TOKENS.iter().map(|token| token.to_vec()).collect();
        for seed in &seeds {
            let words = seed.split(|byte| b" \t\r\n:;,=/?&".contains(byte));
            let lines = seed.split_inclusive(|&byte| byte == b'\n');
            tokens.extend(words.chain(lines).filter(|token| (1..80).contains(&token.len())).map(<[u8]>::to_vec));
        }
        Self { state: number, seeds, tokens: tokens.into_iter().collect() }
    }

    /// The next input: a seed after one to eight changes.
    pub fn next_input(&mut self) -> Vec<u8> {
        let seed = self.below(self.seeds.len());
        let mut input = self.seeds[seed].clone();
        for _ in 0..1 << self.below(4) {
            self.change(&mut input);
        }
        input.truncate(MAX_LEN);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        match self.below(15) {
            0 => {
                if let Some(byte) = self.byte_of(input) {
                    *byte ^= 1 << (self.random() % 8);
                }
            }
            1 => {
                let with = if self.below(2) == 0 { self.random() as u8 } else { BYTES[self.below(BYTES.len())] };
                if let Some(byte) = self.byte_of(input) {
                    *byte = with;
                }
            }
            2 => {
                let (at, token) = (self.below(input.len() + 1), self.token());
                input.splice(at..at, token);
            }
            3 => {
                let (at, token) = (self.below(input.len() + 1), self.token());
                let end = input.len().min(at + token.len());
                input.splice(at..end, token);
            }
            4 => {
                let (at, token) = (self.below(input.len() + 1), self.token());
                input.splice(run(input, at, |byte| byte.is_ascii_alphanumeric() || byte == b'-'), token);
            }
            5 => {
                let range = self.range(input.len());
                input.drain(range);
            }
            6 => {
                let (range, at) = (self.range(input.len()), self.below(input.len() + 1));
                let copy = input[range].to_vec();
                input.splice(at..at, copy);
            }
            7 => {
                let at = self.below(input.len() + 1);
                input.truncate(at);
            }
            8 => {
                let at = self.below(input.len() + 1);
                let other = self.below(self.seeds.len());
                let from = self.below(self.seeds[other].len() + 1);
                input.truncate(at);
                input.extend_from_slice(&self.seeds[other][from..]);
            }
            9 => self.number(input),
            10 => {
                // Line ends are where readers differ.
                let ends: Vec<usize> = (0..input.len()).filter(|&at| matches!(input[at], b'\r' | b'\n')).collect();
                if let Some(&at) = ends.get(self.below(ends.len().max(1))) {
                    match self.below(3) {
                        0 => drop(input.remove(at)),
                        1 => input.insert(at, if input[at] == b'\r' { b'\n' } else { b'\r' }),
                        _ => input.insert(at, b" \t;:\0"[self.below(5)]),
                    }
                }
            }
            11 => {
                if let Some(byte) = self.byte_of(input) {
                    *byte ^= if byte.is_ascii_alphabetic() { 0x20 } else { 0x80 };
                }
            }
            12 => self.lines(input),
            13 => {
                let (at, byte) = (self.below(input.len() + 1), BYTES[self.below(BYTES.len())]);
                let count = 1 << self.below(9);
                input.splice(at..at, std::iter::repeat_n(byte, count));
            }
            // The first byte of many targets says under which limits they run.
            _ => {
                if let Some(byte) = input.first_mut() {
                    *byte = self.random() as u8;
                }
            }
        }
        input.truncate(2 * MAX_LEN);
    }

    /// One number in the input becomes its neighbour, one at the edge of some type, or gets zeros in front.
    fn number(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let Some(at) = (at..input.len()).chain(0..at).find(|&at| input[at].is_ascii_digit()) else { return };
        let range = run(input, at, |byte| byte.is_ascii_digit());
        let value = std::str::from_utf8(&input[range.clone()]).ok().and_then(|digits| digits.parse::<u64>().ok());
        let digits = match (self.below(5), value) {
            (0, Some(value)) => value.wrapping_add(1).to_string(),
            (1, Some(value)) => value.wrapping_sub(1).to_string(),
            (2, Some(value)) => format!("0{value}"),
            (3, Some(value)) => format!("{value:x}"),
            _ => NUMBERS[self.below(NUMBERS.len())].to_owned(),
        };
        input.splice(range, digits.into_bytes());
    }

    /// One line is doubled, dropped, or changes places with another.
    fn lines(&mut self, input: &mut Vec<u8>) {
        let mut lines: Vec<Vec<u8>> = input.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        if lines.is_empty() {
            return;
        }
        let (one, two) = (self.below(lines.len()), self.below(lines.len()));
        match self.below(3) {
            0 => lines.insert(two, lines[one].clone()),
            1 => drop(lines.remove(one)),
            _ => lines.swap(one, two),
        }
        *input = lines.concat();
    }

    fn token(&mut self) -> Vec<u8> {
        let token = self.below(self.tokens.len());
        self.tokens[token].clone()
    }

    fn byte_of<'a>(&mut self, input: &'a mut [u8]) -> Option<&'a mut u8> {
        let at = self.below(input.len().max(1));
        input.get_mut(at)
    }

    /// A range inside this length; short ones are more frequent.
    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        let most = (1 << self.below(8)).min(len - start);
        start..start + self.below(most + 1)
    }

    /// A number below `end`, which is not zero.
    fn below(&mut self, end: usize) -> usize {
        (self.random() % end as u64) as usize
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

/// The bytes around `at` that are like this.
fn run(input: &[u8], at: usize, like: impl Fn(u8) -> bool) -> std::ops::Range<usize> {
    let start = input[..at].iter().rposition(|&byte| !like(byte)).map_or(0, |before| before + 1);
    let end = input[at..].iter().position(|&byte| !like(byte)).map_or(input.len(), |after| at + after);
    start..end
}

/// Makes a finding smaller: takes pieces out as long as `fails` says that what is left is one too.
///
/// It asks at most `most` times.
pub fn shrink(input: &[u8], most: usize, mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let (mut small, mut asked) = (input.to_vec(), 0);
    let mut piece = small.len().div_ceil(2);
    while piece > 0 {
        let (mut at, before) = (0, small.len());
        while at < small.len() && asked < most {
            let end = small.len().min(at + piece);
            let shorter = [&small[..at], &small[end..]].concat();
            asked += 1;
            if fails(&shorter) {
                small = shorter;
            } else {
                at = end;
            }
        }
        if piece > 1 {
            piece = piece.div_ceil(2);
        } else if small.len() == before || asked >= most {
            break;
        }
    }
    small
}

/// Bytes that mean something to some reader.
const BYTES: &[u8] = b"\0\t\n\r !\"#%&'*+,-./0129:;<=>?@AFZ[\\]_`afz{|}~\x7f\x80\xff";

const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "7f",
    "ff",
    "255",
    "256",
    "65535",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999999",
];

const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b"\r\n ",
    b"\r\n\t",
    b" ",
    b"\t",
    b"0\r\n\r\n",
    b"1\r\na\r\n",
    b"1\na\n",
    b"5;a=b\r\nhello\r\n",
    b"ffffffffffffffff\r\n",
    b"8000000000000000\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length : 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n",
    b"Connection: close\r\n",
    b"Connection: upgrade\r\n",
    b"Expect: 100-continue\r\n",
    b"Host: a\r\n",
    b"Host: b:80\r\n",
    b"Trailer: x\r\n",
    b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n",
    b"GET / HTTP/1.1\r\n",
    b"POST",
    b"HEAD",
    b"CONNECT",
    b"OPTIONS",
    b"*",
    b"http://",
    b"//",
    b"/../",
    b"/./",
    b"\\",
    b"%2f",
    b"%2e%2e",
    b"%00",
    b"%",
    b"%zz",
    b"{x}",
    b"{x...}",
    b"{$}",
    b"?",
    b"#",
    b"&",
    b"=",
    b"+",
    b";",
    b",",
    b"\"",
    b"[::1]",
    b"chunked",
    b"close",
    b"keep-alive",
    b"identity",
    b"\xc3\xa9",
    b"\xff",
    b"\0",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds() -> Vec<Vec<u8>> {
        vec![
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
            b"5\r\nhello\r\n0\r\n\r\n".to_vec(),
        ]
    }

    #[test]
    fn the_same_number_makes_the_same_inputs() {
        let (mut one, mut same) = (Mutator::new(seeds(), 7), Mutator::new(seeds(), 7));
        let mut other = Mutator::new(seeds(), 8);
        let mut differ = 0;
        for _ in 0..1000 {
            let input = one.next_input();
            assert_eq!(input, same.next_input());
            differ += usize::from(input != other.next_input());
        }
        assert!(differ > 900, "{differ}");
    }

    #[test]
    fn no_input_is_too_long_and_few_are_the_same() {
        for (seeds, least) in [(seeds(), 3000), (Vec::new(), 1000), (vec![vec![b'x'; 3 * MAX_LEN]], 3000)] {
            let mut mutator = Mutator::new(seeds, 1);
            let inputs: BTreeSet<_> = (0..5000).map(|_| mutator.next_input()).collect();
            assert!(inputs.iter().all(|input| input.len() <= MAX_LEN));
            assert!(inputs.len() > least, "{} of 5000", inputs.len());
        }
    }

    /// What a class would plant: each of these is a few changes away from a seed.
    #[test]
    fn what_tells_readers_apart_is_made_soon() {
        type Is = fn(&str) -> bool;
        let wanted: [(&str, Is); 6] = [
            ("a bare line feed behind a chunk's size", |text| text.contains("5\nhello")),
            ("a doubled length", |text| text.matches("Content-Length: 5\r\n").count() == 2),
            ("both framings", |text| text.contains("Content-Length: ") && text.contains("Transfer-Encoding: ")),
            ("no Host", |text| text.starts_with("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n")),
            ("a length one too long", |text| text.contains("Content-Length: 6\r\n\r\nhello")),
            ("a truncated head", |text| text.starts_with("GET / HTTP/1.1\r\n") && !text.contains("\r\n\r\n")),
        ];
        for (what, is) in wanted {
            let mut mutator = Mutator::new(seeds(), 1);
            let found = (0..200_000).any(|_| is(&String::from_utf8_lossy(&mutator.next_input())));
            assert!(found, "never {what}");
        }
    }

    #[test]
    fn a_finding_is_shrunk_to_what_fails() {
        let long = [&[b'a'; 300][..], b"X", &[b'b'; 500], b"Y", &[b'c'; 33]].concat();
        let fails = |bytes: &[u8]| bytes.contains(&b'X') && bytes.contains(&b'Y');
        assert_eq!(shrink(&long, 10_000, fails), b"XY");
        assert!(fails(&shrink(&long, 3, fails)), "it may stop early, but not at something else");
        assert_eq!(shrink(b"", 10, |_| true), b"");
    }
}
