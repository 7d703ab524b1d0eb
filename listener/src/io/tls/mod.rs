//! TLS in front of any listener.

mod certificate_expired;
mod client_hello;
mod counted;
mod first_bytes;
mod handshake_error;
mod hello_reader;
mod opening;
mod refusal;
mod server_names;
mod settings;
#[expect(clippy::module_inception, reason = "a file is named after the type in it")]
mod tls;
mod tls_config;
mod tls_error;
mod tls_files;
mod tls_health;
mod tls_options;
mod tls_provider;
mod tls_source;
mod tls_stream;
mod validity;

pub use certificate_expired::CertificateExpired;
pub use client_hello::ClientHello;
pub use first_bytes::FirstBytes;
pub use handshake_error::{HandshakeError, HandshakeErrorKind};
pub use tls::Tls;
pub use tls_config::TlsConfig;
pub use tls_error::TlsError;
pub use tls_health::{TlsHealth, TlsHealthSnapshot};
pub use tls_options::{ClientAuth, ClientAuthMode, KeyLogging, TlsOptions, TlsVersion};
pub use tls_provider::TlsProvider;
pub use tls_stream::TlsStream;
pub use validity::Validity;
