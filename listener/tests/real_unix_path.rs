//! Several processes bind one Unix path at the same moment: exactly one gets it, whatever an earlier one left there.
#![cfg(all(feature = "io", unix))]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    io::{self, BufRead, BufReader, ErrorKind, Lines, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, SystemTime},
};

use quintet_listener::{UnixListener, UnixOptions};

const ROLE: &str = "QUINTET_UNIX_PATH_CHILD";
const TEST: &str = "of_four_processes_exactly_one_gets_the_path";

/// A child has every descriptor of this process until it executes its program, so a socket closed here in the
/// meantime would still answer. Whoever starts a child or closes a socket that has to be dead afterwards holds this.
static CLOSED_MEANS_DEAD: Mutex<()> = Mutex::new(());

#[test]
fn of_four_processes_exactly_one_gets_the_path() {
    if std::env::var_os(ROLE).is_some() {
        return contend().unwrap();
    }
    rounds(300);
}

/// What a round begins with.
#[derive(Clone, Copy, Debug)]
enum Before {
    Nothing,
    /// A socket whose process has died.
    StaleFile,
    /// A process died in the middle of binding: what it left of the lock, too.
    StaleLock,
}

fn rounds(n: u32) {
    let folder = Folder::new("rounds");
    let path = folder.0.join("socket");
    let mut children: Vec<Contender> = (0..4).map(|_| Contender::start()).collect();
    for round in 0..n {
        let before = [Before::Nothing, Before::StaleFile, Before::StaleLock][round as usize % 3];
        before.prepare(&path);
        // At one moment, give or take up to 90 µs, so that every interleaving has its turn.
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_micros(500);
        for (n, child) in (0..).zip(&mut children) {
            let jitter = Duration::from_micros(u64::from(round * 7 + n * n * round * 13) % 90);
            child.say(&format!("bind {} {}", (at + jitter).as_nanos(), path.display()));
        }
        let said: Vec<String> = children.iter_mut().map(Contender::hear).collect();
        let winners = said.iter().filter(|said| *said == "won").count();
        let in_use = said.iter().filter(|said| *said == "lost AddrInUse").count();
        assert_eq!((winners, in_use), (1, 3), "round {round} with {before:?}: {said:?}");

        // The path leads to the winner and to no other process.
        let client = UnixStream::connect(&path).unwrap();
        for (child, said) in children.iter_mut().zip(&said).filter(|(_, said)| *said == "won") {
            child.say("accept");
            assert_eq!(child.hear(), "accepted", "{said}");
        }
        drop(client);
        for child in &mut children {
            child.say("close");
            assert_eq!(child.hear(), "closed");
        }
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0, "round {round} leaves nothing behind");
    }
}

impl Before {
    fn prepare(self, path: &Path) {
        let dies = |path: &Path| drop(std::os::unix::net::UnixListener::bind(path).unwrap());
        let _alone = CLOSED_MEANS_DEAD.lock().unwrap_or_else(PoisonError::into_inner);
        match self {
            Self::Nothing => {}
            Self::StaleFile => dies(path),
            Self::StaleLock => {
                dies(path);
                let lock = path.with_file_name(".socket.lock");
                fs::create_dir(&lock).unwrap();
                dies(&lock.join("0123456789"));
            }
        }
    }
}

#[test]
fn a_process_killed_while_it_binds_leaves_the_path_to_the_next() {
    let folder = Folder::new("killed");
    let path = folder.0.join("socket");
    for round in 0..15_u64 {
        let mut child = Contender::start();
        child.say(&format!("churn {}", path.display()));
        assert_eq!(child.hear(), "churning");
        thread::sleep(Duration::from_micros(round * 137 % 1900));
        child.process.kill().unwrap();
        child.process.wait().unwrap();
        let unix = UnixListener::bind(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        drop(unix);
        assert!(!path.exists());
    }
}

#[test]
fn the_mode_is_set_before_any_client_can_connect() {
    let folder = Folder::new("mode");
    let path = folder.0.join("socket");
    let watched = path.clone();
    let watcher = thread::spawn(move || {
        loop {
            if UnixStream::connect(&watched).is_ok() {
                return mode(&watched);
            }
        }
    });
    let options = UnixOptions { mode: Some(0o606), ..UnixOptions::default() };
    let _unix = UnixListener::bind_with(&path, &options).unwrap();
    assert_eq!((mode(&path), watcher.join().unwrap()), (0o606, 0o606));
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// A child process: does what it is told, a line at a time.
fn contend() -> io::Result<()> {
    let mut holds = None;
    for line in io::stdin().lines() {
        let line = line?;
        let said = match line.split_once(' ').unwrap_or((&line, "")) {
            ("bind", what) => {
                let (at, path) = what.split_once(' ').unwrap();
                let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(at.parse().unwrap());
                while SystemTime::now() < at {
                    std::hint::spin_loop();
                }
                match UnixListener::bind(path) {
                    Ok(unix) => {
                        holds = Some(unix);
                        "won".to_owned()
                    }
                    Err(error) => format!("lost {:?}", error.kind()),
                }
            }
            ("accept", _) => {
                let mut unix = holds.take().unwrap();
                let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
                runtime.block_on(quintet_listener::Listener::accept(&mut unix))?;
                holds = Some(unix);
                "accepted".to_owned()
            }
            ("close", _) => {
                holds = None;
                "closed".to_owned()
            }
            ("churn", path) => {
                println!("child churning");
                loop {
                    match UnixListener::bind(path) {
                        // Half of the time a stale file is left to the next turn.
                        Ok(unix) => {
                            drop(unix); // else its file is still there, and the next line fails
                            drop(std::os::unix::net::UnixListener::bind(path)?);
                        }
                        Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse),
                    }
                }
            }
            _ => return Err(io::Error::other(line)),
        };
        println!("child {said}");
    }
    Ok(())
}

/// The other end of a child process.
struct Contender {
    process: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Contender {
    fn start() -> Self {
        let _alone = CLOSED_MEANS_DEAD.lock().unwrap_or_else(PoisonError::into_inner);
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", TEST, "--nocapture", "--test-threads=1"])
            .env(ROLE, "contender")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, stdin, stdout: BufReader::new(stdout).lines() }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    /// The next line that is the child's and not the test harness's.
    fn hear(&mut self) -> String {
        let mut lines = self.stdout.by_ref().map(Result::unwrap);
        lines.find_map(|line| Some(line.split_once("child ")?.1.to_owned())).expect("the child lives")
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder of its own for each test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("quintet-unix-path-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
