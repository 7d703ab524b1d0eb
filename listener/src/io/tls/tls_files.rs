//! A certificate, its key and what belongs to them, in files.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU8},
};

use rustls::{
    KeyLogFile, RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};

use super::{ClientAuth, ClientAuthMode, KeyLogging, TlsError, TlsOptions, TlsProvider, TlsVersion, Validity};

/// Where a configuration is loaded from, as often as it is asked for.
#[derive(Debug)]
pub(super) struct TlsFiles {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) options: TlsOptions,
}

/// What was loaded, and what the next loading needs to know of it.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    /// Of the first certificate; `None` if it is not known.
    pub(super) validity: Option<Validity>,
    /// What was reported of it: see [`TlsSource::report_expired`](super::tls_source::TlsSource::report_expired).
    pub(super) reported: AtomicU8,
    client_auth: AuthFiles,
    ticketer: Option<Arc<dyn ProducesTickets>>,
}

impl From<Arc<ServerConfig>> for Loaded {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self { config, validity: None, reported: AtomicU8::new(0), client_auth: Vec::new(), ticketer: None }
    }
}

impl TlsFiles {
    /// Loads everything. What `previous` had keeps its ticket keys if the rules about clients are the same.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(super) fn load(&self, previous: Option<&Loaded>) -> Result<Loaded, TlsError> {
        let provider = self.options.provider.clone().or_else(TlsProvider::installed).ok_or(TlsError::NoProvider)?;
        match self.load_once(&provider, previous) {
            // Two files cannot be renamed at once, and this may have been between the two.
            Err(TlsError::KeyMismatch { .. }) => self.load_once(&provider, previous),
            loaded => loaded,
        }
    }

    fn load_once(&self, provider: &TlsProvider, previous: Option<&Loaded>) -> Result<Loaded, TlsError> {
        let chain = certificates(&self.certificate, &read(&self.certificate)?)?;
        let key = private_key(&self.key, &read(&self.key)?)?;
        let (client_auth, verifier) = match &self.options.client_auth {
            Some(auth) => client_verifier(auth, &provider.crypto)?,
            None => (Vec::new(), WebPkiClientVerifier::no_client_auth()),
        };
        let versions = match self.options.min_version {
            TlsVersion::V1_2 => &[&TLS13, &TLS12][..],
            TlsVersion::V1_3 => &[&TLS13],
        };
        let validity = Validity::read(&chain[0]);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider.crypto));
        let builder = builder.with_protocol_versions(versions).map_err(|source| TlsError::Provider { source })?;
        let config = builder.with_client_cert_verifier(verifier).with_single_cert(chain, key);
        let mut config = config.map_err(|error| self.unusable(error))?;
        // A ticket stands for the client certificate of the handshake in which it was given. When the rules about
        // clients change, the keys of the tickets must.
        let ticketer = match previous {
            Some(Loaded { ticketer: Some(ticketer), client_auth: rules, .. }) if *rules == client_auth => {
                Some(Arc::clone(ticketer))
            }
            _ => provider.ticketer.map(|new| new()).transpose().map_err(|source| TlsError::Provider { source })?,
        };
        if let Some(ticketer) = &ticketer {
            config.ticketer = Arc::clone(ticketer);
        }
        // Sessions are in their tickets, and not in our memory.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.alpn_protocols.clone_from(&self.options.alpn_protocols);
        if self.options.key_log == KeyLogging::FromEnvironment {
            config.key_log = Arc::new(KeyLogFile::new());
        }
        Ok(Loaded { config: Arc::new(config), validity, reported: AtomicU8::new(0), client_auth, ticketer })
    }

    fn unusable(&self, error: rustls::Error) -> TlsError {
        let (certificate, key) = (self.certificate.clone(), self.key.clone());
        match error {
            rustls::Error::InconsistentKeys(_) => TlsError::KeyMismatch { certificate, key },
            source => TlsError::Unusable { certificate, key, source },
        }
    }
}

/// A file of at most 16 MiB; the revocation list of a large authority has some.
fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    const MAX_BYTES: u64 = 16 << 20;
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is larger than 16 MiB"));
        }
        Ok(bytes)
    };
    read().map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

/// All certificates of a file, at least one.
fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let chain = chain.map_err(|_| TlsError::Pem { path: path.to_owned() })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(chain)
}

/// The first private key of a file.
fn private_key(path: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    // "Proc-Type: 4,ENCRYPTED" (RFC 1421 §4.6.1.1), which the reader of PEM takes for malformed base64.
    const ENCRYPTED: &[u8] = b"4,ENCRYPTED";
    let is_encrypted = || text.windows(ENCRYPTED.len()).any(|bytes| bytes == ENCRYPTED);
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey { path: path.to_owned() },
        _ if is_encrypted() => TlsError::NoKey { path: path.to_owned() },
        // What it says may quote the file.
        _ => TlsError::Pem { path: path.to_owned() },
    })
}

/// The files about client certificates, byte for byte.
type AuthFiles = Vec<Vec<u8>>;

/// What judges the certificates of clients, and the files that it was made of.
fn client_verifier(
    auth: &ClientAuth,
    crypto: &Arc<CryptoProvider>,
) -> Result<(AuthFiles, Arc<dyn ClientCertVerifier>), TlsError> {
    let wrong = |path: &Path, source| TlsError::ClientAuth { path: path.to_owned(), source };
    let mut files = vec![read(&auth.roots)?];
    let mut roots = RootCertStore::empty();
    for root in certificates(&auth.roots, &files[0])? {
        roots.add(root).map_err(|error| wrong(&auth.roots, error.into()))?;
    }
    let mut lists = Vec::new();
    for path in &auth.revocation_lists {
        let text = read(path)?;
        let list: Result<Vec<CertificateRevocationListDer<'static>>, _> =
            CertificateRevocationListDer::pem_slice_iter(&text).collect();
        let list = list.map_err(|_| TlsError::Pem { path: path.clone() })?;
        if list.is_empty() {
            return Err(wrong(path, "there is no revocation list".into()));
        }
        lists.extend(list);
        files.push(text);
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(crypto)).with_crls(lists);
    let builder = match auth.mode {
        ClientAuthMode::Required => builder,
        ClientAuthMode::Optional => builder.allow_unauthenticated(),
    };
    let verifier = builder.build().map_err(|error| wrong(&auth.roots, error.into()))?;
    Ok((files, verifier))
}
