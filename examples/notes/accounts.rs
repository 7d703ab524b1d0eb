//! Who is signed in: a name, in a signed cookie, for all who know the password.

use std::{sync::Arc, time::Duration};

use cookie::{Cookie, CookieJar, Key, SameSite, time};
use quintet_server::{
    Handler, IntoResponse, Request, Response, StatusCode,
    http::header::SET_COOKIE,
    mux::{HttpError, Json, OrStatus, Secret},
    with_state,
};
use serde::{Deserialize, Serialize};

use super::{App, notes::check, now};

const COOKIE: &str = "session";
/// How long a session lasts. The example `sessions` also renews them, and a sign-out there ends them everywhere.
const LASTS: Duration = Duration::from_secs(12 * 60 * 60);

/// What proves who a client is.
pub(crate) struct Accounts {
    password: Secret,
    /// Signs the cookies. It is made at the start, so a restart ends all sessions; a file would keep them.
    key: Key,
}

/// Who is signed in, for the handlers.
#[derive(Clone, Serialize)]
pub(crate) struct User {
    pub(crate) name: String,
}

#[derive(Deserialize)]
struct SignIn {
    name: String,
    password: String,
}

impl Accounts {
    pub(crate) fn new(password: &str) -> Self {
        Self { password: Secret::new(password), key: Key::generate() }
    }

    /// The user of a request: this server has signed the cookie, and its time is not over.
    fn user(&self, request: &Request) -> Option<User> {
        let mut jar = CookieJar::new();
        let sent = request.cookies().get(COOKIE)?;
        jar.add_original(Cookie::parse_encoded(format!("{COOKIE}={sent}")).ok()?);
        let cookie = jar.signed(&self.key).get(COOKIE)?;
        let (ends, name) = cookie.value().split_once(' ')?;
        (now().as_secs() < ends.parse().ok()?).then(|| User { name: name.to_owned() })
    }
}

/// Gives the requests of users to `handler`, which finds the [`User`] as their extension.
pub(crate) fn only_users(app: Arc<App>, handler: impl Handler) -> impl Handler {
    with_state((app, Arc::new(handler)), async |(app, handler), mut request| {
        let user = app.accounts.user(&request).or_status(StatusCode::FORBIDDEN, "sign in first")?;
        request.set_extension(user);
        Ok::<_, HttpError>(handler.call(request).await)
    })
}

/// The user that is signed in.
pub(crate) async fn who(request: Request) -> Result<Json<User>, HttpError> {
    Ok(Json(request.extension::<User>().cloned().or_status(StatusCode::FORBIDDEN, "sign in first")?))
}

pub(crate) async fn sign_in(app: Arc<App>, mut request: Request) -> Result<Response, HttpError> {
    let SignIn { name, password } = request.json(1024).await?;
    check("name", &name, 1..=20)?;
    if !app.accounts.password.is(&password) {
        return Err(HttpError::new(StatusCode::FORBIDDEN, "password: this is another one"));
    }
    let ends = (now() + LASTS).as_secs();
    let mut jar = CookieJar::new();
    jar.signed_mut(&app.accounts.key).add((COOKIE, format!("{ends} {}", name.trim())));
    let value = jar.get(COOKIE).map(|signed| signed.value().to_owned()).unwrap_or_default();
    Ok(with_cookie(Json(User { name }), value, LASTS, &request))
}

pub(crate) async fn sign_out(request: Request) -> Response {
    with_cookie(StatusCode::NO_CONTENT, String::new(), Duration::ZERO, &request)
}

/// Sets the cookie. No script can read it, and no other site can make a browser send it.
fn with_cookie(reply: impl IntoResponse, value: String, lasts: Duration, request: &Request) -> Response {
    let cookie = Cookie::build((COOKIE, value)).path("/").http_only(true).same_site(SameSite::Strict);
    let cookie = cookie.secure(request.scheme() == "https").max_age(time::Duration::seconds(lasts.as_secs() as i64));
    reply.into_response().with_header(SET_COOKIE, cookie.build().encoded().to_string())
}

/// A password that cannot be guessed.
pub(crate) fn random_password() -> String {
    Key::generate().signing()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
