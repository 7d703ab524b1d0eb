//! How files are served.

use std::{fmt, sync::Arc};

use http::HeaderValue;

use super::file_path::FilePath;

/// How a [`FileServer`](crate::FileServer) serves files.
///
/// Written with `..FileOptions::default()`: a new field is no breaking change.
///
/// # Example
/// ```no_run
/// use http::HeaderValue;
/// use quintet_mux::{CacheRule, Dir, FileOptions, FileServer, Listing, Precompressed};
///
/// let options = FileOptions {
///     listing: Some(Listing::default()),
///     precompressed: vec![Precompressed::Brotli, Precompressed::Gzip],
///     // Files whose names change with their bytes may be kept for ever.
///     cache_control: Some(CacheRule::new(|path| {
///         let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
///         path.as_bytes().starts_with(b"assets/").then_some(forever)
///     })),
///     ..FileOptions::default()
/// };
/// let server = FileServer::with_options(Dir::open("public")?, options);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// The file that is served in place of its directory; a request that names it is redirected to the directory. `None`
    /// or an empty name: none. Default: `index.html`.
    pub index: Option<String>,
    /// Whether a directory without that file is answered with a page of its entries; `None`: with 404. Default: `None`. Go
    /// always lists.
    pub listing: Option<Listing>,
    /// Whether files are served whose path has a part that begins with a dot. Default: they are answered 404, like files
    /// that do not exist, but `.well-known` is served. Go serves them.
    pub hidden: Hidden,
    /// Compressed files that are sent in place of the file beside them, the preferred one first: of `a.js` and `a.js.br` the
    /// latter, with `Content-Encoding: br`, to a client that accepts that. Default: none, as in Go. nginx: `gzip_static`.
    ///
    /// If there are any, each reply has `Vary: Accept-Encoding`. A compressed file that is older than its original is
    /// ignored.
    pub precompressed: Vec<Precompressed>,
    /// Whether `ETag` is sent. Default: it is. Go never makes one.
    pub etag: EtagPolicy,
    /// The content type of a file whose name has no known ending; `None`: it is guessed from the first 512 bytes, as in Go.
    /// Default: `None`. nginx: `default_type`.
    pub default_type: Option<HeaderValue>,
    /// The rule for `Cache-Control`; `None`: the field is not sent. Errors and redirects never have it. Default: `None`.
    pub cache_control: Option<CacheRule>,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            index: Some("index.html".to_owned()),
            listing: None,
            hidden: Hidden::default(),
            precompressed: Vec::new(),
            etag: EtagPolicy::default(),
            default_type: None,
            cache_control: None,
        }
    }
}

/// How a directory is listed.
///
/// Written with `..Listing::default()`: a new field is no breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The most entries of one page; the page says if there are more. Default: 10,000. An entry takes about 100 bytes of
    /// memory until the client has read the page.
    pub max_entries: usize,
}

impl Default for Listing {
    fn default() -> Self {
        Self { max_entries: 10_000 }
    }
}

/// Whether files are served whose path has a part that begins with a dot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hidden {
    /// They are answered 404, and listings are without them.
    #[default]
    Refused,
    /// They are served like all others.
    Served,
}

/// Whether an entity tag is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EtagPolicy {
    /// The one of the [`FileSystem`](crate::FileSystem), if it has one.
    #[default]
    Sent,
    /// None.
    Unsent,
}

/// A coding of a compressed file beside the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precompressed {
    /// `a.js.br`, `Content-Encoding: br`.
    Brotli,
    /// `a.js.zst`, `Content-Encoding: zstd`.
    Zstd,
    /// `a.js.gz`, `Content-Encoding: gzip`.
    Gzip,
}

impl Precompressed {
    /// All, the smallest files first.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// The coding's name in `Content-Encoding`.
    #[must_use]
    pub fn coding(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// What is added to the name of the original.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }
}

/// The function of a [`CacheRule`].
type Rule = dyn Fn(&FilePath) -> Option<HeaderValue> + Send + Sync;

/// A rule for the `Cache-Control` of a file.
#[derive(Clone)]
pub struct CacheRule(Arc<Rule>);

impl CacheRule {
    /// A rule that returns the value for a file, or `None` for no field.
    #[must_use]
    pub fn new(rule: impl Fn(&FilePath) -> Option<HeaderValue> + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    /// The same value for all files.
    #[must_use]
    pub fn always(value: HeaderValue) -> Self {
        Self::new(move |_| Some(value.clone()))
    }

    /// The value for this file.
    #[must_use]
    pub fn value(&self, path: &FilePath) -> Option<HeaderValue> {
        (self.0)(path)
    }
}

impl fmt::Debug for CacheRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheRule")
    }
}
