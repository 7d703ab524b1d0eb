//! The client of a request: its address, the scheme that it used and its token; and the id of the request.

use std::{net::IpAddr, sync::Arc};

use super::request::Request;
use crate::{Client, RequestId, bearer_token};

/// Who sent a request, as far as a handler that trusts proxies has found out.
impl Request {
    /// Who the client is by what trusted proxies say. `None` if no handler read that, which `quintet_mux::forwarded` does.
    ///
    /// It is also an extension of the [`http::Request`] that services of `tower` get.
    #[doc(alias = "X-Forwarded-For")]
    pub fn client(&self) -> Option<&Client> {
        self.extension()
    }

    /// Sets who the client is, for the handlers that follow and for the observers of the request (an access log).
    pub fn set_client(&mut self, client: Client) {
        if let Some(active) = self.active() {
            active.set_value(Arc::new(client.clone()));
        }
        self.set_extension(client);
    }

    /// The id of this request, if a handler gave it one, which `quintet_mux::request_id` does.
    #[doc(alias = "X-Request-Id")]
    pub fn id(&self) -> Option<&RequestId> {
        self.extension()
    }

    /// Sets the id of this request, for the handlers that follow and for its observers.
    pub fn set_id(&mut self, id: RequestId) {
        if let Some(active) = self.active() {
            active.set_value(Arc::new(id.clone()));
        }
        self.set_extension(id);
    }

    /// The IP address of the client: that of [`client`](Self::client), else that of the peer. `None` if a proxy hides it,
    /// if the peer is a Unix socket and no proxy says more, and if the request did not come by a connection.
    ///
    /// ```
    /// use quintet_request::{Client, ForwardedHeader, ForwardedNode, Request};
    ///
    /// let mut request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n").unwrap();
    /// assert_eq!(request.client_ip(), None);
    /// let client = Client::read(ForwardedHeader::XForwardedFor, request.headers(), ForwardedNode::Unix, |node| {
    ///     *node == ForwardedNode::Unix
    /// })?;
    /// request.set_client(client);
    /// assert_eq!(request.client_ip(), Some([192, 0, 2, 1].into()));
    /// # Ok::<(), quintet_request::ForwardedError>(())
    /// ```
    #[doc(alias = "remote address")]
    pub fn client_ip(&self) -> Option<IpAddr> {
        match self.client() {
            Some(client) => client.ip(),
            None => self.peer_addr().and_then(|peer| peer.ip()),
        }
    }

    /// The scheme that the client used, `http` or `https`: that of [`client`](Self::client), else `https` if the
    /// connection [has TLS](Self::tls). Go: `Request.URL.Scheme`, which a server leaves empty.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// assert_eq!(request.scheme(), "http");
    /// ```
    pub fn scheme(&self) -> &'static str {
        let told = self.client().and_then(Client::scheme);
        told.unwrap_or(if self.tls().is_some() { "https" } else { "http" })
    }

    /// The token of the first `Authorization: Bearer`. Compare it in constant time.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x.y\r\n\r\n").unwrap();
    /// assert_eq!(request.bearer_token(), Some("x.y"));
    /// ```
    pub fn bearer_token(&self) -> Option<&str> {
        bearer_token(self.header_bytes("authorization")?)
    }
}
