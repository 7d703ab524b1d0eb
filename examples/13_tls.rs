//! A server of HTTPS, with a certificate that it makes for itself at the first start.
//!
//! You learn: `run_tls` serves over TLS and reads the certificate and its key again at SIGHUP; a handler is told what
//!           the handshake agreed on.
//!
//! Run:      `cargo run --example 13_tls`
//! Then:     `curl --cacert target/cert.pem https://localhost:9443/`, then without `--cacert`, then
//!           `curl http://localhost:9443/`
//! You see:  a greeting with the version of TLS; an error of curl, which does not trust a certificate that signs itself;
//!           and plain HTTP on this port, which is answered in plain HTTP. Remove the two files, make another pair
//!           (`cargo run --example 13_tls -- --make`), and `pkill -HUP 13_tls`: the next connection gets the new
//!           certificate, and no other is closed.
//! End:      Ctrl-C. Requests in progress are answered first.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use quintet_examples::{arguments, outln};
use quintet_server::{Request, ServeMux, Server};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};

/// Not longer than browsers accept, which is 398 days.
const VALID_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = ":9443")]
    addr: String,
    /// The certificate, in PEM; it is made if neither this file nor the key exists
    #[arg(long, default_value = "target/cert.pem")]
    cert: PathBuf,
    /// The certificate's key, in PEM
    #[arg(long, default_value = "target/key.pem")]
    key: PathBuf,
    /// Another host name for the certificate that is made, besides localhost, 127.0.0.1 and ::1
    #[arg(long)]
    name: Vec<String>,
    /// Only make the certificate and its key
    #[arg(long)]
    make: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { addr, cert, key, name, make } = arguments(include_str!("13_tls.rs"));
    match (cert.exists(), key.exists()) {
        (true, true) => {}
        (false, false) => {
            self_signed(&cert, &key, name)?;
            outln!("made {} and {}, for 90 days; remove both for others", cert.display(), key.display());
        }
        _ => bail!("of {} and {} only one exists", cert.display(), key.display()),
    }
    if make {
        return Ok(());
    }
    outln!("serving https on {addr}; to trust the certificate: curl --cacert {}", cert.display());

    let mux = ServeMux::new();
    mux.handle("GET /{$}", hello);
    let report = Server::new(mux).run_tls(&addr, &cert, &key, Duration::from_secs(10)).await?;
    outln!("drained {}, aborted {}", report.drained, report.aborted);
    Ok(())
}

/// What the handshake of this connection agreed on.
async fn hello(request: Request) -> String {
    let Some(tls) = request.tls() else { return "hello, without TLS\n".to_owned() };
    let version = tls.version_name().unwrap_or("TLS of an unknown version");
    let host = tls.server_name.as_deref().unwrap_or("no host by name");
    let session = if tls.did_resume { "an earlier session" } else { "a new session" };
    format!("hello over {version}, cipher suite {:#06x}, {session}; you asked for {host}\n", tls.cipher_suite)
}

/// Makes a key, and a certificate that it signs itself. A browser trusts it if it is told to, and trusts no other certificate
/// by that: this one cannot sign others.
fn self_signed(cert: &Path, key: &Path, names: Vec<String>) -> anyhow::Result<()> {
    let names = [vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()], names].concat();
    let mut params = CertificateParams::new(names).context("a name that no certificate can have")?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
    params.not_before = date_time_ymd(1970, 1, 1) + now;
    params.not_after = params.not_before + VALID_FOR;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "quintet example");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let pair = KeyPair::generate()?;
    let certificate = params.self_signed(&pair)?;
    // The key first: of an attempt that fails in between, no certificate is left that looks usable.
    write_new(key, 0o600, &pair.serialize_pem())?;
    write_new(cert, 0o644, &certificate.pem())
}

/// Writes a file that does not exist yet. It has its permissions from the first byte on, so no other user can read a key.
fn write_new(path: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        options.open(path)?.write_all(text.as_bytes())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
