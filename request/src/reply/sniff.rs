//! Guessing a content type from the first bytes, for a reply whose handler set none.
//!
//! The first 512 bytes are compared with the signatures of the WHATWG's MIME Sniffing standard, in its order. A type
//! that browsers run, such as HTML, is guessed only if the text starts with its mark.

/// The most bytes that are compared.
const LOOKED_AT: usize = 512;

/// Tags that make a text HTML: one of them at its start, after whitespace, followed by a space or `>`.
const HTML: [&[u8]; 17] = [
    b"<!DOCTYPE HTML",
    b"<HTML",
    b"<HEAD",
    b"<SCRIPT",
    b"<IFRAME",
    b"<H1",
    b"<DIV",
    b"<FONT",
    b"<TABLE",
    b"<A",
    b"<STYLE",
    b"<TITLE",
    b"<B",
    b"<BODY",
    b"<BR",
    b"<P",
    b"<!--",
];

/// A signature: its offset, its bytes (`?` is any byte), and its type.
type Signature = (usize, &'static [u8], &'static str);

const SIGNATURES: [Signature; 31] = [
    (0, b"%PDF-", "application/pdf"),
    (0, b"%!PS-Adobe-", "application/postscript"),
    (0, b"\xFE\xFF??", "text/plain; charset=utf-16be"),
    (0, b"\xFF\xFE??", "text/plain; charset=utf-16le"),
    (0, b"\xEF\xBB\xBF", "text/plain; charset=utf-8"),
    (0, b"\x00\x00\x01\x00", "image/x-icon"),
    (0, b"\x00\x00\x02\x00", "image/x-icon"),
    (0, b"BM", "image/bmp"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"RIFF????WEBPVP", "image/webp"),
    (0, b"\x89PNG\x0D\x0A\x1A\x0A", "image/png"),
    (0, b"\xFF\xD8\xFF", "image/jpeg"),
    (0, b"FORM????AIFF", "audio/aiff"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS\x00", "application/ogg"),
    (0, b"MThd\x00\x00\x00\x06", "audio/midi"),
    (0, b"RIFF????AVI ", "video/avi"),
    (0, b"RIFF????WAVE", "audio/wave"),
    (0, b"\x1A\x45\xDF\xA3", "video/webm"),
    (34, b"LP", "application/vnd.ms-fontobject"),
    (0, b"\x00\x01\x00\x00", "font/ttf"),
    (0, b"OTTO", "font/otf"),
    (0, b"ttcf", "font/collection"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"\x1F\x8B\x08", "application/x-gzip"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"Rar!\x1A\x07\x00", "application/x-rar-compressed"),
    (0, b"Rar!\x1A\x07\x01\x00", "application/x-rar-compressed"),
    (0, b"\x00\x61\x73\x6D", "application/wasm"),
];

/// Guesses the content type of these bytes. It is always a valid one: `application/octet-stream` if no signature
/// matches.
///
/// # Spec
/// WHATWG MIME Sniffing §7. Go: `http.DetectContentType`, which differs in two cases: it requires a space or `>` after
/// `<!--`, and takes text with `LP` at byte 34 for a font.
#[doc(alias = "DetectContentType")]
#[doc(alias = "mime")]
pub fn sniff(bytes: &[u8]) -> &'static str {
    let bytes = &bytes[..bytes.len().min(LOOKED_AT)];
    let text = bytes.trim_ascii_start();
    if HTML.iter().any(|tag| begins_with_tag(text, tag)) {
        return "text/html; charset=utf-8";
    }
    if text.starts_with(b"<?xml") {
        return "text/xml; charset=utf-8";
    }
    let found = SIGNATURES.iter().find(|(at, signature, _)| bytes.get(*at..).is_some_and(|rest| is(rest, signature)));
    match found {
        Some((0, _, content_type)) => return content_type,
        _ if is_mp4(bytes) => return "video/mp4",
        // An Embedded OpenType font has "LP" at byte 34 and zeros before it, which text has not.
        Some((34, _, _)) if bytes.iter().take(34).all(|byte| !is_binary(*byte)) => {}
        Some((_, _, content_type)) => return content_type,
        None => {}
    }
    if bytes.iter().any(|byte| is_binary(*byte)) { "application/octet-stream" } else { "text/plain; charset=utf-8" }
}

/// Whether these are an MP4 file: a first box `ftyp`, all here, that names a brand `mp4…` as its major one or among the
/// compatible ones.
///
/// Shape: `size (4 bytes, big-endian)  "ftyp"  major-brand  minor-version  compatible-brand…`, 4 bytes each; `size`
/// counts the whole box.
///
/// # Spec
/// WHATWG MIME Sniffing §6.2.1. Go: `mp4Sig` (sniff.go). Where the two differ, in a box without room for its major
/// brand, Go's `no` is taken.
fn is_mp4(bytes: &[u8]) -> bool {
    let [s0, s1, s2, s3, b'f', b't', b'y', b'p', ..] = *bytes else { return false };
    let size = u32::from_be_bytes([s0, s1, s2, s3]);
    let whole = usize::try_from(size).ok().filter(|size| size % 4 == 0).and_then(|size| bytes.get(8..size));
    // The second word is a version, not a brand.
    whole.is_some_and(|brands| brands.chunks_exact(4).enumerate().any(|(i, brand)| i != 1 && brand.starts_with(b"mp4")))
}

fn begins_with_tag(text: &[u8], tag: &[u8]) -> bool {
    let Some((begin, rest)) = text.split_at_checked(tag.len()) else { return false };
    begin.eq_ignore_ascii_case(tag) && (tag == b"<!--" || matches!(rest.first(), Some(b' ' | b'>')))
}

/// Whether `bytes` start with the signature. A `?` in it matches any byte; no signature needs a literal `?`.
fn is(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.len() >= signature.len() && signature.iter().zip(bytes).all(|(want, byte)| *want == b'?' || want == byte)
}

/// Whether a byte is one that text does not have.
const fn is_binary(byte: u8) -> bool {
    matches!(byte, 0x00..=0x08 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sniff_finds_the_type_of_each_signature() {
        let cases: [(&[u8], &str); 27] = [
            (b"", "text/plain; charset=utf-8"),
            (b"plain text\n", "text/plain; charset=utf-8"),
            ("größer".as_bytes(), "text/plain; charset=utf-8"),
            (b"\x01\x02", "application/octet-stream"),
            (b"text with a \x00 in it", "application/octet-stream"),
            (b"text with an \x1b[1mescape", "text/plain; charset=utf-8"),
            (b"  \r\n<!doctype html>", "text/html; charset=utf-8"),
            (b"<HtMl >", "text/html; charset=utf-8"),
            (b"<html", "text/plain; charset=utf-8"),
            (b"<htmlx>", "text/plain; charset=utf-8"),
            (b"<p>hello", "text/html; charset=utf-8"),
            (b"<!--", "text/html; charset=utf-8"),
            (b"<!-- x", "text/html; charset=utf-8"),
            (b"<pre>", "text/plain; charset=utf-8"),
            (b"\n<?xml version", "text/xml; charset=utf-8"),
            (b"%PDF-1.7", "application/pdf"),
            (b"\xEF\xBB\xBFtext", "text/plain; charset=utf-8"),
            (b"GIF89a..", "image/gif"),
            (b"\x89PNG\x0D\x0A\x1A\x0A", "image/png"),
            (b"\xFF\xD8\xFF\xE0", "image/jpeg"),
            (b"RIFF\x00\x01\x02\x03WEBPVP8 ", "image/webp"),
            (b"RIFF\x00\x01\x02\x03WAVE", "audio/wave"),
            (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "video/mp4"),
            (b"\x1F\x8B\x08", "application/x-gzip"),
            (b"\x00asm\x01", "application/wasm"),
            (b"wOF2", "font/woff2"),
            (b"a line of thirty-four characters, LP", "text/plain; charset=utf-8"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(sniff(bytes), expected, "{:?}", bytes.escape_ascii().to_string());
        }
    }

    /// A box `ftyp` whose size is right, and something behind it.
    fn ftyp(words: &[&str]) -> Vec<u8> {
        let size = u32::try_from(8 + 4 * words.len()).unwrap();
        [&size.to_be_bytes()[..], b"ftyp", words.concat().as_bytes(), b"\x00\x00\x00\x08free"].concat()
    }

    #[test]
    fn an_mp4_names_an_mp4_brand_anywhere_in_its_first_box() {
        for (words, mp4) in [
            (&["mp42", "\0\0\0\0", "mp42", "isom"][..], true),
            (&["mp41"], true),
            (&["mp4 ", "\0\0\0\0"], true),
            (&["iso5", "\0\0\x02\0", "iso6", "mp41"], true),
            (&["MSNV", "\x01\x12\x12\x12", "MSNV", "isom", "mp42"], true),
            (&["isom", "\0\0\x02\0", "isom", "iso2", "avc1", "mp41"], true),
            (&["M4A ", "\0\0\0\0", "M4A ", "mp42", "isom"], true),
            (&["avc1", "\0\0\0\0"], false),
            (&["isom", "\0\0\0\0", "isom", "avc1"], false),
            (&["iso2"], false),
            (&["M4V ", "\0\0\0\0", "M4V ", "M4A "], false),
            (&["qt  ", "\0\0\0\0", "qt  "], false),
            (&["avif", "\0\0\0\0", "avif", "mif1"], false),
            // The version is not a brand, nor are bytes across two words, nor `MP4` in capitals.
            (&["isom", "mp42", "isom"], false),
            (&["isom", "\0\0\0\0", "..mp", "42.."], false),
            (&["MP42"], false),
            (&[], false),
        ] {
            let bytes = ftyp(words);
            let expected = if mp4 { "video/mp4" } else { "application/octet-stream" };
            assert_eq!(sniff(&bytes), expected, "{words:?}");
        }
    }

    #[test]
    fn an_mp4_box_that_is_cut_at_any_byte_is_not_mp4() {
        let bytes = ftyp(&["iso5", "\0\0\x02\0", "iso6", "mp41"]);
        let size = bytes.len() - 8;
        for len in 0..=bytes.len() {
            let expected = match len {
                0 => "text/plain; charset=utf-8",
                len if len < size => "application/octet-stream",
                _ => "video/mp4",
            };
            assert_eq!(sniff(&bytes[..len]), expected, "{len} bytes");
        }
    }

    #[test]
    fn an_mp4_box_of_a_wrong_size_is_not_mp4() {
        let words = ["iso5", "\0\0\x02\0", "mp41", "mp42"];
        for size in (0..=40).chain([255, 257, 508, 516, 1 << 31, u32::MAX - 3, u32::MAX]) {
            let mut bytes = ftyp(&words);
            bytes[..4].copy_from_slice(&size.to_be_bytes());
            // The third word is the first brand; there are 32 bytes.
            let mp4 = (20..=32).contains(&size) && size % 4 == 0;
            let expected = if mp4 { "video/mp4" } else { "application/octet-stream" };
            assert_eq!(sniff(&bytes), expected, "size {size}");
        }
        // A box of the most bytes that are compared, and a longer one. A box of 256 or 512 bytes starts like an icon,
        // whose signature comes first.
        let mut brands = vec!["isom"; 508 / 4 - 2];
        *brands.last_mut().unwrap() = "mp42";
        assert_eq!(sniff(&ftyp(&brands)), "video/mp4");
        brands.push("mp42");
        assert_eq!(sniff(&ftyp(&brands)), "image/x-icon");
        brands.push("mp42");
        assert_eq!(sniff(&ftyp(&brands)), "application/octet-stream");
    }

    /// The signatures of Go's `sniffSignatures`, cut at every byte: none is found before it is whole.
    #[test]
    fn sniff_finds_no_signature_that_is_cut_off() {
        for (at, signature, content_type) in SIGNATURES {
            let bytes = [vec![0; at], signature.to_vec()].concat();
            for len in 0..bytes.len() {
                let seen = sniff(&bytes[..len]);
                assert!(seen != content_type || seen == "text/plain; charset=utf-8", "{content_type} in {len} bytes");
            }
            assert_eq!(sniff(&bytes), content_type);
        }
    }

    #[test]
    fn sniff_looks_at_the_first_512_bytes_only() {
        let mut bytes = vec![b'a'; LOOKED_AT];
        bytes.push(0);
        assert_eq!(sniff(&bytes), "text/plain; charset=utf-8");
        bytes[LOOKED_AT - 1] = 0;
        assert_eq!(sniff(&bytes), "application/octet-stream");
    }
}
