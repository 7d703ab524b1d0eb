//! The access log of a whole server: a process whose log is rotated by signals, or cannot be written.
//!
//! The server is a child process: this test program again, which runs [`child`].

#![cfg(target_os = "linux")]

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use quintet_server::{AccessLog, Config, Request, ServeMux, Server, access_log::AccessLogOptions};

/// Longer than anything here takes on a machine with much to do.
const BOUND: Duration = Duration::from_secs(30);

/// The server of the child. Its environment variable says where its log goes: a path, or `stderr`.
#[test]
#[ignore = "the other tests start it in a process of its own"]
fn child() {
    static LOG: OnceLock<AccessLog> = OnceLock::new();
    let Ok(to) = std::env::var("ACCESS_LOG_CHILD") else { return };
    let log = LOG.get_or_init(|| {
        let opened = match to.as_str() {
            "stderr" => AccessLog::stderr(AccessLogOptions::default()),
            path => AccessLog::open(path),
        };
        opened.expect("a log")
    });
    let mux = ServeMux::new();
    mux.handle("/{$}", async |_| "hello\n");
    mux.handle("/n/{n}", async |_| "n\n");
    mux.handle("/panic", async |_: Request| -> &'static str { panic!("as asked") });
    mux.handle("/counts", async |_| {
        // What is counted is what was written, and lines wait for some milliseconds.
        let log = LOG.get().expect("it is open");
        let flushed = log.flush(BOUND);
        let counts = log.counts();
        format!("{flushed} {} {} {} {}", counts.written, counts.dropped, counts.failed, counts.reopen_errors)
    });
    let server = Server::with_config(mux, Config { access_log: Some(log.clone()), ..Config::default() });
    let addr = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let say = async { drop(writeln!(std::io::stdout(), "addr {addr}")) };
        let (ended, ()) = tokio::join!(server.run(&addr, Duration::from_secs(5)), say);
        ended.expect("served");
    });
}

struct Process(Child, SocketAddr);

impl Process {
    fn start(to: &str, stderr: Stdio) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env("ACCESS_LOG_CHILD", to)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("a process");
        // A pipe without a reader.
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
            assert!(since.elapsed() < BOUND, "it does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        process
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect_timeout(&self.1, BOUND).expect("it listens");
        stream.set_read_timeout(Some(BOUND)).expect("a timeout");
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a reply");
        reply
    }

    fn signal(&self, name: &str) {
        let killed = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status();
        assert!(killed.expect("kill is there").success());
    }

    /// Ends it in order.
    fn stop(mut self) {
        self.signal("TERM");
        let since = Instant::now();
        let status = loop {
            match self.0.try_wait().expect("a child") {
                Some(status) => break status,
                None => assert!(since.elapsed() < BOUND, "it does not end"),
            }
            thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "{status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("quintet-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The targets of the lines of a file.
fn targets(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let target = |line| {
        let read: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        read["target"].as_str().expect("a target").to_owned()
    };
    text.lines().map(target).collect()
}

#[test]
fn rotation_by_rename_and_sighup_or_sigusr1_loses_no_line() {
    let folder = Folder::new("rotated-log");
    let path = folder.0.join("log");
    let process = Process::start(path.to_str().expect("text"), Stdio::null());
    let mut sent = BTreeSet::new();
    let mut files = vec![path.clone()];
    for n in 0..120 {
        let target = format!("/n/{n}");
        assert!(process.get(&target).ends_with("\r\n\r\nn\n"));
        sent.insert(target);
        if n % 20 == 10 {
            let old = folder.0.join(format!("log.{n}"));
            fs::rename(&path, &old).expect("it is there");
            files.push(old);
            process.signal(if n % 40 == 10 { "HUP" } else { "USR1" });
            let since = Instant::now();
            // Requests go on meanwhile.
            while !path.exists() {
                assert!(since.elapsed() < BOUND, "it does not open its log again");
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
    process.stop();
    let found: Vec<String> = files.iter().flat_map(|file| targets(file)).collect();
    assert_eq!(found.len(), sent.len(), "each request has one line");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), sent);
    assert!(files.iter().all(|file| !targets(file).is_empty()), "each file has some");
}

#[test]
fn a_shutdown_writes_the_lines_that_wait() {
    let folder = Folder::new("flushed-log");
    let path = folder.0.join("log");
    let process = Process::start(path.to_str().expect("text"), Stdio::null());
    assert!(process.get("/n/1").starts_with("HTTP/1.1 200 "));
    process.stop();
    assert_eq!(targets(&path), ["/n/1"]);
}

/// Serves on, and counts the lines that were lost.
fn survives(to: &str, stderr: Stdio) {
    let process = Process::start(to, stderr);
    for (path, status) in [("/", "200"), ("/none", "404"), ("/panic", "500"), ("/", "200")] {
        let reply = process.get(path);
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{to}: {reply:?}");
    }
    let reply = process.get("/counts");
    assert!(reply.ends_with("\r\n\r\ntrue 0 0 4 0"), "{to}: {reply}");
    process.stop();
}

#[test]
fn a_full_disk_under_the_log_ends_nothing() {
    survives("/dev/full", Stdio::null());
    survives("stderr", OpenOptions::new().write(true).open("/dev/full").expect("/dev/full").into());
}

#[test]
fn a_reader_of_the_log_that_is_gone_ends_nothing() {
    survives("stderr", Stdio::piped());
}
