//! A Unix socket that listens, and the file it leaves in the file system.
//!
//! The file outlives the process that made it, and the next one cannot bind while it is there. So we remove one that
//! nobody answers on, and take ours with us when we go.

use super::{lazy::Lazy, tcp::backlog};
use crate::{Addr, Listener, UnixName};

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

/// A Unix socket that listens. Dropping it removes its file.
///
/// Binding needs no runtime; the first [`accept`](Listener::accept) joins the runtime it is called on and stays there.
#[derive(Debug)]
pub struct Unix {
    socket: Lazy<std::os::unix::net::UnixListener, UnixListener>,
    name: UnixName,
    /// The file we made, to tell it from one that has since taken its place.
    file: Option<File>,
}

/// A file as the file system knows it, whatever its name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Unix {
    /// Listens at `path`, which may hold a socket that nobody answers on any more: that one is removed.
    ///
    /// Who may connect is decided by the permissions of the folder, and of the file as the umask makes it.
    ///
    /// # Errors
    /// `AddrInUse` if somebody answers there or the file is no socket; else the system's.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Unix> {
        Unix::bind_name(UnixName::Path(path.as_ref().to_owned()))
    }

    /// Listens at a file or, on Linux, at an abstract name.
    ///
    /// # Errors
    /// As [`bind`](Self::bind); `InvalidInput` without a name.
    pub fn bind_name(name: UnixName) -> io::Result<Unix> {
        match name {
            UnixName::Path(path) => bind_path(&path),
            UnixName::Abstract(bytes) => {
                let address = [b"\0", bytes.as_slice()].concat();
                let socket = open(OsStr::from_bytes(&address).as_ref())?;
                Ok(Unix { socket: Lazy::Bound(socket), name: UnixName::Abstract(bytes), file: None })
            }
            UnixName::Unnamed => Err(io::Error::new(io::ErrorKind::InvalidInput, "a listener needs a name")),
        }
    }
}

/// Binds `path` as it was given, for the system takes no long ones, but remembers where that is.
fn bind_path(path: &Path) -> io::Result<Unix> {
    let socket = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path)?;
            open(path)?
        }
        opened => opened?,
    };
    // Absolute, so that the file is still found if the process changes its folder.
    let path = std::path::absolute(path)?;
    let file = File::at(&path).ok();
    Ok(Unix { socket: Lazy::Bound(socket), name: UnixName::Path(path), file })
}

fn open(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(backlog(None))?;
    Ok(socket.into())
}

/// Removes the socket at `path` if nobody answers on it.
///
/// Two processes that find the same stale file at the same moment are kept apart by its inode, except for the instant
/// between the last look and the removal: there is no system call for both.
fn remove_stale(path: &Path) -> io::Result<()> {
    let in_use = || io::Error::from(io::ErrorKind::AddrInUse);
    let found = match File::at(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(in_use());
    }
    // Not blocking: connecting to a listener whose queue is full would wait until it accepts.
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => found.remove(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // An answer, a full queue, a socket of another type or one we may not use: somebody's.
        _ => Err(in_use()),
    }
}

impl File {
    fn at(path: &Path) -> io::Result<File> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(File { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() })
    }

    /// Removes the file, unless another one has its name by now.
    fn remove(&self) -> io::Result<()> {
        if File::at(&self.path)? == *self { fs::remove_file(&self.path) } else { Ok(()) }
    }
}

impl Drop for Unix {
    // The socket is still open here, so its inode cannot have been given to another file.
    fn drop(&mut self) {
        let _ = self.file.take().map(|file| file.remove());
    }
}

impl Listener for Unix {
    type Stream = UnixStream;

    async fn accept(&mut self) -> io::Result<(UnixStream, Addr)> {
        let (stream, peer) = self.socket.get(|bound| UnixListener::from_std(bound.try_clone()?))?.accept().await?;
        Ok((stream, peer.into()))
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(Addr::Unix(self.name.clone()))
    }
}

impl From<tokio::net::unix::SocketAddr> for Addr {
    fn from(addr: tokio::net::unix::SocketAddr) -> Addr {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(name) = addr.as_abstract_name() {
            return Addr::Unix(UnixName::Abstract(name.to_owned()));
        }
        Addr::Unix(addr.as_pathname().map_or(UnixName::Unnamed, |path| UnixName::Path(path.to_owned())))
    }
}
