//! A listener of TLS streams.

use std::{fmt, io, sync::Arc, time::Duration};

use super::{
    CertificateExpired, HandshakeError, TlsConfig, TlsHealth, TlsStream, settings::Settings, tls_config::OnExpired,
};
use crate::{Addr, Listener, ListenerHealth, Pressure, contain::contain};

/// Accepts from `L`, and speaks TLS on what it accepts. Needs the runtime's timer.
///
/// Accepting never waits for a client: the handshake is done by the task that reads or writes the stream first, so a
/// client that says nothing holds up nobody else. Outermost is [`Retry`](crate::Retry), innermost the socket:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use quintet_listener::{Limit, Retry, Tls, TlsConfig, listen};
///
/// # fn https(config: TlsConfig) -> std::io::Result<()> {
/// let tls = Tls::new(Limit::new(listen("127.0.0.1:0")?, 10_000), config)
///     .on_certificate_expired(|expired| eprintln!("{expired}"))
///     .on_error(|error| eprintln!("{error}")); // at most once a second
/// let listener = Retry::new(tls);
/// # drop(listener);
/// # Ok(())
/// # }
/// # Ok(())
/// # }
/// ```
///
/// A client that speaks plain HTTP is told so in plain HTTP, as Go does.
///
/// # Spec
/// RFC 8446, RFC 5246. Go: `tls.NewListener`, which sets no time limit.
#[doc(alias = "https")]
#[doc(alias = "rustls")]
pub struct Tls<L> {
    listener: L,
    settings: Arc<Settings>,
}

impl<L> Tls<L> {
    /// Speaks TLS as `config` says at the time of each handshake. Nothing is logged until [`on_error`](Self::on_error) and
    /// [`on_certificate_expired`](Self::on_certificate_expired) say where.
    pub fn new(listener: L, config: impl Into<TlsConfig>) -> Self {
        Self { listener, settings: Arc::new(Settings::new(config.into())) }
    }

    /// How long a handshake may take, from the accept on; 10 s if nothing else is said.
    ///
    /// The time limit is in the stream, so it holds under every server.
    #[must_use]
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        Arc::make_mut(&mut self.settings).handshake_timeout = limit;
        self
    }

    /// Reports handshakes that fail, at most once a second, each time with the number left out. A client that closes
    /// without having sent anything is only counted in the [`health`](Self::health): load balancers do that. So is what the
    /// stream inside does not open with: `Proxied` reports its own errors.
    ///
    /// A panic in `report` is caught and counted.
    #[must_use]
    pub fn on_error(mut self, report: impl Fn(&HandshakeError<'_>) + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.settings).on_error = Some(Arc::new(report));
        self
    }

    /// Reports a certificate that has expired, or is not valid yet: now, when it is loaded again, and at a handshake after
    /// it has expired. Each that is loaded is reported once; if several listeners share a configuration, by one of them.
    ///
    /// There is no timer: a server without clients reports nothing. A panic in `report` is caught and counted.
    #[must_use]
    pub fn on_certificate_expired(mut self, report: impl Fn(&CertificateExpired<'_>) + Send + Sync + 'static) -> Self {
        let health = self.health();
        let report: OnExpired = Arc::new(move |expired| {
            if contain(|| report(expired)).is_err() {
                health.report_panicked();
            }
        });
        self.settings.config.on_expired(&report);
        Arc::make_mut(&mut self.settings).on_expired = Some(report);
        self
    }

    /// The handle that tells how it has been going, and whether the certificate has expired.
    pub fn health(&self) -> TlsHealth {
        self.settings.health.clone()
    }

    /// What the next handshakes use.
    pub fn config(&self) -> &TlsConfig {
        &self.settings.config
    }

    /// The listener inside.
    pub fn get_ref(&self) -> &L {
        &self.listener
    }

    /// The listener inside.
    pub fn into_inner(self) -> L {
        self.listener
    }
}

impl<L: Listener> Listener for Tls<L> {
    type Stream = TlsStream<L::Stream>;

    /// # Errors
    /// Those of the listener inside; a failed handshake is an error of its stream.
    ///
    /// # Cancel safety
    /// As the listener inside.
    async fn accept(&mut self) -> io::Result<(Self::Stream, Addr)> {
        let (stream, peer) = self.listener.accept().await?;
        Ok((TlsStream::new(stream, peer.clone(), Arc::clone(&self.settings)), peer))
    }

    fn local_addr(&self) -> io::Result<Addr> {
        self.listener.local_addr()
    }

    fn set_pressure(&mut self, pressure: &Pressure) {
        self.listener.set_pressure(pressure);
    }

    fn add_health(&self, health: &mut ListenerHealth) {
        self.listener.add_health(health);
        health.tls = Some(self.health());
    }
}

impl<L: fmt::Debug> fmt::Debug for Tls<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("listener", &self.listener).field("settings", &self.settings).finish()
    }
}
