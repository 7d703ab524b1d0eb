//! An address to listen on, written as Go writes it: `:9090`, `127.0.0.1:0`, `localhost:80`, `[::1]:80`; and `unix:/path`,
//! `fd:name`.

use std::{
    convert::Infallible,
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use super::{Addr, UnixName};

/// The longest name of an inherited socket, in bytes.
const MAX_FD_NAME: usize = 255;

/// An address to listen on, not yet resolved and not yet bound.
///
/// ```
/// # use quintet_listener::Endpoint;
/// assert_eq!(":9090".parse(), Ok(Endpoint::Any { port: 9090 }));
/// assert_eq!("unix:/run/app.sock".parse::<Endpoint>().unwrap().to_string(), "unix:/run/app.sock");
/// ```
///
/// # Spec
/// Go: `net.Listen`, `net.SplitHostPort`. Unlike Go, `0.0.0.0:80` is IPv4 alone, an empty port is refused (write
/// `:0` for any free one), and only `http` and `https` are known as names of ports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `:9090`: every address of this machine, IPv6 and IPv4 in one socket where the system can.
    Any {
        /// 0 takes a free one.
        port: u16,
    },
    /// `127.0.0.1:9090`, `[::1]:9090`.
    Ip(SocketAddr),
    /// `localhost:9090`: resolved when it is bound.
    Host {
        /// Letters, digits, `.`, `-` and `_`, or an IPv6 address with the name of its interface (`fe80::1%eth0`).
        name: String,
        /// 0 takes a free one.
        port: u16,
    },
    /// `unix:/run/app.sock`, or `unix:@name` without a file (Linux).
    Unix(UnixName),
    /// `fd:http`: a socket that listens already, given to this process under that name by the one that started it
    /// (systemd's `FileDescriptorName=`). A host that is named `fd` is written `fd.:80`.
    #[doc(alias = "socket activation")]
    Inherited(String),
}

/// Why a text is not an [`Endpoint`]. The offsets are bytes of that text.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// No colon after the host, or nothing behind it.
    #[error("missing port: write host:port, or :port for every address")]
    NoPort,
    /// Not 0 to 65535, `http` or `https`.
    #[error("port at byte {at} is not a number from 0 to 65535")]
    Port {
        /// Where the port begins.
        at: usize,
    },
    /// `::1:80`.
    #[error("too many colons at byte {at}: write an IPv6 address in brackets, [::1]:80")]
    Colons {
        /// The first colon too many.
        at: usize,
    },
    /// `[::1`, `[::1]80`, `[localhost]:80`.
    #[error("brackets must enclose an IPv6 address and be followed by a colon and a port")]
    Brackets,
    /// A byte that no host name has.
    #[error("host name is not valid at byte {at}")]
    Host {
        /// The first byte that is not.
        at: usize,
    },
    /// `unix:` alone, or a NUL in the path.
    #[error("unix: must be followed by a path without NUL")]
    Unix,
    /// `fd:` without a name of at most 255 printable ASCII characters that has no colon.
    #[error("fd: must be followed by a name; it is not valid at byte {at}")]
    Inherited {
        /// The first byte that is not.
        at: usize,
    },
}

/// Its text, which is what a `main` that returns it prints.
impl fmt::Debug for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// # Errors
    /// [`EndpointError`] says what is wrong and, where that helps, at which byte.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if let Some(name) = text.strip_prefix("unix:") {
            return match UnixName::parse(name) {
                UnixName::Unnamed => Err(EndpointError::Unix),
                UnixName::Path(_) if name.contains('\0') => Err(EndpointError::Unix),
                name => Ok(Self::Unix(name)),
            };
        }
        if let Some(name) = text.strip_prefix("fd:") {
            return inherited(name);
        }
        if let Some(rest) = text.strip_prefix('[') {
            return bracketed(rest);
        }
        let colon = text.find(':').ok_or(EndpointError::NoPort)?;
        let (host, port) = (&text[..colon], &text[colon + 1..]);
        if let Some(second) = port.find(':') {
            return Err(EndpointError::Colons { at: colon + 1 + second });
        }
        let port = parse_port(port, colon + 1)?;
        if host.is_empty() {
            return Ok(Self::Any { port });
        }
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(Self::Ip(SocketAddr::new(ip, port)));
        }
        match host.bytes().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))) {
            Some(at) => Err(EndpointError::Host { at }),
            None => Ok(Self::Host { name: host.to_owned(), port }),
        }
    }
}

/// What follows `fd:`, as systemd has it: systemd.socket(5), `FileDescriptorName=`.
fn inherited(name: &str) -> Result<Endpoint, EndpointError> {
    let wrong = name.bytes().position(|b| !(b.is_ascii_graphic() || b == b' ') || b == b':');
    let wrong = wrong.or((name.len() > MAX_FD_NAME).then_some(MAX_FD_NAME)).or(name.is_empty().then_some(0));
    match wrong {
        Some(at) => Err(EndpointError::Inherited { at: "fd:".len() + at }),
        None => Ok(Endpoint::Inherited(name.to_owned())),
    }
}

/// What follows the opening bracket.
fn bracketed(rest: &str) -> Result<Endpoint, EndpointError> {
    let (host, after) = rest.split_once(']').ok_or(EndpointError::Brackets)?;
    let port = match after.strip_prefix(':') {
        Some(port) => parse_port(port, host.len() + 3)?,
        None if after.is_empty() => return Err(EndpointError::NoPort),
        None => return Err(EndpointError::Brackets),
    };
    // With its own parser, because a scope (`%2`) belongs to the socket address and not to the IP address.
    if let Ok(addr) = format!("[{host}]:{port}").parse() {
        return Ok(Endpoint::Ip(SocketAddr::V6(addr)));
    }
    let (ip, zone) = host.split_once('%').ok_or(EndpointError::Brackets)?;
    let zone_is_a_name =
        !zone.is_empty() && zone.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    match ip.parse::<std::net::Ipv6Addr>() {
        Ok(_) if zone_is_a_name => Ok(Endpoint::Host { name: host.to_owned(), port }),
        _ => Err(EndpointError::Brackets),
    }
}

fn parse_port(port: &str, at: usize) -> Result<u16, EndpointError> {
    match port {
        "" => Err(EndpointError::NoPort),
        "http" => Ok(80),
        "https" => Ok(443),
        // Rust would read +80.
        _ if !port.bytes().all(|b| b.is_ascii_digit()) => Err(EndpointError::Port { at }),
        _ => port.parse().map_err(|_| EndpointError::Port { at }),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any { port } => write!(f, ":{port}"),
            Self::Ip(addr) => addr.fmt(f),
            Self::Host { name, port } if name.contains(':') => write!(f, "[{name}]:{port}"),
            Self::Host { name, port } => write!(f, "{name}:{port}"),
            Self::Unix(name) => name.fmt(f),
            Self::Inherited(name) => write!(f, "fd:{name}"),
        }
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &str) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl TryFrom<&String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        Self::Ip(addr)
    }
}

/// The address at which a listener is bound, to bind it again.
impl From<Addr> for Endpoint {
    fn from(addr: Addr) -> Self {
        match addr {
            Addr::Tcp(addr) => Self::Ip(addr),
            Addr::Unix(name) => Self::Unix(name),
        }
    }
}

impl From<Infallible> for EndpointError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> Endpoint {
        Endpoint::Ip(text.parse().unwrap())
    }

    fn host(name: &str, port: u16) -> Endpoint {
        Endpoint::Host { name: name.to_owned(), port }
    }

    #[test]
    fn what_go_understands_is_understood() {
        let table = [
            (":9090", Endpoint::Any { port: 9090 }),
            (":0", Endpoint::Any { port: 0 }),
            (":http", Endpoint::Any { port: 80 }),
            ("localhost:https", host("localhost", 443)),
            ("127.0.0.1:0", ip("127.0.0.1:0")),
            ("0.0.0.0:80", ip("0.0.0.0:80")),
            ("[::1]:80", ip("[::1]:80")),
            ("[::]:65535", ip("[::]:65535")),
            ("[fe80::1%2]:80", ip("[fe80::1%2]:80")),
            ("[fe80::1%eth0]:80", host("fe80::1%eth0", 80)),
            ("localhost:80", host("localhost", 80)),
            ("my_host-1.example.:080", host("my_host-1.example.", 80)),
            ("unix:/run/a.sock", Endpoint::Unix(UnixName::Path("/run/a.sock".into()))),
            ("unix:a.sock", Endpoint::Unix(UnixName::Path("a.sock".into()))),
            ("unix:@app", Endpoint::Unix(UnixName::Abstract(b"app".to_vec()))),
            ("fd:http", Endpoint::Inherited("http".to_owned())),
            ("fd:quintet.socket", Endpoint::Inherited("quintet.socket".to_owned())),
            ("fd.:80", host("fd.", 80)),
        ];
        for (text, endpoint) in table {
            assert_eq!(text.parse(), Ok(endpoint), "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let table = [
            ("", EndpointError::NoPort),
            ("localhost", EndpointError::NoPort),
            ("localhost:", EndpointError::NoPort),
            (":", EndpointError::NoPort),
            ("[::1]", EndpointError::NoPort),
            ("[::1]:", EndpointError::NoPort),
            (":65536", EndpointError::Port { at: 1 }),
            (":+80", EndpointError::Port { at: 1 }),
            (":-1", EndpointError::Port { at: 1 }),
            ("a:80 ", EndpointError::Port { at: 2 }),
            ("[::1]:http2", EndpointError::Port { at: 6 }),
            ("::1:80", EndpointError::Colons { at: 1 }),
            ("a:1:2", EndpointError::Colons { at: 3 }),
            ("http://a:80", EndpointError::Colons { at: 8 }),
            ("[::1", EndpointError::Brackets),
            ("[::1]80", EndpointError::Brackets),
            ("[localhost]:80", EndpointError::Brackets),
            ("[127.0.0.1]:80", EndpointError::Brackets),
            ("[]:80", EndpointError::Brackets),
            ("[fe80::1%]:80", EndpointError::Brackets),
            ("[fe80::1%a b]:80", EndpointError::Brackets),
            ("a b:80", EndpointError::Host { at: 1 }),
            ("/run/a.sock:80", EndpointError::Host { at: 0 }),
            ("bücher:80", EndpointError::Host { at: 1 }),
            ("unix:", EndpointError::Unix),
            ("unix:/a\0b", EndpointError::Unix),
            ("fd:", EndpointError::Inherited { at: 3 }),
            ("fd:a:80", EndpointError::Inherited { at: 4 }),
            ("fd:é", EndpointError::Inherited { at: 3 }),
            ("fd:a\nb", EndpointError::Inherited { at: 4 }),
        ];
        for (text, error) in table {
            assert_eq!(text.parse::<Endpoint>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn an_error_says_what_to_write_instead() {
        let error = "::1:80".parse::<Endpoint>().unwrap_err();
        assert_eq!(error.to_string(), "too many colons at byte 1: write an IPv6 address in brackets, [::1]:80");
    }

    fn endpoints() -> impl Strategy<Value = Endpoint> {
        prop_oneof![
            any::<u16>().prop_map(|port| Endpoint::Any { port }),
            any::<(IpAddr, u16)>().prop_map(|(ip, port)| Endpoint::Ip(SocketAddr::new(ip, port))),
            ("[a-z][a-z0-9._-]{2,30}", any::<u16>()).prop_map(|(name, port)| Endpoint::Host { name, port }),
            "[ -9;-~]{1,255}".prop_map(Endpoint::Inherited),
            "/\\P{Cc}{0,40}".prop_map(|path| Endpoint::Unix(UnixName::Path(path.into()))),
            "\\P{Cc}{0,40}".prop_map(|name| Endpoint::Unix(UnixName::Abstract(name.into()))),
        ]
    }

    proptest! {
        #[test]
        fn printing_then_parsing_is_the_identity(endpoint in endpoints()) {
            prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
        }

        #[test]
        fn whatever_parses_prints_as_something_that_parses_to_the_same(text in "[\\[\\]:.%a-f0-9@unix/-]{0,30}") {
            if let Ok(endpoint) = text.parse::<Endpoint>() {
                prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
            }
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = text.parse::<Endpoint>();
        }
    }
}
