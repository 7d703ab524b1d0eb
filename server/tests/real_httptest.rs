//! The test kit on the loopback, where clients of other libraries reach its server. In real time.

#![cfg(feature = "httptest")]

use quintet_server::{
    Request, ServeMux,
    httptest::{Network, TestServer, TestServerOptions},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn app() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("/", async |request: Request| format!("hello {}\n", request.host().unwrap_or_default()));
    mux
}

fn on_loopback() -> TestServerOptions {
    TestServerOptions { network: Network::Loopback, ..TestServerOptions::default() }
}

#[tokio::test]
async fn a_test_server_on_the_loopback_is_reached_by_its_url() {
    let server = TestServer::start_with(app(), on_loopback());
    let url = server.url();
    let addr = url.strip_prefix("http://").expect("a server without TLS").to_owned();
    assert_eq!(server.client().get("/").await.text(), format!("hello {addr}\n"));

    let mut other = TcpStream::connect(&addr).await.expect("a port that is listened on");
    other.write_all(b"GET / HTTP/1.0\r\nHost: other\r\n\r\n").await.expect("the server reads");
    let mut reply = String::new();
    other.read_to_string(&mut reply).await.expect("a reply");
    assert!(reply.starts_with("HTTP/1.0 200 OK\r\n") && reply.ends_with("\r\n\r\nhello other\n"), "{reply}");

    #[cfg(feature = "http2")]
    assert_eq!(server.http2_client().get("/").await.text(), format!("hello {addr}\n"));
    let report = server.close().await;
    assert!(report.is_clean(), "{report:?}");
    assert!(TcpStream::connect(&addr).await.is_err(), "the port is closed");
}

#[cfg(feature = "ring")]
#[tokio::test]
async fn a_test_server_on_the_loopback_speaks_tls() {
    let options = TestServerOptions { tls: true, ..on_loopback() };
    let server = TestServer::start_with(app(), options);
    assert!(server.url().starts_with("https://127.0.0.1:"));
    assert_eq!(server.client().get("/").await.status, 200);
    #[cfg(feature = "http2")]
    assert_eq!(server.http2_client().get("/").await.status, 200);
    let report = server.close().await;
    assert!(report.is_clean(), "{report:?}");
}

/// The certificate that other clients are given is the one that the server shows.
#[cfg(feature = "ring")]
#[tokio::test]
async fn the_certificate_of_a_test_server_is_trusted_by_other_clients() {
    use std::sync::Arc;

    use rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, pem::PemObject},
    };

    let server = TestServer::start_with(app(), TestServerOptions { tls: true, ..on_loopback() });
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.certificate().as_bytes()).expect("PEM")).expect("a certificate");
    let config = ClientConfig::builder_with_provider(ring::default_provider().into());
    let config = config.with_safe_default_protocol_versions().expect("versions").with_root_certificates(roots);
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config.with_no_client_auth()));
    let addr = server.url().trim_start_matches("https://").to_owned();
    for name in ["127.0.0.1", "localhost", "example.com", "www.example.com"] {
        let io = TcpStream::connect(&addr).await.expect("a port that is listened on");
        let tls = connector.connect(name.to_owned().try_into().expect("a name"), io).await;
        assert!(tls.is_ok(), "{name}: {:?}", tls.err());
    }
    let io = TcpStream::connect(&addr).await.expect("a port that is listened on");
    assert!(connector.connect("other.example".try_into().expect("a name"), io).await.is_err());
}
