//! Changes of a request's head, which a handler makes for an inner handler.
//!
//! A change writes the whole head again, and the parser reads it. So the parser's rules hold, every reader of a head
//! sees the change (the mux, the accessors, a bridge to tower), and a request that is not changed costs nothing.

use super::{change_error::ChangeError, request::Request};
use crate::{Head, HeadRef, TargetForm, byte, head::authority::Authority};

/// The fields that decide the framing and the connection, and `Host`, in lower case.
const FRAMING_FIELDS: [&str; 7] =
    ["connection", "content-length", "expect", "host", "trailer", "transfer-encoding", "upgrade"];

/// Changes of the head for an inner handler. Each costs about as much as parsing the head. [`target`](Self::target)
/// stays what the client sent. The reply is framed for the request that the client sent: a `HEAD` changed into a `GET`
/// still has a reply without a body.
impl Request {
    /// Replaces the method for the handlers and routers that follow. Go: `r2.Method = …` on a copy.
    ///
    /// ```
    /// use quintet_request::{ChangeError, Request};
    ///
    /// // A form in a browser can only GET and POST.
    /// let mut request = Request::parse(b"POST /a?_method=DELETE HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// if let Some(method) = request.query_value("_method") {
    ///     request.set_method(&method)?;
    /// }
    /// assert_eq!(request.method(), "DELETE");
    /// assert_eq!(request.set_method("A B"), Err(ChangeError::Method));
    /// # Ok::<(), ChangeError>(())
    /// ```
    ///
    /// # Errors
    /// [`ChangeError::Method`]; [`ChangeError::Head`] for a method that the target has no form for, such as `CONNECT`.
    #[doc(alias = "method override")]
    pub fn set_method(&mut self, method: &str) -> Result<(), ChangeError> {
        if !byte::is_token(method.as_bytes()) {
            return Err(ChangeError::Method);
        }
        let head = self.head();
        *self.head_mut() = Head::written(head, method, head.target().raw(), head.headers())?;
        Ok(())
    }

    /// Replaces the host for the handlers and routers that follow, and the `Host` field with it. Go: `r2.Host = …`.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let mut request = Request::parse(b"GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// request.set_host("b.example:8080")?;
    /// assert_eq!((request.host(), request.header("host")), (Some("b.example:8080"), Some("b.example:8080")));
    /// assert_eq!((request.path(), request.target().raw()), ("/x", "http://a/x"));
    /// # Ok::<(), quintet_request::ChangeError>(())
    /// ```
    ///
    /// # Errors
    /// [`ChangeError::Host`]; [`ChangeError::Head`] if the target of a `CONNECT` names another host.
    pub fn set_host(&mut self, host: &str) -> Result<(), ChangeError> {
        if Authority::read(host.as_bytes()).is_none() {
            return Err(ChangeError::Host);
        }
        let head = self.head();
        let target = head.target();
        let fields = replaced(head, "Host", Some(host.as_bytes()));
        if target.form() != TargetForm::Absolute {
            *self.head_mut() = self.with_fields(fields)?;
            return Ok(());
        }
        // An absolute target names its host. The head gets the origin form of the target, and the request keeps the
        // target that the client sent.
        let origin = match target.query() {
            Some(query) => format!("{}?{query}", target.path()),
            None => target.path().to_owned(),
        };
        let changed = Head::written(head, head.method(), &origin, fields)?;
        let sent = target.raw().into();
        self.rare_mut().sent_target = Some(sent);
        *self.head_mut() = changed;
        Ok(())
    }

    /// Replaces every field of this name by one with this value, at the place of the first one; without any, the field
    /// is added at the end. Go: `Header.Set`.
    ///
    /// ```
    /// use quintet_request::{ChangeError, Request};
    ///
    /// let mut request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nX-User: root\r\n\r\n").unwrap();
    /// request.set_header("X-User", "ann")?; // what the client says of itself does not count
    /// assert_eq!(request.headers_named("x-user").collect::<Vec<_>>(), [b"ann"]);
    /// assert_eq!(request.set_header("X-User", "a\r\nX-Admin: 1"), Err(ChangeError::FieldValue));
    /// assert_eq!(request.set_header("Content-Length", "0"), Err(ChangeError::Framing));
    /// # Ok::<(), ChangeError>(())
    /// ```
    ///
    /// # Errors
    /// [`ChangeError::FieldName`], [`ChangeError::FieldValue`]; [`ChangeError::Framing`] for a field that steers the
    /// connection.
    pub fn set_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), ChangeError> {
        check_field(name, value.as_ref())?;
        *self.head_mut() = self.with_fields(replaced(self.head(), name, Some(value.as_ref())))?;
        Ok(())
    }

    /// Adds a field at the end. Go: `Header.Add`.
    ///
    /// ```
    /// use quintet_request::{ChangeError, Request};
    ///
    /// let mut request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 b\r\n\r\n").unwrap();
    /// request.append_header("Via", "1.1 c")?;
    /// assert_eq!(request.headers_named("via").collect::<Vec<_>>(), [b"1.1 b", b"1.1 c"]);
    /// # Ok::<(), ChangeError>(())
    /// ```
    ///
    /// # Errors
    /// As [`set_header`](Self::set_header).
    pub fn append_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), ChangeError> {
        check_field(name, value.as_ref())?;
        *self.head_mut() = self.with_fields(self.headers().chain([(name, value.as_ref())]))?;
        Ok(())
    }

    /// Removes every field of this name; returns whether there was one. Go: `Header.Del`.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let mut request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nX-User: root\r\n\r\n").unwrap();
    /// assert!(request.remove_header("x-user")?);
    /// assert_eq!(request.header("x-user"), None);
    /// # Ok::<(), quintet_request::ChangeError>(())
    /// ```
    ///
    /// # Errors
    /// [`ChangeError::FieldName`]; [`ChangeError::Framing`] for a field that steers the connection, even if the head
    /// does not have it.
    pub fn remove_header(&mut self, name: &str) -> Result<bool, ChangeError> {
        check_field(name, b"")?;
        if self.header_bytes(name).is_none() {
            return Ok(false);
        }
        *self.head_mut() = self.with_fields(replaced(self.head(), name, None))?;
        Ok(true)
    }

    /// Keeps the fields for which `keep` is true, and removes the others, all in one change; returns whether any was removed.
    /// The fields that steer the connection, and `Host`, stay; `keep` is not asked for them.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let mut request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-B: 2\r\nVia: 1.1 c\r\n\r\n").unwrap();
    /// assert!(request.retain_headers(|name, _| !name.to_ascii_lowercase().starts_with("x-"))?);
    /// assert_eq!(request.headers().map(|(name, _)| name).collect::<Vec<_>>(), ["Host", "Via"]);
    /// # Ok::<(), quintet_request::ChangeError>(())
    /// ```
    ///
    /// # Errors
    /// [`ChangeError::Head`], which does not happen for a head that was parsed: what is left of it can be parsed.
    pub fn retain_headers(&mut self, mut keep: impl FnMut(&str, &[u8]) -> bool) -> Result<bool, ChangeError> {
        let mut is_kept = |name: &str, value: &[u8]| is_framing(name) || keep(name, value);
        let fields: Vec<_> = self.headers().filter(|(name, value)| is_kept(name, value)).collect();
        if fields.len() == self.headers().len() {
            return Ok(false);
        }
        *self.head_mut() = self.with_fields(fields)?;
        Ok(true)
    }

    /// The head with these fields in place of its own.
    fn with_fields<'f>(&'f self, fields: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> Result<Head, ChangeError> {
        let head = self.head();
        Ok(Head::written(head, head.method(), head.target().raw(), fields)?)
    }
}

/// The fields of a head with those of one name replaced, at the place of the first, or removed.
fn replaced<'f>(head: HeadRef<'f>, name: &'f str, value: Option<&'f [u8]>) -> Vec<(&'f str, &'f [u8])> {
    let mut new = value.map(|value| (name, value));
    let mut fields = Vec::with_capacity(head.headers().len() + 1);
    for field in head {
        match field.0.eq_ignore_ascii_case(name) {
            true => fields.extend(new.take()),
            false => fields.push(field),
        }
    }
    fields.extend(new);
    fields
}

fn is_framing(name: &str) -> bool {
    FRAMING_FIELDS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Checks name and value before they are written into a head, so that neither can end its line or begin another field.
fn check_field(name: &str, value: &[u8]) -> Result<(), ChangeError> {
    if !byte::is_token(name.as_bytes()) {
        return Err(ChangeError::FieldName);
    }
    if is_framing(name) {
        return Err(ChangeError::Framing);
    }
    if byte::all(value, byte::VALUE) { Ok(()) } else { Err(ChangeError::FieldValue) }
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
