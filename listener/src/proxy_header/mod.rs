//! The PROXY protocol: what a proxy in front of us says of its client, before the client's first byte.

mod cipher_suite;
mod error;
#[expect(clippy::module_inception, reason = "a file is named after the type in it")]
mod proxy_header;
mod tlvs;
mod v1;
mod v2;

pub use error::ProxyHeaderError;
pub use proxy_header::ProxyHeader;
