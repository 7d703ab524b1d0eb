//! The rules of cross-origin resource sharing (CORS): which pages of other sites may read a reply.
//!
//! A browser lets a page of one origin send some requests to another, and keeps the replies from the page unless they say
//! that it may read them. For a request that a form could not send (`DELETE`, JSON, a header of one's own) the browser first
//! asks by an `OPTIONS` request, the *preflight*. The Fetch Standard (§3.2, "CORS protocol") has the browser's side.

use std::{collections::BTreeSet, fmt, time::Duration};

use crate::{OriginError, cross_origin::read_origin};

/// Methods that a page may always use (Fetch Standard §2.2.1).
const SAFELISTED_METHODS: [&str; 3] = ["GET", "HEAD", "POST"];

/// The rules by which pages of other origins may read replies.
///
/// They protect the user's data from other sites, not the server from requests: [`CrossOrigin`](crate::CrossOrigin) does
/// that. Without these rules no page of another origin can read a reply.
///
/// | request | reply |
/// |---|---|
/// | without `Origin`, or of a page that is not allowed | the handler's, without fields but `Vary: Origin` |
/// | of an allowed page | the handler's, with the page's origin as `Access-Control-Allow-Origin`, and `Vary: Origin` |
/// | any, if any page is allowed | the handler's, with `Access-Control-Allow-Origin: *`, also without `Origin`: a cache may keep it for a page |
/// | a preflight that is allowed | 204 with the methods and fields that are allowed |
/// | any other preflight | 403 with the reason; the browser then does not send the request |
///
/// # Example
/// ```
/// use quintet_mux::{Cors, CorsRequest, CorsReply};
///
/// let rules = Cors::of_origins(["https://app.example"])?
///     .with_methods(["PUT", "DELETE"])?
///     .with_headers(["content-type", "authorization"])?
///     .with_credentials()?;
/// let asked = CorsRequest {
///     method: "OPTIONS",
///     origin: Some("https://app.example"),
///     asked_method: Some("DELETE"),
///     ..CorsRequest::default()
/// };
/// assert!(matches!(rules.check(&asked), CorsReply::Preflight(_)));
/// let other = CorsRequest { origin: Some("https://evil.example"), ..asked };
/// assert!(matches!(rules.check(&other), CorsReply::Refused { .. }));
/// # Ok::<(), quintet_mux::CorsError>(())
/// ```
///
/// # Spec
/// Fetch Standard §3.2.2–3.2.5, §4.8. Private networks: the draft "Private Network Access" §3.1.
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Origins,
    methods: BTreeSet<Box<str>>,
    headers: BTreeSet<Box<str>>,
    exposed: BTreeSet<Box<str>>,
    has_credentials: bool,
    has_private_network: bool,
    max_age: Option<Duration>,
}

#[derive(Clone, Debug)]
enum Origins {
    Any,
    List(BTreeSet<Box<str>>),
}

/// The parts of a request that [`Cors::check`] reads.
///
/// Written with `..CorsRequest::default()`: a new field is no breaking change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CorsRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The value of the only `Origin` field.
    pub origin: Option<&'a str>,
    /// The value of `Access-Control-Request-Method`, which makes an `OPTIONS` request a preflight.
    pub asked_method: Option<&'a str>,
    /// The value of `Access-Control-Request-Headers`: names, separated by commas.
    pub asked_headers: Option<&'a str>,
    /// Whether `Access-Control-Request-Private-Network` is `true`: a public page asks for a server in a private network.
    pub asks_private_network: bool,
}

/// What [`Cors::check`] decides about a request. Fields are names in lower case, and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsReply {
    /// Not a preflight: the handler answers it, and these fields are added to its reply.
    Handled(Vec<(&'static str, String)>),
    /// A preflight that is allowed: 204 with these fields.
    Preflight(Vec<(&'static str, String)>),
    /// A preflight that is not allowed: 403 with the reason and these fields.
    Refused {
        /// The reason.
        reason: CorsRefusal,
        /// The fields.
        fields: Vec<(&'static str, String)>,
    },
}

impl Cors {
    /// Pages of any origin may read replies, without credentials: for public data.
    #[must_use]
    pub fn any_origin() -> Self {
        Self::new(Origins::Any)
    }

    /// Pages of these origins, `scheme://host[:port]`, may read replies.
    ///
    /// # Errors
    /// [`CorsError::Origin`] if a text is not of that form and so could never match; `null` is none, because any page can
    /// have it, and there are no wildcards.
    pub fn of_origins<'o>(origins: impl IntoIterator<Item = &'o str>) -> Result<Self, CorsError> {
        let mut list = BTreeSet::new();
        for origin in origins {
            let stored = read_origin(origin)?;
            // A host may have an asterisk by the grammar, but here it would be meant as a wildcard, and match nothing.
            if stored.contains('*') {
                return Err(OriginError::Host.into());
            }
            list.insert(stored);
        }
        Ok(Self::new(Origins::List(list)))
    }

    fn new(origins: Origins) -> Self {
        let (methods, headers, exposed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        Self { origins, methods, headers, exposed, has_credentials: false, has_private_network: false, max_age: None }
    }

    /// Allows these methods, beside GET, HEAD and POST, which need no permission. They are compared with case.
    ///
    /// # Errors
    /// [`CorsError::Method`] if one is not a token, or is `*`: methods are always named.
    pub fn with_methods<'m>(mut self, methods: impl IntoIterator<Item = &'m str>) -> Result<Self, CorsError> {
        for method in methods {
            if !is_name(method) {
                return Err(CorsError::Method);
            }
            self.methods.insert(method.into());
        }
        Ok(self)
    }

    /// Allows requests with these fields, in any case, beside those that need no permission.
    ///
    /// # Errors
    /// [`CorsError::Header`] if one is not a token, or is `*`: fields are always named.
    pub fn with_headers<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Result<Self, CorsError> {
        add_names(&mut self.headers, names)?;
        Ok(self)
    }

    /// Shows these fields of replies to pages, beside those that need no permission.
    ///
    /// # Errors
    /// As [`with_headers`](Self::with_headers).
    pub fn with_exposed_headers<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Result<Self, CorsError> {
        add_names(&mut self.exposed, names)?;
        Ok(self)
    }

    /// Lets pages read replies to requests with the user's cookies or other credentials.
    ///
    /// # Errors
    /// [`CorsError::AnyOrigin`] if any page is allowed: each page on the web could read the user's data.
    pub fn with_credentials(mut self) -> Result<Self, CorsError> {
        if matches!(self.origins, Origins::Any) {
            return Err(CorsError::AnyOrigin);
        }
        self.has_credentials = true;
        Ok(self)
    }

    /// Lets public pages reach this server in a private network.
    #[must_use]
    pub fn with_private_network(mut self) -> Self {
        self.has_private_network = true;
        self
    }

    /// How long a browser may remember a preflight: in whole seconds, rounded down. By itself it remembers one for 5
    /// seconds; Chromium for at most 2 hours and Firefox for 24.
    #[must_use]
    pub fn with_max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Decides about a request.
    #[must_use]
    pub fn check(&self, request: &CorsRequest<'_>) -> CorsReply {
        let mut fields = self.origin_fields(request.origin);
        let is_preflight = request.method == "OPTIONS" && request.origin.is_some();
        let Some(method) = request.asked_method.filter(|_| is_preflight) else {
            if is_allowed(&fields) && !self.exposed.is_empty() {
                fields.push(("access-control-expose-headers", list(&self.exposed)));
            }
            return CorsReply::Handled(fields);
        };
        if let Err(reason) = self.permit(request, method, is_allowed(&fields)) {
            fields.retain(|(name, _)| *name == "vary");
            return CorsReply::Refused { reason, fields };
        }
        if !SAFELISTED_METHODS.contains(&method) {
            fields.push(("access-control-allow-methods", list(&self.methods)));
        }
        if request.asked_headers.is_some() && !self.headers.is_empty() {
            fields.push(("access-control-allow-headers", list(&self.headers)));
        }
        if request.asks_private_network {
            fields.push(("access-control-allow-private-network", "true".into()));
        }
        if let Some(age) = self.max_age {
            fields.push(("access-control-max-age", age.as_secs().to_string()));
        }
        CorsReply::Preflight(fields)
    }

    /// The fields that follow from the origin alone.
    fn origin_fields(&self, origin: Option<&str>) -> Vec<(&'static str, String)> {
        let allowed = |value: &str| ("access-control-allow-origin", value.to_owned());
        match (&self.origins, origin) {
            // Also for a request without an origin, such as that of an image: a browser takes its reply out of the cache when a
            // script asks for it, and could not give it to the script (Fetch Standard, "CORS protocol and HTTP caches").
            (Origins::Any, _) => vec![allowed("*")],
            (Origins::List(list), origin) => {
                // Also for a request without an origin: a cache must not give its reply to a page.
                let mut fields = vec![("vary", "Origin".to_owned())];
                if let Some(origin) = origin.filter(|origin| list.contains(*origin)) {
                    fields.push(allowed(origin));
                    fields
                        .extend(self.has_credentials.then(|| ("access-control-allow-credentials", "true".to_owned())));
                }
                fields
            }
        }
    }

    /// Whether a preflight is allowed.
    fn permit(&self, request: &CorsRequest<'_>, method: &str, is_allowed: bool) -> Result<(), CorsRefusal> {
        if !is_allowed {
            return Err(CorsRefusal::Origin);
        }
        if !SAFELISTED_METHODS.contains(&method) && !self.methods.contains(method) {
            return Err(CorsRefusal::Method);
        }
        let names = request.asked_headers.unwrap_or("").split(',').map(|name| name.trim_matches([' ', '\t']));
        for name in names.filter(|name| !name.is_empty()) {
            if !self.headers.contains(&*name.to_ascii_lowercase()) {
                return Err(CorsRefusal::Header);
            }
        }
        if request.asks_private_network && !self.has_private_network {
            return Err(CorsRefusal::PrivateNetwork);
        }
        Ok(())
    }
}

fn is_allowed(fields: &[(&'static str, String)]) -> bool {
    fields.iter().any(|(name, _)| *name == "access-control-allow-origin")
}

fn list(names: &BTreeSet<Box<str>>) -> String {
    names.iter().map(|name| &**name).collect::<Vec<_>>().join(", ")
}

fn add_names<'n>(set: &mut BTreeSet<Box<str>>, names: impl IntoIterator<Item = &'n str>) -> Result<(), CorsError> {
    for name in names {
        if !is_name(name) {
            return Err(CorsError::Header);
        }
        set.insert(name.to_ascii_lowercase().into());
    }
    Ok(())
}

/// Whether a text is a token (RFC 9110 §5.6.2), and not the wildcard.
fn is_name(text: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text != "*" && text.bytes().all(token)
}

/// The reason why a preflight was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorsRefusal {
    /// The origin is not allowed.
    #[error("cross-origin request refused: the origin is not allowed")]
    Origin,
    /// The method is not allowed.
    #[error("cross-origin request refused: the method is not allowed")]
    Method,
    /// A field is not allowed.
    #[error("cross-origin request refused: a header field is not allowed")]
    Header,
    /// A public page asks for a server in a private network.
    #[error("cross-origin request refused: public pages are not allowed")]
    PrivateNetwork,
}

/// The reason why rules cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorsError {
    /// A text is not an origin.
    #[error("the origin is malformed")]
    Origin(#[from] OriginError),
    /// A text is not the name of a method.
    #[error("a method is a token, and not *")]
    Method,
    /// A text is not the name of a field.
    #[error("the name of a header field is a token, and not *")]
    Header,
    /// Credentials for pages of any origin.
    #[error("credentials need a list of origins")]
    AnyOrigin,
}

/// Its text and its causes, which is what a `main` that returns it prints.
impl fmt::Debug for CorsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(cause) => write!(f, "{self}: {cause}"),
            Self::Method | Self::Header | Self::AnyOrigin => fmt::Display::fmt(self, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "https://app.example";

    fn strict() -> Cors {
        let rules = Cors::of_origins([PAGE, "https://Other.example:443"]).unwrap();
        let rules = rules.with_methods(["PUT", "DELETE"]).unwrap().with_headers(["Content-Type", "x-own"]).unwrap();
        rules.with_exposed_headers(["ETag"]).unwrap().with_credentials().unwrap().with_max_age(Duration::from_secs(600))
    }

    fn public() -> Cors {
        Cors::any_origin().with_methods(["PUT"]).unwrap().with_exposed_headers(["ETag"]).unwrap()
    }

    fn shown(reply: CorsReply) -> String {
        let (kind, fields) = match reply {
            CorsReply::Handled(fields) => ("handled".to_owned(), fields),
            CorsReply::Preflight(fields) => ("204".to_owned(), fields),
            CorsReply::Refused { reason, fields } => (format!("{reason:?}"), fields),
        };
        let fields = fields
            .iter()
            .map(|(name, value)| format!(" {}={value}", name.strip_prefix("access-control-").unwrap_or(name)));
        kind + &fields.collect::<String>()
    }

    /// The rows are those of the Fetch Standard: §3.2.2 (requests), §3.2.3 (replies), §3.2.5 (credentials and `*`), §3.2.6 (caches), §4.8
    /// (the preflight). A method is compared with case, a field without.
    #[test]
    fn cors_follows_the_table_of_the_fetch_standard() {
        let request = CorsRequest { method: "GET", ..CorsRequest::default() };
        let page = CorsRequest { origin: Some(PAGE), ..request };
        let preflight = CorsRequest { method: "OPTIONS", asked_method: Some("PUT"), ..page };
        for (request, of_strict, of_public) in [
            (request, "handled vary=Origin", "handled allow-origin=* expose-headers=etag"),
            (
                page,
                "handled vary=Origin allow-origin=https://app.example allow-credentials=true expose-headers=etag",
                "handled allow-origin=* expose-headers=etag",
            ),
            (
                CorsRequest { origin: Some("https://other.example"), ..page },
                "handled vary=Origin allow-origin=https://other.example allow-credentials=true expose-headers=etag",
                "handled allow-origin=* expose-headers=etag",
            ),
            (
                CorsRequest { origin: Some("https://evil.example"), ..page },
                "handled vary=Origin",
                "handled allow-origin=* expose-headers=etag",
            ),
            (
                CorsRequest { origin: Some("null"), ..page },
                "handled vary=Origin",
                "handled allow-origin=* expose-headers=etag",
            ),
            (
                CorsRequest { origin: Some("http://app.example"), ..page },
                "handled vary=Origin",
                "handled allow-origin=* expose-headers=etag",
            ),
            (
                CorsRequest { origin: Some("https://app.example.evil"), ..page },
                "handled vary=Origin",
                "handled allow-origin=* expose-headers=etag",
            ),
            (
                preflight,
                "204 vary=Origin allow-origin=https://app.example allow-credentials=true allow-methods=DELETE, PUT max-age=600",
                "204 allow-origin=* allow-methods=PUT",
            ),
            (
                CorsRequest { asked_method: Some("POST"), asked_headers: Some("X-Own,content-type"), ..preflight },
                "204 vary=Origin allow-origin=https://app.example allow-credentials=true \
                 allow-headers=content-type, x-own max-age=600",
                "Header",
            ),
            (
                CorsRequest { asked_headers: Some(""), ..preflight },
                "204 vary=Origin allow-origin=https://app.example allow-credentials=true allow-methods=DELETE, PUT \
                 allow-headers=content-type, x-own max-age=600",
                "204 allow-origin=* allow-methods=PUT",
            ),
            (CorsRequest { asked_headers: Some("x-own, authorization"), ..preflight }, "Header vary=Origin", "Header"),
            (CorsRequest { asked_headers: Some("*"), ..preflight }, "Header vary=Origin", "Header"),
            (CorsRequest { asked_method: Some("put"), ..preflight }, "Method vary=Origin", "Method"),
            (CorsRequest { asked_method: Some("*"), ..preflight }, "Method vary=Origin", "Method"),
            (CorsRequest { asked_method: Some(""), ..preflight }, "Method vary=Origin", "Method"),
            (
                CorsRequest { origin: Some("https://evil.example"), ..preflight },
                "Origin vary=Origin",
                "204 allow-origin=* allow-methods=PUT",
            ),
            (CorsRequest { asks_private_network: true, ..preflight }, "PrivateNetwork vary=Origin", "PrivateNetwork"),
            // Not preflights: the handler's own OPTIONS, and a request without a page.
            (
                CorsRequest { asked_method: None, ..preflight },
                "handled vary=Origin allow-origin=https://app.example allow-credentials=true expose-headers=etag",
                "handled allow-origin=* expose-headers=etag",
            ),
            (
                CorsRequest { origin: None, ..preflight },
                "handled vary=Origin",
                "handled allow-origin=* expose-headers=etag",
            ),
            (
                CorsRequest { method: "GET", ..preflight },
                "handled vary=Origin allow-origin=https://app.example allow-credentials=true expose-headers=etag",
                "handled allow-origin=* expose-headers=etag",
            ),
        ] {
            assert_eq!(shown(strict().check(&request)), of_strict, "{request:?}");
            assert_eq!(shown(public().check(&request)), of_public, "{request:?}");
        }
    }

    #[test]
    fn cors_answers_private_networks_only_if_asked_and_allowed() {
        let rules = strict().with_private_network();
        let preflight =
            CorsRequest { method: "OPTIONS", origin: Some(PAGE), asked_method: Some("GET"), ..CorsRequest::default() };
        assert!(!shown(rules.check(&preflight)).contains("private"));
        let asked = CorsRequest { asks_private_network: true, ..preflight };
        assert!(shown(rules.check(&asked)).contains("allow-private-network=true"));
    }

    #[test]
    fn cors_rules_that_are_unsafe_or_malformed_are_refused() {
        let list = || Cors::of_origins([PAGE]).unwrap();
        for (made, error) in [
            (Cors::any_origin().with_credentials(), CorsError::AnyOrigin),
            (list().with_methods(["PUT", "*"]), CorsError::Method),
            (list().with_methods(["A B"]), CorsError::Method),
            (list().with_methods([""]), CorsError::Method),
            (list().with_headers(["*"]), CorsError::Header),
            (list().with_headers(["a: b"]), CorsError::Header),
            (list().with_exposed_headers(["*"]), CorsError::Header),
            (list().with_exposed_headers(["a\r\nb"]), CorsError::Header),
            (Cors::of_origins(["*"]), CorsError::Origin(OriginError::Scheme)),
            (Cors::of_origins(["null"]), CorsError::Origin(OriginError::Scheme)),
            (Cors::of_origins(["https://*.example"]), CorsError::Origin(OriginError::Host)),
            (Cors::of_origins(["https://a.example/"]), CorsError::Origin(OriginError::Path)),
        ] {
            assert_eq!(made.unwrap_err(), error);
        }
        let error = CorsError::Origin(OriginError::Path);
        assert_eq!(format!("{error:?}"), "the origin is malformed: an origin has no path, query or fragment");
    }

    /// Never `*` with credentials, and never an origin that is not in the list.
    #[test]
    fn no_cors_reply_has_a_wildcard_with_credentials() {
        for origin in [None, Some(PAGE), Some("*"), Some("null"), Some("https://evil.example")] {
            for (method, asked_method) in [("GET", None), ("OPTIONS", Some("PUT")), ("OPTIONS", Some("GET"))] {
                let request = CorsRequest { method, origin, asked_method, ..CorsRequest::default() };
                for rules in [strict(), public()] {
                    let shown = shown(rules.check(&request));
                    assert!(!(shown.contains("credentials") && shown.contains('*')), "{shown}");
                }
            }
        }
    }
}
