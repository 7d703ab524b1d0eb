//! Requests that came by a connection in memory, from any address.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use quintet_listener::{Addr, UnixName};
use quintet_request::{
    Request,
    quintet_conn::{ActiveRequest, ConnGuard, Connections, Timeouts, Wire},
};
use tokio::io::DuplexStream;

/// A connection from this peer; the request is in progress as long as it lives.
pub struct Admitted {
    pub guard: ConnGuard,
    _wire: Wire<DuplexStream>,
}

impl Admitted {
    pub fn from(peer: &str) -> Self {
        let peer: Addr = if peer == "unix" { UnixName::Unnamed.into() } else { peer.parse().expect("an address") };
        let (connections, _sweeper) = Connections::new(Timeouts::default(), None, None);
        let (guard, wire) = connections.admit(tokio::io::duplex(64).0, peer);
        Self { guard, _wire: wire }
    }

    /// A request that came by this connection.
    pub fn request(&self, fields: &str) -> Request {
        let text = format!("GET / HTTP/1.1\r\nHost: in.example\r\n{fields}\r\n");
        let mut http = Request::parse(text.as_bytes()).expect("a request").into_http().expect("an http::Request");
        http.extensions_mut().insert::<ActiveRequest>(self.guard.active());
        Request::try_from(http).expect("a request")
    }
}
