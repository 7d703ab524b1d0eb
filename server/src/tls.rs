//! Serving over TLS.

use std::{convert::Infallible, future::Future, path::Path, pin::pin, sync::Arc, time::Duration};

#[cfg(unix)]
use quintet_listener::TlsError;
use quintet_listener::{Listener, Tls, TlsConfig};
use quintet_mux::Handler;
#[cfg(unix)]
use tokio::{signal::unix, sync::oneshot};

#[cfg(unix)]
use crate::service_manager::{Notification, ServiceManager};
use crate::{
    load_tls::load_tls,
    observe::Observer,
    select::{Either, select},
    serve_error::ServeError,
    server::Server,
    shutdown_report::ShutdownReport,
};

impl<H: Handler> Server<H> {
    /// As [`serve`](Self::serve), over TLS. Go: `Server.ServeTLS`.
    ///
    /// ALPN is filled in where a configuration has none: `h2` and `http/1.1`, as far as the server speaks them
    /// (`Config::protocols`, feature `http2`). Nothing is reloaded by itself, also not at SIGHUP, which ends a
    /// program that does not handle it: call [`TlsConfig::reload`] when the files have changed.
    ///
    /// # Example
    /// Client certificates, and at most 100 connections of one client:
    /// ```no_run
    /// use quintet_server::{Server, TlsOptions, listen, load_tls_with};
    /// use quintet_server::listener::{ClientAuth, Limit};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let client_auth = Some(ClientAuth::required("authority-of-clients.pem"));
    /// let options = TlsOptions { client_auth, ..TlsOptions::default() };
    /// let config = load_tls_with("cert.pem", "key.pem", options)?;
    /// let limit = Limit::new(listen(":9443")?, 10_000).per_peer(100);
    /// Server::new(async |_| "hello\n").serve_tls(limit, config).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ServeError`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener; connections go on.
    #[doc(alias = "https")]
    #[doc(alias = "ServeTLS")]
    pub async fn serve_tls<L: Listener>(&self, listener: L, config: TlsConfig) -> Result<(), ServeError> {
        self.serve(self.tls_listener(listener, config)).await
    }

    /// What [`serve_tls`](Self::serve_tls) serves: a TLS listener that reports to this server's hooks:
    /// [`handshake_error`](crate::Hooks::handshake_error), and [`certificate_expired`](crate::Hooks::certificate_expired),
    /// also at once if it has. Serve it by [`serve_until_signal`](Self::serve_until_signal), or ask it for its
    /// [`health`](Tls::health) or another [time limit](Tls::handshake_timeout) before.
    #[must_use]
    pub fn tls_listener<L: Listener>(&self, listener: L, config: TlsConfig) -> Tls<L> {
        config.fill_alpn(self.shared.config.alpn());
        let (errors, expired) = (Arc::clone(&self.shared.observer), Arc::clone(&self.shared.observer));
        Tls::new(listener, config)
            .on_error(move |error| errors.handshake_error(error))
            .on_certificate_expired(move |certificate| expired.certificate_expired(certificate))
    }

    /// Listens on an address and serves over TLS, with a chain of certificates and its key in files in PEM, until the
    /// server is shut down. At SIGHUP the files are read again, and the [access log](crate::Config::access_log) is opened
    /// again, which SIGUSR1 does, too. Go: `Server.ListenAndServeTLS`.
    ///
    /// The provider of cryptography is [`tls_provider`](crate::tls_provider)'s.
    ///
    /// # Errors
    /// [`ServeError`]; [`ServeError::Tls`] if there is no provider, or the files cannot be used.
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener; connections go on, and no signal is waited for.
    #[doc(alias = "https")]
    #[doc(alias = "ListenAndServeTLS")]
    pub async fn listen_and_serve_tls(
        &self,
        addr: &str,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<(), ServeError> {
        let config = load_tls(certificate, key)?;
        let reloading = pin!(reload_at_hangup(config.clone(), Arc::clone(&self.shared.observer)));
        let _reopening = self.reopen_log_on_signals();
        match select(self.serve_tls(self.shared.listen(addr)?, config), reloading).await {
            Either::First(ended) => ended,
            Either::Second(never) => match never {},
        }
    }

    /// As [`run`](Self::run), over TLS as [`listen_and_serve_tls`](Self::listen_and_serve_tls). At SIGHUP the files are
    /// read again.
    ///
    /// The same with a listener or a configuration of your own: [`tls_listener`](Self::tls_listener).
    ///
    /// # Errors
    /// The same.
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener; connections go on, and no signal is waited for.
    pub async fn run_tls(
        &self,
        addr: &str,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
        grace_period: Duration,
    ) -> Result<ShutdownReport, ServeError> {
        let config = load_tls(certificate, key)?;
        let reloading = pin!(reload_at_hangup(config.clone(), Arc::clone(&self.shared.observer)));
        let listener = self.tls_listener(self.shared.listen(addr)?, config);
        match select(self.serve_until_signal(listener, grace_period), reloading).await {
            Either::First(ended) => ended,
            Either::Second(never) => match never {},
        }
    }
}

/// Reads the files again at each SIGHUP, and tells the service manager (`Type=notify-reload`). Several that come while they
/// are read are one.
///
/// SIGHUP is listened to from this call on, and not from the first poll: a manager that was told `READY` may send it at once,
/// and it would end the process.
#[cfg(unix)]
fn reload_at_hangup(config: TlsConfig, observer: Arc<Observer>) -> impl Future<Output = Infallible> + Send {
    let hangups = unix::signal(unix::SignalKind::hangup());
    async move {
        if let Ok(mut hangups) = hangups {
            while hangups.recv().await.is_some() {
                let config = config.clone();
                let manager = ServiceManager::from_env();
                manager.reloading();
                match reload(config).await {
                    Some(Ok(())) => observer.reloaded(),
                    Some(Err(error)) => observer.reload_error(&error),
                    None => {}
                }
                // Also if nothing has changed: it serves.
                manager.tell(Notification::Ready).await;
            }
        }
        std::future::pending().await
    }
}

/// Reads the files again, in a thread of its own; `None` if it panicked.
///
/// Not in one of the runtime's: the runtime waits for those when it ends, and so would the process, where a file is on a
/// disk of another machine that does not answer.
#[cfg(unix)]
async fn reload(config: TlsConfig) -> Option<Result<(), TlsError>> {
    let (done, reloaded) = oneshot::channel();
    let own = config.clone();
    let thread = std::thread::Builder::new().name("quintet-reload".into());
    match thread.spawn(move || done.send(own.reload())) {
        Ok(_) => reloaded.await.ok(),
        // No thread is to be had. The files are small, and mostly here.
        Err(_) => Some(config.reload()),
    }
}

/// There is no such signal here.
#[cfg(not(unix))]
fn reload_at_hangup(_: TlsConfig, _: Arc<Observer>) -> impl Future<Output = Infallible> + Send {
    std::future::pending()
}
