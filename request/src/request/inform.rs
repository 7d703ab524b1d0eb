//! Interim replies: what a handler tells its client before the final reply.

use http::{HeaderName, HeaderValue, StatusCode};
use quintet_conn::InterimError;

use super::request::Request;
use crate::{
    Version,
    reply::{InformError, write_interim},
};

impl Request {
    /// Sends an interim reply (1xx) before the final one, at once: the handler need not return. Go:
    /// `ResponseWriter.WriteHeader` of 1xx.
    ///
    /// 103 (Early Hints) names what the page will need, so that a browser loads it while the handler still works. Any
    /// number of interim replies may be sent, in order. They go out while the handler waits, and at the latest before the
    /// final reply. A client of HTTP/1.0 does not know them: nothing is sent to it, nor if the request did not come by a
    /// connection, and neither is an error.
    ///
    /// Fields are pairs of names and values; the pairs of a `&HeaderMap` are, too.
    ///
    /// # Example
    /// ```
    /// use http::StatusCode;
    /// use quintet_request::Request;
    ///
    /// async fn page(request: Request) -> String {
    ///     // A hint that cannot be sent does no harm.
    ///     let _ = request.inform(StatusCode::EARLY_HINTS, [("link", "</style.css>; rel=preload; as=style")]);
    ///     slowly_made().await
    /// }
    /// # async fn slowly_made() -> String { String::new() }
    /// ```
    ///
    /// # Errors
    /// [`InformError`]: not a status of 1xx, a field that cannot be sent, more than 16 KiB unsent, or the final reply has
    /// begun.
    ///
    /// # Spec
    /// RFC 9110 §15.2, RFC 8297.
    #[doc(alias = "early hints")]
    #[doc(alias = "103")]
    #[doc(alias = "WriteHeader")]
    pub fn inform<N, V>(&self, status: StatusCode, fields: impl IntoIterator<Item = (N, V)>) -> Result<(), InformError>
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        let mut bytes = Vec::new();
        // Written also if it is not sent, so that a mistake is found with any client.
        write_interim(&mut bytes, status, fields)?;
        let Some(active) = self.active().filter(|_| self.version() != Version::Http10) else { return Ok(()) };
        active.push_interim(&bytes).map_err(|error| match error {
            InterimError::Full => InformError::Full,
            _ => InformError::Over,
        })
    }
}
