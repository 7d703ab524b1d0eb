//! A request for a test.

use std::{net::SocketAddr, sync::Arc};

use quintet_request::{
    Body, Request,
    quintet_conn::{ActiveRequest, ConnGuard, Connections, Timeouts, Wire},
};
use tokio::io::DuplexStream;

/// The host of a request whose target has none. Go: `httptest.DefaultRemoteAddr`'s neighbour in `NewRequest`.
const HOST: &str = "example.com";
/// The address of the client. Go: the same, of the block that RFC 5737 keeps for documentation.
const PEER_ADDR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 1234);

/// Makes a request for a test. Go: `httptest.NewRequest`.
///
/// The target is what stands in a request line: a path with a query, or a URL, whose host is then that of the request. Else
/// the host is `example.com`. The client is `192.0.2.1:1234`. Fields are added by [`Request::set_header`].
///
/// The request is the only one on a connection of its own, which lasts as long as the request, or until
/// [`record`](super::record()) has the reply. Its client never disconnects.
///
/// ```
/// use quintet_mux::httptest::new_request;
///
/// let mut request = new_request("POST", "/notes?draft=1", r#"{"text": "milk"}"#);
/// request.set_header("content-type", "application/json").unwrap();
/// assert_eq!((request.host(), request.path(), request.query()), (Some("example.com"), "/notes", Some("draft=1")));
/// assert_eq!(request.peer_addr().unwrap().to_string(), "192.0.2.1:1234");
/// assert_eq!(new_request("GET", "http://a.example/", "").host(), Some("a.example"));
/// ```
///
/// # Panics
/// If a client could not send this method and target.
#[must_use]
pub fn new_request(method: &str, target: &str, body: impl Into<Body>) -> Request {
    let connection = RequestConnection::new();
    let mut request = http::Request::builder().method(method).uri(target);
    if request.uri_ref().is_some_and(|uri| uri.authority().is_none()) {
        request = request.header(http::header::HOST, HOST);
    }
    let mut request = match request.body(body.into()) {
        Ok(request) => request,
        Err(error) => panic!("{method} {target}: {error}"),
    };
    request.extensions_mut().insert::<ActiveRequest>(connection.guard.active());
    request.extensions_mut().insert(Arc::new(connection));
    match Request::try_from(request) {
        Ok(request) => request,
        Err(error) => panic!("{method} {target}: {error}"),
    }
}

/// The connection of one request: an extension of it, so that it lasts as long.
pub(super) struct RequestConnection {
    pub(super) guard: ConnGuard,
    /// A connection ends when its wire is dropped, too.
    _wire: Wire<DuplexStream>,
}

impl RequestConnection {
    fn new() -> Self {
        // Its sweeper does not run: there is no timeout, as there is no client that could be slow.
        let (connections, _sweeper) = Connections::new(Timeouts::none(), None, None);
        let (guard, wire) = connections.admit(tokio::io::duplex(1).0, PEER_ADDR.into());
        Self { guard, _wire: wire }
    }
}
