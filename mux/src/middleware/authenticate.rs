//! Authentication of requests: `Authorization: Basic` and `Bearer`.

use std::future::Future;

use http::{HeaderValue, StatusCode, header};
use quintet_request::{BasicAuth, Request, bearer_token};

use super::error;
use crate::{Handler, Response};

/// Asks for a user and a password, and calls `handler` for requests that `check` accepts.
///
/// `check` gets the credentials and returns what inner handlers are told: a value that they find by
/// [`Request::extension`], such as the user. `None` refuses. Any other request is answered by 401 with
/// `WWW-Authenticate: Basic`, at which a browser asks its user. `realm` says what for; a browser shows it.
///
/// Compare in constant time: [`Secret`](crate::Secret) does. Use it over TLS only, because the password is sent with each
/// request as it is.
///
/// # Example
/// ```
/// use quintet_mux::{Handler, Secret, basic_auth};
/// use quintet_request::{BasicAuth, Request};
///
/// #[derive(Clone)]
/// struct User(String);
///
/// let password = Secret::new("open sesame");
/// let check = move |auth: BasicAuth| {
///     let is_known = password.is(&auth.password) && auth.user == "Aladdin";
///     std::future::ready(is_known.then_some(User(auth.user)))
/// };
/// let handler = basic_auth("the cave", check, async |request: Request| {
///     format!("hello {}\n", request.extension::<User>().unwrap().0)
/// });
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let head = "GET / HTTP/1.1\r\nHost: a\r\n";
/// let reply = handler.call(Request::parse(format!("{head}\r\n").as_bytes()).unwrap()).await;
/// assert_eq!(reply.header("www-authenticate").unwrap(), "Basic realm=\"the cave\", charset=\"UTF-8\"");
///
/// let with = format!("{head}Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
/// let mut reply = handler.call(Request::parse(with.as_bytes()).unwrap()).await;
/// assert_eq!(reply.take_body().to_bytes(100).await.unwrap(), "hello Aladdin\n");
/// # });
/// ```
///
/// # Spec
/// RFC 7617; RFC 9110 §11.6.
#[doc(alias = "middleware")]
#[doc(alias = "password")]
#[must_use]
pub fn basic_auth<F, Fut, T>(realm: &str, check: F, handler: impl Handler) -> impl Handler
where
    F: Fn(BasicAuth) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Option<T>> + Send,
    T: Clone + Send + Sync + 'static,
{
    let challenge = format!("Basic realm=\"{}\", charset=\"UTF-8\"", quoted(realm));
    Authenticated { challenge, invalid: "", read: BasicAuth::parse, check, handler }
}

/// Asks for a bearer token, and calls `handler` for requests whose token `check` accepts.
///
/// `check` gets the token and returns what inner handlers are told, as in [`basic_auth`]. Any other request is answered by
/// 401 with `WWW-Authenticate: Bearer`, and with `error="invalid_token"` if there is a token.
///
/// # Example
/// ```
/// use quintet_mux::{Handler, Secret, bearer};
/// use quintet_request::Request;
///
/// let key = Secret::new("mF_9.B5f-4.1JqM");
/// let check = move |token: String| std::future::ready(key.is(token).then_some(()));
/// let handler = bearer("the API", check, async |_: Request| "welcome\n");
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// for (token, status) in [("mF_9.B5f-4.1JqM", 200), ("other", 401)] {
///     let head = format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
///     assert_eq!(handler.call(Request::parse(head.as_bytes()).unwrap()).await.status(), status);
/// }
/// # });
/// ```
///
/// # Spec
/// RFC 6750 §2.1, §3. A token in a form or in the query is not read.
#[doc(alias = "middleware")]
#[doc(alias = "API key")]
#[doc(alias = "JWT")]
#[must_use]
pub fn bearer<F, Fut, T>(realm: &str, check: F, handler: impl Handler) -> impl Handler
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Option<T>> + Send,
    T: Clone + Send + Sync + 'static,
{
    let read = |value: &[u8]| bearer_token(value).map(str::to_owned);
    let challenge = format!("Bearer realm=\"{}\"", quoted(realm));
    Authenticated { challenge, invalid: ", error=\"invalid_token\"", read, check, handler }
}

struct Authenticated<R, F, H> {
    challenge: String,
    /// What is added to the challenge after credentials that were refused.
    invalid: &'static str,
    /// Reads the value of an `Authorization` field.
    read: R,
    check: F,
    handler: H,
}

impl<R, F, H> Authenticated<R, F, H> {
    /// The credentials of a request that has one `Authorization` field. Of two, another server might take the other one.
    fn credentials<C>(&self, request: &Request) -> Option<C>
    where
        R: Fn(&[u8]) -> Option<C>,
    {
        let mut values = request.headers_named("authorization");
        let credentials = (self.read)(values.next()?)?;
        if values.next().is_some() { None } else { Some(credentials) }
    }

    fn unauthorized(&self, invalid: &str) -> Response {
        let reply = error("401 Unauthorized", StatusCode::UNAUTHORIZED);
        let challenge = HeaderValue::try_from(format!("{}{invalid}", self.challenge));
        reply.with_header(header::WWW_AUTHENTICATE, challenge.expect("the text of a realm is escaped"))
    }
}

impl<R, C, F, Fut, T, H> Handler for Authenticated<R, F, H>
where
    R: Fn(&[u8]) -> Option<C> + Send + Sync + 'static,
    C: Send + 'static,
    F: Fn(C) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Option<T>> + Send,
    T: Clone + Send + Sync + 'static,
    H: Handler,
{
    async fn call(&self, mut request: Request) -> Response {
        let Some(credentials) = self.credentials(&request) else { return self.unauthorized("") };
        let Some(value) = (self.check)(credentials).await else { return self.unauthorized(self.invalid) };
        request.set_extension(value);
        self.handler.call(request).await
    }
}

/// The text as it stands between quotes (RFC 9110 §5.6.4). Controls, which no field can have, become blanks.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted
}
