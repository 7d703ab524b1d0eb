//! Which media types are worth compressing.

/// Types besides `text/…`, `…+json`, `…+xml` and `…+text`. Images, video, audio, WOFF and archives are compressed
/// already.
const TYPES: [&str; 17] = [
    "application/javascript",
    "application/json",
    "application/json-seq",
    "application/manifest+json",
    "application/ndjson",
    "application/rtf",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/x-yaml",
    "application/xml",
    "application/yaml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/x-icon",
];

/// Whether the content of a type shrinks, by the value of `Content-Type`, whose parameters do not matter.
pub(super) fn is_compressible(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim_matches([' ', '\t']);
    let starts = |prefix: &str| essence.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let ends = |suffix: &str| {
        let start = essence.len().checked_sub(suffix.len()).and_then(|at| essence.get(at..));
        start.is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    };
    starts("text/")
        || ["+json", "+xml", "+text"].into_iter().any(ends)
        || TYPES.iter().any(|known| essence.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compressible_and_images_are_not() {
        for (content_type, expected) in [
            ("text/plain", true),
            ("text/html; charset=utf-8", true),
            ("Text/Event-Stream", true),
            ("application/json", true),
            ("APPLICATION/JSON ;charset=utf-8", true),
            ("application/problem+json", true),
            ("image/svg+xml", true),
            ("application/wasm", true),
            ("font/ttf", true),
            ("font/woff2", false),
            ("image/png", false),
            ("video/mp4", false),
            ("application/zip", false),
            ("application/octet-stream", false),
            ("application/grpc", false),
            ("multipart/byteranges; boundary=text/plain", false),
            ("application/jsonx", false),
            ("text", false),
            ("\u{e9}+json", true),
            ("+js\u{f6}n", false),
            ("", false),
        ] {
            assert_eq!(is_compressible(content_type), expected, "{content_type}");
        }
    }
}
