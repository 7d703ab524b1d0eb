//! How TLS handshakes have been going, for whoever asks: a status page, a metric, an alarm.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use super::{HandshakeErrorKind, TlsConfig, Validity};

/// A handle on the health of one [`Tls`](crate::Tls). Clones are the same handle; it outlives the listener.
#[derive(Clone, Debug)]
pub struct TlsHealth {
    counts: Arc<Counts>,
    config: TlsConfig,
}

/// Written by the tasks of all connections.
#[derive(Debug, Default)]
struct Counts {
    opening: AtomicU64,
    handshakes: AtomicU64,
    resumed: AtomicU64,
    failed: [AtomicU64; HandshakeErrorKind::COUNT],
    dropped: AtomicU64,
    report_panics: AtomicU64,
}

/// The answer of [`TlsHealth::snapshot`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsHealthSnapshot {
    /// Connections whose handshake is not over yet.
    pub opening: u64,
    /// Handshakes that succeeded.
    pub handshakes: u64,
    /// Those of them that resumed an earlier session.
    pub resumed: u64,
    /// Failed: a request in plain HTTP.
    pub plain_http: u64,
    /// Failed: neither TLS nor HTTP.
    pub not_tls: u64,
    /// Failed: not over in time.
    pub timed_out: u64,
    /// Failed: the client went away.
    pub disconnected: u64,
    /// Failed: the client refused it with an alert.
    pub refused_by_client: u64,
    /// Failed: nothing in common.
    pub incompatible: u64,
    /// Failed: no client certificate that is accepted.
    pub client_certificate: u64,
    /// Failed: the client broke the rules of TLS.
    pub protocol: u64,
    /// Failed: a function of the configuration panicked.
    pub panicked: u64,
    /// Neither succeeded nor failed: the stream was dropped, or shut down, before. A server does that when it stops, and
    /// where a client has less time for its first request than for its handshake. Not reported.
    pub dropped: u64,
    /// Calls of the functions of [`Tls::on_error`](crate::Tls::on_error) and
    /// [`Tls::on_certificate_expired`](crate::Tls::on_certificate_expired) that panicked.
    pub report_panics: u64,
    /// Calls of [`TlsConfig::reload`](crate::TlsConfig::reload) that failed.
    pub failed_reloads: u64,
    /// In which time the server's own certificate is valid; `None` if it is not one from a file.
    pub validity: Option<Validity>,
    /// Whether the clock says that it is not: the certificate, or one [for a name](TlsConfig::config_for_name), has
    /// expired, or is not valid yet.
    pub is_outside_validity: bool,
}

impl TlsHealth {
    pub(super) fn new(config: TlsConfig) -> Self {
        Self { counts: Arc::default(), config }
    }

    /// Everything at once. The numbers are read one after another while handshakes go on.
    pub fn snapshot(&self) -> TlsHealthSnapshot {
        let counts = &*self.counts;
        let failed = |kind: HandshakeErrorKind| counts.failed[kind as usize].load(Relaxed);
        TlsHealthSnapshot {
            opening: counts.opening.load(Relaxed),
            handshakes: counts.handshakes.load(Relaxed),
            resumed: counts.resumed.load(Relaxed),
            plain_http: failed(HandshakeErrorKind::PlainHttp),
            not_tls: failed(HandshakeErrorKind::NotTls),
            timed_out: failed(HandshakeErrorKind::TimedOut),
            disconnected: failed(HandshakeErrorKind::Disconnected),
            refused_by_client: failed(HandshakeErrorKind::RefusedByClient),
            incompatible: failed(HandshakeErrorKind::Incompatible),
            client_certificate: failed(HandshakeErrorKind::ClientCertificate),
            protocol: failed(HandshakeErrorKind::Protocol),
            panicked: failed(HandshakeErrorKind::Panicked),
            dropped: counts.dropped.load(Relaxed),
            report_panics: counts.report_panics.load(Relaxed),
            failed_reloads: self.config.failed_reloads(),
            validity: self.config.validity(),
            is_outside_validity: self.config.is_outside_validity(SystemTime::now()),
        }
    }

    pub(super) fn succeeded(&self, resumed: bool) {
        self.counts.handshakes.fetch_add(1, Relaxed);
        self.counts.resumed.fetch_add(resumed.into(), Relaxed);
    }

    pub(super) fn failed(&self, kind: HandshakeErrorKind) {
        self.counts.failed[kind as usize].fetch_add(1, Relaxed);
    }

    /// The function that was to report an error panicked.
    pub(super) fn report_panicked(&self) {
        self.counts.report_panics.fetch_add(1, Relaxed);
    }

    /// Counts a connection as opening until the guard is dropped.
    pub(super) fn opening(&self) -> OpeningGuard {
        self.counts.opening.fetch_add(1, Relaxed);
        OpeningGuard { counts: Arc::clone(&self.counts), is_settled: false }
    }
}

/// One connection whose handshake is not over yet.
#[derive(Debug)]
pub(super) struct OpeningGuard {
    counts: Arc<Counts>,
    is_settled: bool,
}

impl OpeningGuard {
    /// The handshake succeeded or failed, and is counted as that.
    pub(super) fn settle(&mut self) {
        self.is_settled = true;
    }
}

impl Drop for OpeningGuard {
    fn drop(&mut self) {
        self.counts.opening.fetch_sub(1, Relaxed);
        self.counts.dropped.fetch_add((!self.is_settled).into(), Relaxed);
    }
}
