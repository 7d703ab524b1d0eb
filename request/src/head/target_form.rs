//! The four forms of a request target.

/// The form of a request target (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`: the form of an ordinary request.
    #[default]
    Origin,
    /// `http://host/path?query`: the form of a request to a proxy, which every server must accept.
    Absolute,
    /// `host:port`: only with `CONNECT`.
    Authority,
    /// `*`: only with `OPTIONS`; the server as a whole.
    Asterisk,
}
