//! What is done with a connection that comes from no trusted proxy.

/// What [`Proxied`](crate::Proxied) does with a peer that is not among the trusted ones. Never does it read a header
/// from one, for anybody can write one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UntrustedPolicy {
    /// Close the connection at once. Caddy: `REJECT`.
    #[default]
    Reject,
    /// Serve it as it is, with the addresses of its socket. A header that it sends is then what its first request
    /// begins with, and answered 400. Caddy: `SKIP`.
    Skip,
}
