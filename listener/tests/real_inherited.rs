//! Sockets that a parent process gives to its child, as a service manager does: by number, name and process id.
#![cfg(all(feature = "io", feature = "activation", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    io::{ErrorKind, Read},
    net::{Ipv4Addr, TcpListener as StdTcp, TcpStream},
    os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixListener as StdUnix, UnixStream},
    },
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use quintet_listener::{Addr, AnyStream, InheritedError, Listener, inherited, listen};
use socket2::SockRef;
use tokio::io::AsyncWriteExt;

const ROLE: &str = "QUINTET_INHERITED_CHILD";

/// A child that runs one test of this file again, with these sockets as descriptors 3 and 4.
fn child(
    test: &str,
    role: &str,
    names: &str,
    pid: &str,
    first: impl Into<OwnedFd>,
    second: Option<OwnedFd>,
) -> Command {
    // Without unsafe code a parent can only place standard input, output and error: the shell moves them.
    let count = 1 + usize::from(second.is_some());
    let script =
        format!("LISTEN_PID={pid} LISTEN_FDS={count} LISTEN_FDNAMES={names} exec \"$0\" \"$@\" 3<&0 4<&2 2>&1");
    let mut child = Command::new("sh");
    child.args(["-c", &script]).arg(std::env::current_exe().unwrap());
    child.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, role);
    child.stdin(Stdio::from(first.into())).stdout(Stdio::piped());
    child.stderr(second.map_or_else(Stdio::null, Stdio::from));
    child
}

fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), future).await.unwrap() })
}

/// Runs a child to its end, which is a success.
fn succeeds(mut child: Command) {
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn loopback() -> StdTcp {
    StdTcp::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

#[test]
fn inherited_sockets_are_taken_by_name_and_in_order() {
    const TEST: &str = "inherited_sockets_are_taken_by_name_and_in_order";
    if role().is_some() {
        return block_on(takes());
    }
    let folder = std::env::temp_dir().join(format!("quintet-inherited-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("admin.sock");
    let (tcp, unix) = (loopback(), StdUnix::bind(&path).unwrap());
    let addr = tcp.local_addr().unwrap();
    let child = child(TEST, "server", "http:admin", "$$", tcp, Some(unix.try_clone().unwrap().into()));
    let clients = thread::spawn({
        let path = path.clone();
        move || {
            let (mut http, mut admin) = (String::new(), String::new());
            TcpStream::connect(addr).unwrap().read_to_string(&mut http).unwrap();
            UnixStream::connect(path).unwrap().read_to_string(&mut admin).unwrap();
            (http, admin)
        }
    });
    succeeds(child);
    assert_eq!(clients.join().unwrap(), ("http".to_owned(), "admin".to_owned()));
    assert!(path.exists(), "the file belongs to whoever made it");
    drop(UnixStream::connect(&path).expect("and the socket is alive"));
    std::fs::remove_dir_all(folder).unwrap();
}

async fn takes() {
    let mut http = listen("fd:http").unwrap();
    let error = listen("fd:http").unwrap_err();
    let inside = error.get_ref().and_then(|inside| inside.downcast_ref::<InheritedError>());
    assert_eq!((error.kind(), inside), (ErrorKind::NotFound, Some(&InheritedError::NotFound)), "taken once");
    assert!(std::env::var_os("LISTEN_FDS").is_none(), "no child takes them for its own");
    let (stream, peer) = http.accept().await.unwrap();
    let AnyStream::Tcp(mut stream) = stream else { panic!("a TCP socket") };
    assert_eq!(http.local_addr().unwrap().port(), Some(stream.local_addr().unwrap().port()));
    assert!(peer.ip().is_some_and(|ip| ip.is_loopback()));
    let socket = SockRef::from(&stream);
    assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(15));
    assert_eq!(socket.tcp_notsent_lowat().unwrap(), 64 * 1024);
    stream.write_all(b"http").await.unwrap();
    drop(stream); // its client reads to the end, and only then connects to the other

    let mut rest = inherited().unwrap();
    let (name, mut admin) = rest.pop().unwrap();
    assert!(name == "admin" && rest.is_empty() && inherited().unwrap().is_empty());
    let Addr::Unix(unix) = admin.local_addr().unwrap() else { panic!("a Unix socket") };
    assert!(unix.to_string().ends_with("/admin.sock"));
    let (mut stream, _) = admin.accept().await.unwrap();
    stream.write_all(b"admin").await.unwrap();
}

#[test]
fn a_socket_given_to_another_process_is_not_taken() {
    const TEST: &str = "a_socket_given_to_another_process_is_not_taken";
    if role().is_some() {
        let error = listen("fd:http").unwrap_err();
        let inside = error.get_ref().and_then(|inside| inside.downcast_ref::<InheritedError>());
        assert_eq!((error.kind(), inside), (ErrorKind::NotFound, Some(&InheritedError::Pid)));
        assert!(inherited().unwrap().is_empty());
        return;
    }
    succeeds(child(TEST, "server", "http", "1", loopback(), None));
}

#[test]
fn a_descriptor_that_does_not_listen_is_refused() {
    const TEST: &str = "a_descriptor_that_does_not_listen_is_refused";
    if role().is_some() {
        let error = listen("fd:connected").unwrap_err();
        let inside = error.get_ref().and_then(|inside| inside.downcast_ref::<InheritedError>());
        assert_eq!((error.kind(), inside), (ErrorKind::InvalidInput, Some(&InheritedError::Socket { fd: 3 })));
        let error = listen("fd:file").unwrap_err();
        assert_eq!(error.to_string(), "descriptor 4 is not a TCP or Unix socket that listens");
        return;
    }
    let listener = loopback();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    succeeds(child(TEST, "server", "connected:file", "$$", connected, Some(file.into())));
}

/// Whether a descriptor of this process is closed in its children.
fn is_close_on_exec(fd: u32) -> bool {
    const O_CLOEXEC: u32 = 0o2_000_000;
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    u32::from_str_radix(flags.trim(), 8).unwrap() & O_CLOEXEC != 0
}

#[test]
fn inherited_sockets_that_are_never_taken_are_close_on_exec() {
    const TEST: &str = "inherited_sockets_that_are_never_taken_are_close_on_exec";
    if role().is_some() {
        assert!(!is_close_on_exec(3) && !is_close_on_exec(4));
        drop(listen("fd:none").unwrap_err());
        assert!(is_close_on_exec(3) && is_close_on_exec(4));
        drop(listen("fd:other").unwrap_err());
        assert!(is_close_on_exec(4), "still open");
        drop(listen("fd:http").unwrap());
        return;
    }
    let udp = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for other in [udp.into(), UnixDatagram::unbound().unwrap().into()] {
        succeeds(child(TEST, "server", "http:other", "$$", loopback(), Some(other)));
    }
}

#[test]
fn a_first_descriptor_that_is_none_is_an_error_and_no_panic() {
    const TEST: &str = "a_first_descriptor_that_is_none_is_an_error_and_no_panic";
    if role().is_some() {
        let error = inherited().unwrap_err();
        let inside = error.get_ref().and_then(|inside| inside.downcast_ref::<InheritedError>());
        assert_eq!((error.kind(), inside), (ErrorKind::InvalidData, Some(&InheritedError::First)));
        return;
    }
    let null = std::fs::File::open("/dev/null").unwrap();
    let mut child = child(TEST, "server", "http:admin", "$$", loopback(), Some(null.into()));
    child.env("LISTEN_FDS_FIRST_FD", "2147483647");
    succeeds(child);
}

#[test]
fn without_sockets_there_are_none() {
    let error = listen("fd:http").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(inherited().unwrap().is_empty());
}

/// Children that serve 20 clients each, one after the other, and a socket that outlives them.
#[test]
fn no_client_is_refused_while_the_process_is_replaced() {
    const TEST: &str = "no_client_is_refused_while_the_process_is_replaced";
    if let Some(generation) = role() {
        return block_on(async {
            let mut listener = listen("fd:http").unwrap();
            for _ in 0..20 {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(generation.as_bytes()).await.unwrap();
            }
        });
    }
    let listener = loopback();
    let addr = listener.local_addr().unwrap();
    let clients = thread::spawn(move || {
        (0..100)
            .map(|nth| {
                let mut stream = TcpStream::connect(addr).unwrap_or_else(|error| panic!("client {nth}: {error}"));
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                let mut said = String::new();
                stream.read_to_string(&mut said).unwrap_or_else(|error| panic!("client {nth}: {error}"));
                said
            })
            .collect::<Vec<_>>()
    });
    for generation in 0..5 {
        succeeds(child(TEST, &generation.to_string(), "http", "$$", listener.try_clone().unwrap(), None));
    }
    let said = clients.join().unwrap();
    let expected: Vec<_> = (0..100).map(|nth| (nth / 20).to_string()).collect();
    assert_eq!(said, expected);
}
