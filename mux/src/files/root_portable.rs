//! The root of a [`Dir`](super::dir::Dir) where there is no Unix: a path.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    content::Content,
    dir_options::Symlinks,
    etag::version_etag,
    file_path::FilePath,
    file_system::{DirEntry, EntryKind, OpenDirectory, OpenFile, OpenNode},
};

/// The most entries of a directory of which the size and the date are asked for: each is a call of the system.
const MAX_STATS: usize = 1_000;

/// The canonical path of a directory. Each file is opened by its own canonical path, if that begins with this one. A
/// program that can change the folder while it is served can make that check wrong; on Unix it cannot.
#[derive(Debug)]
pub(super) struct Root(PathBuf);

impl Root {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        if path.is_dir() { Ok(Self(path)) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    /// `None`: the system cannot say what it has in memory.
    pub(super) fn try_open(_: &Arc<Self>, _: &FilePath, _: Symlinks) -> io::Result<Option<OpenNode>> {
        Ok(None)
    }

    /// Opens a file or a directory. It may block.
    pub(super) fn open_node(root: &Arc<Self>, path: &FilePath, symlinks: Symlinks) -> io::Result<OpenNode> {
        let path = root.resolve(path, symlinks)?;
        let metadata = path.metadata()?;
        if metadata.is_dir() {
            return Ok(OpenDirectory::new(move |max| entries(&path, max)).into());
        }
        if !metadata.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = fs::File::open(path)?;
        let metadata = file.metadata()?;
        let modified = metadata.modified().ok();
        let mut open = OpenFile::new(Content::file(file, metadata.len()));
        open.etag = modified.and_then(|modified| version_etag(modified, metadata.len()));
        open.modified = modified;
        Ok(open.into())
    }

    /// The path of the system for a path beneath the root.
    fn resolve(&self, path: &FilePath, symlinks: Symlinks) -> io::Result<PathBuf> {
        let mut plain = self.0.clone();
        let parts = path.as_bytes().split(|byte| *byte == b'/').filter(|part| !part.is_empty());
        for part in parts {
            let part = std::str::from_utf8(part).ok().filter(|part| is_plain(part));
            plain.push(part.ok_or(io::ErrorKind::NotFound)?);
        }
        let found = plain.canonicalize()?;
        if !found.starts_with(&self.0) || (symlinks == Symlinks::Refused && found != plain) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(found)
    }
}

/// Whether Windows takes a part for the name of a file and nothing else: no drive or stream (`a:b`), no device (`CON`,
/// `nul.txt`), and no dot or space at its end, which Windows drops.
fn is_plain(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().trim_end_matches(' ').to_ascii_uppercase();
    let number = |name: &str| stem.strip_prefix(name).is_some_and(|n| n.chars().count() == 1);
    let is_device =
        matches!(&*stem, "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") || number("COM") || number("LPT");
    !is_device && !part.ends_with(['.', ' ']) && !part.contains([':', '*', '?', '"', '<', '>', '|'])
}

/// The entries of a directory. Of the first 1,000 the size and the date are asked for, in a larger one of none.
fn entries(path: &Path, max: usize) -> io::Result<Vec<DirEntry>> {
    let found = fs::read_dir(path)?.take(max).collect::<io::Result<Vec<_>>>()?;
    let asks = found.len() <= MAX_STATS;
    let entry = |entry: fs::DirEntry| {
        let kind = if entry.file_type().ok()?.is_dir() { EntryKind::Directory } else { EntryKind::File };
        let name = entry.file_name().into_string().ok()?.into_bytes();
        let metadata = if asks { entry.metadata().ok() } else { None };
        let size = metadata.as_ref().filter(|_| kind == EntryKind::File).map(fs::Metadata::len);
        Some(DirEntry { name, kind, size, modified: metadata.and_then(|metadata| metadata.modified().ok()) })
    };
    Ok(found.into_iter().filter_map(entry).collect())
}
