//! HPACK for the tests: a block of literals is written, and any block is read. RFC 7541.

use std::collections::VecDeque;

/// The fields that need no literal. RFC 7541, appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// The bits of the code of each symbol; the last one is the end of the string. The code is canonical: symbols of one
/// length have codes in their order. RFC 7541, appendix B.
const BITS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12,
    10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6,
    5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22,
    22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
    22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28,
    27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28,
    27, 27, 27, 27, 27, 26, 30,
];

/// A block in which each field is a literal without an index and without Huffman coding.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for word in [name, value] {
            integer(&mut block, 0, 7, word.len());
            block.extend_from_slice(word.as_bytes());
        }
    }
    block
}

/// Appends an integer whose first byte has `bits` bits of room below `first`. RFC 7541 §5.1.
pub fn integer(out: &mut Vec<u8>, first: u8, bits: u32, value: usize) {
    let low = |value: usize| (value & 0xff).to_le_bytes()[0];
    let most = (1 << bits) - 1;
    if value < most {
        return out.push(first | low(value));
    }
    out.push(first | low(most));
    let mut rest = value - most;
    while rest >= 0x80 {
        out.push(low(rest) | 0x80);
        rest >>= 7;
    }
    out.push(low(rest));
}

/// A string with Huffman coding, with its length. RFC 7541 §5.2.
pub fn huffman(text: &str) -> Vec<u8> {
    let (mut bits, mut bytes) = (Vec::new(), Vec::new());
    for byte in text.bytes() {
        let (code, len) = codes()[usize::from(byte)];
        bits.extend((0..len).rev().map(|bit| u8::from(code >> bit & 1 == 1)));
    }
    bits.resize(bits.len().next_multiple_of(8), 1);
    let coded: Vec<u8> = bits.chunks(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect();
    integer(&mut bytes, 0x80, 7, coded.len());
    [bytes, coded].concat()
}

/// The code and the number of its bits, for each symbol.
fn codes() -> [(u32, u8); 257] {
    let mut order: Vec<usize> = (0..257).collect();
    order.sort_by_key(|&symbol| (BITS[symbol], symbol));
    let (mut codes, mut next, mut bits) = ([(0, 0); 257], 0_u32, BITS[order[0]]);
    for symbol in order {
        next <<= BITS[symbol] - bits;
        bits = BITS[symbol];
        codes[symbol] = (next, bits);
        next = next.wrapping_add(1);
    }
    codes
}

/// The reader of the blocks of one connection. It panics on what a server must not send.
#[derive(Debug)]
pub struct Decoder {
    dynamic: VecDeque<(String, String)>,
    size: usize,
    limit: usize,
    codes: [(u32, u8); 257],
}

impl Default for Decoder {
    fn default() -> Self {
        Self { dynamic: VecDeque::new(), size: 0, limit: 4096, codes: codes() }
    }
}

impl Decoder {
    /// The fields of a block.
    pub fn decode(&mut self, mut block: &[u8]) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        while let Some(&first) = block.first() {
            let (bits, indexed, kept) = match first {
                0x80.. => (7, true, false),
                0x40.. => (6, false, true),
                0x20.. => {
                    assert!(fields.is_empty(), "a size update stands at the start of a block");
                    self.limit = take_integer(&mut block, 5);
                    assert!(self.limit <= 4096, "the table is no larger than we allow");
                    self.evict();
                    continue;
                }
                _ => (4, false, false),
            };
            let index = take_integer(&mut block, bits);
            if indexed {
                fields.push(self.field(index));
                continue;
            }
            let name = if index == 0 { self.take_string(&mut block) } else { self.field(index).0 };
            let value = self.take_string(&mut block);
            if kept {
                self.size += name.len() + value.len() + 32;
                self.dynamic.push_front((name.clone(), value.clone()));
                self.evict();
            }
            fields.push((name, value));
        }
        fields
    }

    fn field(&self, index: usize) -> (String, String) {
        assert_ne!(index, 0, "no field has the index 0");
        match STATIC.get(index - 1) {
            Some((name, value)) => ((*name).to_owned(), (*value).to_owned()),
            None => self.dynamic.get(index - 1 - STATIC.len()).expect("a field of the table").clone(),
        }
    }

    fn evict(&mut self) {
        while self.size > self.limit {
            let (name, value) = self.dynamic.pop_back().expect("an empty table has the size 0");
            self.size -= name.len() + value.len() + 32;
        }
    }

    fn take_string(&self, block: &mut &[u8]) -> String {
        let coded = block.first().is_some_and(|first| first & 0x80 != 0);
        let len = take_integer(block, 7);
        let (text, rest) = block.split_at_checked(len).expect("a whole string");
        *block = rest;
        let bytes = if coded { self.decode_huffman(text) } else { text.to_vec() };
        // Values may have bytes past ASCII; the tests compare texts.
        bytes.into_iter().map(char::from).collect()
    }

    fn decode_huffman(&self, coded: &[u8]) -> Vec<u8> {
        let (mut text, mut code, mut bits) = (Vec::new(), 0_u32, 0_u8);
        for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |bit| u32::from(byte >> bit & 1))) {
            (code, bits) = (code << 1 | bit, bits + 1);
            assert!(bits <= 30, "a code has at most 30 bits");
            if let Some(symbol) = self.codes.iter().position(|known| *known == (code, bits)) {
                text.push(u8::try_from(symbol).expect("the end of a string is never sent"));
                (code, bits) = (0, 0);
            }
        }
        assert!(bits < 8 && code == (1 << bits) - 1, "the padding is less than a byte, of ones");
        text
    }
}

fn take_integer(block: &mut &[u8], bits: u32) -> usize {
    let most = (1_usize << bits) - 1;
    let (&first, mut rest) = block.split_first().expect("a whole integer");
    let mut value = usize::from(first) & most;
    let mut shift = 0;
    while value >= most || shift > 0 {
        let (&byte, after) = rest.split_first().expect("a whole integer");
        rest = after;
        value += usize::from(byte & 0x7f) << shift;
        shift += 7;
        assert!(shift <= 28, "an integer of a test is small");
        if byte & 0x80 == 0 {
            break;
        }
    }
    *block = rest;
    value
}
