//! Who may look at the live figure.

use quintet_listener::Addr;
use quintet_request::{HeadRef, Request, Version};

/// The fields by which a proxy says that it stands between.
const PROXY_FIELDS: [&str; 3] = ["forwarded", "via", "x-real-ip"];
/// How the names of others begin.
const PROXY_PREFIX: &str = "x-forwarded";

/// Why a request may not see the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoVisitor {
    /// The peer is another machine, or it has no address (a Unix socket, or a request that came by no server).
    #[error("the peer is not on the loopback interface")]
    Peer,
    /// The host of the request is a name. By a name that leads to 127.0.0.1 a foreign page could read the figure in a
    /// browser of this machine (DNS rebinding).
    #[error("the host is neither localhost nor a loopback address")]
    Host,
    /// A proxy stands between, so that the loopback peer may be anybody.
    #[error("a proxy sent the request on")]
    Proxy,
    /// No browser asks in HTTP/1.0. nginx does unless it is told otherwise, with `Host: localhost` and no field of a proxy.
    #[error("the request is of HTTP/1.0, as of a proxy")]
    Http10,
}

/// Checks that a request comes from this machine itself.
///
/// # Errors
/// The first reason why not.
pub(super) fn check_local(request: &Request) -> Result<(), NoVisitor> {
    // Both, where a PROXY header told of another one: the proxy and the client behind it.
    let connection = request.connection().ok_or(NoVisitor::Peer)?;
    check([connection.socket_peer_addr(), connection.peer_addr()], request.head())
}

fn check(peers: [&Addr; 2], head: HeadRef<'_>) -> Result<(), NoVisitor> {
    if !peers.into_iter().all(|peer| peer.ip().is_some_and(|ip| ip.to_canonical().is_loopback())) {
        return Err(NoVisitor::Peer);
    }
    if !head.host().is_some_and(is_local) {
        return Err(NoVisitor::Host);
    }
    if head.version() == Version::Http10 {
        return Err(NoVisitor::Http10);
    }
    let is_proxy = |name: &str| {
        PROXY_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field))
            || name.get(..PROXY_PREFIX.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(PROXY_PREFIX))
    };
    if head.headers().any(|(name, _)| is_proxy(name)) {
        return Err(NoVisitor::Proxy);
    }
    Ok(())
}

/// Whether a host, with or without a port, is `localhost` or a literal address of the loopback interface.
fn is_local(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (host, ""),
    };
    if !port.bytes().all(|digit| digit.is_ascii_digit()) {
        return false;
    }
    let address = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(v6) => v6.parse().map(std::net::IpAddr::V6).ok(),
        None => name.parse().map(std::net::IpAddr::V4).ok(),
    };
    match address {
        Some(address) => address.to_canonical().is_loopback(),
        None => name.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use quintet_request::{Index, Limits};

    use super::*;

    fn checked(peers: [&str; 2], host: &str, fields: &str) -> Result<(), NoVisitor> {
        checked_version("1.1", peers, host, fields)
    }

    fn checked_version(version: &str, peers: [&str; 2], host: &str, fields: &str) -> Result<(), NoVisitor> {
        let bytes = format!("GET /live/ HTTP/{version}\r\nHost: {host}\r\n{fields}\r\n").into_bytes();
        let mut index = Index::default();
        index.parse(&bytes, &Limits::default()).unwrap().unwrap();
        let [socket, peer] = peers.map(|peer| peer.parse().unwrap());
        check([&socket, &peer], HeadRef::new(&bytes, &index))
    }

    const LOCAL: &str = "127.0.0.1:50000";

    #[test]
    fn a_visitor_of_the_figure_has_a_loopback_peer() {
        for (peer, expected) in [
            (LOCAL, Ok(())),
            ("127.9.8.7:1", Ok(())),
            ("[::1]:1", Ok(())),
            ("[::ffff:127.0.0.1]:1", Ok(())),
            ("192.0.2.1:1", Err(NoVisitor::Peer)),
            ("10.0.0.1:1", Err(NoVisitor::Peer)),
            ("0.0.0.0:1", Err(NoVisitor::Peer)),
            ("[::2]:1", Err(NoVisitor::Peer)),
            ("[fe80::1]:1", Err(NoVisitor::Peer)),
            ("unix:/run/proxy.sock", Err(NoVisitor::Peer)),
        ] {
            assert_eq!(checked([peer, peer], "localhost", ""), expected, "{peer}");
            // By a PROXY header: the socket's peer, and the client of whom it told.
            assert_eq!(checked([LOCAL, peer], "localhost", ""), expected, "{peer}");
            assert_eq!(checked([peer, LOCAL], "localhost", ""), expected, "{peer}");
        }
    }

    #[test]
    fn a_visitor_of_the_figure_asks_for_localhost() {
        for host in ["localhost", "LocalHost:9090", "127.0.0.1", "127.0.0.1:9090", "127.1.2.3", "[::1]", "[::1]:9090"] {
            assert_eq!(checked([LOCAL; 2], host, ""), Ok(()), "{host}");
        }
        for host in [
            "",
            "a.example",
            "a.example:9090",
            "localhost.a.example",
            "127.0.0.1.a.example",
            "192.0.2.1",
            "0.0.0.0",
            "[::]",
            "[::1].a.example",
            "127.1",
            "2130706433",
        ] {
            assert!(!is_local(host), "{host}");
        }
        for host in ["a.example", "localhost.a.example", "192.0.2.1:9090"] {
            assert_eq!(checked([LOCAL; 2], host, ""), Err(NoVisitor::Host), "{host}");
        }
    }

    #[test]
    fn a_visitor_of_the_figure_comes_by_no_proxy() {
        for field in [
            "Forwarded: for=192.0.2.1",
            "X-Forwarded-For: 127.0.0.1",
            "x-forwarded-proto: https",
            "X-Forwarded-Anything:",
            "X-Forwarded: for=192.0.2.1",
            "Via: 1.1 proxy",
            "X-Real-IP: 127.0.0.1",
        ] {
            assert_eq!(checked([LOCAL; 2], "localhost", &format!("{field}\r\n")), Err(NoVisitor::Proxy), "{field}");
        }
        for field in ["X-Forward: 1", "User-Agent: a", "X-Via: 1", "Accept: */*"] {
            assert_eq!(checked([LOCAL; 2], "localhost", &format!("{field}\r\n")), Ok(()), "{field}");
        }
    }

    #[test]
    fn a_visitor_of_the_figure_does_not_ask_in_http_1_0() {
        // What nginx sends for `proxy_pass http://localhost:9090;` and nothing else.
        let checked = |version| checked_version(version, [LOCAL; 2], "localhost:9090", "Connection: close\r\n");
        assert_eq!((checked("1.1"), checked("1.0")), (Ok(()), Err(NoVisitor::Http10)));
    }
}
