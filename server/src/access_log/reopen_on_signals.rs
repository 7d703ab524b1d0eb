//! Opening the access log again at SIGHUP and SIGUSR1.

#[cfg(unix)]
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
};

use super::AccessLog;
#[cfg(unix)]
use crate::{
    select::{Either, select},
    service_manager::{Notification, ServiceManager},
};

/// Opens a log again at each SIGHUP and SIGUSR1, until this is dropped. Either is what programs that rotate logs send:
/// logrotate's examples have both. Go has no such thing; nginx takes SIGUSR1, Apache both.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct ReopenOnSignals(JoinHandle<()>);

#[cfg(unix)]
impl ReopenOnSignals {
    /// Listens from now on. `None` if the process cannot listen to signals.
    pub(crate) fn new(log: AccessLog) -> Option<Self> {
        let (hangups, users) = (signal(SignalKind::hangup()).ok()?, signal(SignalKind::user_defined1()).ok()?);
        Some(Self(tokio::spawn(reopen(log, hangups, users))))
    }
}

#[cfg(unix)]
impl Drop for ReopenOnSignals {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(unix)]
async fn reopen(log: AccessLog, mut hangups: Signal, mut users: Signal) {
    loop {
        match select(hangups.recv(), users.recv()).await {
            Either::First(Some(())) => {
                // SIGHUP is also how systemd asks for a reload (`Type=notify-reload`), and waits for the answer.
                let manager = ServiceManager::from_env();
                manager.reloading();
                log.reopen();
                manager.tell(Notification::Ready).await;
            }
            Either::Second(Some(())) => log.reopen(),
            _ => return,
        }
    }
}

/// There are no such signals here.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct ReopenOnSignals;

#[cfg(not(unix))]
impl ReopenOnSignals {
    pub(crate) fn new(_: AccessLog) -> Option<Self> {
        None
    }
}
