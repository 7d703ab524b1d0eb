//! The client of a request by what trusted proxies say.

use std::future::Future;

use http::StatusCode;
use quintet_listener::{Addr, Nets, UnixName};
use quintet_request::{Client, ForwardedHeader, ForwardedNode, Request};

use super::error;
use crate::{Handler, Response};

/// Reads who the client is from the field that trusted proxies write, and calls `handler`.
///
/// `trusted` are the networks of the proxies, with `unix` for peers of a Unix socket. `header` is the field that **each** of
/// them writes or overwrites. [`Client`] has the rules: the field of a peer that is not trusted is not read, and of the
/// field of a trusted proxy only what trusted proxies wrote. The result is at [`Request::client`], and with it at
/// [`Request::client_ip`] and [`Request::scheme`].
///
/// The other fields of the kind are removed from the request, and from a peer that is not trusted all of them
/// ([`ForwardedHeader::removes`]), so that no handler and no application behind it believes them by mistake.
///
/// An entry of a trusted proxy that is malformed is answered by 400. The host that a proxy tells does not replace
/// [`Request::host`]; [`Request::set_host`] does that, if patterns or redirects need it.
///
/// # Example
/// ```
/// use quintet_mux::{ServeMux, forwarded};
/// use quintet_request::{ForwardedHeader, Request};
///
/// async fn whoami(request: Request) -> String {
///     let ip = request.client_ip().map_or("unknown".to_owned(), |ip| ip.to_string());
///     format!("{ip} by {}\n", request.scheme())
/// }
///
/// let mux = ServeMux::new();
/// mux.handle("/whoami", whoami);
/// // nginx on this machine and balancers in the network: `proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;`
/// let trusted = "127.0.0.1, ::1, unix, 10.0.0.0/8".parse()?;
/// let handler = forwarded(trusted, ForwardedHeader::XForwardedForProto, mux);
/// # fn check(_: impl quintet_mux::Handler) {}
/// # check(handler);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "middleware")]
#[doc(alias = "X-Forwarded-For")]
#[doc(alias = "trusted proxies")]
#[doc(alias = "real IP")]
#[must_use]
pub fn forwarded(trusted: Nets, header: ForwardedHeader, handler: impl Handler) -> impl Handler {
    Forwarded { trusted, header, handler }
}

struct Forwarded<H> {
    trusted: Nets,
    header: ForwardedHeader,
    handler: H,
}

impl<H> Forwarded<H> {
    fn is_trusted(&self, node: &ForwardedNode) -> bool {
        match node {
            ForwardedNode::Ip { ip, .. } => self.trusted.contains_ip(*ip),
            ForwardedNode::Unix => self.trusted.contains(&Addr::Unix(UnixName::Unnamed)),
            _ => false,
        }
    }

    /// Tells the request who its client is, and removes the fields that are not believed. The error is the reply.
    fn read(&self, request: &mut Request) -> Result<(), Response> {
        let peer = match request.peer_addr() {
            Some(Addr::Tcp(peer)) => ForwardedNode::from(*peer),
            Some(Addr::Unix(_)) => ForwardedNode::Unix,
            // A request that did not come by a connection has no peer that could be trusted.
            None => ForwardedNode::Unknown,
        };
        let is_trusted = self.is_trusted(&peer);
        let client = Client::read(self.header, request.headers(), peer, |node| self.is_trusted(node))
            .map_err(|refused| error(format_args!("400 Bad Request: {refused}"), refused.status()))?;
        // In one change: a client may send as many of them as a head has fields.
        let failed = |_| error("500 Internal Server Error", StatusCode::INTERNAL_SERVER_ERROR);
        request.retain_headers(|name, _| !self.header.removes(name, is_trusted)).map_err(failed)?;
        request.set_client(client);
        Ok(())
    }
}

impl<H: Handler> Handler for Forwarded<H> {
    fn call(&self, mut request: Request) -> impl Future<Output = Response> + Send {
        let read = self.read(&mut request);
        async move {
            match read {
                Ok(()) => self.handler.call(request).await,
                Err(refused) => refused,
            }
        }
    }
}
