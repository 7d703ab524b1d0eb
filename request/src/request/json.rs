//! The methods of a request that read a value of a type: from JSON, from the query, and from a form.

use serde::de::DeserializeOwned;

use super::{form_read_error::FormReadError, request::Request};
use crate::{JsonError, QueryError, form_decode::decode, json::check_json, parse_json};

impl Request {
    /// The body as JSON, if it has at most `limit` bytes. Go: `json.NewDecoder(http.MaxBytesReader(w, r.Body,
    /// limit)).Decode(&value)`.
    ///
    /// The content type is `application/json`, or one that ends in `+json`; a charset other than UTF-8 and a content coding
    /// are refused. [`parse_json`] has the rules of the text. A value may take many times the memory of its text (a
    /// `Value` some twenty times), so the limit should be no higher than needed.
    ///
    /// # Example
    /// ```
    /// use quintet_request::{Body, JsonError, Request};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Note {
    ///     text: String,
    ///     tags: Vec<String>,
    /// }
    ///
    /// async fn add(mut request: Request) -> Result<String, JsonError> {
    ///     let note: Note = request.json(64 * 1024).await?;
    ///     Ok(format!("{} with {} tags\n", note.text, note.tags.len()))
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let post = |json: &'static str| {
    ///     let posted = http::Request::post("/notes").header("content-type", "application/json");
    ///     Request::try_from(posted.body(Body::from(json)).unwrap()).unwrap()
    /// };
    /// assert_eq!(add(post(r#"{"text": "milk", "tags": []}"#)).await?, "milk with 0 tags\n");
    ///
    /// let error = add(post(r#"{"text": "milk", "tags": [1]}"#)).await.unwrap_err();
    /// assert_eq!((error.status().as_u16(), &*error.to_string()), (422, "tags[0]: expected a string"));
    /// let error = add(post(r#"{"text": }"#)).await.unwrap_err();
    /// assert_eq!(error.to_string(), "json is malformed at line 1 column 10: expected value");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`JsonError`]: 415 for another type, charset or coding, 413 for more than `limit` bytes, 400 for an empty body and
    /// for what is not JSON, with line and column, 422 for JSON of another shape, with the path of the field.
    ///
    /// # Cancel safety
    /// Not cancel safe: the body is lost, and the next call returns [`JsonError::Empty`].
    #[doc(alias = "extractor")]
    #[doc(alias = "Unmarshal")]
    pub async fn json<T: DeserializeOwned>(&mut self, limit: u64) -> Result<T, JsonError> {
        check_json(self.head())?;
        let bytes = self.to_bytes(limit).await?;
        parse_json(&bytes)
    }

    /// The pairs of the query as a value of a type, by the rules of [`Form::decode`](crate::Form::decode).
    ///
    /// # Example
    /// ```
    /// use quintet_request::Request;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Page {
    ///     #[serde(default)]
    ///     offset: usize,
    ///     sort: Option<String>,
    /// }
    ///
    /// let request = Request::parse(b"GET /notes?offset=20 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// let page: Page = request.query_as().unwrap();
    /// assert_eq!((page.offset, page.sort), (20, None));
    ///
    /// let request = Request::parse(b"GET /notes?offset=-1 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// assert_eq!(request.query_as::<Page>().err().unwrap().to_string(), "query: offset: expected a number");
    /// ```
    ///
    /// # Errors
    /// [`QueryError`] (400): the query has a malformed pair, or is not a value of the type.
    #[doc(alias = "query string")]
    #[doc(alias = "query parameter")]
    #[doc(alias = "extractor")]
    pub fn query_as<T: DeserializeOwned>(&self) -> Result<T, QueryError> {
        self.query_form()?; // malformed pairs, and more than are allowed
        Ok(decode(self.query().unwrap_or("").as_bytes())?)
    }

    /// The pairs of an urlencoded body as a value of a type, by the rules of [`Form::decode`](crate::Form::decode). Those
    /// of the query are left out. `limit` is the most bytes of the body, and [stays](Self::set_form_limit) the limit of the
    /// form. A form that was read already is taken as it is.
    ///
    /// # Example
    /// ```
    /// use quintet_request::{Body, FormReadError, Request};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Login {
    ///     user: String,
    ///     #[serde(default)]
    ///     remember: bool, // a checkbox
    /// }
    ///
    /// async fn login(mut request: Request) -> Result<String, FormReadError> {
    ///     let login: Login = request.form_as(4096).await?;
    ///     Ok(format!("{} {}", login.user, login.remember))
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let posted = http::Request::post("/login")
    ///     .header("content-type", "application/x-www-form-urlencoded")
    ///     .body(Body::from("user=ann&remember=on"))?;
    /// assert_eq!(login(posted.try_into()?).await?, "ann true");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`FormReadError`]: 415 if the body is no urlencoded form of a POST, PUT or PATCH, or is coded, 413 for more than
    /// `limit` bytes, 400 for a malformed pair, 422 if the form is not a value of the type.
    ///
    /// # Cancel safety
    /// As [`form`](Self::form).
    #[doc(alias = "extractor")]
    pub async fn form_as<T: DeserializeOwned>(&mut self, limit: u64) -> Result<T, FormReadError> {
        if !self.has_form() {
            return Err(FormReadError::NotForm);
        }
        self.set_form_limit(limit);
        Ok(self.post_form().await?.decode()?)
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
