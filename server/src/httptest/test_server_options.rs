//! The settings of a test server.

use quintet_listener::Addr;

use crate::Config;

/// The settings of a [`TestServer`](super::TestServer). Written with `..TestServerOptions::default()`.
#[derive(Clone, Debug)]
pub struct TestServerOptions {
    /// The settings of the server. Default: [`Config::default`], and with the feature `http2` HTTP/2 also without TLS, for
    /// [`http2_client`](super::TestServer::http2_client).
    pub config: Config,
    /// Where it listens. Default: [`Network::Memory`].
    pub network: Network,
    /// Whether it speaks TLS. Default: no.
    #[cfg(feature = "tls")]
    pub tls: bool,
    /// The address of the clients of a server in memory. Default: `192.0.2.1:1234`, as of Go's `httptest.NewRequest`.
    pub peer_addr: Addr,
    /// The bytes that each direction of a connection in memory holds, before its writer waits. Default: 64 KiB.
    pub pipe_bytes: usize,
}

/// Where a test server listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// In memory: no port is needed, and time may be paused.
    #[default]
    Memory,
    /// On a free port of `127.0.0.1`, for clients of other libraries and for browsers. Time must not be paused: a paused
    /// clock runs while the system carries the bytes.
    Loopback,
}

impl Default for TestServerOptions {
    fn default() -> Self {
        #[cfg_attr(not(feature = "http2"), expect(unused_mut, reason = "only HTTP/2 is set"))]
        let mut config = Config::default();
        #[cfg(feature = "http2")]
        {
            config.protocols.unencrypted_http2 = true;
        }
        Self {
            config,
            network: Network::Memory,
            #[cfg(feature = "tls")]
            tls: false,
            peer_addr: Addr::Tcp(([192, 0, 2, 1], 1234).into()),
            pipe_bytes: 64 << 10,
        }
    }
}
