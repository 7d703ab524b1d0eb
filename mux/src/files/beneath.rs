//! Opening of files beneath a directory, so that no name, no symlink and no race leads out of it.
//!
//! Linux resolves a path beneath a directory in one call, `openat2`. Elsewhere, and where Linux is older than 5.6, the path
//! is walked: each part is opened in the directory that was opened before it, and a symlink is never followed by the system
//! but read and walked like the rest of the path. `..` goes back to a directory that is still open, so no directory that is
//! moved meanwhile changes where it leads.

use std::{
    ffi::CString,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{Mode, OFlags, openat, readlinkat},
    io::Errno,
};

use super::dir_options::Symlinks;

/// How a file is opened. `NONBLOCK`: the open of a FIFO without a writer would wait for one.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// How a directory on the way is opened. On Linux it need not be readable for that.
#[cfg(target_os = "linux")]
const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);
#[cfg(not(target_os = "linux"))]
const STEP: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

/// The most symlinks on the way to one file, as in Linux.
const MAX_SYMLINKS: u32 = 40;

/// How often a call is repeated that lost a race with a change of the directories.
#[cfg(target_os = "linux")]
const MAX_RACES: u32 = 3;

/// Opens the root itself.
pub(super) fn open_root(path: &std::path::Path) -> rustix::io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// Opens a file if the kernel has all that the path needs in memory; `None` if it must be opened by [`open`], which may wait
/// for a disk. An error is final.
#[cfg(target_os = "linux")]
pub(super) fn try_open(root: BorrowedFd<'_>, path: &[u8], symlinks: Symlinks) -> rustix::io::Result<Option<OwnedFd>> {
    use rustix::fs::{ResolveFlags, openat2};

    match openat2(root, or_dot(path), FILE, Mode::empty(), resolve(symlinks) | ResolveFlags::CACHED) {
        Ok(file) => Ok(Some(file)),
        // INVAL: Linux before 5.12 has no RESOLVE_CACHED. NOSYS: it has no `openat2`.
        Err(Errno::AGAIN | Errno::INTR | Errno::INVAL | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn try_open(_: BorrowedFd<'_>, _: &[u8], _: Symlinks) -> rustix::io::Result<Option<OwnedFd>> {
    Ok(None)
}

/// Opens a file. It may wait for a disk.
///
/// # Errors
/// `XDEV` if the path leads out of the root, `AGAIN` if it lost a race with changes of the directories three times.
#[cfg(target_os = "linux")]
pub(super) fn open(root: BorrowedFd<'_>, path: &[u8], symlinks: Symlinks) -> rustix::io::Result<OwnedFd> {
    let mut races = 0;
    loop {
        match rustix::fs::openat2(root, or_dot(path), FILE, Mode::empty(), resolve(symlinks)) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if races < MAX_RACES => races += 1,
            // Not on PERM, which a sandbox says too: it must not be a way around the kernel's check.
            Err(Errno::NOSYS) => return walk(root, path, symlinks),
            opened => return opened,
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn open(root: BorrowedFd<'_>, path: &[u8], symlinks: Symlinks) -> rustix::io::Result<OwnedFd> {
    walk(root, path, symlinks)
}

/// Magic links are those of `/proc`, which lead anywhere.
#[cfg(target_os = "linux")]
fn resolve(symlinks: Symlinks) -> rustix::fs::ResolveFlags {
    use rustix::fs::ResolveFlags;

    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match symlinks {
        Symlinks::Inside => beneath,
        Symlinks::Refused => beneath | ResolveFlags::NO_SYMLINKS,
    }
}

#[cfg(target_os = "linux")]
fn or_dot(path: &[u8]) -> &[u8] {
    if path.is_empty() { b"." } else { path }
}

/// Opens a file part by part, with the same outcome as `openat2`.
fn walk(root: BorrowedFd<'_>, path: &[u8], symlinks: Symlinks) -> rustix::io::Result<OwnedFd> {
    // The directories on the way, the last one on top, and the parts still to go, the next one on top.
    let mut way: Vec<OwnedFd> = Vec::new();
    let mut parts: Vec<Vec<u8>> = split(path);
    let mut followed = 0;
    while let Some(part) = parts.pop() {
        let here = way.last().map_or(root, |directory| directory.as_fd());
        match &*part {
            b"" | b"." => continue,
            b".." => {
                way.pop().ok_or(Errno::XDEV)?;
                continue;
            }
            _ => {}
        }
        let flags = if parts.is_empty() { FILE | OFlags::NOFOLLOW } else { STEP };
        match openat(here, &*part, flags, Mode::empty()) {
            Ok(file) if parts.is_empty() => return Ok(file),
            Ok(directory) => way.push(directory),
            Err(Errno::INTR) => parts.push(part),
            // What systems say to the open of a symlink. NOTDIR may also be the truth.
            Err(error @ (Errno::LOOP | Errno::NOTDIR | Errno::MLINK)) => {
                let Ok(target) = readlinkat(here, &*part, Vec::new()) else { return Err(error) };
                followed += 1;
                if symlinks == Symlinks::Refused || followed > MAX_SYMLINKS {
                    return Err(Errno::LOOP);
                }
                parts.extend(split(relative(&target)?));
            }
            Err(error) => return Err(error),
        }
    }
    // The path ended with a directory on the way, or is the root.
    let here = way.last().map_or(root, |directory| directory.as_fd());
    openat(here, c".", FILE, Mode::empty())
}

/// The parts of a path, the first one last.
fn split(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec).collect()
}

/// The target of a symlink, unless it begins at the root of the system.
fn relative(target: &CString) -> rustix::io::Result<&[u8]> {
    match target.to_bytes() {
        [b'/', ..] => Err(Errno::XDEV),
        relative => Ok(relative),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        path::{Path, PathBuf},
        sync::atomic::{AtomicBool, Ordering},
    };

    use super::*;

    /// A folder that is removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("quintet-beneath-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// The tree of the table below: `root` beneath the folder, and a secret beside it.
    fn tree(folder: &Path) -> PathBuf {
        let root = folder.join("root");
        for directory in ["root/a/b", "root/other", "outside"] {
            fs::create_dir_all(folder.join(directory)).unwrap();
        }
        for (file, text) in [("root/x", "x"), ("root/a/b/y", "y"), ("root/other/z", "z"), ("outside/secret", "secret")]
        {
            fs::write(folder.join(file), text).unwrap();
        }
        for (link, target) in [
            ("to_x", "x"),
            ("to_a", "a"),
            ("a/b/up", "../../x"),
            ("a/to_other", "../other"),
            ("chain", "to_a/b/up"),
            ("slash", "a/b/"),
            ("out", "../outside/secret"),
            ("out_directory", "../outside"),
            ("in_and_out", "a/../../outside/secret"),
            ("absolute", "/etc/passwd"),
            ("back", "../root/x"),
            ("loop", "loop"),
            ("loop_1", "loop_2"),
            ("loop_2", "loop_1"),
            ("missing", "nothing"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        root
    }

    fn read(opened: rustix::io::Result<OwnedFd>) -> Result<String, Errno> {
        let file = fs::File::from(opened?);
        if file.metadata().unwrap().is_dir() {
            return Ok("a directory".to_owned());
        }
        Ok(std::io::read_to_string(file).unwrap())
    }

    /// A path, and what is read by it with symlinks inside the root, and without symlinks.
    type Row = (&'static str, Result<&'static str, Errno>, Result<&'static str, Errno>);

    const TABLE: [Row; 26] = [
        ("", Ok("a directory"), Ok("a directory")),
        ("x", Ok("x"), Ok("x")),
        ("a/b/y", Ok("y"), Ok("y")),
        ("a", Ok("a directory"), Ok("a directory")),
        ("a/b", Ok("a directory"), Ok("a directory")),
        ("x/y", Err(Errno::NOTDIR), Err(Errno::NOTDIR)),
        ("nothing", Err(Errno::NOENT), Err(Errno::NOENT)),
        ("nothing/at/all", Err(Errno::NOENT), Err(Errno::NOENT)),
        ("to_x", Ok("x"), Err(Errno::LOOP)),
        ("to_a/b/y", Ok("y"), Err(Errno::LOOP)),
        ("to_a", Ok("a directory"), Err(Errno::LOOP)),
        ("a/b/up", Ok("x"), Err(Errno::LOOP)),
        ("a/to_other/z", Ok("z"), Err(Errno::LOOP)),
        ("chain", Ok("x"), Err(Errno::LOOP)),
        ("slash", Ok("a directory"), Err(Errno::LOOP)),
        ("slash/y", Ok("y"), Err(Errno::LOOP)),
        ("out", Err(Errno::XDEV), Err(Errno::LOOP)),
        ("out_directory", Err(Errno::XDEV), Err(Errno::LOOP)),
        ("out_directory/secret", Err(Errno::XDEV), Err(Errno::LOOP)),
        ("in_and_out", Err(Errno::XDEV), Err(Errno::LOOP)),
        ("absolute", Err(Errno::XDEV), Err(Errno::LOOP)),
        ("back", Err(Errno::XDEV), Err(Errno::LOOP)),
        ("loop", Err(Errno::LOOP), Err(Errno::LOOP)),
        ("loop_1/x", Err(Errno::LOOP), Err(Errno::LOOP)),
        ("missing", Err(Errno::NOENT), Err(Errno::LOOP)),
        ("../outside/secret", Err(Errno::XDEV), Err(Errno::XDEV)),
    ];

    type Open = fn(BorrowedFd<'_>, &[u8], Symlinks) -> rustix::io::Result<OwnedFd>;

    fn check(name: &str, open: Open) {
        let folder = Folder::new(name);
        let root = open_root(&tree(&folder.0)).unwrap();
        for (path, inside, refused) in TABLE {
            for (symlinks, expected) in [(Symlinks::Inside, inside), (Symlinks::Refused, refused)] {
                let seen = read(open(root.as_fd(), path.as_bytes(), symlinks));
                assert_eq!(seen.as_deref(), expected.as_ref().copied(), "{path} {symlinks:?}");
            }
        }
        let long = [b'x'; 256];
        assert_eq!(open(root.as_fd(), &long, Symlinks::Inside).unwrap_err(), Errno::NAMETOOLONG);
    }

    #[test]
    fn openat2_never_opens_a_file_outside_the_root() {
        check("openat2", open);
    }

    /// The fallback for systems without `openat2` gives the same answers.
    #[test]
    fn the_walk_without_openat2_opens_the_same_files() {
        check("walk", walk);
    }

    /// Ends the other thread of a test, also if the test fails.
    struct Done<'a>(&'a AtomicBool);

    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// While a directory is moved out of the root and back, and swapped with a symlink, nothing outside is opened.
    fn check_races(name: &str, open: Open) {
        let folder = Folder::new(name);
        let at = |path: &str| folder.0.join(path);
        for (file, text) in [("root/up/x", "inside"), ("up/x", "outside"), ("root/real/x", "inside")] {
            fs::create_dir_all(at(file).parent().unwrap()).unwrap();
            fs::write(at(file), text).unwrap();
        }
        fs::create_dir_all(at("root/deep")).unwrap();
        // In the root it leads to `root/up/x`; moved beside the root, to `up/x`.
        symlink("../up/x", at("root/deep/link")).unwrap();
        let root = open_root(&at("root")).unwrap();
        let done = AtomicBool::new(false);
        let (mut inside, mut others) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    fs::rename(at("root/deep"), at("deep")).unwrap();
                    fs::rename(at("deep"), at("root/deep")).unwrap();
                    fs::rename(at("root/real"), at("root/swapped")).unwrap();
                    symlink("../up", at("root/real")).unwrap();
                    fs::remove_file(at("root/real")).unwrap();
                    fs::rename(at("root/swapped"), at("root/real")).unwrap();
                }
            });
            let _done = Done(&done);
            // Until each of both was seen often, and for so many opens that a wrong one would show.
            while inside + others < 20_000 || inside < 100 || others < 100 {
                for path in ["deep/link", "real/x", "swapped/x"] {
                    match read(open(root.as_fd(), path.as_bytes(), Symlinks::Inside)) {
                        Ok(text) => {
                            assert_eq!(text, "inside", "{path}");
                            inside += 1;
                        }
                        Err(_) => others += 1,
                    }
                }
            }
        });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_race_never_leads_openat2_out_of_the_root() {
        check_races("race-openat2", open);
    }

    #[test]
    fn a_race_never_leads_the_walk_out_of_the_root() {
        check_races("race-walk", walk);
    }

    /// What was just opened is in the kernel's memory, so it is found without the pool.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_in_the_kernels_memory_is_opened_inline() {
        let folder = Folder::new("cached");
        let root = open_root(&tree(&folder.0)).unwrap();
        open(root.as_fd(), b"a/b/y", Symlinks::Inside).unwrap();
        let cached = try_open(root.as_fd(), b"a/b/y", Symlinks::Inside).unwrap();
        assert_eq!(read(Ok(cached.expect("it is in memory"))).unwrap(), "y");
    }
}
