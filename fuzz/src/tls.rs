//! The target of TLS in `quintet-listener`.

use std::{
    future::{pending, poll_fn},
    io,
    sync::{Arc, OnceLock},
};

use quintet_listener::{Addr, FirstBytes, Listener, Stream, Tls, TlsConfig, TlsHealthSnapshot, UnixName};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    join,
    task::yield_now,
};

/// The targets of this module.
pub const TARGETS: &[crate::Target] = &[("tls_first_bytes", tls_first_bytes)];

/// Whatever comes on a TLS port, in one piece, split anywhere, or byte by byte: it fails of the same, and the client hears
/// the same. What no TLS client says is never taken for a handshake.
///
/// The first two bytes say where it is split.
pub fn tls_first_bytes(data: &[u8]) {
    let Some(([high, low], bytes)) = data.split_first_chunk() else { return };
    let at = usize::from(u16::from_be_bytes([*high, *low])) % (bytes.len() + 1);
    let whole = talk(&[bytes]);
    assert_eq!(talk(&[&bytes[..at], &bytes[at..]]), whole, "split at {at}");
    if bytes.len() <= 1024 {
        let single: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(talk(&single), whole, "byte by byte");
    }
    let first = match FirstBytes::read(bytes) {
        None => Heard::Nothing,
        Some(FirstBytes::Http) => Heard::PlainText,
        Some(FirstBytes::Other) => Heard::Alert(10),
        Some(_) => return,
    };
    assert_eq!(whole.heard, first);
}

/// What came of a conversation.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    /// The counts of what handshakes failed of.
    health: TlsHealthSnapshot,
    heard: Heard,
}

/// What the client hears first. The answer to a ClientHello has random bytes.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Nothing,
    PlainText,
    Alert(u8),
    Handshake,
}

/// A listener of one connection.
struct One(Option<DuplexStream>);

impl Listener for One {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, Addr)> {
        match self.0.take() {
            Some(stream) => Ok((stream, Addr::Unix(UnixName::Unnamed))),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(Addr::Unix(UnixName::Unnamed))
    }
}

fn config() -> TlsConfig {
    static CONFIG: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let names = ["a.example".to_owned()];
        let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).expect("a name");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let builder = ServerConfig::builder_with_provider(ring::default_provider().into());
        let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
        builder.with_single_cert(vec![cert.der().clone()], key).expect("a certificate").into()
    });
    Arc::clone(config).into()
}

/// Says the pieces one after the other, then half-closes.
fn talk(pieces: &[&[u8]]) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let (mut client, server) = duplex(1 << 20);
        let mut tls = Tls::new(One(Some(server)), config());
        let health = tls.health();
        let (mut server, _) = tls.accept().await.expect("a connection");
        let serve = async {
            poll_fn(|cx| server.poll_open(cx)).await.expect_err("nothing is a whole handshake");
            drop(server);
        };
        let talk = async {
            for piece in pieces {
                // The server may be through with it.
                let _ = client.write_all(piece).await;
                yield_now().await;
                yield_now().await;
            }
            let _ = client.shutdown().await;
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.expect("bytes in memory");
            answer
        };
        let ((), answer) = join!(serve, talk);
        let heard = match answer[..] {
            [] => Heard::Nothing,
            [21, .., alert] if answer.len() == 7 => Heard::Alert(alert),
            [22, ..] => Heard::Handshake,
            _ if answer.starts_with(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request") => Heard::PlainText,
            _ => panic!("{}", answer.escape_ascii()),
        };
        Verdict { health: health.snapshot(), heard }
    })
}
