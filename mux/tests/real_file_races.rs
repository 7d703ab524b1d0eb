//! Files of a folder whose directories and symlinks are swapped while clients ask for them: no byte from outside the folder
//! is ever sent, and no descriptor is left open.
#![allow(clippy::unwrap_used, reason = "a test")]
#![cfg(all(feature = "files", target_os = "linux"))]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use quintet_mux::{Dir, DirOptions, FileOptions, FileServer, Handler, Listing};
use quintet_request::Request;

const FOR: Duration = Duration::from_secs(10);

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("quintet-races-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// `root` is served. Whatever lies beside it has the word `outside`.
fn tree(folder: &Folder) {
    write(&folder.at("root/up/x"), "inside");
    write(&folder.at("root/real/x"), "inside");
    write(&folder.at("root/real/d/x"), "inside");
    write(&folder.at("root/file"), "inside");
    write(&folder.at("up/x"), "outside");
    write(&folder.at("up/d/x"), "outside");
    write(&folder.at("up/index.html"), "outside");
    write(&folder.at("up/outside.txt"), "outside");
    fs::create_dir_all(folder.at("root/deep")).unwrap();
    // In the root it leads to `root/up/x`; while `deep` is moved beside the root, to `up/x`.
    symlink("../up/x", folder.at("root/deep/link")).unwrap();
    symlink("../up", folder.at("root/deep/dir")).unwrap();
}

/// One round of changes: each leads out of the root for a moment.
fn swap(folder: &Folder) {
    let at = |name| folder.at(name);
    fs::rename(at("root/deep"), at("deep")).unwrap();
    fs::rename(at("deep"), at("root/deep")).unwrap();

    fs::rename(at("root/real"), at("root/away")).unwrap();
    symlink("../up", at("root/real")).unwrap();
    fs::remove_file(at("root/real")).unwrap();
    symlink(at("up"), at("root/real")).unwrap();
    fs::remove_file(at("root/real")).unwrap();
    fs::rename(at("root/away"), at("root/real")).unwrap();

    symlink("../up/x", at("root/new")).unwrap();
    fs::rename(at("root/new"), at("root/file")).unwrap();
    write(&at("root/new"), "inside");
    fs::rename(at("root/new"), at("root/file")).unwrap();
}

const PATHS: [&str; 12] = [
    "/real/x",
    "/real/d/x",
    "/real/",
    "/real",
    "/away/x",
    "/deep/link",
    "/deep/dir/x",
    "/deep/dir/",
    "/file",
    "/real/../file",
    "/",
    "/deep/",
];

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Asks for all paths until the time is over. Returns the numbers of replies with bytes from inside and of refusals.
async fn ask(server: &FileServer<Dir>, end: Instant, stop: &AtomicBool) -> (usize, usize) {
    let (mut inside, mut refused) = (0, 0);
    while Instant::now() < end && !stop.load(Ordering::Relaxed) {
        for path in PATHS {
            let request = Request::parse(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
            let mut reply = server.call(request).await;
            let status = reply.status().as_u16();
            // A file may be cut off by the swap; what was sent before is from inside.
            let Ok(bytes) = reply.take_body().to_bytes(1 << 20).await else { continue };
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("outside"), "{path}: {status} {text}");
            match status {
                200 => inside += 1,
                301 | 404 | 503 => refused += 1,
                other => panic!("{path}: {other}"),
            }
        }
    }
    (inside, refused)
}

fn race(options: DirOptions) {
    let folder = Folder::new();
    tree(&folder);
    let before = descriptors();
    let listed = FileOptions { listing: Some(Listing::default()), ..FileOptions::default() };
    let server = FileServer::with_options(Dir::open_with(folder.at("root"), options).unwrap(), listed);
    let (end, stop) = (Instant::now() + FOR, AtomicBool::new(false));
    let rounds = AtomicUsize::new(0);
    let (mut inside, mut refused) = (0, 0);
    thread::scope(|scope| {
        let swapping = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                swap(&folder);
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        });
        let client = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(ask(&server, end, &stop))
        };
        let clients: Vec<_> = (0..2).map(|_| scope.spawn(client)).collect();
        let ended: Vec<_> = clients.into_iter().map(thread::ScopedJoinHandle::join).collect();
        stop.store(true, Ordering::Relaxed);
        swapping.join().unwrap();
        for counts in ended {
            let (of_inside, of_refused) = counts.unwrap();
            (inside, refused) = (inside + of_inside, refused + of_refused);
        }
    });
    let rounds = rounds.into_inner();
    assert!(rounds > 100 && inside > 1000 && refused > 100, "{rounds} rounds, {inside} inside, {refused} refused");
    drop(server);
    assert_eq!(descriptors(), before, "a descriptor is left open");
}

#[test]
fn a_race_of_directories_and_symlinks_shows_nothing_from_outside() {
    race(DirOptions::default());
}
