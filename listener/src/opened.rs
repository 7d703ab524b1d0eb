//! What opening a stream has told: who the client is, and what its TLS handshake agreed on.

use std::sync::Arc;

use crate::{Addr, HostScope};

/// What came of opening a stream: whatever stood before the protocol's first byte, a PROXY header or a TLS handshake.
///
/// Plain data, without the types of a TLS library. Nothing is set for a bare socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// Where the client is, if a proxy in front of us said so; otherwise the socket's peer is the client.
    pub peer: Option<Addr>,
    /// The address that the client connected to, if a proxy in front of us said so.
    pub local: Option<Addr>,
    /// What the TLS handshake agreed on, with us or with a proxy in front of us.
    pub tls: Option<Arc<TlsState>>,
    /// Whether that handshake was with us: the bytes that follow are of the protocol that it chose. A proxy in front of us
    /// may have chosen HTTP/2 with the client, and speak HTTP/1.1 with us.
    pub own_tls: bool,
    /// The hosts that the client may ask for, if its TLS configuration was chosen by the name it said; `None`: every one.
    pub hosts: Option<HostScope>,
    /// The identifier that a proxy in front of us gave this connection (PROXY protocol v2, `PP2_TYPE_UNIQUE_ID`), at
    /// most 128 bytes.
    pub unique_id: Option<Box<[u8]>>,
}

impl Opened {
    /// Takes over what a layer further out has told, where this one says nothing.
    #[must_use]
    pub fn or(self, inner: Self) -> Self {
        Self {
            peer: self.peer.or(inner.peer),
            local: self.local.or(inner.local),
            own_tls: if self.tls.is_some() { self.own_tls } else { inner.own_tls },
            tls: self.tls.or(inner.tls),
            hosts: self.hosts.or(inner.hosts),
            unique_id: self.unique_id.or(inner.unique_id),
        }
    }
}

/// What a TLS handshake agreed on. Go: `tls.ConnectionState`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsState {
    /// The protocol version as it is on the wire: `0x0304` is TLS 1.3, `0x0303` TLS 1.2. Go: `Version`.
    pub version: u16,
    /// The cipher suite by its number at IANA: `0x1301` is `TLS_AES_128_GCM_SHA256`. Go: `CipherSuite`.
    pub cipher_suite: u16,
    /// The protocol that ALPN chose, `http/1.1`, say; empty if the client offered none. Go: `NegotiatedProtocol`.
    #[doc(alias = "ALPN")]
    pub negotiated_protocol: Box<[u8]>,
    /// The host name that the client asked for (SNI), in small letters. Go: `ServerName`.
    #[doc(alias = "SNI")]
    pub server_name: Option<Box<str>>,
    /// The client's certificate and those it sent along, in DER, the client's own first. Empty if none was asked for or
    /// given. The handshake has verified them. A crate such as `x509-parser` reads the names in them. Go:
    /// `PeerCertificates`.
    #[doc(alias = "mTLS")]
    pub peer_certificates: Vec<Box<[u8]>>,
    /// The name in the client's certificate, if a proxy in front of us verified it and says so (PROXY protocol v2,
    /// `PP2_SUBTYPE_SSL_CN`). `None` for a certificate that was given to us: see
    /// [`peer_certificates`](Self::peer_certificates).
    pub peer_common_name: Option<Box<str>>,
    /// Whether an earlier session was resumed. Go: `DidResume`.
    pub did_resume: bool,
}

impl TlsState {
    /// The protocol version as it is called: `TLSv1.3`; `None` for one that is not known here.
    pub fn version_name(&self) -> Option<&'static str> {
        match self.version {
            0x0301 => Some("TLSv1.0"),
            0x0302 => Some("TLSv1.1"),
            0x0303 => Some("TLSv1.2"),
            0x0304 => Some("TLSv1.3"),
            _ => None,
        }
    }
}
