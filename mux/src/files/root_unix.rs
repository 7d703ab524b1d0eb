//! The root of a [`Dir`](super::dir::Dir) on Unix: an open directory.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustix::{
    fs::{AtFlags, FileType, Stat, fstat, statat},
    io::Errno,
};

use super::{
    beneath,
    content::Content,
    dir_options::Symlinks,
    etag::version_etag,
    file_path::FilePath,
    file_system::{DirEntry, EntryKind, OpenDirectory, OpenFile, OpenNode},
};

/// The most entries of a directory of which the size and the date are asked for: each is a call of the system.
const MAX_STATS: usize = 1_000;

/// An open directory, beneath which all files are opened.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

impl Root {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(beneath::open_root(path)?))
    }

    /// Opens what is in the kernel's memory; `None`: [`open_node`](Self::open_node) must open it.
    pub(super) fn try_open(root: &Arc<Self>, path: &FilePath, symlinks: Symlinks) -> io::Result<Option<OpenNode>> {
        let opened = beneath::try_open(root.0.as_fd(), path.as_bytes(), symlinks).map_err(meaning)?;
        opened.map(|file| node(root, file, path, symlinks)).transpose()
    }

    /// Opens a file or a directory. It may block.
    pub(super) fn open_node(root: &Arc<Self>, path: &FilePath, symlinks: Symlinks) -> io::Result<OpenNode> {
        let opened = beneath::open(root.0.as_fd(), path.as_bytes(), symlinks).map_err(meaning)?;
        node(root, opened, path, symlinks)
    }
}

/// What an error of an open means for the request.
fn meaning(error: Errno) -> io::Error {
    match error {
        // No file that is served has this name: it leads out of the root, through a file or in a circle, or it is too long or
        // wrong for the file system, or a socket or a device without a driver has it.
        Errno::LOOP
        | Errno::XDEV
        | Errno::NAMETOOLONG
        | Errno::INVAL
        | Errno::ILSEQ
        | Errno::NXIO
        | Errno::NODEV
        | Errno::MLINK => io::Error::new(io::ErrorKind::NotFound, error),
        // It may be there a moment later.
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS => io::Error::new(io::ErrorKind::WouldBlock, error),
        error => error.into(),
    }
}

/// What was opened, if it is a regular file or a directory.
fn node(root: &Arc<Root>, opened: OwnedFd, path: &FilePath, symlinks: Symlinks) -> io::Result<OpenNode> {
    let stat = fstat(&opened)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            let (size, modified) = (size(&stat), modified(&stat));
            let mut file = OpenFile::new(Content::file(fs::File::from(opened), size));
            file.etag = modified.and_then(|modified| version_etag(modified, size));
            file.modified = modified;
            Ok(file.into())
        }
        FileType::Directory => {
            let (root, path) = (Arc::clone(root), path.clone());
            Ok(OpenDirectory::new(move |max| entries(&root, &opened, &path, symlinks, max)).into())
        }
        // A FIFO could hang the reply, and a device is no file.
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

/// The entries of a directory that would be served. Of the first 1,000 the size and the date are asked for, and where a
/// symlink leads; in a larger directory of none, as that would take as many calls of the system.
fn entries(
    root: &Arc<Root>,
    directory: &OwnedFd,
    path: &FilePath,
    symlinks: Symlinks,
    max: usize,
) -> io::Result<Vec<DirEntry>> {
    let mut found = Vec::new();
    // It takes a descriptor of its own.
    for entry in rustix::fs::Dir::read_from(directory).map_err(meaning)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        if found.len() == max {
            break;
        }
        found.push((name.to_vec(), entry.file_type()));
    }
    let asks = found.len() <= MAX_STATS;
    let entry = |(name, file_type)| {
        let mut entry = DirEntry { name, kind: kind(file_type)?, size: None, modified: None };
        if asks {
            let stat = match file_type {
                FileType::Symlink => {
                    fstat(beneath::open(root.0.as_fd(), path.join(&entry.name).ok()?.as_bytes(), symlinks).ok()?)
                }
                _ => statat(directory, &*entry.name, AtFlags::SYMLINK_NOFOLLOW),
            };
            describe(&mut entry, &stat.ok()?)?;
        }
        Some(entry)
    };
    Ok(found.into_iter().filter_map(entry).collect())
}

/// The kind of an entry by the type that the directory has of it; `None` if it is not served. A symlink, and an entry whose
/// type the file system does not store there, is shown as a file if it is not asked for.
fn kind(file_type: FileType) -> Option<EntryKind> {
    match file_type {
        FileType::Directory => Some(EntryKind::Directory),
        FileType::RegularFile | FileType::Symlink | FileType::Unknown => Some(EntryKind::File),
        _ => None,
    }
}

/// Adds what a call of the system said of an entry; `None` if it is not served.
fn describe(entry: &mut DirEntry, stat: &Stat) -> Option<()> {
    (entry.kind, entry.size) = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => (EntryKind::Directory, None),
        FileType::RegularFile => (EntryKind::File, Some(size(stat))),
        _ => return None,
    };
    entry.modified = modified(stat);
    Some(())
}

fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

/// The time of the last change; `None` if it is out of the range of the system's times.
#[allow(
    clippy::useless_conversion,
    clippy::unnecessary_fallible_conversions,
    reason = "each system has types of its own"
)]
fn modified(stat: &Stat) -> Option<SystemTime> {
    let seconds = i64::try_from(stat.st_mtime).ok()?;
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let second = if seconds < 0 { epoch.checked_sub(whole) } else { epoch.checked_add(whole) };
    second?.checked_add(Duration::from_nanos(u64::try_from(stat.st_mtime_nsec).ok()?))
}
