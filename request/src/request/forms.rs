//! The form of a request: its pairs are in the query and in the body.

use super::{form_read_error::FormReadError, read_form::ReadForm, request::Request};
use crate::{Form, FormError};

/// How much of a body is read for a form, in bytes: 10 MiB, as in Go.
const FORM: u64 = 10 << 20;

impl Request {
    /// The pairs of the query and of an urlencoded body (of POST, PUT and PATCH, up to 10 MiB); those of the body
    /// come first, so they win. The body is read at the first call. Go: `Request.ParseForm` and `Request.Form`.
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
    /// # Errors
    /// [`FormReadError`]: the body could not be read, or one of the two has a pair that cannot be read. The pairs that
    /// can are in [`form_lossy`](Self::form_lossy), also afterwards.
    ///
    /// # Cancel safety
    /// None: if it is dropped while the body is read, the body is lost, and the next call says so.
    #[doc(alias = "extractor")]
    #[doc(alias = "ParseForm")]
    pub async fn form(&mut self) -> Result<&Form, FormReadError> {
        let form = self.read_form().await?;
        match form.body.or(form.query) {
            None => Ok(&form.pairs),
            Some(error) => Err(error.into()),
        }
    }

    /// The pairs of [`form`](Self::form) that can be read, and what is wrong with the first that cannot. Go:
    /// `Request.ParseForm`, which fills `Request.Form` and returns the error as well.
    ///
    /// Mind that a pair which is left out does not hide one of the same name: where a name in the query must not stand
    /// in for one in the body, refuse the form if there is an error.
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

    /// The first value of this name in the form, or nothing if there is none. A pair of the query that cannot be read
    /// is as if it were not there; if the body could not be read, or one of its pairs, there is no form, so that the
    /// query never stands in for it. Go: `Request.FormValue`, which lets it.
    ///
    /// # Cancel safety
    /// As [`form`](Self::form).
    #[doc(alias = "FormValue")]
    pub async fn form_value(&mut self, name: &str) -> Option<&str> {
        let form = self.read_form().await.ok().filter(|form| form.body.is_none())?;
        form.pairs.get(name)
    }

    async fn read_form(&mut self) -> Result<&ReadForm, FormReadError> {
        if self.inner().rare.as_ref().is_none_or(|rare| rare.form.is_none()) {
            let mut form = ReadForm::default();
            if self.has_form() {
                // Read once: what was begun and given up is not a form without the body's pairs.
                if std::mem::replace(&mut self.rare_mut().form_begun, true) {
                    return Err(FormReadError::Begun);
                }
                (form.pairs, form.body) = Form::parse_lossy(&self.to_bytes(FORM).await?);
            }
            let (query, error) = Form::parse_lossy(self.query().unwrap_or("").as_bytes());
            form.pairs.append(&query);
            form.query = error;
            self.rare_mut().form = Some(form);
        }
        Ok(self.rare_mut().form.get_or_insert_default())
    }

    fn has_form(&self) -> bool {
        let media = self.head().content_type().unwrap_or("").split(';').next().unwrap_or("").trim();
        matches!(self.method(), "POST" | "PUT" | "PATCH")
            && media.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Body;

    fn request(target: &str) -> Request {
        Request::parse(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap()
    }

    #[tokio::test]
    async fn a_form_whose_body_is_malformed_is_not_a_form_without_it() {
        let head = "POST /?role=admin HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let mut request = Request::parse(format!("{head}Content-Length: 3\r\n\r\n%zz").as_bytes()).unwrap();
        assert!(matches!(request.form().await, Err(FormReadError::Form(_))));
        assert!(matches!(request.form().await, Err(FormReadError::Form(_))), "as often as one asks");
        assert_eq!(request.form_value("role").await, None);
        let (form, error) = request.form_lossy().await.unwrap();
        assert_eq!((form.get("role"), error), (Some("admin"), Some(FormError::Escape { at: 0 })));
    }

    #[tokio::test]
    async fn a_form_whose_body_cannot_be_read_is_not_a_form_without_it() {
        let head = "POST /?role=admin HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let mut request = Request::parse(format!("{head}\r\na=1").as_bytes()).unwrap();
        *request.body_mut() = Body::from(vec![b'x'; usize::try_from(FORM).unwrap() + 1]);
        assert_eq!(request.form().await.unwrap_err().status(), 413);
        assert!(matches!(request.form().await, Err(FormReadError::Begun)));
        assert!(matches!(request.form_lossy().await, Err(FormReadError::Begun)));
        assert_eq!(request.form_value("role").await, None);
    }

    #[tokio::test]
    async fn a_malformed_escape_in_the_query_loses_its_pair_only_and_the_form_says_so() {
        for target in ["/?q=100%&page=2", "/?page=2&q=%zz", "/?a=1;b=2&page=2", "/?%ff&page=2"] {
            let mut request = request(target);
            assert_eq!(request.form().await.unwrap_err().status(), 400, "{target}");
            assert_eq!(request.form_value("page").await, Some("2"), "{target}");
            assert_eq!(request.form_value("q").await, None);
            assert_eq!(request.form_value("b").await, None);
            let (form, error) = request.form_lossy().await.unwrap();
            assert_eq!((form.iter().collect::<Vec<_>>(), error.is_some()), (vec![("page", "2")], true), "{target}");
        }
    }

    #[tokio::test]
    async fn a_form_is_of_the_body_and_of_the_query_and_the_body_goes_first() {
        let urlencoded = "application/x-www-form-urlencoded";
        for (method, content_type, expected) in [
            ("POST", urlencoded, &[("a", "body"), ("b", "é"), ("a", "query")][..]),
            ("PUT", "Application/X-WWW-Form-URLencoded ; charset=utf-8", &[("a", "body"), ("b", "é"), ("a", "query")]),
            ("PATCH", urlencoded, &[("a", "body"), ("b", "é"), ("a", "query")]),
            ("DELETE", urlencoded, &[("a", "query")]),
            ("GET", urlencoded, &[("a", "query")]),
            ("POST", "text/plain", &[("a", "query")]),
            ("POST", "application/x-www-form-urlencodedx", &[("a", "query")]),
        ] {
            let head = format!("{method} /?a=query HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n\r\n");
            let mut request = Request::parse(format!("{head}a=body&b=%C3%A9").as_bytes()).unwrap();
            assert_eq!(request.form().await.unwrap().iter().collect::<Vec<_>>(), expected, "{method} {content_type}");
            assert_eq!(request.form_value("a").await, Some(expected[0].1));
            assert_eq!(request.form_value("none").await, None);
        }
    }
}
