//! Mutual exclusion of the processes that bind one Unix path, from the first look at its file until they listen.
//!
//! No system call binds, listens and replaces a stale file in one step. Between `bind` and `listen` a socket looks as
//! stale as one whose process died, and between the look at a stale file and its removal another process may have put
//! a file of its own in its place. So only one process at a time may do either.
//!
//! The lock of `/run/app.sock` is a folder `/run/.app.sock.lock` that is not empty. It needs nothing but calls that
//! every Unix has (std has advisory locks since Rust 1.89), and works between containers that share the folder:
//!
//! - Taking it: a folder of a name that no other process has, with a listening socket of such a name in it, is renamed to
//!   the folder of the lock. The system does that only if the lock does not exist or is empty (`rename(2)`:
//!   ENOTEMPTY), so exactly one process succeeds.
//! - Whether its owner lives: the socket inside answers until the owner closes it, also by dying. It answered before
//!   the rename, so one that refuses belongs to a process that has died.
//! - What a dead owner left is removed *by its name*, which no other owner has. Removing it late, when the lock
//!   long belongs to another process, removes nothing of that process.
//! - Giving it back: the socket's file is removed, then it is closed, then the folder is removed, which fails
//!   harmlessly if another process has taken the lock in the meantime.

use std::{
    collections::hash_map::RandomState,
    fs::{self, DirBuilder},
    hash::{BuildHasher, Hasher},
    io,
    os::unix::fs::{DirBuilderExt, FileTypeExt},
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use socket2::{Domain, SockAddr, Socket, Type};

/// How long an owner may hold the lock: it makes a handful of system calls.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(1);

/// The right to bind one path, and to remove what is stale there. Given back when dropped.
#[derive(Debug)]
pub(super) struct PathLock {
    /// The folder that is the lock.
    folder: PathBuf,
    /// The socket's file in it.
    entry: PathBuf,
    /// Answers as long as this process lives.
    alive: Option<Socket>,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum NotLocked {
    /// Another process has held it for a second.
    Held,
    /// The folder does not let this process make such a lock.
    Impossible,
}

impl PathLock {
    /// Takes the lock of `path`. Blocks for at most a second, or until `over` says that there is nothing to wait for.
    ///
    /// # Errors
    /// See [`NotLocked`].
    pub(super) fn take(path: &Path, mut over: impl FnMut() -> bool) -> Result<Self, NotLocked> {
        let name = path.file_name().ok_or(NotLocked::Impossible)?;
        let beside = |suffix: &str| {
            let mut beside = std::ffi::OsString::from(".");
            beside.push(name);
            beside.push(".");
            beside.push(suffix);
            path.with_file_name(beside)
        };
        let folder = beside("lock");
        let own = Own::new(beside(&unique()))?;
        let start = Instant::now();
        loop {
            match fs::rename(&own.folder, &folder) {
                Ok(()) => return Ok(own.renamed(folder)),
                Err(error) if is_not_empty(&error) => {}
                Err(_) => return Err(NotLocked::Impossible),
            }
            let not_locked = match remove_dead(&folder)? {
                Owner::Gone => continue,
                Owner::Alive => NotLocked::Held,
                // Of another user: it may be alive, so wait, or dead, so do not wait for ever.
                Owner::Unknown => NotLocked::Impossible,
            };
            if over() {
                return Err(NotLocked::Held);
            }
            if start.elapsed() >= TIMEOUT {
                return Err(not_locked);
            }
            sleep(PAUSE);
        }
    }
}

impl Drop for PathLock {
    fn drop(&mut self) {
        // In this order: while the file is there, it answers.
        let _ = fs::remove_file(&self.entry);
        self.alive = None;
        let _ = fs::remove_dir(&self.folder);
    }
}

/// A folder of our own with a socket that answers, before it becomes the lock.
struct Own {
    folder: PathBuf,
    socket: PathBuf,
    alive: Option<Socket>,
}

impl Own {
    fn new(folder: PathBuf) -> Result<Self, NotLocked> {
        DirBuilder::new().mode(0o700).create(&folder).map_err(|_| NotLocked::Impossible)?;
        let socket = folder.join(unique());
        let mut own = Self { folder, socket, alive: None };
        own.alive = Some(listening(&own.socket).map_err(|_| NotLocked::Impossible)?);
        Ok(own)
    }

    /// What it is after it has been renamed.
    fn renamed(mut self, folder: PathBuf) -> PathLock {
        let entry = folder.join(self.socket.file_name().expect("joined to the folder above"));
        PathLock { folder, entry, alive: self.alive.take() }
    }
}

impl Drop for Own {
    /// After the rename there is nothing of these names any more, and this does nothing.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
        let _ = fs::remove_dir(&self.folder);
    }
}

/// The process that holds a lock.
enum Owner {
    Alive,
    Gone,
    Unknown,
}

/// Looks for the owner of the lock, and removes what a dead owner left.
fn remove_dead(folder: &Path) -> Result<Owner, NotLocked> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return owner_after(&error),
    };
    for entry in entries {
        let entry = entry.map_err(|_| NotLocked::Impossible)?;
        // Connecting to a file that is no socket is refused as well: this folder and what is in it belong to another
        // program.
        match entry.file_type() {
            Ok(kind) if kind.is_socket() => {}
            Ok(_) => return Err(NotLocked::Impossible),
            Err(error) => match owner_after(&error)? {
                Owner::Gone => continue,
                owner => return Ok(owner),
            },
        }
        let entry = entry.path();
        let owner = match connect(&entry) {
            Ok(()) => Owner::Alive,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(&entry).map_or_else(|error| owner_after(&error), |()| Ok(Owner::Gone))?
            }
            Err(error) => owner_after(&error)?,
        };
        if !matches!(owner, Owner::Gone) {
            return Ok(owner);
        }
    }
    Ok(Owner::Gone)
}

/// What an error at the lock's folder or at its socket says about the owner.
fn owner_after(error: &io::Error) -> Result<Owner, NotLocked> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(Owner::Gone),    // given back just now
        io::ErrorKind::WouldBlock => Ok(Owner::Alive), // its queue is full of processes that ask
        io::ErrorKind::PermissionDenied => Ok(Owner::Unknown),
        _ => Err(NotLocked::Impossible),
    }
}

fn is_not_empty(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists)
}

pub(super) fn listening(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    within_length(path, |address| socket.bind(address))?;
    socket.listen(1)?;
    Ok(socket)
}

fn connect(path: &Path) -> io::Result<()> {
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    within_length(path, |address| probe.connect(address))
}

/// Calls with the address of `path`, by a shorter way if it is too long for an address (108 bytes).
fn within_length(path: &Path, call: impl FnOnce(&SockAddr) -> io::Result<()>) -> io::Result<()> {
    match SockAddr::unix(path) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Err(_) => {
            use std::os::fd::AsRawFd;
            let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            let folder = fs::File::open(folder)?;
            call(&SockAddr::unix(Path::new(&format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name))?)
        }
        address => call(&address?),
    }
}

/// A name that no other process has: 40 random bits.
fn unique() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("{:010x}", random & 0xff_ffff_ffff)
}
