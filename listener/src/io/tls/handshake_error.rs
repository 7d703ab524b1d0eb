//! Why a TLS handshake failed.

use std::{error::Error, fmt, io};

use rustls::AlertDescription;

use crate::Addr;

/// What a failed handshake failed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeErrorKind {
    /// A request in plain HTTP. It was answered 400, in plain HTTP, as Go does.
    #[error("the client sent an HTTP request to an HTTPS server")]
    PlainHttp,
    /// The first bytes are neither TLS nor HTTP.
    #[error("the first bytes are not a TLS handshake")]
    NotTls,
    /// It took longer than the [handshake timeout](super::Tls::handshake_timeout).
    #[error("the TLS handshake timed out")]
    TimedOut,
    /// The client closed or reset the connection before the end of the handshake.
    #[error("the client went away during the TLS handshake")]
    Disconnected,
    /// The client refused to go on, and said so: it does not trust the certificate, say.
    #[error("the client refused the TLS handshake")]
    RefusedByClient,
    /// There is no version, cipher suite, key exchange, signature or protocol (ALPN) that both speak.
    #[error("nothing in common with the client's TLS")]
    Incompatible,
    /// A client certificate is required and was not given, or was given and is not accepted.
    #[error("no client certificate that is accepted")]
    ClientCertificate,
    /// What the client sent breaks the rules of TLS.
    #[error("the client broke the rules of TLS")]
    Protocol,
    /// A function of the configuration panicked: the one that [chooses](super::TlsConfig::config_for_client), or one that
    /// rustls was given.
    #[error("a function of the TLS configuration panicked")]
    Panicked,
}

impl HandshakeErrorKind {
    /// How many there are.
    pub(super) const COUNT: usize = Self::Panicked as usize + 1;

    /// Sorts what reading, writing or rustls said during a handshake.
    pub(super) fn of(error: &io::Error) -> Self {
        use rustls::Error as Tls;
        if let Some(kind) = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            return *kind;
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) {
            Some(Tls::AlertReceived(AlertDescription::CloseNotify | AlertDescription::UserCanceled)) => {
                Self::Disconnected
            }
            Some(Tls::AlertReceived(_)) => Self::RefusedByClient,
            Some(Tls::NoCertificatesPresented | Tls::InvalidCertificate(_)) => Self::ClientCertificate,
            Some(Tls::PeerIncompatible(_) | Tls::NoApplicationProtocol) => Self::Incompatible,
            Some(_) => Self::Protocol,
            None if error.kind() == io::ErrorKind::TimedOut => Self::TimedOut,
            None if error.kind() == io::ErrorKind::InvalidData => Self::Protocol,
            None => Self::Disconnected,
        }
    }
}

/// As an error of reading and writing.
impl From<HandshakeErrorKind> for io::Error {
    fn from(kind: HandshakeErrorKind) -> Self {
        let io_kind = match kind {
            HandshakeErrorKind::TimedOut => io::ErrorKind::TimedOut,
            HandshakeErrorKind::Disconnected => io::ErrorKind::UnexpectedEof,
            HandshakeErrorKind::Panicked => io::ErrorKind::Other,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(io_kind, kind)
    }
}

/// A failed handshake, as a line for the log.
///
/// Prints as in Go: `TLS handshake error from 192.0.2.1:4567: the TLS handshake timed out`, and how many like it were
/// not reported.
#[derive(Debug)]
#[non_exhaustive]
pub struct HandshakeError<'a> {
    /// What was wrong.
    pub kind: HandshakeErrorKind,
    /// Where the client is.
    pub peer: &'a Addr,
    /// What exactly was wrong.
    pub error: &'a io::Error,
    /// How many errors have not been reported since the last one that was.
    pub suppressed: u64,
}

impl fmt::Display for HandshakeError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS handshake error from {}: {}", self.peer, self.error)?;
        if self.suppressed > 0 {
            write!(f, " ({} more not shown)", self.suppressed)?;
        }
        Ok(())
    }
}

impl Error for HandshakeError<'_> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{CertificateError, InvalidMessage, PeerIncompatible};

    #[test]
    fn a_handshake_error_is_sorted_by_what_rustls_says() {
        let of = |error: rustls::Error| HandshakeErrorKind::of(&io::Error::new(io::ErrorKind::InvalidData, error));
        for (error, kind) in [
            (rustls::Error::AlertReceived(AlertDescription::UnknownCA), HandshakeErrorKind::RefusedByClient),
            (rustls::Error::AlertReceived(AlertDescription::CloseNotify), HandshakeErrorKind::Disconnected),
            (rustls::Error::NoCertificatesPresented, HandshakeErrorKind::ClientCertificate),
            (CertificateError::UnknownIssuer.into(), HandshakeErrorKind::ClientCertificate),
            (PeerIncompatible::NoCipherSuitesInCommon.into(), HandshakeErrorKind::Incompatible),
            (rustls::Error::NoApplicationProtocol, HandshakeErrorKind::Incompatible),
            (InvalidMessage::InvalidContentType.into(), HandshakeErrorKind::Protocol),
            (rustls::Error::DecryptError, HandshakeErrorKind::Protocol),
        ] {
            assert_eq!(of(error.clone()), kind, "{error}");
        }
        for (error, kind) in [
            (io::ErrorKind::UnexpectedEof, HandshakeErrorKind::Disconnected),
            (io::ErrorKind::ConnectionReset, HandshakeErrorKind::Disconnected),
            (io::ErrorKind::TimedOut, HandshakeErrorKind::TimedOut),
            (io::ErrorKind::InvalidData, HandshakeErrorKind::Protocol),
        ] {
            assert_eq!(HandshakeErrorKind::of(&error.into()), kind, "{error}");
        }
        assert_eq!(HandshakeErrorKind::of(&HandshakeErrorKind::PlainHttp.into()), HandshakeErrorKind::PlainHttp);
    }

    #[test]
    fn a_handshake_error_prints_as_in_go() {
        let error = HandshakeErrorKind::TimedOut.into();
        let peer = &"192.0.2.1:4567".parse().unwrap();
        let mut line = HandshakeError { kind: HandshakeErrorKind::TimedOut, peer, error: &error, suppressed: 0 };
        assert_eq!(line.to_string(), "TLS handshake error from 192.0.2.1:4567: the TLS handshake timed out");
        line.suppressed = 7;
        assert!(line.to_string().ends_with("timed out (7 more not shown)"));
    }
}
