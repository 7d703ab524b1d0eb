//! How a folder is opened.

use std::time::Duration;

/// How a [`Dir`](crate::Dir) opens files.
///
/// Written with `..DirOptions::default()`: a new field is no breaking change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirOptions {
    /// Whether symlinks are followed. Default: those that stay in the folder.
    pub symlinks: Symlinks,
    /// How long a file stays open after it was asked for, at most 1,000 files at a time; `None`: no longer than a reply
    /// needs it. Default: `None`. nginx: `open_file_cache`.
    ///
    /// Within this time a file that was replaced or removed is still served as it was, and one that was changed in place is
    /// served with its old length, date and entity tag. A second saves a third of the work for small files that are asked
    /// for often.
    pub descriptor_cache: Option<Duration>,
}

/// Whether symlinks are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Symlinks {
    /// Those that lead to a file in the folder. One that leads out of it, even if it would come back, and one with an
    /// absolute target are answered 404.
    #[default]
    Inside,
    /// None: a path with a symlink is answered 404.
    Refused,
}
