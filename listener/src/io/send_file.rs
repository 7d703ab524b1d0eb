//! Sending a file from a socket without copying it through the program, by the calls of Linux.

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    task::{Context, Poll, ready},
};

use rustix::{
    fs::sendfile,
    io::Errno,
    net::{SendFlags, send},
};
use tokio::{
    io::Interest,
    net::{TcpStream, UnixStream},
};

/// A socket that knows when it takes bytes.
pub(super) trait Socket: AsFd {
    /// Waits until a write may succeed.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Calls `write`, and remembers if it would block.
    fn try_write<R>(&self, write: impl FnMut() -> io::Result<R>) -> io::Result<R>;
}

macro_rules! socket {
    ($stream:ty) => {
        impl Socket for $stream {
            fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_write_ready(cx)
            }

            fn try_write<R>(&self, write: impl FnMut() -> io::Result<R>) -> io::Result<R> {
                self.try_io(Interest::WRITABLE, write)
            }
        }
    };
}
socket!(TcpStream);
socket!(UnixStream);

/// [`Stream::poll_send_file`](super::Stream::poll_send_file) of a socket.
pub(super) fn poll_send_file<S: Socket>(
    socket: &S,
    cx: &mut Context<'_>,
    file: &File,
    offset: u64,
    len: usize,
) -> Poll<io::Result<Option<usize>>> {
    if len == 0 {
        return Poll::Ready(Ok(Some(0)));
    }
    let sent = ready!(poll_write(socket, cx, || sendfile(socket, file, Some(&mut offset.clone()), len)));
    Poll::Ready(match sent {
        Err(error) if is_unable(&error) => Ok(None),
        sent => sent.map(Some),
    })
}

/// Whether this is no failure, but a file that knows no sendfile (of /proc, of some file systems in user space), or a
/// kernel without it.
fn is_unable(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP))
}

/// [`Stream::poll_write_more`](super::Stream::poll_write_more) of a socket.
pub(super) fn poll_write_more<S: Socket>(socket: &S, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    poll_write(socket, cx, || send(socket, bytes, SendFlags::MORE | SendFlags::NOSIGNAL))
}

/// Calls `write` when the socket takes bytes, until it does not block.
fn poll_write<S: Socket>(
    socket: &S,
    cx: &mut Context<'_>,
    write: impl Fn() -> rustix::io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(socket.poll_writable(cx))?;
        match socket.try_write(|| write().map_err(io::Error::from)) {
            // The next `poll_writable` waits: `try_write` cleared the readiness.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            written => return Poll::Ready(written),
        }
    }
}
