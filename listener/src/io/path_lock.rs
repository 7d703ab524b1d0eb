//! Mutual exclusion of the processes that bind one Unix path, from the first look at its file until they listen.
//!
//! No system call binds, listens and replaces a stale file in one step. Between `bind` and `listen` a socket looks as
//! stale as one whose process died, and between the look at a stale file and its removal another process may have put
//! its own in its place. So only one process at a time may do either.
//!
//! The lock of `/run/app.sock` is a folder `/run/.app.sock.lock` that is not empty. It needs nothing but calls that
//! every Unix has (std has advisory locks since Rust 1.89), and works between containers that share the folder:
//!
//! - Taking it: a folder of a name that nobody else has, with a listening socket of such a name in it, is renamed to
//!   the folder of the lock. The system does that only if the lock does not exist or is empty (`rename(2)`:
//!   ENOTEMPTY), so exactly one process succeeds.
//! - Whether its owner lives: the socket inside answers until the owner closes it, also by dying. It answered before
//!   the rename, so one that refuses belongs to a process that has died.
//! - What a dead owner left is removed *by its name*, which no other owner has. Removing it late, when the lock
//!   has long been another's, removes nothing of that one's.
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

/// How long an owner may take, which has a handful of system calls to make.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Between two attempts.
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
    pub(super) fn take(path: &Path, mut over: impl FnMut() -> bool) -> Result<PathLock, NotLocked> {
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
    fn new(folder: PathBuf) -> Result<Own, NotLocked> {
        DirBuilder::new().mode(0o700).create(&folder).map_err(|_| NotLocked::Impossible)?;
        let socket = folder.join(unique());
        let mut own = Own { folder, socket, alive: None };
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

/// Looks for the lock's owner, and removes what a dead one left.
fn remove_dead(folder: &Path) -> Result<Owner, NotLocked> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return owner_after(&error),
    };
    for entry in entries {
        let entry = entry.map_err(|_| NotLocked::Impossible)?;
        // Connecting to a file that is no socket is refused as well: the folder is somebody else's, and what is in it.
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
        io::ErrorKind::WouldBlock => Ok(Owner::Alive), // its queue is full of those who ask
        io::ErrorKind::PermissionDenied => Ok(Owner::Unknown),
        _ => Err(NotLocked::Impossible),
    }
}

fn is_not_empty(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists)
}

fn listening(path: &Path) -> io::Result<Socket> {
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

/// A name that nobody else has: 40 random bits.
fn unique() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("{:010x}", random & 0xff_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("quintet-lock-{}-{test}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn names(&self) -> Vec<String> {
            let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_lock_excludes_and_leaves_nothing_behind() {
        let folder = Folder::new("excludes");
        let path = folder.0.join("a.sock");
        let lock = PathLock::take(&path, || false).unwrap();
        assert_eq!(folder.names(), [".a.sock.lock"]);
        let mut asked = 0;
        let over = || {
            asked += 1;
            asked == 3
        };
        assert!(matches!(PathLock::take(&path, over), Err(NotLocked::Held)));
        assert_eq!(folder.names(), [".a.sock.lock"]);
        let _another = PathLock::take(&folder.0.join("b.sock"), || false).unwrap();
        drop(lock);
        drop(PathLock::take(&path, || false).unwrap());
        assert_eq!(folder.names(), [".b.sock.lock"]);
    }

    #[test]
    fn what_dead_owners_left_is_no_lock() {
        let folder = Folder::new("dead");
        let (path, lock) = (folder.0.join("a.sock"), folder.0.join(".a.sock.lock"));
        // Nothing, then one that died with the lock, then two: what has died between them has left an empty folder.
        for dead in [0, 1, 2] {
            fs::create_dir(&lock).unwrap();
            for n in 0..dead {
                drop(listening(&lock.join(n.to_string())).unwrap());
            }
            drop(PathLock::take(&path, || true).unwrap());
            assert!(folder.names().is_empty());
        }
    }

    #[test]
    fn a_path_too_long_for_more_is_locked_by_a_shorter_way() {
        if !cfg!(any(target_os = "linux", target_os = "android")) {
            return;
        }
        let folder = Folder::new("long");
        let fits = 107 - folder.0.as_os_str().len() - 1;
        let path = folder.0.join("x".repeat(fits));
        assert!(SockAddr::unix(&path).is_ok() && SockAddr::unix(path.with_extension("y")).is_err());
        let lock = PathLock::take(&path, || false).unwrap();
        assert!(matches!(PathLock::take(&path, || true), Err(NotLocked::Held)));
        drop(lock);
        assert!(folder.names().is_empty());
    }

    #[test]
    fn where_no_folder_can_be_made_there_is_no_lock() {
        let folder = Folder::new("impossible");
        let path = folder.0.join("a.sock");
        assert!(matches!(PathLock::take(&folder.0.join("no").join("a"), || false), Err(NotLocked::Impossible)));
        fs::write(folder.0.join(".a.sock.lock"), "a file of somebody's").unwrap();
        assert!(matches!(PathLock::take(&path, || false), Err(NotLocked::Impossible)));
        assert_eq!(folder.names(), [".a.sock.lock"]);
    }

    /// Such as the folder that another tool takes for its lock, with its process id in it.
    #[test]
    fn a_folder_of_that_name_that_is_somebody_elses_loses_nothing() {
        let folder = Folder::new("theirs");
        let (path, theirs) = (folder.0.join("a.sock"), folder.0.join(".a.sock.lock"));
        let (file, dead) = (theirs.join("pid"), folder.0.join("dead"));
        fs::create_dir(&theirs).unwrap();
        fs::write(&file, "17").unwrap();
        assert!(matches!(PathLock::take(&path, || false), Err(NotLocked::Impossible)));
        assert_eq!(fs::read_to_string(&file).unwrap(), "17");
        // Nor is a link followed, to a socket that refuses, say.
        fs::remove_file(&file).unwrap();
        drop(listening(&dead).unwrap());
        std::os::unix::fs::symlink(&dead, &file).unwrap();
        assert!(matches!(PathLock::take(&path, || false), Err(NotLocked::Impossible)));
        assert!(fs::symlink_metadata(&file).is_ok());
        assert_eq!(folder.names().len(), 2);
    }

    #[test]
    fn many_threads_hold_it_one_at_a_time() {
        let folder = Folder::new("threads");
        let path = folder.0.join("a.sock");
        let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let Ok(lock) = PathLock::take(&path, || false) else { continue };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        taken.fetch_add(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert!(taken.into_inner() >= 50);
        assert!(folder.names().is_empty());
    }
}
