//! The methods that metrics and spans name. Any other one is `_OTHER`, so that a client cannot make names.

/// The methods with a name of their own; the last one stands for all others. OpenTelemetry: `http.request.method`.
pub(crate) const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", OTHER];

/// The name of a method that is not known.
const OTHER: &str = "_OTHER";

/// The place of a method in [`METHODS`]. Methods are compared with case (RFC 9110 §9.1).
pub(crate) fn place(method: Option<&str>) -> usize {
    let other = METHODS.len() - 1;
    METHODS[..other].iter().position(|known| Some(*known) == method).unwrap_or(other)
}

/// The name of a method: itself, or `_OTHER`.
#[cfg(any(test, feature = "live", feature = "tracing"))]
pub(crate) fn label(method: Option<&str>) -> &'static str {
    METHODS[place(method)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_method_is_other() {
        for (of, expected) in [
            (Some("GET"), "GET"),
            (Some("PATCH"), "PATCH"),
            (Some("get"), OTHER),
            (Some("_OTHER"), OTHER),
            (Some("QUERY"), OTHER),
            (Some(""), OTHER),
            (None, OTHER),
        ] {
            assert_eq!(label(of), expected, "{of:?}");
        }
    }
}
