//! The hosts that may be asked for on one TLS connection.

use std::{fmt, sync::Arc};

use crate::contain::contain;

/// The hosts whose requests a TLS connection may carry, where the configuration was chosen by the client's server name.
///
/// A client that said one name in its handshake and asks for another in a request (`Host`, `:authority`) would have
/// the other's pages under this one's rules: without a client certificate, say, where the other demands one. A server
/// answers such a request 421 (Misdirected Request), and the client repeats it on a connection of its own. The host is
/// compared without port, and without regard to case.
///
/// # Spec
/// RFC 9110 §7.4 and §15.5.20. nginx compares the names, too, where it verifies clients.
#[doc(alias = "421")]
#[doc(alias = "misdirected request")]
#[derive(Clone)]
pub struct HostScope {
    server_name: Option<Box<str>>,
    same_configuration: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl HostScope {
    /// A scope of the name that the client said, and of every other host for which `same_configuration` says that the
    /// handshake would have gone the same way. It is given the host in small letters.
    pub fn new(server_name: Option<&str>, same_configuration: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { server_name: server_name.map(Box::from), same_configuration: Arc::new(same_configuration) }
    }

    /// Whether a request for `host`, without port, may be answered on this connection. If the function that compares the
    /// configurations panics, no: a client that may not see a page does not see it then either.
    pub fn covers(&self, host: &str) -> bool {
        // A name with a dot at its end is the same name.
        let host = host.strip_suffix('.').unwrap_or(host);
        self.server_name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(host))
            || contain(|| (self.same_configuration)(&host.to_ascii_lowercase())).unwrap_or(false)
    }
}

/// The same scope, not one that covers the same hosts.
impl PartialEq for HostScope {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.same_configuration, &other.same_configuration)
    }
}

impl Eq for HostScope {}

impl fmt::Debug for HostScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostScope").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_its_name_and_the_hosts_of_the_same_configuration() {
        let scope = HostScope::new(Some("a.example"), |host| host == "b.example");
        for (host, covered) in [
            ("a.example", true),
            ("A.Example.", true),
            ("b.example", true),
            ("B.EXAMPLE", true),
            ("c.example", false),
            ("a.example:443", false),
            ("", false),
        ] {
            assert_eq!(scope.covers(host), covered, "{host}");
        }
        assert!(scope == scope.clone() && scope != HostScope::new(Some("a.example"), |_| true));
    }

    #[test]
    fn a_comparison_that_panics_covers_nothing_but_the_name_itself() {
        let scope = HostScope::new(Some("a.example"), |_| panic!("a name that the function does not expect"));
        assert!(scope.covers("a.example") && !scope.covers("b.example"));
    }

    #[test]
    fn a_client_without_a_server_name_has_the_hosts_of_its_configuration() {
        let scope = HostScope::new(None, |host| host == "192.0.2.1");
        assert!(scope.covers("192.0.2.1") && !scope.covers("a.example"));
    }
}
