//! What the next TLS handshakes use.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rustls::ServerConfig;

use super::{
    ClientHello, TlsError, TlsOptions, Validity,
    tls_files::{Loaded, TlsFiles},
};
use crate::HostScope;

/// What the next TLS handshakes use: a certificate and its key, who may connect, and how. Clones are the same.
///
/// It can be changed while it is in use; connections that are open are not touched. Data before the end of the
/// handshake (0-RTT) is never accepted, whatever a configuration says, since it can be replayed.
///
/// # Spec
/// Go: `tls.Config` with `GetConfigForClient`.
#[doc(alias = "https")]
#[doc(alias = "certificate")]
#[derive(Clone)]
pub struct TlsConfig(Arc<Shared>);

struct Shared {
    files: Option<TlsFiles>,
    /// Held while the files are read, so that of two reloads the one that began later wins.
    reloading: Mutex<()>,
    failed_reloads: AtomicU64,
    state: Mutex<State>,
}

struct State {
    loaded: Arc<Loaded>,
    choose: Option<Choose>,
    /// What is offered where a configuration says nothing.
    alpn: Vec<Vec<u8>>,
    /// Configurations of others, and what is used in their place. See [`TlsConfig::adapted`].
    adapted: Vec<(Weak<ServerConfig>, Arc<ServerConfig>)>,
}

type Choose = Arc<dyn Fn(&ClientHello<'_>) -> Option<Arc<ServerConfig>> + Send + Sync>;

impl TlsConfig {
    /// More configurations than this are adapted again for each handshake.
    const MAX_ADAPTED: usize = 256;

    /// Loads a chain of certificates, the server's own first, and the key of that one, from two files in PEM, which may
    /// be the same file. TLS 1.2 and 1.3, clients are not asked for certificates.
    ///
    /// The cryptography is what the program has installed (`install_default` on one of `rustls::crypto`). Else give
    /// [`load_with`](Self::load_with) a [provider](TlsOptions::provider): `tls_provider()` with `quintet-server`.
    ///
    /// Reads files: it blocks the thread, for microseconds where they are on a disk of this machine.
    ///
    /// # Errors
    /// [`TlsError`]; also if the key does not belong to the certificate, and [`TlsError::NoProvider`] if the program has
    /// installed no cryptography. A certificate that has expired, or is not valid yet, is no error and not logged: the
    /// clock may be wrong. [`validity`](Self::validity) and the [health](crate::TlsHealthSnapshot::is_outside_validity)
    /// of the listener tell.
    ///
    /// # Spec
    /// Go: `tls.LoadX509KeyPair`.
    pub fn load_x509_key_pair(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::load_with(certificate, key, TlsOptions::default())
    }

    /// As [`load_x509_key_pair`](Self::load_x509_key_pair), with choices, of which the provider of cryptography is the
    /// one that most programs need.
    ///
    /// # Errors
    /// The same, with [`TlsError::NoProvider`] if the options have no provider either, and what is wrong with the roots of
    /// client certificates.
    pub fn load_with(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
        options: TlsOptions,
    ) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.as_ref().to_owned(), key.as_ref().to_owned());
        let files = TlsFiles { certificate, key, options };
        let loaded = files.load(None)?;
        Ok(Self::new(Some(files), loaded))
    }

    fn new(files: Option<TlsFiles>, loaded: Loaded) -> Self {
        let loaded = Arc::new(loaded);
        let state = State { loaded, choose: None, alpn: Vec::new(), adapted: Vec::new() };
        Self(Arc::new(Shared {
            files,
            reloading: Mutex::default(),
            failed_reloads: AtomicU64::new(0),
            state: Mutex::new(state),
        }))
    }

    /// Reads the same files again. Handshakes that begin later use what they say now.
    ///
    /// The keys of session tickets stay, unless the files about client certificates have changed: then no ticket that
    /// was given before is accepted. Blocks the thread while it reads.
    ///
    /// # Errors
    /// [`TlsError`]: nothing has changed then, the last good files stay in use. A certificate and a key that do not
    /// belong together are read once more, since two files cannot be replaced at once.
    pub fn reload(&self) -> Result<(), TlsError> {
        let files = self.0.files.as_ref().ok_or(TlsError::NoFiles)?;
        let _one_at_a_time = self.0.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = Arc::clone(&self.state().loaded);
        match files.load(Some(&previous)) {
            Ok(loaded) => {
                let mut state = self.state();
                // What replaced it while the files were read came later, and stays.
                if Arc::ptr_eq(&state.loaded, &previous) {
                    state.loaded = Arc::new(loaded);
                }
            }
            Err(error) => {
                self.0.failed_reloads.fetch_add(1, Relaxed);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Handshakes that begin later use `config`: everything about it may differ, who may connect, too. A ticket of the
    /// earlier configuration is worth nothing, unless `config` has the same ticketer.
    ///
    /// A [`reload`](Self::reload) that begins later goes back to the files; one that is reading them changes nothing any
    /// more.
    pub fn replace(&self, config: Arc<ServerConfig>) {
        self.state().loaded = Arc::new(config.into());
    }

    /// Chooses a configuration for each client, by the host name it asks for. `None` stands for this one.
    ///
    /// `choose` is called in the task of the connection, for each handshake, and for a request whose host is not the
    /// name of its handshake; it must not block. If it panics, that handshake fails. A request for a host for which it
    /// would have chosen another one is not to be answered on that connection: see
    /// [`Opened::hosts`](crate::Opened::hosts). Two configurations are the same if they are the same `Arc`, so return
    /// clones of one that was made before.
    ///
    /// One certificate with the names of all hosts needs no choice. Of two certificates, the second is made by rustls:
    ///
    /// ```no_run
    /// use quintet_listener::{TlsConfig, TlsOptions, TlsProvider};
    /// use rustls::{ServerConfig, crypto::ring};
    /// use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    /// use std::sync::Arc;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let provider = TlsProvider { crypto: ring::default_provider().into(), ticketer: Some(ring::Ticketer::new) };
    /// let chain = CertificateDer::pem_file_iter("b.pem")?.collect::<Result<Vec<_>, _>>()?;
    /// let mut b = ServerConfig::builder_with_provider(Arc::clone(&provider.crypto))
    ///     .with_safe_default_protocol_versions()?
    ///     .with_no_client_auth()
    ///     .with_single_cert(chain, PrivateKeyDer::from_pem_file("b-key.pem")?)?;
    /// b.ticketer = ring::Ticketer::new()?; // else rustls keeps 256 sessions in memory
    /// let b = Arc::new(b);
    ///
    /// let options = TlsOptions { provider: Some(provider), ..TlsOptions::default() };
    /// let config = TlsConfig::load_with("a.pem", "a-key.pem", options)?
    ///     .config_for_client(move |hello| match hello.server_name() {
    ///         Some("b.example") => Some(Arc::clone(&b)),
    ///         _ => None, // a.pem, also for clients that say no name
    ///     });
    /// # drop(config);
    /// # Ok(()) }
    /// ```
    ///
    /// ALPN is [filled in](Self::fill_alpn) for it, too. A [`reload`](Self::reload) reads the files of the first one only:
    /// to renew the second, let `choose` clone an `Arc` that is behind a mutex, and put a new one there.
    ///
    /// # Spec
    /// Go: `tls.Config.GetConfigForClient`.
    #[doc(alias = "SNI")]
    #[doc(alias = "virtual host")]
    #[must_use]
    pub fn config_for_client(
        self,
        choose: impl Fn(&ClientHello<'_>) -> Option<Arc<ServerConfig>> + Send + Sync + 'static,
    ) -> Self {
        self.state().choose = Some(Arc::new(choose));
        self
    }

    /// The protocols that are offered by ALPN, the preferred one first, where a configuration says nothing: this one, one
    /// that replaces it, and those chosen for clients. A server calls it with what it speaks.
    pub fn fill_alpn(&self, protocols: &[&[u8]]) {
        let state = &mut *self.state();
        state.alpn = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        state.adapted.clear();
    }

    /// Whether there is something to [`reload`](Self::reload).
    pub fn is_from_files(&self) -> bool {
        self.0.files.is_some()
    }

    /// In which time the server's own certificate is valid; `None` if it is not one from a file.
    pub fn validity(&self) -> Option<Validity> {
        self.state().loaded.validity
    }

    /// How often [`reload`](Self::reload) failed.
    pub(super) fn failed_reloads(&self) -> u64 {
        self.0.failed_reloads.load(Relaxed)
    }

    /// The configuration for one client, and the hosts it may ask for.
    pub(super) fn choose(&self, hello: &ClientHello<'_>) -> (Arc<ServerConfig>, Option<HostScope>) {
        let (base, choose) = {
            let state = self.state();
            (Arc::clone(&state.loaded.config), state.choose.clone())
        };
        let Some(choose) = choose else { return (self.adapted(base), None) };
        let chosen = choose(hello);
        let config = self.adapted(chosen.clone().unwrap_or(base));
        let is_same = move |host: &str| match (choose(&ClientHello::of_host(host)), &chosen) {
            (None, None) => true,
            (Some(other), Some(chosen)) => Arc::ptr_eq(&other, chosen),
            _ => false,
        };
        (config, Some(HostScope::new(hello.server_name(), is_same)))
    }

    /// `config` with our ALPN if it has none, and without 0-RTT.
    ///
    /// A copy shares everything that is large. It is kept as long as its original is, since a connection holds on to its
    /// configuration, and a copy for each would be 400 bytes for each.
    fn adapted(&self, config: Arc<ServerConfig>) -> Arc<ServerConfig> {
        let mut state = self.state();
        let needs_alpn = config.alpn_protocols.is_empty() && !state.alpn.is_empty();
        if !needs_alpn && config.max_early_data_size == 0 {
            return config;
        }
        let original = Arc::downgrade(&config);
        if let Some((_, adapted)) = state.adapted.iter().find(|(of, _)| of.ptr_eq(&original)) {
            return Arc::clone(adapted);
        }
        let mut adapted = ServerConfig::clone(&config);
        adapted.max_early_data_size = 0;
        if needs_alpn {
            adapted.alpn_protocols.clone_from(&state.alpn);
        }
        let adapted = Arc::new(adapted);
        state.adapted.retain(|(original, _)| original.strong_count() > 0);
        if state.adapted.len() < Self::MAX_ADAPTED {
            state.adapted.push((original, Arc::clone(&adapted)));
        }
        adapted
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Arc<ServerConfig>> for TlsConfig {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self::new(None, config.into())
    }
}

impl From<ServerConfig> for TlsConfig {
    fn from(config: ServerConfig) -> Self {
        Arc::new(config).into()
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TlsConfig");
        if let Some(files) = &self.0.files {
            debug.field("certificate", &files.certificate).field("key", &files.key);
        }
        debug.field("validity", &self.validity()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::{crypto::ring, pki_types::PrivateKeyDer};

    fn server_config() -> Arc<ServerConfig> {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let builder = ServerConfig::builder_with_provider(ring::default_provider().into());
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        builder.with_single_cert(vec![cert.der().clone()], key).unwrap().into()
    }

    #[test]
    fn a_configuration_is_adapted_once_and_only_if_it_must_be() {
        let (one, two) = (server_config(), server_config());
        let config = TlsConfig::from(Arc::clone(&one));
        assert!(Arc::ptr_eq(&config.adapted(Arc::clone(&one)), &one));
        config.fill_alpn(&[b"http/1.1"]);
        let adapted = config.adapted(Arc::clone(&one));
        assert_eq!(adapted.alpn_protocols, [b"http/1.1"]);
        assert!(Arc::ptr_eq(&adapted, &config.adapted(Arc::clone(&one))));
        assert!(!Arc::ptr_eq(&adapted, &config.adapted(two)));
        let mut early = ServerConfig::clone(&adapted);
        early.max_early_data_size = 1;
        assert_eq!(config.adapted(early.into()).max_early_data_size, 0);
    }

    #[test]
    fn adapted_configurations_do_not_pile_up() {
        let config = TlsConfig::from(server_config());
        config.fill_alpn(&[b"http/1.1"]);
        let base = server_config();
        let copy = || Arc::new(ServerConfig::clone(&base));
        for _ in 0..1000 {
            config.adapted(copy());
        }
        assert!(config.state().adapted.len() <= 1, "those of configurations that are gone are gone");
        let alive: Vec<_> = (0..TlsConfig::MAX_ADAPTED + 10).map(|_| copy()).collect();
        for one in &alive {
            assert_eq!(config.adapted(Arc::clone(one)).alpn_protocols, [b"http/1.1"]);
        }
        assert_eq!(config.state().adapted.len(), TlsConfig::MAX_ADAPTED);
    }
}
