//! What all streams of one TLS listener share.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{HandshakeError, HandshakeErrorKind, TlsConfig, TlsHealth, tls_config::OnExpired};
use crate::{Addr, Throttle, contain::contain};

/// What all streams of one TLS listener share.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) config: TlsConfig,
    pub(super) handshake_timeout: Duration,
    pub(super) health: TlsHealth,
    pub(super) on_error: Option<OnError>,
    pub(super) on_expired: Option<OnExpired>,
    throttle: Arc<Mutex<Throttle>>,
}

pub(super) type OnError = Arc<dyn Fn(&HandshakeError<'_>) + Send + Sync>;

impl Settings {
    /// Handshakes are given up after this, as in Quintet the head of a request is.
    const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
    /// At most one report an interval.
    const REPORT_EVERY: Duration = Duration::from_secs(1);

    pub(super) fn new(config: TlsConfig) -> Self {
        Self {
            health: TlsHealth::new(config.clone()),
            config,
            handshake_timeout: Self::HANDSHAKE_TIMEOUT,
            on_error: None,
            on_expired: None,
            throttle: Arc::new(Mutex::new(Throttle::new(Self::REPORT_EVERY))),
        }
    }

    /// Counts a failed handshake and reports it.
    pub(super) fn failed(&self, peer: &Addr, error: &io::Error, heard: Heard) -> HandshakeErrorKind {
        let kind = HandshakeErrorKind::of(error);
        self.health.failed(kind);
        let Some(on_error) = &self.on_error else { return kind };
        match heard {
            // A load balancer that looks whether the port is open does no more, every few seconds.
            Heard::Nothing if kind == HandshakeErrorKind::Disconnected => return kind,
            // That layer reports its own errors.
            Heard::Below => return kind,
            Heard::Nothing | Heard::Something => {}
        }
        let admitted = self.throttle.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now());
        if let Some(suppressed) = admitted {
            if contain(|| on_error(&HandshakeError { kind, peer, error, suppressed })).is_err() {
                self.health.report_panicked();
            }
        }
        kind
    }
}

/// What a client has said before its handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Nothing,
    Something,
    /// What the stream inside did not open with.
    Below,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("config", &self.config)
            .field("handshake_timeout", &self.handshake_timeout)
            .finish_non_exhaustive()
    }
}
