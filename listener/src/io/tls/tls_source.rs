//! A certificate with its rules: the files that it comes from, and what was loaded of them last.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicU64,
            Ordering::{AcqRel, Relaxed},
        },
    },
    time::SystemTime,
};

use rustls::ServerConfig;

use super::{
    CertificateExpired, TlsError,
    tls_files::{Loaded, TlsFiles},
};

/// A certificate with its rules: the files that it comes from, if any, and what was loaded of them last.
pub(super) struct TlsSource {
    files: Option<TlsFiles>,
    /// Held while the files are read, so that of two reloads the one that began later wins.
    reloading: Mutex<()>,
    failed_reloads: AtomicU64,
    loaded: Mutex<Arc<Loaded>>,
}

impl TlsSource {
    pub(super) fn new(files: Option<TlsFiles>, loaded: Loaded) -> Self {
        let loaded = Mutex::new(Arc::new(loaded));
        Self { files, reloading: Mutex::default(), failed_reloads: AtomicU64::new(0), loaded }
    }

    pub(super) fn files(&self) -> Option<&TlsFiles> {
        self.files.as_ref()
    }

    pub(super) fn failed_reloads(&self) -> u64 {
        self.failed_reloads.load(Relaxed)
    }

    /// What is in use.
    pub(super) fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.lock())
    }

    pub(super) fn replace(&self, config: Arc<ServerConfig>) {
        *self.lock() = Arc::new(config.into());
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// [`TlsError`], [`TlsError::NoFiles`] if there are none: nothing has changed then.
    pub(super) fn reload(&self) -> Result<(), TlsError> {
        let files = self.files.as_ref().ok_or(TlsError::NoFiles)?;
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = self.loaded();
        let loaded = files.load(Some(&previous)).inspect_err(|_| {
            self.failed_reloads.fetch_add(1, Relaxed);
        })?;
        let mut current = self.lock();
        // What replaced it while the files were read came later, and stays.
        if Arc::ptr_eq(&current, &previous) {
            *current = Arc::new(loaded);
        }
        Ok(())
    }

    /// Whether the certificate is of a file, and has expired or is not valid yet.
    pub(super) fn is_outside_validity(&self, now: SystemTime) -> bool {
        self.loaded().validity.is_some_and(|validity| validity.is_expired(now) || validity.is_not_yet_valid(now))
    }

    /// Calls `report` if the certificate in use has expired or is not valid yet, and that has not been reported of what
    /// was loaded last.
    pub(super) fn report_expired(&self, now: SystemTime, report: impl FnOnce(&CertificateExpired<'_>)) {
        let loaded = self.loaded();
        let (Some(files), Some(validity)) = (&self.files, loaded.validity) else { return };
        let Some(expired) = CertificateExpired::new(&files.certificate, validity, now) else { return };
        let standing = if expired.is_not_yet_valid() { EARLY } else { EXPIRED };
        // Of the handshakes that see it at once, one reports it.
        if loaded.reported.swap(standing, AcqRel) != standing {
            report(&expired);
        }
    }

    /// A panic leaves what was loaded whole.
    fn lock(&self) -> MutexGuard<'_, Arc<Loaded>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was reported of a certificate last; 0 for nothing.
const EARLY: u8 = 1;
const EXPIRED: u8 = 2;

impl fmt::Debug for TlsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TlsSource");
        if let Some(files) = &self.files {
            debug.field("certificate", &files.certificate).field("key", &files.key);
        }
        debug.field("validity", &self.loaded().validity).finish_non_exhaustive()
    }
}
