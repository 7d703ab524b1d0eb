//! The content type of a file by the ending of its name.

use http::HeaderValue;

/// Types of Go's table (mime/type.go), and others that are often asked for: what they are does not depend on the version of
/// the large table.
const COMMON: [(&str, &str); 39] = [
    ("avif", "image/avif"),
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/vnd.microsoft.icon"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("md", "text/markdown; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("mkv", "video/x-matroska"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/ogg"),
    ("otf", "font/otf"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("ts", "video/mp2t"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("weba", "audio/webm"),
    ("webm", "video/webm"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xml", "text/xml; charset=utf-8"),
    ("zip", "application/zip"),
];

/// The content type of a file with this name: what follows its last dot is looked up, in any case. Text has the character
/// set UTF-8. `None` if the ending is unknown or missing. Go: `mime.TypeByExtension`.
pub(super) fn media_type(name: &[u8]) -> Option<HeaderValue> {
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    let ending = std::str::from_utf8(&name[dot + 1..]).ok()?;
    let known = match COMMON.binary_search_by(|(known, _)| compare(known, ending)) {
        Ok(at) => return Some(HeaderValue::from_static(COMMON[at].1)),
        Err(_) => mime_guess::from_ext(ending).first_raw()?,
    };
    if known.starts_with("text/") && !known.contains(';') {
        return HeaderValue::try_from(format!("{known}; charset=utf-8")).ok();
    }
    Some(HeaderValue::from_static(known))
}

/// The order of a name in lower case and one in any.
fn compare(lower: &str, any: &str) -> std::cmp::Ordering {
    lower.bytes().cmp(any.bytes().map(|byte| byte.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Go's `builtinTypesLower` (mime/type.go), and endings of the large table.
    #[test]
    fn a_content_type_follows_from_the_ending_as_in_go() {
        for (name, expected) in [
            ("a.avif", Some("image/avif")),
            ("a.css", Some("text/css; charset=utf-8")),
            ("a.gif", Some("image/gif")),
            ("a.htm", Some("text/html; charset=utf-8")),
            ("a.html", Some("text/html; charset=utf-8")),
            ("a.jpeg", Some("image/jpeg")),
            ("a.jpg", Some("image/jpeg")),
            ("a.js", Some("text/javascript; charset=utf-8")),
            ("a.json", Some("application/json")),
            ("a.mjs", Some("text/javascript; charset=utf-8")),
            ("a.pdf", Some("application/pdf")),
            ("a.png", Some("image/png")),
            ("a.svg", Some("image/svg+xml")),
            ("a.wasm", Some("application/wasm")),
            ("a.webp", Some("image/webp")),
            ("a.xml", Some("text/xml; charset=utf-8")),
            ("A.HTML", Some("text/html; charset=utf-8")),
            ("a.tar.gz", Some("application/gzip")),
            (".css", Some("text/css; charset=utf-8")),
            ("a.txt", Some("text/plain; charset=utf-8")),
            ("a.ics", Some("text/calendar; charset=utf-8")),
            ("a.woff", Some("font/woff")),
            ("a", None),
            ("a.", None),
            ("html", None),
            ("a.no-such-ending", None),
            ("a.html\u{130}", None),
        ] {
            let seen = media_type(name.as_bytes());
            assert_eq!(seen.as_ref().map(|value| value.to_str().unwrap()), expected, "{name}");
        }
        assert_eq!(media_type(b"a.\xff"), None);
        assert!(COMMON.is_sorted(), "it is searched by halves");
    }
}
