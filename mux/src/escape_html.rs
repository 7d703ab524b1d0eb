//! Escaping of text for HTML.

use std::borrow::Cow;

/// Escapes text for HTML, between tags or in a quoted attribute: `&`, `<`, `>`, `"` and `'` become entities.
///
/// The result is borrowed if there is nothing to escape. Escaped text is not safe everywhere: not as a URL
/// (`javascript:` stays one), not in a script, and not in an attribute without quotes.
///
/// # Example
/// ```
/// use quintet_mux::escape_html;
///
/// let name = "<script>alert('hello')</script>";
/// let page = format!("<p title=\"{0}\">{0}</p>", escape_html(name));
/// assert!(page.starts_with("<p title=\"&lt;script&gt;alert(&#39;hello&#39;)&lt;/script&gt;\">"));
/// ```
///
/// # Spec
/// HTML Standard §13.1.2.3 (attributes), §13.1.4 (character references). Go: `html.EscapeString`, the same bytes.
#[doc(alias = "html escape")]
#[doc(alias = "EscapeString")]
#[doc(alias = "sanitize")]
#[must_use]
pub fn escape_html(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| entity(char::from(byte)).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match entity(c) {
            Some(entity) => escaped.push_str(entity),
            None => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

fn entity(c: char) -> Option<&'static str> {
    Some(match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&#34;",
        '\'' => "&#39;",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Go's table (html/escape_test.go), and edge cases.
    #[test]
    fn escape_html_writes_what_go_writes() {
        for (text, escaped) in [
            ("", ""),
            ("abc", "abc"),
            ("&", "&amp;"),
            ("R&D", "R&amp;D"),
            ("\"<&>\"'", "&#34;&lt;&amp;&gt;&#34;&#39;"),
            ("&amp;", "&amp;amp;"),
            ("\u{e9}<\u{1f600}", "\u{e9}&lt;\u{1f600}"),
        ] {
            assert_eq!(escape_html(text), escaped, "{text:?}");
        }
        assert!(matches!(escape_html("caf\u{e9}"), Cow::Borrowed(_)));
    }
}
