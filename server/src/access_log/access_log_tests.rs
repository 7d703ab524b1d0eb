//! An access log and its thread: files, what cannot be written, rotation, and the end.

#![cfg(unix)]

use std::{
    fs::{self, File},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{AccessLog, AccessLogCounts, AccessLogOptions, LogFormat, destination::Destination};
use crate::served::ServedExample;

/// Longer than any disk takes; shorter than a test runner waits.
const BOUND: Duration = Duration::from_secs(60);

/// A folder of one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("quintet-access-log-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Logs a request for this target.
fn log(log: &AccessLog, target: &str) {
    let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    ServedExample::new(head.as_bytes()).show(|served| log.log(served));
}

/// The targets in lines of JSON.
fn targets(lines: &str) -> Vec<String> {
    let target = |line| {
        let read: serde_json::Value = serde_json::from_str(line).expect("a whole line of JSON");
        read["target"].as_str().expect("a target").to_owned()
    };
    lines.lines().map(target).collect()
}

fn counts(written: u64, dropped: u64, failed: u64, reopen_errors: u64) -> AccessLogCounts {
    AccessLogCounts { written, dropped, failed, reopen_errors }
}

#[test]
fn lines_are_appended_to_a_file_in_order() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    for first in [0, 10] {
        let access_log = AccessLog::open(folder.path("log")).expect("a file");
        (first..first + 10).for_each(|n| log(&access_log, &format!("/{n}")));
        assert!(access_log.flush(BOUND));
        assert_eq!(access_log.counts(), counts(10, 0, 0, 0));
    }
    let expected: Vec<String> = (0..20).map(|n| format!("/{n}")).collect();
    assert_eq!(targets(&folder.read("log")), expected);
    let mode = fs::metadata(folder.path("log")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o137, 0, "others cannot read who asked for what");
}

#[test]
fn a_log_whose_folder_does_not_exist_is_an_error() {
    let folder = Folder::new();
    assert!(AccessLog::open(folder.path("none/log")).is_err());
}

#[test]
fn formats_and_filter_are_those_of_the_options() {
    let folder = Folder::new();
    for (format, begins) in [(LogFormat::Json, "{\"time\""), (LogFormat::Combined, "192."), (LogFormat::Common, "192.")]
    {
        let options = AccessLogOptions {
            format,
            filter: Some(Arc::new(|served| served.target() != Some("/readyz"))),
            ..AccessLogOptions::default()
        };
        let name = format!("{format:?}");
        let access_log = AccessLog::open_with(folder.path(&name), options).expect("a file");
        ["/readyz", "/a", "/readyz"].iter().for_each(|target| log(&access_log, target));
        assert!(access_log.flush(BOUND));
        let text = folder.read(&name);
        assert!(text.starts_with(begins) && text.lines().count() == 1 && text.contains("/a"), "{text}");
        assert_eq!(access_log.counts(), counts(1, 0, 0, 0));
    }
}

/// Rotation by rename, as logrotate does it, while lines are written by two threads.
#[test]
fn rotation_by_rename_and_reopen_loses_no_line() {
    const ROTATIONS: usize = 20;
    const LINES: usize = 500;
    let folder = Folder::new();
    let access_log = AccessLog::open(folder.path("log")).expect("a file");
    std::thread::scope(|scope| {
        for writer in ["a", "b"] {
            let access_log = access_log.clone();
            scope.spawn(move || (0..LINES).for_each(|n| log(&access_log, &format!("/{writer}{n}"))));
        }
        for n in 0..ROTATIONS {
            fs::rename(folder.path("log"), folder.path(&format!("log.{n}"))).expect("it is there");
            access_log.reopen();
            assert!(access_log.flush(BOUND));
        }
    });
    assert!(access_log.flush(BOUND));
    let mut found: Vec<String> = (0..ROTATIONS).flat_map(|n| targets(&folder.read(&format!("log.{n}")))).collect();
    found.extend(targets(&folder.read("log")));
    for writer in ["a", "b"] {
        let own: Vec<&String> = found.iter().filter(|target| target[1..].starts_with(writer)).collect();
        let expected: Vec<String> = (0..LINES).map(|n| format!("/{writer}{n}")).collect();
        assert!(own.into_iter().eq(&expected), "each line once, in order");
    }
    assert_eq!(access_log.counts(), counts(2 * LINES as u64, 0, 0, 0));
}

#[test]
fn the_error_of_an_access_log_names_its_file() {
    let folder = Folder::new();
    for (path, told) in [(folder.path("none/log"), "No such file"), (folder.path(""), "directory")] {
        let Err(error) = AccessLog::open(&path) else { panic!("{} was opened", path.display()) };
        let text = error.to_string();
        assert!(text.starts_with(&format!("{}: ", path.display())) && text.contains(told), "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_reopened_stays_in_use() {
    let folder = Folder::new();
    fs::create_dir(folder.path("logs")).expect("a folder");
    let access_log = AccessLog::open(folder.path("logs/log")).expect("a file");
    fs::rename(folder.path("logs"), folder.path("old")).expect("it is there");
    access_log.reopen();
    log(&access_log, "/a");
    assert!(access_log.flush(BOUND));
    assert_eq!(access_log.counts(), counts(1, 0, 0, 1));
    assert!(access_log.last_error().is_some_and(|error| error.contains("logs/log: No such file")));
    assert_eq!(targets(&folder.read("old/log")), ["/a"]);
    fs::create_dir(folder.path("logs")).expect("a folder");
    access_log.reopen();
    log(&access_log, "/b");
    assert!(access_log.flush(BOUND));
    let (old, new) = (targets(&folder.read("old/log")), targets(&folder.read("logs/log")));
    assert_eq!([old, new].concat(), ["/a", "/b"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_lines_and_counts_them() {
    let access_log = AccessLog::open("/dev/full").expect("a device");
    for n in 1..=3 {
        log(&access_log, "/a");
        assert!(access_log.flush(BOUND), "it does not wait for room");
        assert_eq!(access_log.counts(), counts(0, 0, n, 0));
    }
    assert!(access_log.last_error().is_some_and(|error| error.contains("No space left")));
}

/// A log to one end of a pair of sockets: as a pipe, it blocks while its reader does not read.
fn pipe(options: AccessLogOptions) -> (AccessLog, UnixStream) {
    let (writer, reader) = UnixStream::pair().expect("a pair");
    let writer = File::from(OwnedFd::from(writer));
    (AccessLog::start(Destination::standard(writer), options).expect("a thread"), reader)
}

#[test]
fn a_pipe_whose_reader_is_gone_loses_lines_and_counts_them() {
    let (access_log, reader) = pipe(AccessLogOptions::default());
    drop(reader);
    log(&access_log, "/a");
    assert!(access_log.flush(BOUND));
    access_log.reopen();
    log(&access_log, "/b");
    assert!(access_log.flush(BOUND));
    assert_eq!(access_log.counts(), counts(0, 0, 2, 0));
}

#[test]
fn a_reader_that_stops_fills_the_queue_and_delays_no_request() {
    let options = AccessLogOptions { max_queue_bytes: 4096, ..AccessLogOptions::default() };
    let (access_log, mut reader) = pipe(options);
    let mut logged = 0;
    // The thread blocks when the sockets are full, and then the queue fills: from there on every line is dropped.
    while access_log.counts().dropped < 100 {
        log(&access_log, "/a");
        logged += 1;
    }
    assert!(!access_log.flush(Duration::ZERO));
    // What was not dropped arrives when the reader goes on, in whole lines.
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut reader, &mut text).expect("text");
        targets(&text).len() as u64
    });
    assert!(access_log.flush(BOUND));
    let found = access_log.counts();
    assert_eq!((found.written + found.dropped, found.failed), (logged, 0));
    drop(access_log);
    assert_eq!(reading.join().expect("no panic"), found.written);
}

#[test]
fn the_last_handle_ends_the_thread_after_the_lines() {
    let (access_log, mut reader) = pipe(AccessLogOptions::default());
    let hook = access_log.hook();
    log(&access_log, "/a");
    drop(access_log);
    ServedExample::new(b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n").show(|served| hook(served));
    drop(hook);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut reader, &mut text).expect("the thread closes its end");
    assert_eq!(targets(&text), ["/a", "/b"]);
}
