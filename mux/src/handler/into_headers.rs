//! The types that can be the fields of a reply.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::response::Response;

/// A type whose value can stand before a body as the fields of the reply: a [`HeaderMap`], or an array of pairs of
/// types that [`Response::with_header`] takes. A field that cannot be sent makes the reply a 500.
pub trait IntoHeaders {
    /// Adds the fields to a reply.
    fn add_to(self, response: &mut Response);
}

impl IntoHeaders for HeaderMap {
    fn add_to(self, response: &mut Response) {
        let mut name = None;
        for (next, value) in self {
            // The map gives the name only with the first value of a field.
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
