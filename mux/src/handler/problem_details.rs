//! Problem details: an error as JSON (RFC 9457).

use std::{
    borrow::Cow,
    fmt::{self, Write},
};

use http::StatusCode;

use super::{into_response::IntoResponse, response::Response};

/// An error as JSON, `application/problem+json`: a title, the status, and what is known about this occurrence.
///
/// As a reply it has the status of the problem. [`problem_details`](crate::problem_details) makes one of each error reply of
/// a handler.
///
/// # Example
/// ```
/// use http::StatusCode;
/// use quintet_mux::{IntoResponse, ProblemDetails};
///
/// let problem = ProblemDetails::new(StatusCode::FORBIDDEN)
///     .with_type("https://a.example/problems/no-credit")
///     .with_title("You do not have enough credit.")
///     .with_detail("Your balance is 30, and that costs 50.");
/// assert_eq!(
///     problem.to_string(),
///     r#"{"type":"https://a.example/problems/no-credit","title":"You do not have enough credit.","status":403,"#.to_owned()
///         + r#""detail":"Your balance is 30, and that costs 50."}"#
/// );
/// let reply = problem.into_response();
/// assert_eq!(reply.status(), 403);
/// assert_eq!(reply.header("content-type").unwrap(), "application/problem+json");
/// ```
///
/// # Spec
/// RFC 9457 §3. A problem without a type is of the type `about:blank`, whose title is that of the status (§4.2.1).
#[doc(alias = "RFC 7807")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ProblemDetails {
    kind: Option<Cow<'static, str>>,
    title: Option<Cow<'static, str>>,
    status: StatusCode,
    detail: Option<Cow<'static, str>>,
    instance: Option<Cow<'static, str>>,
    /// Further members: the name, and the value as JSON.
    members: Vec<(Cow<'static, str>, String)>,
}

impl ProblemDetails {
    /// A problem of the type `about:blank`: no more is known than the status, whose text is the title.
    pub fn new(status: StatusCode) -> Self {
        Self { kind: None, title: None, status, detail: None, instance: None, members: Vec::new() }
    }

    /// Sets the type: a URI that names this kind of problem, and should lead to a text about it.
    pub fn with_type(mut self, uri: impl Into<Cow<'static, str>>) -> Self {
        self.kind = Some(uri.into());
        self
    }

    /// Sets the title: a text that is the same for each problem of this type.
    pub fn with_title(mut self, title: impl Into<Cow<'static, str>>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Sets the detail: a text about this occurrence, which helps the client to correct it.
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets the instance: a URI reference that names this occurrence.
    pub fn with_instance(mut self, uri: impl Into<Cow<'static, str>>) -> Self {
        self.instance = Some(uri.into());
        self
    }

    /// Adds a member of one's own (RFC 9457 §3.2), after the others. Its name should be letters, digits and `_`, and none of
    /// the five of the RFC.
    ///
    /// # Errors
    /// [`serde_json::Error`] if the value cannot be written as JSON.
    #[cfg(feature = "json")]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    pub fn with_member(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: &impl serde::Serialize,
    ) -> Result<Self, serde_json::Error> {
        self.members.push((name.into(), serde_json::to_string(value)?));
        Ok(self)
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The title: the one that was set, else that of the status.
    pub fn title(&self) -> &str {
        self.title.as_deref().or(self.status.canonical_reason()).unwrap_or("Error")
    }

    /// The detail.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

/// The JSON.
impl fmt::Display for ProblemDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        if let Some(kind) = &self.kind {
            write!(f, "\"type\":{},", JsonText(kind))?;
        }
        write!(f, "\"title\":{},\"status\":{}", JsonText(self.title()), self.status.as_u16())?;
        for (name, value) in [("detail", &self.detail), ("instance", &self.instance)] {
            if let Some(value) = value {
                write!(f, ",\"{name}\":{}", JsonText(value))?;
            }
        }
        for (name, value) in &self.members {
            write!(f, ",{}:{value}", JsonText(name))?;
        }
        f.write_char('}')
    }
}

impl IntoResponse for ProblemDetails {
    fn into_response(self) -> Response {
        Response::new(self.to_string()).with_status(self.status).with_known_type("application/problem+json")
    }
}

/// A text as JSON, with quotes around it. What is markup in HTML is escaped, too, as in Go, so that no browser that guesses
/// the type finds a script.
struct JsonText<'a>(&'a str);

impl fmt::Display for JsonText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\0'..='\u{1f}' | '\u{7f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    write!(f, "\\u{:04x}", u32::from(c))?;
                }
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(problem: &ProblemDetails) -> Value {
        serde_json::from_str(&problem.to_string()).unwrap()
    }

    #[test]
    fn a_problem_has_the_members_of_rfc_9457_that_are_known() {
        let blank = ProblemDetails::new(StatusCode::NOT_FOUND);
        assert_eq!(blank.to_string(), r#"{"title":"Not Found","status":404}"#);
        let unknown = ProblemDetails::new(StatusCode::from_u16(599).unwrap());
        assert_eq!(read(&unknown), json!({"title": "Error", "status": 599}));
        let all = blank.with_type("urn:a").with_title("t").with_detail("d").with_instance("/x");
        assert_eq!(read(&all), json!({"type": "urn:a", "title": "t", "status": 404, "detail": "d", "instance": "/x"}));
        #[cfg(feature = "json")]
        {
            let more = all.with_member("errors", &["a", "b"]).unwrap().with_member("n", &7).unwrap();
            assert_eq!((&read(&more)["errors"], &read(&more)["n"]), (&json!(["a", "b"]), &json!(7)));
        }
    }

    #[test]
    fn a_problem_has_no_markup_in_its_text() {
        let problem = ProblemDetails::new(StatusCode::BAD_REQUEST).with_detail("<script>&\u{2028}\u{7f}\r\n\"\\");
        let text = problem.to_string();
        assert!(text.ends_with(r#""detail":"\u003cscript\u003e\u0026\u2028\u007f\r\n\"\\"}"#), "{text}");
    }

    proptest! {
        #[test]
        fn any_text_of_a_problem_is_read_again(text in any::<String>()) {
            let problem = ProblemDetails::new(StatusCode::CONFLICT).with_detail(text.clone()).with_type(text.clone());
            prop_assert_eq!(read(&problem), json!({"type": text, "title": "Conflict", "status": 409, "detail": text}));
        }
    }
}
