//! Tests of `PathLock`: it excludes, survives dead owners, and leaves the files of others alone.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use socket2::SockAddr;

use super::path_lock::{NotLocked, PathLock, listening};

struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("quintet-lock-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_lock_excludes_and_leaves_nothing_behind() {
    let folder = Folder::new("excludes");
    let path = folder.0.join("a.sock");
    let lock = PathLock::take(&path, || false).unwrap();
    assert_eq!(folder.names(), [".a.sock.lock"]);
    let mut asked = 0;
    let over = || {
        asked += 1;
        asked == 3
    };
    assert!(matches!(PathLock::take(&path, over), Err(NotLocked::Held)));
    assert_eq!(folder.names(), [".a.sock.lock"]);
    let _another = PathLock::take(&folder.0.join("b.sock"), || false).unwrap();
    drop(lock);
    drop(PathLock::take(&path, || false).unwrap());
    assert_eq!(folder.names(), [".b.sock.lock"]);
}

#[test]
fn what_dead_owners_left_is_no_lock() {
    let folder = Folder::new("dead");
    let (path, lock) = (folder.0.join("a.sock"), folder.0.join(".a.sock.lock"));
    // Nothing, then one that died with the lock, then two: what has died between them has left an empty folder.
    for dead in [0, 1, 2] {
        fs::create_dir(&lock).unwrap();
        for n in 0..dead {
            drop(listening(&lock.join(n.to_string())).unwrap());
        }
        drop(PathLock::take(&path, || true).unwrap());
        assert!(folder.names().is_empty());
    }
}

#[test]
fn a_path_too_long_for_more_is_locked_by_a_shorter_way() {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return;
    }
    let folder = Folder::new("long");
    let fits = 107 - folder.0.as_os_str().len() - 1;
    let path = folder.0.join("x".repeat(fits));
    assert!(SockAddr::unix(&path).is_ok() && SockAddr::unix(path.with_extension("y")).is_err());
    let lock = PathLock::take(&path, || false).unwrap();
    assert!(matches!(PathLock::take(&path, || true), Err(NotLocked::Held)));
    drop(lock);
    assert!(folder.names().is_empty());
}

#[test]
fn where_no_folder_can_be_made_there_is_no_lock() {
    let folder = Folder::new("impossible");
    let path = folder.0.join("a.sock");
    assert!(matches!(PathLock::take(&folder.0.join("no").join("a"), || false), Err(NotLocked::Impossible)));
    fs::write(folder.0.join(".a.sock.lock"), "a file of another program").unwrap();
    assert!(matches!(PathLock::take(&path, || false), Err(NotLocked::Impossible)));
    assert_eq!(folder.names(), [".a.sock.lock"]);
}

/// Such as the folder that another tool takes for its lock, with its process id in it.
#[test]
fn a_folder_of_that_name_of_another_program_loses_nothing() {
    let folder = Folder::new("theirs");
    let (path, theirs) = (folder.0.join("a.sock"), folder.0.join(".a.sock.lock"));
    let (file, dead) = (theirs.join("pid"), folder.0.join("dead"));
    fs::create_dir(&theirs).unwrap();
    fs::write(&file, "17").unwrap();
    assert!(matches!(PathLock::take(&path, || false), Err(NotLocked::Impossible)));
    assert_eq!(fs::read_to_string(&file).unwrap(), "17");
    // Nor is a link followed, to a socket that refuses, say.
    fs::remove_file(&file).unwrap();
    drop(listening(&dead).unwrap());
    std::os::unix::fs::symlink(&dead, &file).unwrap();
    assert!(matches!(PathLock::take(&path, || false), Err(NotLocked::Impossible)));
    assert!(fs::symlink_metadata(&file).is_ok());
    assert_eq!(folder.names().len(), 2);
}

#[test]
fn many_threads_hold_it_one_at_a_time() {
    let folder = Folder::new("threads");
    let path = folder.0.join("a.sock");
    let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let Ok(lock) = PathLock::take(&path, || false) else { continue };
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    taken.fetch_add(1, Ordering::SeqCst);
                    drop(lock);
                }
            });
        }
    });
    assert!(taken.into_inner() >= 50);
    assert!(folder.names().is_empty());
}
