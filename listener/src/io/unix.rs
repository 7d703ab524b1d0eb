//! A Unix socket that listens, and the file it leaves in the file system.
//!
//! The file outlives the process that made it, and the next one cannot bind while it is there. So a file on which
//! no process answers is removed, and the listener removes its own when it is dropped. Of several processes that bind one
//! path at once exactly one gets it.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixStream;

use super::{
    Listener,
    lazy::Lazy,
    path_lock::{NotLocked, PathLock},
    tcp::backlog,
};
use crate::{Addr, UnixName};

/// Options of a Unix listener. Fields may be added: write `..UnixOptions::default()`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnixOptions {
    /// The permissions of the file, at most `0o777`; a client must be allowed to write it. `None`: as the umask makes
    /// them, usually `0o755`, which lets in only processes of the same user. Names without a file have none.
    ///
    /// A proxy usually runs as another user: nginx as `www-data` answers 502 and logs `13: Permission denied`. Give
    /// the file to a group that both are in (the folder with `chgrp` and the setgid bit, or systemd's `Group=`) and say
    /// `Some(0o660)`; or put it into a folder that only the two may enter and say `Some(0o666)`.
    ///
    /// They are set before the socket listens, so no client connects with others.
    pub mode: Option<u32>,
    /// How many connections may wait to be accepted. `None`: as many as the system allows, as in
    /// [`TcpOptions`](crate::TcpOptions).
    pub backlog: Option<u32>,
}

/// A Unix socket that listens. Dropping it removes its file.
///
/// Binding needs no runtime; the first [`accept`](Listener::accept) registers with the runtime it is called on and stays there.
#[derive(Debug)]
pub struct UnixListener {
    socket: Lazy<std::os::unix::net::UnixListener, tokio::net::UnixListener>,
    name: UnixName,
    /// The file this listener made, to tell it from one that has since taken its place.
    file: Option<File>,
}

/// The identity of a file, independent of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl UnixListener {
    /// Listens at `path`, which may hold a socket on which no process answers any more: that one is removed. With the
    /// default options.
    ///
    /// The permissions of the folder and of the file decide which users may connect: see [`UnixOptions::mode`].
    ///
    /// Of several processes that bind one path at once exactly one succeeds. While they bind, a folder
    /// `.NAME.lock` is beside the file; where a process may not make it, two may both find a file stale. This blocks
    /// for at most a second, and usually for less than a millisecond.
    ///
    /// # Errors
    /// `AddrInUse` if a process answers there, another process is just binding it, or the file is no socket; else the
    /// system's.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_with(path, &UnixOptions::default())
    }

    /// Listens at `path`, as [`bind`](Self::bind) does, with options.
    ///
    /// ```no_run
    /// # use quintet_listener::{UnixListener, UnixOptions};
    /// let unix = UnixListener::bind_with("/run/app/app.sock", &UnixOptions { mode: Some(0o660), ..UnixOptions::default() })?;
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`bind`](Self::bind); `InvalidInput` if [`mode`](UnixOptions::mode) is above `0o777`.
    pub fn bind_with(path: impl AsRef<Path>, options: &UnixOptions) -> io::Result<Self> {
        bind_path(path.as_ref(), options)
    }

    /// Listens at a file or, on Linux, at an abstract name.
    ///
    /// # Errors
    /// As [`bind`](Self::bind); `InvalidInput` without a name.
    pub fn bind_name(name: UnixName) -> io::Result<Self> {
        match name {
            UnixName::Path(path) => Self::bind(&path),
            UnixName::Abstract(bytes) => {
                let address = [b"\0", bytes.as_slice()].concat();
                let socket = bound(OsStr::from_bytes(&address).as_ref())?;
                let socket = listening(socket, &UnixOptions::default())?;
                Ok(Self { socket: Lazy::Bound(socket), name: UnixName::Abstract(bytes), file: None })
            }
            UnixName::Unnamed => Err(io::Error::new(io::ErrorKind::InvalidInput, "a listener needs a name")),
        }
    }

    /// Takes over a socket that listens already, made elsewhere or inherited from another process. Its file belongs to
    /// whoever made it: it stays when this is dropped.
    ///
    /// # Errors
    /// The system's.
    ///
    /// # Spec
    /// Go: `net.FileListener`, `(*net.UnixListener).SetUnlinkOnClose(false)`.
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let name = name(&listener.local_addr()?.into());
        Ok(Self { socket: Lazy::Bound(listener), name, file: None })
    }
}

/// Binds `path` as it was given, because the system limits its length, but remembers the absolute path.
fn bind_path(path: &Path, options: &UnixOptions) -> io::Result<UnixListener> {
    if options.mode.is_some_and(|mode| mode > 0o777) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the mode of a socket is at most 0o777"));
    }
    SockAddr::unix(path)?; // too long?
    let in_use = || io::Error::from(io::ErrorKind::AddrInUse);
    // Before anything is written: the usual mistake is to start a server twice.
    if matches!(look(path)?, Found::InUse) {
        return Err(in_use());
    }
    let lock = match PathLock::take(path, || matches!(look(path), Ok(Found::InUse))) {
        Ok(lock) => Some(lock),
        Err(NotLocked::Impossible) => None,
        Err(NotLocked::Held) => return Err(in_use()),
    };
    // With the lock: what does not answer will never answer, and no other process removes it.
    match look(path)? {
        Found::Nothing => {}
        Found::Stale(file) => file.remove()?,
        Found::InUse => return Err(in_use()),
    }
    let socket = bound(path)?;
    let file = File::at(path);
    let socket = options
        .mode
        .map_or(Ok(()), |mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .and_then(|()| listening(socket, options))
        .inspect_err(|_| {
            let _ = file.as_ref().map(File::remove);
        })?;
    drop(lock);
    // Absolute, so that the file is still found if the process changes its folder.
    let path = std::path::absolute(path)?;
    let file = file.ok().map(|file| File { path: path.clone(), ..file });
    Ok(UnixListener { socket: Lazy::Bound(socket), name: UnixName::Path(path), file })
}

fn bound(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    Ok(socket)
}

fn listening(socket: Socket, options: &UnixOptions) -> io::Result<std::os::unix::net::UnixListener> {
    socket.listen(backlog(options.backlog))?;
    Ok(socket.into())
}

/// What is at a path.
#[derive(Debug)]
enum Found {
    Nothing,
    /// A socket on which no process answers.
    Stale(File),
    /// In use, or not a socket.
    InUse,
}

/// Looks whether a process answers at `path`.
fn look(path: &Path) -> io::Result<Found> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        found => found?,
    };
    if !metadata.file_type().is_socket() {
        return Ok(Found::InUse);
    }
    // Not blocking: connecting to a listener whose queue is full would wait until it accepts.
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    Ok(match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Found::Stale(File::new(path, &metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
        // An answer, a full queue, a socket of another type or one we may not use.
        _ => Found::InUse,
    })
}

impl File {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::new(path, &fs::symlink_metadata(path)?))
    }

    fn new(path: &Path, metadata: &fs::Metadata) -> Self {
        Self { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() }
    }

    /// Removes the file, unless it is gone or another one has its name by now.
    fn remove(&self) -> io::Result<()> {
        let removed = match Self::at(&self.path) {
            Ok(found) if found == *self => fs::remove_file(&self.path),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
    }
}

impl Drop for UnixListener {
    // The socket is still open here, so its inode cannot have been given to another file.
    fn drop(&mut self) {
        let _ = self.file.take().map(|file| file.remove());
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn accept(&mut self) -> io::Result<(UnixStream, Addr)> {
        let (stream, peer) =
            self.socket.get(|bound| tokio::net::UnixListener::from_std(bound.try_clone()?))?.accept().await?;
        Ok((stream, peer.into()))
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(Addr::Unix(self.name.clone()))
    }
}

impl From<tokio::net::unix::SocketAddr> for Addr {
    fn from(addr: tokio::net::unix::SocketAddr) -> Self {
        Self::Unix(name(&addr))
    }
}

fn name(addr: &tokio::net::unix::SocketAddr) -> UnixName {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = addr.as_abstract_name() {
        return UnixName::Abstract(name.to_owned());
    }
    addr.as_pathname().map_or(UnixName::Unnamed, |path| UnixName::Path(path.to_owned()))
}
