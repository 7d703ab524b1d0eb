//! Which provider of cryptography is used.

use quintet_listener::TlsProvider;

/// The provider of cryptography for [`TlsOptions::provider`](crate::TlsOptions::provider): the one that the program has
/// installed ([`CryptoProvider::install_default`](rustls::crypto::CryptoProvider::install_default)), else AWS-LC if the
/// feature `aws-lc-rs` is on, else ring if the feature `ring` is on, else `None`.
///
/// [`load_tls`](crate::load_tls), [`run_tls`](crate::Server::run_tls) and
/// [`listen_and_serve_tls`](crate::Server::listen_and_serve_tls) use it by themselves.
/// [`TlsConfig::load_x509_key_pair`](crate::TlsConfig::load_x509_key_pair) and `load_with` do not, since they are of a lower
/// crate, which has no cryptography.
///
/// Session tickets are made by that of a feature, also for a provider that the program has installed. rustls is never
/// asked to choose by itself: it panics where there are two.
#[must_use]
pub fn tls_provider() -> Option<TlsProvider> {
    let built_in = built_in();
    let Some(installed) = TlsProvider::installed() else { return built_in };
    Some(TlsProvider { ticketer: built_in.and_then(|provider| provider.ticketer), ..installed })
}

#[cfg(feature = "aws-lc-rs")]
fn built_in() -> Option<TlsProvider> {
    use rustls::crypto::aws_lc_rs;
    Some(TlsProvider { crypto: aws_lc_rs::default_provider().into(), ticketer: Some(aws_lc_rs::Ticketer::new) })
}

#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
fn built_in() -> Option<TlsProvider> {
    use rustls::crypto::ring;
    Some(TlsProvider { crypto: ring::default_provider().into(), ticketer: Some(ring::Ticketer::new) })
}

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
fn built_in() -> Option<TlsProvider> {
    None
}
