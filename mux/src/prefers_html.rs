//! Whether a client reads HTML rather than JSON: `Accept`.
//!
//! | `Accept` | page |
//! |---|---|
//! | no field, *empty*, `*/*` | JSON |
//! | `text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8` (a browser) | HTML |
//! | `application/json`, `application/problem+json`, `application/*` | JSON |
//! | `text/html`, `text/*` | HTML |
//! | `text/html, application/json` | JSON: of equal ones the first choice is the program's |
//! | `text/html;q=0.5, application/json;q=0.4` | HTML |
//! | `text/html;q=0.5, */*` | JSON |
//! | `text/html;q=0` | JSON |
//! | `text/html;level=1;q=0.7`, `TEXT/HTML;Q=0.7` | HTML |
//! | `text/html;q=2`, `text/html;q=x`, `text` | the element is ignored |

/// Whether HTML has a greater weight than both types of JSON, `application/json` and `application/problem+json`, in the
/// values of all `Accept` fields.
///
/// The most specific range counts (RFC 9110 §12.5.1). Parameters other than the weight are ignored.
pub(crate) fn prefers_html<'a>(values: impl Iterator<Item = &'a [u8]> + Clone) -> bool {
    let json = ["json", "problem+json"].map(|subtype| quality(values.clone(), "application", subtype));
    quality(values, "text", "html") > json[0].max(json[1])
}

/// The weight of a type in thousandths; 0 if no range has it.
fn quality<'a>(values: impl Iterator<Item = &'a [u8]>, kind: &str, subtype: &str) -> u16 {
    let elements = values.flat_map(|value| value.split(|&byte| byte == b',')).filter_map(element);
    let matching = elements.filter_map(|(range, weight)| {
        let (ranged, sub) = range.split_once('/')?;
        let specific = match (ranged, sub) {
            ("*", "*") => 0,
            (_, "*") if ranged.eq_ignore_ascii_case(kind) => 1,
            _ if ranged.eq_ignore_ascii_case(kind) && sub.eq_ignore_ascii_case(subtype) => 2,
            _ => return None,
        };
        Some((specific, weight))
    });
    matching.max_by_key(|(specific, _)| *specific).map_or(0, |(_, weight)| weight)
}

/// A media range and its weight in thousandths. `None` if the element cannot be read.
fn element(element: &[u8]) -> Option<(&str, u16)> {
    let text = std::str::from_utf8(element).ok()?;
    let mut parts = text.split(';').map(|part| part.trim_matches([' ', '\t']));
    let range = parts.next()?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((range, weight.map_or(Some(1000), weight_of)?))
}

/// `0.123` as 123 (RFC 9110 §12.4.2).
fn weight_of(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let weight: u16 = format!("{whole}{fraction:0<3}").parse().ok()?;
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_chooses_between_html_and_json() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";
        for (accept, html) in [
            (&[][..], false),
            (&[""], false),
            (&["*/*"], false),
            (&[browser], true),
            (&["application/json"], false),
            (&["application/problem+json"], false),
            (&["application/*"], false),
            (&["text/html"], true),
            (&["text/*"], true),
            (&["text/*;q=0.5, */*;q=0.4"], true),
            (&["text/html, application/json"], false),
            (&["text/html, application/problem+json"], false),
            (&["text/html;q=0.5, application/json;q=0.4"], true),
            (&["text/html;q=0.5", "application/json;q=0.6"], false),
            (&["text/html;q=0.5, */*"], false),
            (&["text/html;q=0"], false),
            (&["*/*, application/*;q=0.1"], true),
            (&["text/html;q=0, text/*"], false),
            (&["text/html;level=1;q=0.7"], true),
            (&["TEXT/HTML;Q=0.7"], true),
            (&["text/html ; q=0.001"], true),
            (&["text/html;q=2"], false),
            (&["text/html;q=1.001"], false),
            (&["text/html;q=x"], false),
            (&["text/html;q="], false),
            (&["text/html;q=-1"], false),
            (&["text/html;q=0.1234"], false),
            (&["text", "html", ",,;"], false),
            (&["text/html\u{ff}"], false),
        ] {
            assert_eq!(prefers_html(accept.iter().map(|value| value.as_bytes())), html, "{accept:?}");
        }
        assert!(!prefers_html([&b"text/html;\xff"[..]].into_iter()));
    }
}
