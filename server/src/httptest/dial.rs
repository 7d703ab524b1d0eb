//! The way to a test server.

use std::{io, net::SocketAddr};

use quintet_listener::{Addr, testing::Dialer};
use tokio::net::TcpStream;

use super::test_stream::TestStream;

/// The protocol that a connection is for. Over TLS it is what the client offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    #[cfg(feature = "http2")]
    Http2,
}

/// The way to a test server: makes connections.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    pub(super) way: Way,
    pub(super) scheme: &'static str,
    #[cfg(feature = "tls")]
    pub(super) provider: Option<quintet_listener::TlsProvider>,
}

#[derive(Clone, Debug)]
pub(super) enum Way {
    /// By a pipe with so many bytes in each direction, as this peer.
    Memory {
        dialer: Dialer,
        peer: Addr,
        pipe_bytes: usize,
    },
    Loopback(SocketAddr),
}

impl Dial {
    /// The host of the requests, with the port if there is one.
    pub(super) fn host(&self) -> String {
        match &self.way {
            Way::Memory { .. } => "example.com".to_owned(),
            Way::Loopback(addr) => addr.to_string(),
        }
    }

    /// Connects. Over TLS it waits for the handshake.
    ///
    /// # Errors
    /// The error of the connection; `ConnectionRefused` if the server has shut down.
    pub(super) async fn connect(&self, protocol: Protocol) -> io::Result<TestStream> {
        match &self.way {
            Way::Memory { dialer, .. } if dialer.is_closed() => Err(io::ErrorKind::ConnectionRefused.into()),
            Way::Memory { dialer, peer, pipe_bytes } => {
                let (io, _reset) = dialer.connect_from(*pipe_bytes, peer.clone());
                self.secure(io, protocol).await
            }
            Way::Loopback(addr) => self.secure(TcpStream::connect(addr).await?, protocol).await,
        }
    }

    #[cfg(feature = "tls")]
    async fn secure<S>(&self, io: S, protocol: Protocol) -> io::Result<TestStream>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let Some(provider) = &self.provider else { return Ok(TestStream::new(io)) };
        let offered: &[u8] = match protocol {
            Protocol::Http1 => b"http/1.1",
            #[cfg(feature = "http2")]
            Protocol::Http2 => b"h2",
        };
        let connector = tokio_rustls::TlsConnector::from(super::certificate::client_config(provider, offered));
        let name = rustls::pki_types::ServerName::try_from("example.com").expect("a name");
        Ok(TestStream::new(connector.connect(name, io).await?))
    }

    #[cfg(not(feature = "tls"))]
    async fn secure<S>(&self, io: S, _: Protocol) -> io::Result<TestStream>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        Ok(TestStream::new(io))
    }
}
