//! What the suites of TLS share: a site with its authority and files, a server in memory, and clients.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses a part of it, and may panic")]

use std::{
    fs, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use quintet_server::{
    Handler, Listener, Server, TlsConfig, TlsOptions,
    listener::{
        ClientAuth,
        testing::{Dialer, MemoryListener},
    },
    load_tls_with,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A certificate that nobody signed, and its key, in PEM.
pub fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// An authority, and a folder with `cert.pem` and `key.pem` for `a.example`, which goes with it.
pub struct Site {
    authority: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Site {
    pub fn new() -> Self {
        static NTH: AtomicUsize = AtomicUsize::new(0);
        let nth = NTH.fetch_add(1, Relaxed);
        let folder = std::env::temp_dir().join(format!("quintet-https-{}-{nth}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let site = Self { authority, folder };
        site.renew();
        site
    }

    /// Writes a new certificate and key.
    pub fn renew(&self) {
        self.write_pair("cert.pem", "key.pem", &self.issue("a.example"));
    }

    /// Writes a new certificate for another name, and its key.
    pub fn renew_other(&self, name: &str) {
        self.write_pair("other.pem", "other-key.pem", &self.issue(name));
    }

    /// Writes a certificate whose time was the year 2020, and its key.
    pub fn renew_expired(&self) {
        let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.write_pair("cert.pem", "key.pem", &self.sign(&params));
    }

    fn write_pair(&self, certificate: &str, key: &str, pair: &(String, String)) {
        self.write(certificate, &pair.0);
        self.write(key, &pair.1);
    }

    fn issue(&self, name: &str) -> (String, String) {
        self.sign(&CertificateParams::new([name.to_owned()]).unwrap())
    }

    fn sign(&self, params: &CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.authority).unwrap().pem(), key.serialize_pem())
    }

    pub fn client_pair(&self) -> (String, String) {
        self.issue("alice")
    }

    pub fn authority_pem(&self) -> String {
        self.authority.pem()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub fn config(&self, client_auth: Option<ClientAuth>) -> TlsConfig {
        let options = TlsOptions { client_auth, ..TlsOptions::default() };
        load_tls_with(self.path("cert.pem"), self.path("key.pem"), options).unwrap()
    }

    /// A configuration for another name, made by rustls.
    pub fn rustls_config(&self, name: &str) -> ServerConfig {
        let (chain, key) = self.issue(name);
        ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate(&chain)], private_key(&key))
            .unwrap()
    }

    /// A client that trusts the authority, and speaks this version of TLS only.
    pub fn client_of(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
        let builder = builder.with_protocol_versions(&[version]).unwrap().with_root_certificates(self.roots());
        Arc::new(builder.with_no_client_auth())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        roots
    }

    /// A client that trusts the authority.
    pub fn client(&self, pair: Option<(String, String)>) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(self.roots());
        let mut client = match pair {
            Some((chain, key)) => builder.with_client_auth_cert(vec![certificate(&chain)], private_key(&key)).unwrap(),
            None => builder.with_no_client_auth(),
        };
        client.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(client)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn private_key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// A server at work, and the way to it.
pub struct Kit<H> {
    pub server: Server<H>,
    dialer: Dialer,
}

pub fn serve<H: Handler>(server: Server<H>, config: TlsConfig) -> Kit<H> {
    serve_with(server, |server, memory| server.tls_listener(memory, config))
}

pub fn serve_with<H: Handler, L: Listener>(
    server: Server<H>,
    listener: impl FnOnce(&Server<H>, MemoryListener) -> L,
) -> Kit<H> {
    let (memory, dialer) = MemoryListener::new();
    let listener = listener(&server, memory);
    let serving = server.clone();
    tokio::spawn(async move { serving.serve(listener).await });
    Kit { server, dialer }
}

impl<H> Kit<H> {
    /// A connection without TLS.
    pub fn dial(&self) -> DuplexStream {
        self.dialer.connect(64 << 10).0
    }

    pub async fn connect(&self, config: &Arc<ClientConfig>, name: &str) -> io::Result<TlsStream<DuplexStream>> {
        connect(self.dial(), config, name).await
    }
}

pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: &Arc<ClientConfig>,
    name: &str,
) -> io::Result<TlsStream<S>> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

/// Asks for `/` of a host: the status and the body.
pub async fn get<S: AsyncRead + AsyncWrite + Unpin>(client: &mut TlsStream<S>, host: &str) -> (u16, String) {
    client.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    client.flush().await.unwrap();
    reply(client).await
}

/// A reply with a length: its status and body.
pub async fn reply(client: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> (u16, String) {
    client.flush().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let status = head[9..12].parse().unwrap();
    let length =
        head.split("content-length: ").nth(1).map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    client.read_exact(&mut body).await.unwrap();
    (status, String::from_utf8(body).unwrap())
}
