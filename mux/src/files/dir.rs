//! A folder of the system whose files are served.

use std::{fmt, io, path::Path, sync::Arc};

use super::{
    content::off_the_worker,
    descriptor_cache::DescriptorCache,
    dir_options::DirOptions,
    file_path::FilePath,
    file_system::{FileSystem, OpenNode},
    root::Root,
};

/// A folder of the system whose files are served. It holds the folder open, so it stays the same folder if that is renamed
/// or if another one gets its name. A clone is cheap. Go: `http.Dir`, `os.DirFS`.
///
/// No name, no symlink and no race of the two leads out of the folder. Only regular files and directories are opened: not
/// FIFOs, sockets or devices, which are answered 404. A file that is in the kernel's memory is opened at once; what may wait
/// for a disk is opened on the runtime's pool for that.
///
/// Replace a file by renaming a new one over it, and the replies under way have all of the old one. Of a file that is
/// overwritten in place while it is sent, a client may get bytes of both versions, and zeros where it was cut off for a
/// moment: the kernel sends its own pages of the file as they are when they leave.
///
/// # Example
/// ```no_run
/// use quintet_mux::{Dir, ServeMux, file_server, strip_prefix};
///
/// let mux = ServeMux::new();
/// mux.handle("/static/", strip_prefix("/static", file_server(Dir::open("public")?)));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Spec
/// On Linux this is `openat2` with `RESOLVE_BENEATH` and `RESOLVE_NO_MAGICLINKS`; where that is missing, a walk from part to
/// part with `O_NOFOLLOW`. Go's `Dir` follows every symlink, as Go says; `os.Root` does not follow those that lead out.
#[derive(Clone)]
pub struct Dir(Arc<Shared>);

struct Shared {
    root: Arc<Root>,
    options: DirOptions,
    cache: Option<DescriptorCache>,
}

impl Dir {
    /// Opens a folder. It blocks for a moment.
    ///
    /// # Errors
    /// What the system says, with the path in front, for example `public: No such file or directory (os error 2)`. A file is
    /// [`NotADirectory`](io::ErrorKind::NotADirectory).
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::open_with(path, DirOptions::default())
    }

    /// Opens a folder with options. It blocks for a moment.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: DirOptions) -> io::Result<Self> {
        let path = path.as_ref();
        // The text of the system alone does not say which folder, and a program often opens several.
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let root = Arc::new(Root::open(path).map_err(named)?);
        Ok(Self(Arc::new(Shared { root, options, cache: options.descriptor_cache.map(DescriptorCache::new) })))
    }
}

impl FileSystem for Dir {
    async fn open(&self, path: &FilePath) -> io::Result<OpenNode> {
        let Shared { root, options, cache } = &*self.0;
        if let Some(file) = cache.as_ref().and_then(|cache| cache.find(path)) {
            return Ok(file.into());
        }
        let node = match Root::try_open(root, path, options.symlinks)? {
            Some(node) => node,
            None => {
                let (root, path, symlinks) = (Arc::clone(root), path.clone(), options.symlinks);
                off_the_worker(move || Root::open_node(&root, &path, symlinks)).await?
            }
        };
        if let (Some(cache), OpenNode::File(file)) = (cache, &node) {
            cache.keep(path, file);
        }
        Ok(node)
    }
}

impl fmt::Debug for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dir").field("options", &self.0.options).finish_non_exhaustive()
    }
}
