//! What the next TLS handshakes use.

use std::{
    collections::BTreeSet,
    fmt,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
    time::SystemTime,
};

use rustls::ServerConfig;

use super::{
    CertificateExpired, ClientHello, TlsError, TlsOptions, Validity, server_names::ServerNames, tls_files::TlsFiles,
    tls_source::TlsSource,
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
    /// What is used for clients that no choice was made for.
    source: Arc<TlsSource>,
    state: Mutex<State>,
    /// A function of `on_expired` is running.
    is_reporting: AtomicBool,
}

#[derive(Default)]
struct State {
    choose: Option<Choose>,
    names: ServerNames<Arc<TlsSource>>,
    /// What is offered where a configuration says nothing.
    alpn: Vec<Vec<u8>>,
    /// Configurations of others, and what is used in their place. See [`TlsConfig::adapted`].
    adapted: Vec<(Weak<ServerConfig>, Arc<ServerConfig>)>,
    /// Of the listeners that use it. They own these functions, which may own this configuration.
    on_expired: Vec<Weak<ExpiredReport>>,
}

type Choose = Arc<dyn Fn(&ClientHello<'_>) -> Option<Arc<ServerConfig>> + Send + Sync>;

/// What reports certificates that have expired. It does not panic.
pub(super) type OnExpired = Arc<ExpiredReport>;
type ExpiredReport = dyn Fn(&CertificateExpired<'_>) + Send + Sync;

/// What was chosen for a client.
#[derive(Clone)]
enum Choice {
    /// By [`TlsConfig::config_for_client`].
    Config(Arc<ServerConfig>),
    /// By the name, or because nothing was chosen.
    Source(Arc<TlsSource>),
}

impl Choice {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Config(one), Self::Config(other)) => Arc::ptr_eq(one, other),
            // What is loaded may have been replaced in between.
            (Self::Source(one), Self::Source(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl TlsConfig {
    /// More configurations than this are adapted again for each handshake.
    const MAX_ADAPTED: usize = 256;

    /// Loads a chain of certificates, the server's own first, and the key of that one, from two files in PEM, which may
    /// be the same file. TLS 1.2 and 1.3, clients are not asked for certificates.
    ///
    /// The cryptography is what the program has installed (`install_default` on one of `rustls::crypto`). Else give
    /// [`load_with`](Self::load_with) a [provider](TlsOptions::provider). With `quintet-server`, load by its `load_tls`.
    ///
    /// Reads files: it blocks the thread, for microseconds where they are on a disk of this machine.
    ///
    /// # Errors
    /// [`TlsError`]; also if the key does not belong to the certificate, and [`TlsError::NoProvider`] if the program has
    /// installed no cryptography. A certificate that has expired, or is not valid yet, is no error: the clock may be
    /// wrong. The listener [reports](crate::Tls::on_certificate_expired) it.
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
        Ok(Self::new(TlsSource::new(Some(files), loaded)))
    }

    fn new(source: TlsSource) -> Self {
        Self(Arc::new(Shared {
            source: Arc::new(source),
            state: Mutex::default(),
            is_reporting: AtomicBool::default(),
        }))
    }

    /// Reads the same files again, also those of the [configurations for names](Self::config_for_name). Handshakes that
    /// begin later use what they say now.
    ///
    /// The keys of session tickets stay, unless the files about client certificates have changed: then no ticket that
    /// was given before is accepted. Blocks the thread while it reads.
    ///
    /// # Errors
    /// [`TlsError`]: of these files nothing has changed then, the last good ones stay in use. A certificate and a key that
    /// do not belong together are read once more, since two files cannot be replaced at once. Of several pairs each is
    /// read, and the first error is returned.
    pub fn reload(&self) -> Result<(), TlsError> {
        let sources: Vec<_> = self.sources().into_iter().filter(|source| source.files().is_some()).collect();
        if sources.is_empty() {
            return Err(TlsError::NoFiles);
        }
        let reloaded: Vec<_> = sources.iter().map(|source| source.reload()).collect();
        self.report_expired(&sources, SystemTime::now());
        reloaded.into_iter().collect()
    }

    /// Handshakes that begin later use `config`: everything about it may differ, who may connect, too. A ticket of the
    /// earlier configuration is worth nothing, unless `config` has the same ticketer.
    ///
    /// A [`reload`](Self::reload) that begins later goes back to the files; one that is reading them changes nothing any
    /// more.
    pub fn replace(&self, config: Arc<ServerConfig>) {
        self.0.source.replace(config);
    }

    /// Chooses a configuration for each client, by the host name it asks for. `None` stands for this one.
    ///
    /// `choose` is called in the task of the connection, for each handshake, and for a request whose host is not the
    /// name of its handshake; it must not block. If it panics, that handshake fails. A request for a host for which it
    /// would have chosen another one is not to be answered on that connection: see
    /// [`Opened::hosts`](crate::Opened::hosts). Two configurations are the same if they are the same `Arc`, so return
    /// clones of one that was made before.
    ///
    /// One certificate with the names of all hosts needs no choice, and certificates that are chosen by the name alone are
    /// told by [`config_for_name`](Self::config_for_name), which comes after this choice. Here a configuration is made by
    /// rustls:
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
    /// ALPN is [filled in](Self::fill_alpn) for it, too. A [`reload`](Self::reload) knows nothing of its files: to renew it,
    /// let `choose` clone an `Arc` that is behind a mutex, and put a new one there.
    ///
    /// # Spec
    /// Go: `tls.Config.GetConfigForClient`.
    #[doc(alias = "GetConfigForClient")]
    #[must_use]
    pub fn config_for_client(
        self,
        choose: impl Fn(&ClientHello<'_>) -> Option<Arc<ServerConfig>> + Send + Sync + 'static,
    ) -> Self {
        self.state().choose = Some(Arc::new(choose));
        self
    }

    /// Uses the certificate of `config`, with its rules, for clients that ask for this host (SNI), or for any host with one
    /// label before a name (`*.example.com`), where no configuration has the host's own. This one stays that of all other
    /// clients, and of those that say no name.
    ///
    /// A request for a host of another configuration is not to be answered on that connection, also after a reload: see
    /// [`Opened::hosts`](crate::Opened::hosts). [`reload`](Self::reload) reads the files of all of them. Of `config` only
    /// what it was loaded from counts, and not what it has for other names; it can be reloaded and replaced by itself, too.
    ///
    /// ```no_run
    /// use quintet_listener::TlsConfig;
    ///
    /// # fn main() -> Result<(), quintet_listener::TlsError> {
    /// // With quintet-server: load_tls.
    /// let load = TlsConfig::load_x509_key_pair;
    /// let config = load("a.pem", "a-key.pem")?
    ///     .config_for_name("b.example", load("b.pem", "b-key.pem")?)
    ///     .config_for_name("*.c.example", load("c.pem", "c-key.pem")?);
    /// # drop(config);
    /// # Ok(()) }
    /// ```
    ///
    /// # Spec
    /// RFC 6066 §3. Go: `tls.Config.Certificates` with several, of which the first is for all other names.
    #[doc(alias = "SNI")]
    #[doc(alias = "virtual host")]
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a chain of calls reads better without references")]
    pub fn config_for_name(self, name: &str, config: Self) -> Self {
        self.state().names.insert(name, Arc::clone(&config.0.source));
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
        self.sources().iter().any(|source| source.files().is_some())
    }

    /// In which time the server's own certificate is valid; `None` if it is not one from a file.
    pub fn validity(&self) -> Option<Validity> {
        self.0.source.loaded().validity
    }

    /// How often [`reload`](Self::reload) failed.
    pub(super) fn failed_reloads(&self) -> u64 {
        self.sources().iter().map(|source| source.failed_reloads()).sum()
    }

    /// Whether any of its certificates has expired or is not valid yet.
    pub(super) fn is_outside_validity(&self, now: SystemTime) -> bool {
        self.sources().iter().any(|source| source.is_outside_validity(now))
    }

    /// Reports certificates that have expired or are not valid yet: at once, after a reload, and at a handshake with one.
    /// Each is reported once, by the listener that was made first of those that are left.
    pub(super) fn on_expired(&self, report: &OnExpired) {
        {
            let mut state = self.state();
            state.on_expired.retain(|report| report.strong_count() > 0);
            state.on_expired.push(Arc::downgrade(report));
        }
        self.report_expired(&self.sources(), SystemTime::now());
    }

    fn report_expired(&self, sources: &[Arc<TlsSource>], now: SystemTime) {
        for source in sources.iter().filter(|source| source.is_outside_validity(now)) {
            let Some(report) = self.state().on_expired.iter().find_map(Weak::upgrade) else { return };
            // The function may reload this configuration. What it loads is for the next handshake to report: else a
            // certificate that has expired, too, would be reported and reloaded without an end.
            if self.0.is_reporting.swap(true, Acquire) {
                return;
            }
            source.report_expired(now, |expired| report(expired));
            self.0.is_reporting.store(false, Release);
        }
    }

    /// Where its certificates come from, each once: its own first, then those for names.
    fn sources(&self) -> Vec<Arc<TlsSource>> {
        let state = self.state();
        let mut seen = BTreeSet::new();
        let all = std::iter::once(&self.0.source).chain(state.names.values());
        all.filter(|source| seen.insert(Arc::as_ptr(source))).map(Arc::clone).collect()
    }

    /// The configuration for one client, and the hosts it may ask for. `now` is the time of the clock.
    pub(super) fn choose(&self, hello: &ClientHello<'_>, now: SystemTime) -> (Arc<ServerConfig>, Option<HostScope>) {
        let has_choice = {
            let state = self.state();
            state.choose.is_some() || !state.names.is_empty()
        };
        let chosen = if has_choice { self.choice(hello) } else { Choice::Source(Arc::clone(&self.0.source)) };
        let config = match &chosen {
            Choice::Config(config) => Arc::clone(config),
            Choice::Source(source) => {
                self.report_expired(std::slice::from_ref(source), now);
                Arc::clone(&source.loaded().config)
            }
        };
        let config = self.adapted(config);
        if !has_choice {
            return (config, None);
        }
        let this = self.clone();
        let is_same = move |host: &str| this.choice(&ClientHello::of_host(host)).is_same(&chosen);
        (config, Some(HostScope::new(hello.server_name(), is_same)))
    }

    fn choice(&self, hello: &ClientHello<'_>) -> Choice {
        let choose = self.state().choose.clone();
        if let Some(config) = choose.and_then(|choose| choose(hello)) {
            return Choice::Config(config);
        }
        let state = self.state();
        let named = hello.server_name().and_then(|name| state.names.find(name));
        Choice::Source(Arc::clone(named.unwrap_or(&self.0.source)))
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
        Self::new(TlsSource::new(None, config.into()))
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
        if let Some(files) = self.0.source.files() {
            debug.field("certificate", &files.certificate).field("key", &files.key);
        }
        debug.field("validity", &self.validity()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::TlsProvider, *};
    use std::{
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
        time::Duration,
    };

    use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd, generate_simple_self_signed};
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

    /// A configuration from files with a certificate for these years. The files are gone.
    fn from_files(from: i32, to: i32) -> TlsConfig {
        static NTH: AtomicUsize = AtomicUsize::new(0);
        let (key, mut params) = (KeyPair::generate().unwrap(), CertificateParams::new([]).unwrap());
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let pem = params.self_signed(&key).unwrap().pem() + &key.serialize_pem();
        let nth = NTH.fetch_add(1, Relaxed);
        let path = std::env::temp_dir().join(format!("quintet-expired-{}-{nth}.pem", std::process::id()));
        std::fs::write(&path, pem).unwrap();
        let provider = TlsProvider { crypto: ring::default_provider().into(), ticketer: None };
        let options = TlsOptions { provider: Some(provider), ..TlsOptions::default() };
        let config = TlsConfig::load_with(&path, &path, options).unwrap();
        std::fs::remove_file(path).unwrap();
        config
    }

    /// A function that keeps what is reported, without the names of the files.
    fn keep() -> (Arc<Mutex<Vec<String>>>, OnExpired) {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&kept);
        let report = move |expired: &CertificateExpired<'_>| {
            let line = expired.to_string().replace(&*expired.path.to_string_lossy(), "it");
            lines.lock().unwrap().push(line);
        };
        (kept, Arc::new(report))
    }

    fn year(year: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs((year - 1970) * 31_556_952)
    }

    fn handshake(config: &TlsConfig, host: &str, now: SystemTime) {
        let _ = config.choose(&ClientHello::of_host(host), now);
    }

    #[test]
    fn a_certificate_that_expires_is_reported_at_the_next_handshake() {
        let config = from_files(2024, 2090).config_for_name("b.example", from_files(2024, 2080));
        let (kept, report) = keep();
        config.on_expired(&report);
        let lines = || std::mem::take(&mut *kept.lock().unwrap());
        handshake(&config, "a.example", year(2030));
        assert_eq!(lines(), [""; 0]);
        for host in ["a.example", "b.example", "b.example", "a.example"] {
            handshake(&config, host, year(2085));
        }
        assert_eq!(lines(), ["the certificate in it expired at 2080-01-01 00:00:00 UTC"]);
        for _ in 0..2 {
            handshake(&config, "a.example", year(2095));
        }
        assert_eq!(lines(), ["the certificate in it expired at 2090-01-01 00:00:00 UTC"]);
        // The clock is set.
        for _ in 0..2 {
            handshake(&config, "a.example", year(2020));
        }
        assert_eq!(lines(), ["the certificate in it is not valid before 2024-01-01 00:00:00 UTC"]);
    }

    #[test]
    fn an_expired_certificate_is_reported_by_a_listener_that_is_left() {
        let config = from_files(2024, 2090);
        handshake(&config, "a.example", year(2095));
        let ((first, gone), (second, left)) = (keep(), keep());
        config.on_expired(&gone);
        config.on_expired(&left);
        drop(gone);
        handshake(&config, "a.example", year(2095));
        assert_eq!((first.lock().unwrap().len(), second.lock().unwrap().len()), (0, 1));
        for _ in 0..100 {
            config.on_expired(&keep().1);
        }
        assert!(config.state().on_expired.len() <= 2, "those of listeners that are gone are gone");
    }
}
