//! The form methods of a request: pairs from the query and from the body.

use super::{form_read_error::FormReadError, form_state::ReadForm, request::Request};
use crate::{Form, FormError, head::has_content_coding};

impl Request {
    /// The pairs of an urlencoded body (of POST, PUT and PATCH, up to [10 MiB](Self::set_form_limit)) and then those of
    /// the query, so that [`Form::get`] prefers the body. The first call reads the body. Go: `Request.ParseForm` and
    /// `Request.Form`.
    ///
    /// # Example
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use quintet_request::{Body, Request};
    ///
    /// let posted = http::Request::post("/search?page=2")
    ///     .header("content-type", "application/x-www-form-urlencoded")
    ///     .body(Body::from("q=caf%C3%A9+au+lait"))?;
    /// let mut request = Request::try_from(posted)?;
    /// let form = request.form().await?;
    /// assert_eq!((form.get("q"), form.get("page")), (Some("café au lait"), Some("2")));
    /// # Ok(()) }
    /// ```
    ///
    /// A pair that is malformed:
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use quintet_request::Request;
    ///
    /// let mut request = Request::parse(b"GET /?discount=100%&page=2 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// assert_eq!(request.form().await.unwrap_err().status(), 400); // one pair is malformed, and that is said
    /// let (form, error) = request.form_lossy().await.unwrap(); //     the others can be had
    /// assert_eq!((form.get("page"), error.is_some()), (Some("2"), true));
    /// # }
    /// ```
    ///
    /// A form with a content coding, such as gzip, is refused (415) and never decoded.
    ///
    /// # Errors
    /// [`FormReadError`]: the body could not be read, or body or query has a malformed pair.
    /// [`form_lossy`](Self::form_lossy) has the other pairs, also afterwards.
    ///
    /// # Cancel safety
    /// Not cancel safe: the body is lost, and the next call returns [`FormReadError::Begun`].
    #[doc(alias = "extractor")]
    #[doc(alias = "ParseForm")]
    pub async fn form(&mut self) -> Result<&Form, FormReadError> {
        let form = self.read_form().await?;
        match form.body.or(form.query) {
            None => Ok(&form.pairs),
            Some(error) => Err(error.into()),
        }
    }

    /// The well-formed pairs of [`form`](Self::form), and the error of the first malformed one. Go:
    /// `Request.ParseForm`, which also fills `Request.Form` and returns an error.
    ///
    /// A malformed pair is left out, so a pair of the same name in the query can take its place. If that must not
    /// happen, refuse a form that has an error.
    ///
    /// # Errors
    /// [`FormReadError`] if the body could not be read.
    ///
    /// # Cancel safety
    /// As [`form`](Self::form).
    pub async fn form_lossy(&mut self) -> Result<(&Form, Option<FormError>), FormReadError> {
        let form = self.read_form().await?;
        Ok((&form.pairs, form.body.or(form.query)))
    }

    /// The first value of this name in the form. A malformed pair of the query is skipped. If the body could not be
    /// read or has a malformed pair, the result is `None`, so that the query never takes the place of the body. Go:
    /// `Request.FormValue`, where it does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use quintet_request::Request;
    ///
    /// let mut request = Request::parse(b"GET /?from=here&to=there HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// let (from, to) = (request.form_value("from").await, request.form_value("to").await);
    /// assert_eq!((from.as_deref(), to.as_deref()), (Some("here"), Some("there")));
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// As [`form`](Self::form).
    #[doc(alias = "FormValue")]
    pub async fn form_value(&mut self, name: &str) -> Option<String> {
        let form = self.read_form().await.ok().filter(|form| form.body.is_none())?;
        form.pairs.get(name).map(str::to_owned)
    }

    /// The pairs of an urlencoded body, without those of the query; no pairs if the request has no such body. Go:
    /// `Request.PostForm`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use quintet_request::{Body, Request};
    ///
    /// let posted = http::Request::post("/?user=query&page=2")
    ///     .header("content-type", "application/x-www-form-urlencoded")
    ///     .body(Body::from("user=ann&password=secret"))?;
    /// let mut request = Request::try_from(posted)?;
    /// let form = request.post_form().await?;
    /// let (user, password) = (form.get("user"), form.get("password")); // both at the same time
    /// assert_eq!((user, password, form.get("page")), (Some("ann"), Some("secret"), None));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`FormReadError`]: the body could not be read, or has a malformed pair.
    ///
    /// # Cancel safety
    /// As [`form`](Self::form).
    #[doc(alias = "PostForm")]
    pub async fn post_form(&mut self) -> Result<&Form, FormReadError> {
        let form = self.read_form().await?;
        match form.body {
            None => Ok(form.posted()),
            Some(error) => Err(error.into()),
        }
    }

    /// The first value of this name in an urlencoded body. `None` if there is none, or if the body could not be read or
    /// has a malformed pair. Go: `Request.PostFormValue`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use quintet_request::{Body, Request};
    ///
    /// let posted = http::Request::post("/?user=query")
    ///     .header("content-type", "application/x-www-form-urlencoded")
    ///     .body(Body::from("password=secret"))?;
    /// let mut request = Request::try_from(posted)?;
    /// assert_eq!(request.post_form_value("password").await.as_deref(), Some("secret"));
    /// assert_eq!(request.post_form_value("user").await, None); // it is in the query only
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    /// As [`form`](Self::form).
    #[doc(alias = "PostFormValue")]
    pub async fn post_form_value(&mut self, name: &str) -> Option<String> {
        self.post_form().await.ok()?.get(name).map(str::to_owned)
    }

    /// The pairs of the query; the body is not read. Go: `Request.URL.Query`, which drops malformed pairs without an
    /// error.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let request = Request::parse(b"GET /?from=a+b&to=c&to=d HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// let query = request.query_form().unwrap();
    /// assert_eq!(query.get("from"), Some("a b"));
    /// assert_eq!(query.all("to").collect::<Vec<_>>(), ["c", "d"]);
    /// ```
    ///
    /// # Errors
    /// [`FormError`] (400) for the first malformed pair. [`Form::parse_lossy`] of the [`query`](Self::query) has the
    /// others.
    #[doc(alias = "query string")]
    #[doc(alias = "URL.Query")]
    pub fn query_form(&self) -> Result<Form, FormError> {
        Form::parse(self.query().unwrap_or("").as_bytes())
    }

    /// The first value of this name in the query; a malformed pair is skipped. Each call reads the query; for more than
    /// two values, [`query_form`](Self::query_form) reads it once. Go: `Request.URL.Query().Get`.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let request = Request::parse(b"GET /?page=2&sort=up&q=100% HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// let (page, sort) = (request.query_value("page"), request.query_value("sort"));
    /// assert_eq!((page.as_deref(), sort.as_deref()), (Some("2"), Some("up")));
    /// assert_eq!(request.query_value("q"), None);
    /// ```
    #[doc(alias = "query parameter")]
    pub fn query_value(&self, name: &str) -> Option<String> {
        let (form, _) = Form::parse_lossy(self.query()?.as_bytes());
        form.get(name).map(str::to_owned)
    }

    /// Sets the limit of a form's body in bytes; the default is 10 MiB, as in Go. A longer body is
    /// [`BodyError::TooLarge`](crate::BodyError::TooLarge) (413). It has no effect on a form that was read already.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use quintet_request::{Body, Request};
    ///
    /// let posted = http::Request::post("/")
    ///     .header("content-type", "application/x-www-form-urlencoded")
    ///     .body(Body::from("text=longer than expected"))?;
    /// let mut request = Request::try_from(posted)?;
    /// request.set_form_limit(10);
    /// assert_eq!(request.form().await.unwrap_err().status(), 413);
    /// # Ok(()) }
    /// ```
    pub fn set_form_limit(&mut self, bytes: u64) {
        self.rare_mut().form.limit = bytes;
    }

    async fn read_form(&mut self) -> Result<&mut ReadForm, FormReadError> {
        if self.inner().rare.as_ref().is_none_or(|rare| rare.form.read.is_none()) {
            let mut body = None;
            if self.has_form() {
                if has_content_coding(self.head()) {
                    return Err(FormReadError::ContentEncoding);
                }
                let state = &mut self.rare_mut().form;
                let limit = state.limit;
                // The body can be read once. If an earlier call lost it, the query alone must not pass for the form.
                if std::mem::replace(&mut state.begun, true) {
                    return Err(FormReadError::Begun);
                }
                body = Some(self.to_bytes(limit).await?);
            }
            let form = ReadForm::new(body.as_deref(), self.query().unwrap_or("").as_bytes());
            self.rare_mut().form.read = Some(form);
        }
        Ok(self.rare_mut().form.read.get_or_insert_default())
    }

    /// Whether the body is a form by its method and content type.
    pub(super) fn has_form(&self) -> bool {
        let media = self.head().content_type().unwrap_or("").split(';').next().unwrap_or("").trim();
        matches!(self.method(), "POST" | "PUT" | "PATCH")
            && media.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }
}

#[cfg(test)]
#[path = "forms_tests.rs"]
mod tests;
