//! A server whose standard error cannot be written, or whose hooks panic: it serves on, and it shuts down in order.
//!
//! The server is a child process: this test program again, which runs [`child`] with few descriptors.

#![cfg(target_os = "linux")]

use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    num::NonZeroUsize,
    process::{Child, Command, Stdio},
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};

use quintet_server::{Config, Hooks, Request, ServeMux, Server};

/// The descriptors of the child. (The test harness and the runtime need some twenty.)
const DESCRIPTORS: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stderr {
    /// The reading end of the pipe is closed: EPIPE.
    ClosedPipe,
    /// A full disk: ENOSPC.
    Full,
    /// The descriptor is not open: EBADF.
    Closed,
}

/// The server of the child. Its environment variables say how it serves and what its hooks do.
#[test]
#[ignore = "the other tests start it in a process of its own"]
fn child() {
    static SERVER: OnceLock<Server<ServeMux>> = OnceLock::new();
    let Ok(mode) = std::env::var("BROKEN_STDERR_CHILD") else { return };
    let mux = ServeMux::new();
    mux.handle("/{$}", async |_| "hello\n");
    mux.handle("/panic", async |_: Request| -> &'static str { panic!("as asked") });
    mux.handle("/field", async |_| quintet_server::Response::new("x").with_header("x-a", "\n"));
    mux.handle("/broken", async |_| -> Result<(), quintet_server::mux::HttpError> { Err("no disk")? });
    mux.handle("/failures", async |_| {
        let failures = SERVER.get().expect("it serves").hook_failures();
        format!("{} {}", failures.panics, failures.lost_lines)
    });
    let hooks = if mode.contains("hooks") {
        Hooks {
            state: Some(Arc::new(|_, _, _| panic!("state"))),
            base_context: Some(Arc::new(|_| panic!("base_context"))),
            conn_context: Some(Arc::new(|_| panic!("conn_context"))),
            refused: Some(Arc::new(|_| panic!("refused"))),
            served: Some(Arc::new(|_| panic!("served"))),
            panicked: Some(Arc::new(|_| panic!("panicked"))),
            field_error: Some(Arc::new(|_, _| panic!("field_error"))),
            handler_error: Some(Arc::new(|_| panic!("handler_error"))),
            accept_error: Some(Arc::new(|_| panic!("accept_error"))),
            #[cfg(feature = "tls")]
            handshake_error: Some(Arc::new(|_| panic!("handshake_error"))),
            #[cfg(feature = "tls")]
            reload_error: Some(Arc::new(|_| panic!("reload_error"))),
            #[cfg(feature = "tls")]
            certificate_expired: Some(Arc::new(|_| panic!("certificate_expired"))),
        }
    } else {
        Hooks::default()
    };
    let server = SERVER.get_or_init(|| Server::with_config(mux, Config { hooks, ..Config::default() }));
    let addr = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if mode.contains("per_core") {
        let own = addr.clone();
        let serving = thread::spawn(move || server.serve_per_core(&own, NonZeroUsize::MIN));
        runtime
            .block_on(async { tokio::join!(server.until_signal(Duration::from_secs(5)), async { say_addr(&addr) }) });
        serving.join().expect("no panic").expect("served");
    } else {
        runtime.block_on(async {
            let (ended, ()) = tokio::join!(server.run(&addr, Duration::from_secs(5)), async { say_addr(&addr) });
            ended.expect("served");
        });
    }
}

fn say_addr(addr: &str) {
    let _ = writeln!(std::io::stdout(), "addr {addr}");
}

struct Process(Child, SocketAddr);

impl Process {
    fn start(mode: &str, stderr: Stderr) -> Self {
        let program = std::env::current_exe().expect("this program");
        let close = if stderr == Stderr::Closed { "2>&-" } else { "" };
        let script = format!("ulimit -n {DESCRIPTORS}; exec \"$0\" --exact child --ignored --nocapture {close}");
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .arg(program)
            .env("BROKEN_STDERR_CHILD", mode)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(match stderr {
                Stderr::Full => OpenOptions::new().write(true).open("/dev/full").expect("/dev/full").into(),
                _ => Stdio::piped(),
            })
            .spawn()
            .expect("a shell");
        drop(child.stderr.take());
        let mut out = BufReader::new(child.stdout.take().expect("piped")).lines();
        let addr = out.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, addr) = line.split_once("addr ")?;
            addr.parse().ok()
        });
        thread::spawn(move || out.for_each(drop));
        let process = Self(child, addr.expect("it says where it listens"));
        let since = Instant::now();
        while TcpStream::connect(process.1).is_err() {
            assert!(since.elapsed() < Duration::from_secs(10), "it does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        process
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.1, Duration::from_secs(5)).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream
    }

    /// The reply to these bytes, up to the end of the connection.
    fn answer(&self, bytes: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes.as_bytes()).expect("it reads");
        let mut reply = String::new();
        let _ = stream.read_to_string(&mut reply);
        reply
    }

    fn get(&self, path: &str) -> String {
        self.answer(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn survives(mode: &str, stderr: Stderr) {
    let mut process = Process::start(mode, stderr);
    let context = format!("{mode:?}, {stderr:?}");
    let starts = |reply: String, status: &str| {
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{context}: {reply:?}");
    };
    starts(process.get("/"), "200");
    starts(process.get("/panic"), "500");
    starts(process.get("/broken"), "500");
    starts(process.answer("GET / HTTP/1.1\r\n\r\n"), "400");
    // There are more clients than descriptors. The rest wait in the backlog, and accepting them fails.
    let many: Vec<_> = (0..DESCRIPTORS + 20).map(|_| process.connect()).collect();
    thread::sleep(Duration::from_millis(300));
    drop(many);
    starts(process.get("/"), "200");
    starts(process.get("/panic"), "500");
    let failures = process.get("/failures");
    let (_, failures) = failures.rsplit_once('\n').expect("a body");
    let (panics, lost) = failures.split_once(' ').expect("two numbers");
    let (panics, lost): (u64, u64) = (panics.parse().expect("a number"), lost.parse().expect("a number"));
    if mode.contains("hooks") {
        // Two panics, a refusal, an accept error, and a state for each of more than sixty connections.
        assert!(panics > 60 && lost == 0, "{context}: {panics} panics, {lost} lines");
    } else {
        // The standard library reopens a closed standard error as /dev/null, so no line is lost.
        let least = if stderr == Stderr::Closed { 0 } else { 3 };
        assert!(panics == 0 && lost >= least, "{context}: {panics} panics, {lost} lines");
    }
    // An idle connection does not hold up the exit: the process ends by itself, with success.
    let mut idle = process.connect();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    assert!(idle.read(&mut [0; 1024]).expect("a reply") > 0);
    let killed = Command::new("kill").args(["-s", "TERM", &process.0.id().to_string()]).status();
    assert!(killed.expect("kill is there").success());
    let since = Instant::now();
    let status = loop {
        match process.0.try_wait().expect("a child") {
            Some(status) => break status,
            None => assert!(since.elapsed() < Duration::from_secs(10), "{context}: it does not end"),
        }
        thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "{context}: {status}");
}

#[test]
fn a_server_survives_a_closed_pipe_as_stderr() {
    survives("run", Stderr::ClosedPipe);
}

#[test]
fn a_server_survives_a_full_disk_as_stderr() {
    survives("run", Stderr::Full);
}

#[test]
fn a_server_survives_a_closed_stderr() {
    survives("run", Stderr::Closed);
}

#[test]
fn a_server_survives_hooks_that_panic() {
    survives("run hooks", Stderr::Full);
}

#[test]
fn a_broken_stderr_does_not_end_a_thread_per_core() {
    survives("per_core", Stderr::Full);
}

#[test]
fn hooks_that_panic_do_not_end_a_thread_per_core() {
    survives("per_core hooks", Stderr::ClosedPipe);
}
