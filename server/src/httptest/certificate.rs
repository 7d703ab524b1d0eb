//! The certificate of the test servers, and what a server and a client make of it.

use std::sync::Arc;

use quintet_listener::{TlsConfig, TlsProvider};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// The certificate, in PEM: for `example.com`, the names below it, `localhost`, `127.0.0.1` and `::1`, until 2084. Go has
/// one in `net/http/internal/testcert`.
pub(super) const CERTIFICATE: &str = include_str!("cert.pem");
/// Its key. It is public, and so protects nothing.
const KEY: &str = include_str!("key.pem");

/// The configuration of a server with the certificate.
pub(super) fn server_config(provider: &TlsProvider) -> TlsConfig {
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("the key is well formed");
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider.crypto));
    let builder = builder.with_safe_default_protocol_versions().expect("the provider has a version of TLS");
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate()], key);
    TlsConfig::from(Arc::new(config.expect("the provider knows P-256")))
}

/// The configuration of a client that trusts the certificate, and offers one protocol.
pub(super) fn client_config(provider: &TlsProvider, protocol: &[u8]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate()).expect("the certificate is well formed");
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider.crypto));
    let builder = builder.with_safe_default_protocol_versions().expect("the provider has a version of TLS");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("the certificate is well formed")
}
