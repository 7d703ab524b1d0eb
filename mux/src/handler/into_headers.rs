//! What can stand before a body as its fields.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::response::Response;

/// What can stand before a body as its fields: a [`HeaderMap`], or pairs of whatever [`Response::with_header`] takes. A
/// field that cannot be sent makes the reply a 500.
pub trait IntoHeaders {
    /// Adds the fields.
    fn add_to(self, response: &mut Response);
}

impl IntoHeaders for HeaderMap {
    fn add_to(self, response: &mut Response) {
        let mut name = None;
        for (next, value) in self {
            // Of the values of one field only the first comes with its name.
            name = next.or(name);
            if let Some(name) = &name {
                *response = std::mem::take(response).with_header(name, value);
            }
        }
    }
}

impl<K: TryInto<HeaderName>, V: TryInto<HeaderValue>, const N: usize> IntoHeaders for [(K, V); N] {
    fn add_to(self, response: &mut Response) {
        for (name, value) in self {
            *response = std::mem::take(response).with_header(name, value);
        }
    }
}
