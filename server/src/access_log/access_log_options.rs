//! The settings of an access log.

use std::{fmt, sync::Arc};

use crate::served::Served;

/// The settings of an [`AccessLog`](super::AccessLog). Written with `..AccessLogOptions::default()`: a new field is no breaking
/// change.
///
/// A log without the requests of a balancer that asks whether the server is there:
/// ```
/// use quintet_server::access_log::{AccessLogOptions, LogFormat};
/// use std::sync::Arc;
///
/// let options = AccessLogOptions {
///     format: LogFormat::Combined,
///     filter: Some(Arc::new(|served| served.target() != Some("/readyz"))),
///     ..AccessLogOptions::default()
/// };
/// ```
#[derive(Clone)]
pub struct AccessLogOptions {
    /// How a line looks. Default: [`LogFormat::Json`].
    pub format: LogFormat,
    /// Which requests have a line: those for which it is `true`. It runs in the task of the connection. One
    /// that panics leaves its request out. With a filter the whole head of each request is noted, not only what a line names.
    /// Default: all.
    #[expect(clippy::type_complexity, reason = "a reader wants to see what it is given, not a name for it")]
    pub filter: Option<Arc<dyn Fn(&Served<'_>) -> bool + Send + Sync>>,
    /// The most memory, in bytes, of the requests whose lines wait to be written: about 500 bytes for each and its longer parts,
    /// which is more than the line will have. A line that finds no room is dropped. Default: 4 MiB.
    pub max_queue_bytes: usize,
    /// The most lines that wait to be written. Default: 10,000.
    pub max_queue_lines: usize,
    /// The permissions of a file that is created (Unix). The umask takes some away. Default: `0o640`.
    pub mode: u32,
}

/// How a line of an access log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// An object of JSON: see [`json`](super::json).
    #[default]
    Json,
    /// Apache's and nginx's: see [`combined`](super::combined).
    Combined,
    /// The one that every tool reads: see [`common`](super::common).
    Common,
}

impl Default for AccessLogOptions {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            filter: None,
            max_queue_bytes: 4 << 20,
            max_queue_lines: 10_000,
            mode: 0o640,
        }
    }
}

impl fmt::Debug for AccessLogOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLogOptions")
            .field("format", &self.format)
            .field("filter", &self.filter.is_some())
            .field("max_queue_bytes", &self.max_queue_bytes)
            .field("max_queue_lines", &self.max_queue_lines)
            .field("mode", &format_args!("{:#o}", self.mode))
            .finish()
    }
}
