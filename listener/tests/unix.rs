//! Real Unix sockets and the files they leave.
#![cfg(all(feature = "io", unix))]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    io::ErrorKind,
    os::unix::net::{UnixDatagram, UnixStream as Client},
    path::{Path, PathBuf},
};

use quintet_listener::{Addr, AnyListener, Listener, Retry, Stream, UnixListener, UnixName, UnixOptions, listen};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A folder of its own for each test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("quintet-listener-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file left by a process that died.
fn leave_stale_file(path: &Path) {
    drop(std::os::unix::net::UnixListener::bind(path).unwrap());
    assert!(path.exists());
}

#[tokio::test]
async fn a_client_is_served_and_has_no_name() {
    let folder = Folder::new("served");
    let mut socket = listen(&format!("unix:{}", folder.file().display())).unwrap();
    let addr = Addr::Unix(UnixName::Path(folder.file()));
    assert_eq!(socket.local_addr().unwrap(), addr);

    let mut client = tokio::net::UnixStream::connect(folder.file()).await.unwrap();
    let (mut stream, peer) = socket.accept().await.unwrap();
    assert_eq!(peer, Addr::Unix(UnixName::Unnamed));
    assert_eq!(stream.local_addr(), Some(addr));
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = String::new();
    client.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "hello");
}

#[test]
fn a_stale_file_is_replaced() {
    let folder = Folder::new("stale");
    leave_stale_file(&folder.file());
    let _unix = UnixListener::bind(folder.file()).unwrap();
    Client::connect(folder.file()).unwrap();
}

#[test]
fn a_socket_that_answers_is_left_alone() {
    let folder = Folder::new("answers");
    let _first = UnixListener::bind(folder.file()).unwrap();
    assert_eq!(UnixListener::bind(folder.file()).unwrap_err().kind(), ErrorKind::AddrInUse);
    Client::connect(folder.file()).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_socket_too_busy_to_answer_is_left_alone() {
    use socket2::{Domain, SockAddr, Socket, Type};
    let folder = Folder::new("busy");
    let busy = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    busy.bind(&SockAddr::unix(folder.file()).unwrap()).unwrap();
    busy.listen(0).unwrap();
    let _fills_the_queue = Client::connect(folder.file()).unwrap();
    assert_eq!(UnixListener::bind(folder.file()).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert!(folder.file().exists());
}

#[test]
fn what_is_no_listening_socket_is_left_alone() {
    let folder = Folder::new("other");
    fs::write(folder.file(), "precious").unwrap();
    assert_eq!(UnixListener::bind(folder.file()).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(fs::read_to_string(folder.file()).unwrap(), "precious");
    fs::remove_file(folder.file()).unwrap();

    let _datagrams = UnixDatagram::bind(folder.file()).unwrap();
    assert_eq!(UnixListener::bind(folder.file()).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert!(folder.file().exists());
}

#[test]
fn the_file_goes_with_the_listener() {
    let folder = Folder::new("goes");
    drop(UnixListener::bind(folder.file()).unwrap());
    assert!(!folder.file().exists());
}

#[test]
fn a_file_that_took_our_place_stays() {
    let folder = Folder::new("stays");
    let old = UnixListener::bind(folder.file()).unwrap();
    fs::remove_file(folder.file()).unwrap();
    let _new = UnixListener::bind(folder.file()).unwrap();
    drop(old);
    Client::connect(folder.file()).unwrap();
}

#[test]
fn a_relative_name_is_known_by_where_it_is() {
    let name = format!("quintet-listener-{}.sock", std::process::id());
    let unix = UnixListener::bind(&name).unwrap();
    let here = std::env::current_dir().unwrap().join(&name);
    assert_eq!(unix.local_addr().unwrap().path(), Some(here.as_path()));
    drop(unix);
    assert!(!here.exists());
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let folder = Folder::new("missing");
    let path = folder.0.join("no").join("socket");
    assert_eq!(UnixListener::bind(path).unwrap_err().kind(), ErrorKind::NotFound);
    let long = folder.0.join("x".repeat(200));
    assert_eq!(UnixListener::bind(long).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(UnixListener::bind_name(UnixName::Unnamed).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_abstract_name_leaves_no_file() {
    let name = format!("quintet-listener-{}", std::process::id());
    let mut socket = listen(&format!("unix:@{name}")).unwrap();
    assert_eq!(socket.local_addr().unwrap(), Addr::Unix(UnixName::Abstract(name.clone().into())));
    let addr = socket2::SockAddr::unix(format!("\0{name}")).unwrap();
    let client = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    client.connect(&addr).unwrap();
    assert!(socket.accept().await.is_ok());
    assert_eq!(listen(&format!("unix:@{name}")).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert!(!Path::new(&name).exists());
}

#[tokio::test]
async fn a_plain_tokio_listener_is_a_listener() {
    let folder = Folder::new("plain");
    let mut retry = Retry::new(tokio::net::UnixListener::bind(folder.file()).unwrap());
    assert_eq!(retry.local_addr().unwrap().path(), Some(folder.file().as_path()));
    let _client = Client::connect(folder.file()).unwrap();
    assert!(retry.accept().await.is_ok());
}

#[tokio::test]
async fn tcp_and_unix_are_served_by_one_kind_of_listener() {
    let folder = Folder::new("both");
    let sockets = [listen("127.0.0.1:0").unwrap(), AnyListener::from(UnixListener::bind(folder.file()).unwrap())];
    for mut socket in sockets {
        let _client: Box<dyn std::any::Any> = match socket.local_addr().unwrap() {
            Addr::Tcp(addr) => Box::new(std::net::TcpStream::connect(addr).unwrap()),
            Addr::Unix(_) => Box::new(Client::connect(folder.file()).unwrap()),
        };
        assert!(socket.accept().await.is_ok());
    }
}

#[test]
fn the_mode_of_the_file_can_be_chosen() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("mode");
    let mode = || fs::metadata(folder.file()).unwrap().permissions().mode() & 0o7777;
    drop(std::os::unix::net::UnixListener::bind(folder.file()).unwrap());
    let by_umask = mode();
    // Also wider than the umask, and also in place of a stale file.
    for wanted in [0o600, 0o660, 0o666, 0o777, 0] {
        let options = UnixOptions { mode: Some(wanted), ..UnixOptions::default() };
        let _unix = UnixListener::bind_with(folder.file(), &options).unwrap();
        assert_eq!(mode(), wanted);
    }
    let _unix = UnixListener::bind_with(folder.file(), &UnixOptions::default()).unwrap();
    assert_eq!(mode(), by_umask);
}

#[test]
fn a_mode_that_is_none_is_refused_before_anything_is_made() {
    let folder = Folder::new("no-mode");
    for mode in [0o1000, 0o4755, u32::MAX] {
        let options = UnixOptions { mode: Some(mode), ..UnixOptions::default() };
        assert_eq!(UnixListener::bind_with(folder.file(), &options).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn the_backlog_can_be_chosen() {
    let folder = Folder::new("backlog");
    let options = UnixOptions { backlog: Some(3), ..UnixOptions::default() };
    let _unix = UnixListener::bind_with(folder.file(), &options).unwrap();
    let connect = |_| {
        let client = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        client.connect(&socket2::SockAddr::unix(folder.file()).unwrap()).is_ok().then_some(client)
    };
    let queued: Vec<_> = (0..20).map_while(connect).collect();
    assert!((3..=5).contains(&queued.len()), "{} in a backlog of 3", queued.len());
}
