//! The service manager that started this process (systemd), told how the process is doing: `sd_notify`.
//!
//! Without a manager nothing is sent. What cannot be sent is lost, and ends nothing.

use std::{convert::Infallible, env, fmt, future::Future, io, process, time::Duration};

#[cfg(unix)]
use std::os::unix::net::{SocketAddr, UnixDatagram};

use tokio::time::sleep;

use crate::select::{Either, select};

/// How long after a try that found the queue of the manager full the next one is made.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// Ten seconds of tries.
const MAX_TRIES: u32 = 100;

/// The service manager that started this process, if its environment names one.
///
/// [`Server::run`](crate::Server::run), [`serve_until_signal`](crate::Server::serve_until_signal) and
/// [`until_signal`](crate::Server::until_signal) tell it by themselves when the server is ready and when it stops, and
/// that it is alive. This is for programs with a loop of their own.
///
/// ```
/// use quintet_server::{Notification, ServiceManager};
///
/// let manager = ServiceManager::from_env(); // sends nothing where there is none
/// manager.notify(Notification::Ready);
/// ```
///
/// # Spec
/// sd_notify(3), sd_watchdog_enabled(3): `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`. Go:
/// `coreos/go-systemd/daemon.SdNotify`, which is not of its standard library.
#[doc(alias = "systemd")]
#[doc(alias = "sd_notify")]
#[derive(Debug, Default)]
pub struct ServiceManager {
    #[cfg(unix)]
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

/// What a service manager is told. Prints as the message: lines of `NAME=value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notification {
    /// The process serves, from the beginning or again after [`Reloading`](Self::Reloading).
    Ready,
    /// The process reads its configuration anew; [`Ready`](Self::Ready) must follow.
    Reloading {
        /// The time of `CLOCK_MONOTONIC`, which a service of `Type=notify-reload` must say.
        monotonic: Option<Duration>,
    },
    /// The process ends as soon as its requests have.
    Stopping,
    /// The process is alive: to be said more often than every `WATCHDOG_USEC`.
    Watchdog,
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("READY=1\n"),
            Self::Reloading { monotonic: None } => f.write_str("RELOADING=1\n"),
            Self::Reloading { monotonic: Some(at) } => {
                write!(f, "RELOADING=1\nMONOTONIC_USEC={}\n", at.as_micros())
            }
            Self::Stopping => f.write_str("STOPPING=1\n"),
            Self::Watchdog => f.write_str("WATCHDOG=1\n"),
        }
    }
}

impl ServiceManager {
    /// The manager that the environment names; none if it names none, or one that cannot be reached.
    pub fn from_env() -> Self {
        let variable = |name| env::var(name).ok();
        let watchdog =
            watchdog(variable("WATCHDOG_USEC").as_deref(), variable("WATCHDOG_PID").as_deref(), process::id());
        #[cfg(unix)]
        {
            let socket = env::var_os("NOTIFY_SOCKET").and_then(|name| connect(&name).ok());
            let watchdog = watchdog.filter(|_| socket.is_some());
            Self { socket, watchdog }
        }
        #[cfg(not(unix))]
        {
            let _ = watchdog;
            Self::default()
        }
    }

    /// Tells the manager. What cannot be sent at once is lost: a manager that has much to read has a full queue.
    /// [`Server::run`](crate::Server::run) tries for ten seconds.
    pub fn notify(&self, notification: Notification) {
        self.send(notification);
    }

    /// Whether the manager has been told, or there is none to tell.
    fn send(&self, notification: Notification) -> Sent {
        #[cfg(unix)]
        if let Some((socket, manager)) = &self.socket {
            let sent = socket.send_to_addr(notification.to_string().as_bytes(), manager);
            return match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::QueueFull,
                _ => Sent::Done,
            };
        }
        let _ = notification;
        Sent::Done
    }

    /// Tells the manager, and tries again for ten seconds while its queue is full: a service of `Type=notify` whose
    /// `READY` is lost is stopped.
    ///
    /// # Cancel safety
    /// The first try is made at the first poll.
    pub(crate) async fn tell(&self, notification: Notification) {
        for _ in 0..MAX_TRIES {
            match self.send(notification) {
                Sent::Done => return,
                Sent::QueueFull => sleep(RETRY_INTERVAL).await,
            }
        }
    }

    /// Tells the manager that the process reads its configuration anew, with the time. [`Notification::Ready`] must
    /// follow.
    pub fn reloading(&self) {
        self.notify(Notification::Reloading { monotonic: monotonic() });
    }

    /// How often the manager wants to hear that the process is alive; `None` if it does not.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// [Tells](Self::tell) the manager, waits for `future`, and meanwhile says twice in each interval of the watchdog that
    /// the process is alive.
    ///
    /// # Cancel safety
    /// That of `future`.
    pub(crate) async fn attend<T>(&self, notification: Notification, future: impl Future<Output = T>) -> T {
        // Tried once before `future`, which may be ready.
        let sent = self.send(notification);
        let telling = async {
            if sent == Sent::QueueFull {
                self.tell(notification).await;
            }
            self.stay_alive().await
        };
        match select(future, telling).await {
            Either::First(done) => done,
            Either::Second(never) => match never {},
        }
    }

    async fn stay_alive(&self) -> Infallible {
        let Some(interval) = self.watchdog else { return std::future::pending().await };
        loop {
            self.notify(Notification::Watchdog);
            sleep(interval / 2).await;
        }
    }
}

/// What came of telling a manager.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// It was told, or cannot be.
    Done,
    /// Its queue is full.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is no manager"))]
    QueueFull,
}

/// The interval of the watchdog, if it is this process that it watches.
fn watchdog(usec: Option<&str>, pid: Option<&str>, own: u32) -> Option<Duration> {
    let ours = pid.is_none_or(|pid| pid.parse() == Ok(own));
    let interval = Duration::from_micros(usec?.parse().ok()?);
    (ours && !interval.is_zero()).then_some(interval)
}

/// A socket of our own, and where the manager listens: a path, or `@name` without a file (Linux).
#[cfg(unix)]
fn connect(name: &std::ffi::OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let manager = match std::os::unix::ffi::OsStrExt::as_bytes(name) {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(name)?,
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not hold up the server.
    socket.set_nonblocking(true)?;
    Ok((socket, manager))
}

/// The time of `CLOCK_MONOTONIC`, which std does not tell.
#[cfg(all(feature = "activation", unix))]
fn monotonic() -> Option<Duration> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Some(Duration::new(u64::try_from(now.tv_sec).ok()?, u32::try_from(now.tv_nsec).ok()?))
}

#[cfg(not(all(feature = "activation", unix)))]
fn monotonic() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_prints_as_sd_notify_has_it() {
        for (notification, message) in [
            (Notification::Ready, "READY=1\n"),
            (Notification::Stopping, "STOPPING=1\n"),
            (Notification::Watchdog, "WATCHDOG=1\n"),
            (Notification::Reloading { monotonic: None }, "RELOADING=1\n"),
            (
                Notification::Reloading { monotonic: Some(Duration::new(7, 5_999)) },
                "RELOADING=1\nMONOTONIC_USEC=7000005\n",
            ),
        ] {
            assert_eq!(notification.to_string(), message);
        }
    }

    #[test]
    fn the_watchdog_is_for_the_process_that_it_names() {
        for (usec, pid, interval) in [
            (Some("30000000"), Some("7"), Some(Duration::from_secs(30))),
            (Some("30000000"), None, Some(Duration::from_secs(30))),
            (Some("30000000"), Some("8"), None),
            (Some("30000000"), Some(""), None),
            (Some("0"), Some("7"), None),
            (Some("soon"), Some("7"), None),
            (Some("99999999999999999999"), Some("7"), None),
            (None, Some("7"), None),
        ] {
            assert_eq!(watchdog(usec, pid, 7), interval, "{usec:?} {pid:?}");
        }
    }

    #[cfg(all(feature = "activation", target_os = "linux"))]
    #[test]
    fn the_monotonic_time_is_that_of_the_system() {
        // `Instant` is the same clock on Linux, and prints it.
        let (before, now, after) = (std::time::Instant::now(), monotonic().unwrap(), std::time::Instant::now());
        let seconds = |instant| {
            let text = format!("{instant:?}");
            text.split("tv_sec: ").nth(1).unwrap().split(',').next().unwrap().parse::<u64>().unwrap()
        };
        assert!((seconds(before)..=seconds(after)).contains(&now.as_secs()));
    }

    /// What a manager at `name` was told, by a server process with these variables.
    #[cfg(unix)]
    fn manager(name: &std::ffi::OsStr, watchdog: Option<Duration>) -> ServiceManager {
        ServiceManager { socket: Some(connect(name).unwrap()), watchdog }
    }

    #[cfg(unix)]
    fn heard(socket: &UnixDatagram) -> String {
        let mut message = [0; 128];
        let len = socket.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..len]).into_owned()
    }

    #[cfg(unix)]
    fn path(test: &str) -> std::path::PathBuf {
        env::temp_dir().join(format!("quintet-notify-{test}-{}", process::id()))
    }

    #[cfg(unix)]
    #[test]
    fn a_manager_is_told_at_a_path_and_at_an_abstract_name() {
        let path = path("told");
        let at_path = UnixDatagram::bind(&path).unwrap();
        manager(path.as_os_str(), None).notify(Notification::Ready);
        assert_eq!(heard(&at_path), "READY=1\n");
        std::fs::remove_file(path).unwrap();
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt;
            let name = format!("quintet-notify-{}", process::id());
            let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
            let manager = manager(format!("@{name}").as_ref(), None);
            manager.reloading();
            assert!(heard(&socket).starts_with("RELOADING=1\n"));
            manager.notify(Notification::Stopping);
            assert_eq!(heard(&socket), "STOPPING=1\n");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_manager_that_is_gone_or_does_not_read_ends_nothing() {
        for name in ["", "relative", "vsock:2:1"] {
            assert_eq!(connect(name.as_ref()).unwrap_err().kind(), io::ErrorKind::Unsupported, "{name}");
        }
        let path = path("gone");
        let manager = manager(path.as_os_str(), None);
        manager.notify(Notification::Ready);
        let full = UnixDatagram::bind(&path).unwrap();
        for _ in 0..10_000 {
            manager.notify(Notification::Watchdog);
        }
        assert_eq!(heard(&full), "WATCHDOG=1\n");
        std::fs::remove_file(path).unwrap();
    }

    #[cfg(unix)]
    #[tokio::test(start_paused = true)]
    async fn the_watchdog_hears_twice_in_each_interval() {
        let path = path("watchdog");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let manager = manager(path.as_os_str(), Some(Duration::from_secs(30)));
        manager.attend(Notification::Ready, sleep(Duration::from_secs(100))).await;
        let messages = std::iter::from_fn(|| socket.recv(&mut [0; 128]).ok()).count();
        assert_eq!(messages, 1 + 7, "ready, and at 0, 15, 30 … 90 s");
        std::fs::remove_file(path).unwrap();
    }

    /// A manager whose queue is full, and what it is told.
    #[cfg(unix)]
    fn full(test: &str) -> (ServiceManager, UnixDatagram, std::path::PathBuf) {
        let path = path(test);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let manager = manager(path.as_os_str(), None);
        while manager.send(Notification::Watchdog) == Sent::Done {}
        (manager, socket, path)
    }

    /// The messages that are not of the watchdog.
    #[cfg(unix)]
    fn messages(socket: &UnixDatagram) -> Vec<String> {
        let mut message = [0; 128];
        let all = std::iter::from_fn(|| {
            let len = socket.recv(&mut message).ok()?;
            Some(String::from_utf8_lossy(&message[..len]).into_owned())
        });
        all.filter(|message| message != "WATCHDOG=1\n").collect()
    }

    #[cfg(unix)]
    #[tokio::test(start_paused = true)]
    async fn ready_is_not_lost_when_the_queue_of_the_manager_is_full() {
        let (manager, socket, path) = full("ready");
        let reading = async {
            sleep(Duration::from_secs(9)).await;
            assert_eq!(messages(&socket), [""; 0]);
            sleep(Duration::from_secs(1)).await;
            messages(&socket)
        };
        assert_eq!(manager.attend(Notification::Ready, reading).await, ["READY=1\n"]);
        // A wait that is over at once has told the manager before.
        manager.attend(Notification::Stopping, async {}).await;
        assert_eq!(messages(&socket), ["STOPPING=1\n"]);
        std::fs::remove_file(path).unwrap();
    }

    #[cfg(unix)]
    #[tokio::test(start_paused = true)]
    async fn a_manager_that_does_not_read_is_told_for_ten_seconds_at_most() {
        let (manager, socket, path) = full("deaf");
        let since = tokio::time::Instant::now();
        manager.tell(Notification::Ready).await;
        assert_eq!(since.elapsed().as_secs(), 10);
        assert_eq!(messages(&socket), [""; 0]);
        std::fs::remove_file(path).unwrap();
    }
}
