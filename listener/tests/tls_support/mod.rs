//! What the suites of TLS share: an authority, files, a listener in memory, and clients.
#![allow(dead_code, clippy::unwrap_used, reason = "each suite uses some of it, and a test may panic")]

use std::{
    fs,
    future::poll_fn,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use quintet_listener::{Addr, Listener, Opened, Stream, Tls, TlsConfig, TlsOptions, TlsProvider, TlsStream, UnixName};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, ExtendedKeyUsagePurpose,
    IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
};
use tokio_rustls::{TlsConnector, client};

/// How much a pipe of a client holds.
pub(crate) const PIPE_BYTES: usize = 64 << 10;

pub(crate) fn provider() -> TlsProvider {
    TlsProvider { crypto: Arc::new(ring::default_provider()), ticketer: Some(ring::Ticketer::new) }
}

pub(crate) fn options() -> TlsOptions {
    TlsOptions { provider: Some(provider()), ..TlsOptions::default() }
}

/// An authority that signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) der: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn issue(&self, name: &str, serial: u8) -> Pair {
        self.issue_valid(name, serial, (2020, 2100))
    }

    /// A certificate that is valid from the first day of a year to that of another.
    pub(crate) fn issue_valid(&self, name: &str, serial: u8, (from, to): (i32, i32)) -> Pair {
        let mut params = params(name, serial);
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        self.sign(&params)
    }

    /// A certificate that is valid until then, counted from 1970.
    pub(crate) fn issue_until(&self, name: &str, serial: u8, to: Duration) -> Pair {
        let mut params = params(name, serial);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(1970, 1, 1) + to);
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A list of certificates that do not count any more.
    pub(crate) fn revoke(&self, serials: &[u8]) -> String {
        let revoked = |serial: &u8| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&[*serial]),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from_slice(&[1]),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).unwrap().pem().unwrap()
    }

    /// A client that trusts this authority.
    pub(crate) fn client(&self) -> ClientConfig {
        self.client_with(&[&rustls::version::TLS13, &rustls::version::TLS12], None)
    }

    /// A client that trusts this authority, speaks these versions, and may have a certificate.
    pub(crate) fn client_with(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        pair: Option<&Pair>,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots);
        match pair {
            Some(pair) => builder.with_client_auth_cert(vec![pair.der.clone()], pair.key_der()).unwrap(),
            None => builder.with_no_client_auth(),
        }
    }
}

fn params(name: &str, serial: u8) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.serial_number = Some(SerialNumber::from_slice(&[serial]));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

impl Pair {
    pub(crate) fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }

    /// As a configuration of rustls.
    pub(crate) fn server_config(&self) -> rustls::ServerConfig {
        rustls::ServerConfig::builder_with_provider(provider().crypto)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.der.clone()], self.key_der())
            .unwrap()
    }

    /// As a configuration of rustls, for clients that this authority knows.
    pub(crate) fn server_config_for(&self, clients: &Authority) -> rustls::ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(clients.0.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider().crypto).build().unwrap();
        rustls::ServerConfig::builder_with_provider(provider().crypto)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![self.der.clone()], self.key_der())
            .unwrap()
    }

    /// As a configuration of ours, from files that are gone afterwards.
    pub(crate) fn config(&self, options: TlsOptions) -> TlsConfig {
        let folder = Folder::new();
        folder.write_pair(self);
        TlsConfig::load_with(folder.path("cert.pem"), folder.path("key.pem"), options).unwrap()
    }
}

/// A folder of its own that is gone when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NTH: AtomicUsize = AtomicUsize::new(0);
        let nth = NTH.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("quintet-tls-{}-{nth}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Replaces a file at once, as a tool that renews certificates does.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let (new, path) = (self.path("new"), self.path(name));
        fs::write(&new, text).unwrap();
        fs::rename(new, &path).unwrap();
        path
    }

    pub(crate) fn write_pair(&self, pair: &Pair) {
        self.write("cert.pem", &pair.certificate);
        self.write("key.pem", &pair.key);
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A listener in memory, and what connects to it.
#[derive(Debug)]
pub(crate) struct Memory(mpsc::UnboundedReceiver<DuplexStream>);

#[derive(Clone)]
pub(crate) struct Dial(mpsc::UnboundedSender<DuplexStream>);

pub(crate) fn memory() -> (Memory, Dial) {
    let (dial, memory) = mpsc::unbounded_channel();
    (Memory(memory), Dial(dial))
}

impl Dial {
    pub(crate) fn connect(&self) -> DuplexStream {
        let (client, server) = duplex(PIPE_BYTES);
        self.0.send(server).ok().unwrap();
        client
    }

    /// A connection whose handshake is over for the client.
    pub(crate) async fn tls(&self, config: &Arc<ClientConfig>, name: &str) -> io::Result<ClientStream> {
        tls_over(self.connect(), config, name).await
    }
}

pub(crate) type ClientStream = client::TlsStream<DuplexStream>;

pub(crate) async fn tls_over(stream: DuplexStream, config: &Arc<ClientConfig>, name: &str) -> io::Result<ClientStream> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

impl Listener for Memory {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, Addr)> {
        match self.0.recv().await {
            Some(stream) => Ok((stream, "192.0.2.1:4567".parse().unwrap())),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(Addr::Unix(UnixName::Unnamed))
    }
}

pub(crate) async fn open(stream: &mut impl Stream) -> io::Result<Opened> {
    poll_fn(|cx| stream.poll_open(cx)).await
}

/// Both sides of one handshake: what the server says came of it, and the client's stream.
pub(crate) type Handshake = (TlsStream<DuplexStream>, io::Result<Opened>, io::Result<ClientStream>);

pub(crate) async fn handshake(tls: &mut Tls<Memory>, dial: &Dial, config: &Arc<ClientConfig>, name: &str) -> Handshake {
    let server = async {
        let (mut stream, _) = tls.accept().await.unwrap();
        let opened = open(&mut stream).await;
        (stream, opened)
    };
    let ((stream, opened), client) = tokio::join!(server, dial.tls(config, name));
    (stream, opened, client)
}

/// The serial number of the certificate that the server showed.
pub(crate) fn serial(client: &ClientStream) -> u8 {
    let certificate = &client.get_ref().1.peer_certificates().unwrap()[0];
    // SEQUENCE, SEQUENCE, [0] { INTEGER 2 }, INTEGER of one byte.
    let at = certificate.windows(6).position(|bytes| bytes == [0xa0, 3, 2, 1, 2, 2]).unwrap();
    certificate[at + 7]
}
