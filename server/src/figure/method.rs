//! The methods that are shown by name.

/// The methods of RFC 9110 §9.3 and RFC 5789; any other is a token of the client, and is `_OTHER`.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// The name under which a method is shown.
pub(super) fn known(method: &str) -> &'static str {
    METHODS.into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}
