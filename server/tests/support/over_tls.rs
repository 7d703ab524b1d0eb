//! The same suites over TLS: between a client of a test and the server stands a client of TLS.

use std::{
    fs::File,
    io,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock},
    task::{Context, Poll},
};

use quintet_listener::{
    Addr, Listener, Opened, Stream, Tls, TlsConfig, TlsStream,
    testing::{Dialer, MemoryListener, MemoryStream},
};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf, duplex, split,
};
use tokio_rustls::TlsConnector;

/// Makes connections that speak TLS with the server.
#[derive(Clone)]
pub struct OverTls {
    tls: Arc<Mutex<Tls<MemoryListener>>>,
    dialer: Dialer,
}

/// A certificate, made once, and a client that trusts it.
fn configs() -> &'static (Arc<ServerConfig>, Arc<ClientConfig>) {
    static CONFIGS: OnceLock<(Arc<ServerConfig>, Arc<ClientConfig>)> = OnceLock::new();
    CONFIGS.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).expect("a certificate");
        let (certificate, key) = (made.cert.der().clone(), made.signing_key.serialize_der());
        let key = PrivateKeyDer::try_from(key).expect("a key");
        let server = ServerConfig::builder_with_provider(ring::default_provider().into());
        let server = server.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
        let server = server.with_single_cert(vec![certificate.clone()], key).expect("they fit");
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("a root");
        let client = ClientConfig::builder_with_provider(ring::default_provider().into());
        let client = client.with_safe_default_protocol_versions().expect("versions");
        (server.into(), client.with_root_certificates(roots).with_no_client_auth().into())
    })
}

impl OverTls {
    pub fn new() -> Self {
        let (listener, dialer) = MemoryListener::new();
        let tls = Tls::new(listener, TlsConfig::from(Arc::clone(&configs().0)));
        Self { tls: Arc::new(Mutex::new(tls)), dialer }
    }

    /// A connection whose two directions hold so many bytes each: the server's end and the client's.
    pub fn pair(&self, size: usize) -> (TlsStream<MemoryStream>, DuplexStream) {
        let (encrypted, _reset) = self.dialer.connect(size);
        let server = {
            let mut tls = self.tls.lock().expect("nothing panics here");
            let mut accept = std::pin::pin!(tls.accept());
            match accept.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())) {
                Poll::Ready(accepted) => accepted.expect("memory is there").0,
                Poll::Pending => unreachable!("accepting never waits for a client"),
            }
        };
        let (client, plain) = duplex(size);
        tokio::spawn(async move {
            let name = "a.example".try_into().expect("a name");
            let connector = TlsConnector::from(Arc::clone(&configs().1));
            if let Ok(tls) = connector.connect(name, encrypted).await {
                let ((from_client, to_client), (from_server, to_server)) = (split(plain), split(tls));
                tokio::join!(pass_on(from_client, to_server), pass_on(from_server, to_client));
            }
        });
        (server, client)
    }
}

/// Passes bytes on until they end, and then the end. What fails ends at once.
async fn pass_on<R: AsyncRead, W: AsyncWrite>(mut from: ReadHalf<R>, mut to: WriteHalf<W>) {
    let mut bytes = vec![0; 16 << 10];
    loop {
        match from.read(&mut bytes).await {
            Ok(n @ 1..) if to.write_all(&bytes[..n]).await.is_ok() && to.flush().await.is_ok() => {}
            _ => {
                let _ = to.shutdown().await;
                return;
            }
        }
    }
}

/// The server's end of a connection in memory.
#[derive(Debug)]
pub enum MaybeTls {
    Plain(MemoryStream),
    Tls(TlsStream<MemoryStream>),
}

macro_rules! either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            MaybeTls::Plain($inner) => $call,
            MaybeTls::Tls($inner) => $call,
        }
    };
}

impl Stream for MaybeTls {
    fn local_addr(&self) -> Option<Addr> {
        either!(self, stream => stream.local_addr())
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Opened>> {
        either!(self, stream => stream.poll_open(cx))
    }

    fn abort(&mut self) {
        either!(self, stream => stream.abort());
    }

    fn bytes_sent(&self) -> Option<usize> {
        either!(self, stream => stream.bytes_sent())
    }

    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: usize,
    ) -> Poll<io::Result<Option<usize>>> {
        either!(self, stream => stream.poll_send_file(cx, file, offset, len))
    }

    fn poll_write_more(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_more(cx, bytes))
    }
}

impl AsyncRead for MaybeTls {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(&mut *self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for MaybeTls {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(&mut *self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(&mut *self, stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        either!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(&mut *self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(&mut *self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
