//! The address of a peer, or the local address: TCP or Unix.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

/// The address of one end of a connection.
///
/// Printed and parsed as `127.0.0.1:9090`, `[::1]:9090`, `unix:/run/app.sock`, `unix:@abstract`, `unix:` (unnamed).
///
/// # Spec
/// Go: `net.Addr`, `http.Request.RemoteAddr`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Addr {
    /// An IP address and a port. From a dual-stack socket an IPv4 peer is IPv4, not `::ffff:…`.
    Tcp(SocketAddr),
    /// A Unix socket; clients are usually unnamed.
    Unix(UnixName),
}

/// The name of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnixName {
    /// No name: the usual client.
    Unnamed,
    /// A file.
    Path(PathBuf),
    /// A name without a file (Linux), without its leading NUL.
    Abstract(Vec<u8>),
}

impl Addr {
    /// The IP address; `None` for a Unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        self.tcp().map(|addr| addr.ip())
    }

    /// The port; `None` for a Unix socket.
    pub fn port(&self) -> Option<u16> {
        self.tcp().map(|addr| addr.port())
    }

    /// The IP address and port; `None` for a Unix socket.
    pub const fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(addr) => Some(*addr),
            Self::Unix(_) => None,
        }
    }

    /// The file of a Unix socket; `None` for TCP and for names without a file.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Unix(UnixName::Path(path)) => Some(path),
            Self::Tcp(_) | Self::Unix(_) => None,
        }
    }
}

/// An IPv4 address that came as IPv6 (`::ffff:192.0.2.1`) becomes IPv4 again.
impl From<SocketAddr> for Addr {
    fn from(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
                Some(v4) => Self::Tcp(SocketAddr::new(v4.into(), v6.port())),
                None => Self::Tcp(addr),
            },
            SocketAddr::V4(_) => Self::Tcp(addr),
        }
    }
}

impl From<UnixName> for Addr {
    fn from(name: UnixName) -> Self {
        Self::Unix(name)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => addr.fmt(f),
            Self::Unix(name) => name.fmt(f),
        }
    }
}

/// `unix:/path`, `unix:@abstract` or `unix:`. What could break a log line is escaped.
impl fmt::Display for UnixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mark, name) = match self {
            Self::Unnamed => ("", String::new().into()),
            Self::Path(path) => {
                let path = path.to_string_lossy();
                // A file whose name begins with @ would be read as an abstract name.
                (if path.starts_with('@') { "./" } else { "" }, path)
            }
            Self::Abstract(name) => ("@", String::from_utf8_lossy(name)),
        };
        write!(f, "unix:{mark}")?;
        for c in name.chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}

impl UnixName {
    /// What follows `unix:`.
    pub(crate) fn parse(name: &str) -> Self {
        match name.strip_prefix('@') {
            Some(name) => Self::Abstract(name.into()),
            None if name.is_empty() => Self::Unnamed,
            None => Self::Path(name.into()),
        }
    }
}

impl FromStr for Addr {
    type Err = AddrError;

    /// Reads what [`Display`](fmt::Display) printed.
    ///
    /// # Errors
    /// [`AddrError`] if it is neither `ip:port` nor `unix:…`. Names are for [`Endpoint`](crate::Endpoint) to resolve.
    fn from_str(text: &str) -> Result<Self, AddrError> {
        match text.strip_prefix("unix:") {
            Some(name) => Ok(Self::Unix(UnixName::parse(name))),
            None => text.parse().map(Addr::Tcp).map_err(|_| AddrError),
        }
    }
}

/// The text is not an address.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address: neither ip:port nor unix:name")]
pub struct AddrError;

/// Its text, which is what a `main` that returns it prints.
impl fmt::Debug for AddrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};

    #[test]
    fn an_address_prints_as_it_is_written() {
        let table = [
            (Addr::Tcp("127.0.0.1:9090".parse().unwrap()), "127.0.0.1:9090"),
            (Addr::Tcp("[::1]:80".parse().unwrap()), "[::1]:80"),
            (Addr::Unix(UnixName::Path("/run/a.sock".into())), "unix:/run/a.sock"),
            (Addr::Unix(UnixName::Abstract(b"app".to_vec())), "unix:@app"),
            (Addr::Unix(UnixName::Unnamed), "unix:"),
        ];
        for (addr, text) in table {
            assert_eq!(addr.to_string(), text);
            assert_eq!(text.parse(), Ok(addr));
        }
    }

    #[test]
    fn an_ipv4_peer_of_a_dual_stack_socket_is_ipv4() {
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:80".parse().unwrap();
        assert_eq!(Addr::from(mapped).to_string(), "192.0.2.1:80");
        assert_eq!(Addr::from(mapped).ip(), Some(Ipv4Addr::new(192, 0, 2, 1).into()));
    }

    #[test]
    fn a_unix_address_has_a_path_and_no_ip() {
        let addr = Addr::Unix(UnixName::Path("/a".into()));
        assert_eq!((addr.ip(), addr.port(), addr.path()), (None, None, Some(Path::new("/a"))));
        assert_eq!(Addr::Unix(UnixName::Unnamed).path(), None);
    }

    #[test]
    fn a_name_cannot_break_a_log_line() {
        let name = UnixName::Abstract(b"a\r\nfake: line\0\xff".to_vec());
        assert_eq!(name.to_string(), "unix:@a\\r\\nfake: line\\u{0}\u{fffd}");
    }

    #[test]
    fn a_file_named_like_an_abstract_socket_is_still_a_file() {
        assert_eq!(UnixName::Path("@a".into()).to_string(), "unix:./@a");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "localhost:80", "127.0.0.1", ":80", "[::1]", "/run/a.sock"] {
            assert_eq!(text.parse::<Addr>(), Err(AddrError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn printing_then_parsing_an_ipv4_address_is_the_identity(ip: [u8; 4], port: u16) {
            let addr = Addr::Tcp(SocketAddr::new(ip.into(), port));
            prop_assert_eq!(addr.to_string().parse(), Ok(addr));
        }

        #[test]
        fn printing_then_parsing_an_ipv6_address_is_the_identity(ip: [u8; 16], port: u16, scope: u32) {
            let addr = Addr::Tcp(SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, scope).into());
            prop_assert_eq!(addr.to_string().parse(), Ok(addr));
        }

        #[test]
        fn printing_then_parsing_a_unix_name_is_the_identity(path in "[^@\\p{Cc}]\\P{Cc}{0,40}", name in "\\P{Cc}{0,40}") {
            for addr in [Addr::Unix(UnixName::Path(path.into())), Addr::Unix(UnixName::Abstract(name.into()))] {
                prop_assert_eq!(addr.to_string().parse(), Ok(addr));
            }
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = text.parse::<Addr>();
        }
    }
}
