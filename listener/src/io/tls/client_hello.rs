//! What a client says at the beginning of its TLS handshake.

use std::fmt;

/// What is known of a client when its TLS configuration is chosen. Go: `tls.ClientHelloInfo`.
///
/// It is also made of a host alone, to ask whether a request for another host would have had the same configuration:
/// then [`rustls`](Self::rustls) is `None`.
#[derive(Clone, Copy)]
pub struct ClientHello<'a> {
    server_name: Option<&'a str>,
    message: Option<&'a rustls::server::ClientHello<'a>>,
}

impl<'a> ClientHello<'a> {
    /// The message of a handshake, and the name in it in small letters.
    pub(super) fn of_message(server_name: Option<&'a str>, message: &'a rustls::server::ClientHello<'a>) -> Self {
        ClientHello { server_name, message: Some(message) }
    }

    /// A client that would say this name, in small letters.
    pub(super) fn of_host(host: &'a str) -> Self {
        // Only names are said in a handshake (RFC 6066 §3), not addresses.
        let is_name = host.parse::<std::net::IpAddr>().is_err() && !host.starts_with('[');
        ClientHello { server_name: is_name.then_some(host), message: None }
    }

    /// The host name that the client asks for (SNI), in small letters; `None` if it asks by an address, or says none.
    #[doc(alias = "SNI")]
    pub fn server_name(&self) -> Option<&'a str> {
        self.server_name
    }

    /// Everything else, as rustls has it.
    pub fn rustls(&self) -> Option<&'a rustls::server::ClientHello<'a>> {
        self.message
    }
}

impl fmt::Debug for ClientHello<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHello").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}
