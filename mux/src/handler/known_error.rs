//! The replies to the errors of this workspace: each has a status, and some name what would be accepted.

use std::error::Error;

use http::{HeaderName, HeaderValue, StatusCode, header};
use quintet_request::{BodyError, ChangeError, FormError, FormReadError, InformError, PathValueError};
#[cfg(feature = "json")]
use quintet_request::{JsonError, QueryError};
#[cfg(feature = "multipart")]
use quintet_request::{MultipartError, MultipartReadError};

use super::{into_response::IntoResponse, response::Response};

/// A field that says what would have been accepted.
type Accepted = Option<(HeaderName, &'static str)>;

/// Only bodies that are not coded (RFC 9110 §12.5.3).
const IDENTITY: Accepted = Some((header::ACCEPT_ENCODING, "identity"));

macro_rules! known_errors {
    ($($(#[$when:meta])? $type:ty: $accepted:expr;)*) => {
        $($(#[$when])?
        impl IntoResponse for $type {
            fn into_response(self) -> Response {
                let accepted: fn(&Self) -> Accepted = $accepted;
                let reply = Response::text(self.status(), &self);
                match accepted(&self) {
                    Some((name, value)) => reply.with_header(name, HeaderValue::from_static(value)),
                    None => reply,
                }
            }
        })*

        /// The status and the field of the reply to an error, if it is one of this workspace. The text is that of the error.
        pub(super) fn reply_to(error: &(dyn Error + 'static)) -> Option<(StatusCode, Accepted)> {
            $($(#[$when])?
            if let Some(error) = error.downcast_ref::<$type>() {
                let accepted: fn(&$type) -> Accepted = $accepted;
                return Some((error.status(), accepted(error)));
            })*
            None
        }
    };
}

known_errors! {
    BodyError: |_| None;
    ChangeError: |_| None;
    FormError: |_| None;
    FormReadError: accepted_form;
    InformError: |_| None;
    PathValueError: |_| None;
    #[cfg(feature = "json")]
    QueryError: |_| None;
    #[cfg(feature = "json")]
    JsonError: accepted_json;
    #[cfg(feature = "multipart")]
    MultipartError: accepted_multipart;
    #[cfg(feature = "multipart")]
    MultipartReadError: |error| match error {
        MultipartReadError::Multipart(error) => accepted_multipart(error),
        _ => None,
    };
}

/// What a 415 of a form accepts (RFC 9110 §15.5.16).
fn accepted_form(error: &FormReadError) -> Accepted {
    match error {
        FormReadError::ContentEncoding => IDENTITY,
        #[cfg(feature = "json")]
        FormReadError::NotForm => Some((header::ACCEPT, "application/x-www-form-urlencoded")),
        _ => None,
    }
}

/// What a 415 of JSON accepts.
#[cfg(feature = "json")]
fn accepted_json(error: &JsonError) -> Accepted {
    match error {
        JsonError::ContentEncoding => IDENTITY,
        JsonError::ContentType | JsonError::Charset => Some((header::ACCEPT, "application/json")),
        _ => None,
    }
}

/// What a 415 of a multipart form accepts.
#[cfg(feature = "multipart")]
fn accepted_multipart(error: &MultipartError) -> Accepted {
    match error {
        MultipartError::ContentEncoding => IDENTITY,
        _ => None,
    }
}
