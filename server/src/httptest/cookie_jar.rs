//! The cookies of a test client.

use std::time::SystemTime;

use quintet_request::SetCookie;
use tokio::time::Instant;

/// The cookies of a test client, which speaks to one host. Go: `net/http/cookiejar`.
///
/// A cookie that a browser would drop is a mistake of the program under test: it panics.
#[derive(Debug, Default)]
pub(super) struct CookieJar(Vec<Kept>);

#[derive(Debug)]
struct Kept {
    cookie: SetCookie,
    /// The host and the path of the request whose reply set it.
    host: String,
    path: String,
    /// By the runtime's clock, so that a cookie expires in a test with paused time.
    until: Option<Instant>,
}

impl CookieJar {
    /// Keeps the cookies that a reply sets to a request for this host and target.
    ///
    /// # Panics
    /// If a browser would drop one: its `Domain` is another's, or it is `Secure` and the connection is not.
    pub(super) fn set(&mut self, cookies: Vec<SetCookie>, host: &str, target: &str, scheme: &str) {
        let (host, path) = (name_of(host), path_of(target));
        for cookie in cookies {
            assert!(cookie.domain_matches(host, host), "{host} sets a cookie of another domain: {cookie:?}");
            assert!(!cookie.is_secure() || scheme == "https", "a secure cookie is set without TLS: {cookie:?}");
            let lifetime = cookie.lifetime(SystemTime::now());
            let kept = Kept {
                cookie,
                host: host.to_owned(),
                path: path.to_owned(),
                until: lifetime.and_then(|lifetime| Instant::now().checked_add(lifetime)),
            };
            self.0.retain(|other| other.id() != kept.id());
            if lifetime.is_none_or(|lifetime| !lifetime.is_zero()) {
                self.0.push(kept);
            }
        }
    }

    /// The value of `Cookie` for a request for this host and target; `None` if no cookie is for it. Cookies of longer paths
    /// come first, as in browsers (RFC 6265bis §5.8.3).
    pub(super) fn value(&mut self, host: &str, target: &str) -> Option<String> {
        let now = Instant::now();
        self.0.retain(|kept| kept.until.is_none_or(|until| now < until));
        let (host, path) = (name_of(host), path_of(target));
        let mut kept: Vec<_> = self.0.iter().filter(|kept| kept.is_for(host, path)).collect();
        kept.sort_by_key(|kept| std::cmp::Reverse(kept.id().1.len()));
        let pairs: Vec<_> = kept.into_iter().map(|kept| pair(&kept.cookie)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

impl Kept {
    /// What makes it another cookie than one of the same host: its name, its path, and whether it has a domain.
    fn id(&self) -> (&str, &str, bool) {
        let has_domain = self.cookie.domain_matches(&self.host, &format!("x.{}", self.host));
        (self.cookie.name(), self.cookie.effective_path(&self.path), has_domain)
    }

    fn is_for(&self, host: &str, path: &str) -> bool {
        self.cookie.path_matches(&self.path, path) && self.cookie.domain_matches(&self.host, host)
    }
}

/// A cookie as a client sends it: as it was set, without its attributes.
fn pair(cookie: &SetCookie) -> String {
    let set = cookie.encode().expect("it was read, so it can be written");
    set.to_str().map_or("", |set| set.split(';').next().unwrap_or_default()).to_owned()
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The path of a target.
fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn jar(cookies: &[&str]) -> CookieJar {
        let mut jar = CookieJar::default();
        set(&mut jar, cookies);
        jar
    }

    fn set(jar: &mut CookieJar, cookies: &[&str]) {
        let cookies = cookies.iter().map(|cookie| SetCookie::parse(cookie.as_bytes()).unwrap()).collect();
        jar.set(cookies, "example.com:80", "/a/b?q=/c/d", "https");
    }

    #[tokio::test(start_paused = true)]
    async fn cookies_are_sent_for_their_path_and_host() {
        let mut jar = jar(&["root=1; Path=/", "own=2", "deep=\"3 4\"; Path=/a/b", "dom=5; Path=/; Domain=example.com"]);
        for (host, target, value) in [
            ("example.com", "/", Some("root=1; dom=5")),
            ("EXAMPLE.com:8080", "/a/x?q", Some("own=2; root=1; dom=5")),
            ("example.com", "/a/b", Some("deep=\"3 4\"; own=2; root=1; dom=5")),
            ("www.example.com", "/a/b", Some("dom=5")),
            ("example.org", "/a/b", None),
        ] {
            assert_eq!(jar.value(host, target).as_deref(), value, "{host}{target}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cookie_is_replaced_deleted_and_expires() {
        let mut jar = jar(&["a=1; Path=/", "b=2; Path=/; Max-Age=60", "a=other; Path=/a"]);
        set(&mut jar, &["a=3; Path=/"]);
        assert_eq!(jar.value("example.com", "/").as_deref(), Some("b=2; a=3"));
        set(&mut jar, &["a=; Path=/; Max-Age=0"]);
        assert_eq!(jar.value("example.com", "/").as_deref(), Some("b=2"));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(jar.value("example.com", "/"), None);
        assert_eq!(jar.value("example.com", "/a").as_deref(), Some("a=other"));
        set(&mut jar, &["a=gone; Path=/a; Expires=Sun, 06 Nov 1994 08:49:37 GMT"]);
        assert_eq!(jar.value("example.com", "/a"), None);
    }

    #[test]
    #[should_panic(expected = "a cookie of another domain")]
    fn a_cookie_of_another_domain_is_a_mistake() {
        jar(&["a=1; Domain=example.org"]);
    }

    #[test]
    #[should_panic(expected = "a secure cookie is set without TLS")]
    fn a_secure_cookie_without_tls_is_a_mistake() {
        let cookie = SetCookie::parse(b"a=1; Secure").unwrap();
        CookieJar::default().set(vec![cookie], "example.com", "/", "http");
    }
}
