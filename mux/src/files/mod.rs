//! Files: opening them beneath a root, and the replies that send them.

#[cfg(unix)]
mod beneath;
mod byteranges_body;
mod content;
mod descriptor_cache;
mod dir;
mod dir_options;
mod etag;
mod file_options;
mod file_path;
mod file_server;
mod file_system;
mod listing;
mod media_type;
mod memory_files;
mod representation;
#[cfg_attr(unix, path = "root_unix.rs")]
#[cfg_attr(not(unix), path = "root_portable.rs")]
mod root;
mod serve_content;

pub use content::{Content, ReadAt};
pub use dir::Dir;
pub use dir_options::{DirOptions, Symlinks};
pub use file_options::{CacheRule, EtagPolicy, FileOptions, Hidden, Listing, Precompressed};
pub use file_path::{FilePath, FilePathError};
pub use file_server::{FileServer, file_server, serve_file};
pub use file_system::{DirEntry, EntryKind, FileSystem, OpenDirectory, OpenFile, OpenNode};
pub use memory_files::MemoryFiles;
pub use serve_content::serve_content;
