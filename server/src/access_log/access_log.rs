//! The access log: a handle of the queue and its thread.

use std::{fmt, io, path::Path, sync::Arc, thread, time::Duration};

use quintet_conn::Connection;

use super::{
    access_log_counts::AccessLogCounts,
    access_log_options::{AccessLogOptions, LogFormat},
    destination::Destination,
    line::{Logged, push_combined, push_common, push_json},
    line_clock::LineClock,
    queue::{Queue, Written},
};
use crate::served::{BoxedNotes, Note, Peer, Served};

/// An access log: a line for each request, written to a file or a standard stream by a thread of its own. A clone is a
/// handle of the same log.
///
/// ```no_run
/// use quintet_server::{AccessLog, Config, Server};
/// use std::time::Duration;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config { access_log: Some(AccessLog::open("/var/log/app/access.log")?), ..Config::default() };
/// let server = Server::with_config(async |_| "hello\n", config);
/// server.run(":9090", Duration::from_secs(10)).await?;
/// # Ok(()) }
/// ```
///
/// As [`Config::access_log`](crate::Config::access_log) it is written to for every request of the server, opened again at
/// SIGHUP and SIGUSR1 ([`Server::run`](crate::Server::run)), and flushed by a shutdown. A program that calls
/// [`hook`](Self::hook) itself does the last two with [`reopen`](Self::reopen) and [`flush`](Self::flush).
///
/// The task of a connection puts what it noted of the request into a queue and never waits: it is the thread that formats the
/// line, and waits for a disk, or for the reader of a pipe. A line that finds the queue full ([`AccessLogOptions::max_queue_bytes`],
/// [`max_queue_lines`](AccessLogOptions::max_queue_lines)) is dropped, and one that cannot be written is lost. Both are
/// [counted](Self::counts), and end nothing: the next lines are tried anew. Lines wait for up to 10 ms, so that those of a
/// busy server are written together.
///
/// When the last handle is dropped, the thread writes the lines that wait, and ends. It does not hold up the end of the process:
/// what matters is [flushed](Self::flush) before.
#[derive(Clone)]
pub struct AccessLog {
    handle: Arc<Handle>,
}

/// The end of the queue that the handles share: its drop ends the thread.
struct Handle {
    queue: Arc<Queue>,
    format: LogFormat,
    filter: Option<Filter>,
}

/// Which requests have a line. See [`AccessLogOptions::filter`].
type Filter = Arc<dyn Fn(&Served<'_>) -> bool + Send + Sync>;

impl AccessLog {
    /// Appends to a file, JSON lines, with the defaults of [`AccessLogOptions`]. A file that is not there is created.
    ///
    /// # Errors
    /// The error of opening the file, which names it, or of starting a thread.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::open_with(path, AccessLogOptions::default())
    }

    /// Appends to a file. A file that is not there is created, with the permissions [`AccessLogOptions::mode`].
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: AccessLogOptions) -> io::Result<Self> {
        Self::start(Destination::open(path.as_ref(), options.mode)?, options)
    }

    /// Writes to standard output.
    ///
    /// # Errors
    /// The error of duplicating its descriptor, or of starting a thread.
    pub fn stdout(options: AccessLogOptions) -> io::Result<Self> {
        Self::start(Destination::stdout()?, options)
    }

    /// Writes to standard error.
    ///
    /// # Errors
    /// As [`stdout`](Self::stdout).
    pub fn stderr(options: AccessLogOptions) -> io::Result<Self> {
        Self::start(Destination::stderr()?, options)
    }

    pub(super) fn start(destination: Destination, options: AccessLogOptions) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(options.max_queue_bytes, options.max_queue_lines));
        let (own, format) = (Arc::clone(&queue), options.format);
        thread::Builder::new().name("quintet-log".into()).spawn(move || write_lines(&own, format, destination))?;
        Ok(Self { handle: Arc::new(Handle { queue, format, filter: options.filter }) })
    }

    /// The hook that writes a line for each request: [`Hooks::served`](crate::Hooks::served).
    #[must_use]
    pub fn hook(&self) -> Arc<dyn Fn(&Served<'_>) + Send + Sync> {
        let log = self.clone();
        Arc::new(move |served| log.log(served))
    }

    /// Writes the line of a request, unless it is filtered out. Never waits for the disk.
    pub fn log(&self, served: &Served<'_>) {
        if self.passes(served) {
            self.put(served.note().copy(Peer::of(served.connection()), || self.spare_notes()));
        }
    }

    /// Whether a filter decides which requests have a line.
    pub(crate) fn has_filter(&self) -> bool {
        self.handle.filter.is_some()
    }

    /// Whether a request has a line.
    pub(crate) fn passes(&self, served: &Served<'_>) -> bool {
        self.handle.filter.as_ref().is_none_or(|filter| filter(served))
    }

    /// Writes the line of a request that has one, by its note.
    #[inline]
    pub(crate) fn push(&self, mut note: Box<Note>, connection: &Connection) {
        note.keep_for_log(connection);
        self.put(note);
    }

    #[inline]
    fn put(&self, note: Box<Note>) {
        if let Some(dropped) = self.handle.queue.push(note) {
            dropped.give();
        }
    }

    /// Memory for notes, of lines that were written.
    pub(crate) fn spare_notes(&self) -> BoxedNotes {
        self.handle.queue.take_spare()
    }

    /// Opens the file again by its path, after the lines that wait: for a log that was renamed to rotate it. The thread does
    /// it, and this does not wait. If it fails, the old file stays in use, and
    /// [`reopen_errors`](AccessLogCounts::reopen_errors) counts it. A standard stream stays as it is.
    #[doc(alias = "rotate")]
    pub fn reopen(&self) {
        self.handle.queue.reopen();
    }

    /// Waits until the lines of all requests so far are written, or could not be. `false` if `at_most` was not enough. It
    /// blocks the thread: in a task, use `spawn_blocking`.
    pub fn flush(&self, at_most: Duration) -> bool {
        self.handle.queue.flush(at_most)
    }

    /// How many lines were written, dropped and lost since the log was opened.
    #[must_use]
    pub fn counts(&self) -> AccessLogCounts {
        self.handle.queue.counts()
    }

    /// The last error of writing, or of opening the file again; `None` if there was none.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.handle.queue.last_error()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.end();
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog")
            .field("format", &self.handle.format)
            .field("filter", &self.handle.filter.is_some())
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

/// The thread: writes lines until there is no handle any more.
fn write_lines(queue: &Queue, format: LogFormat, mut destination: Destination) {
    let (mut notes, mut lines, mut clock) = (Vec::new(), Vec::new(), LineClock::default());
    let push = match format {
        LogFormat::Json => push_json,
        LogFormat::Combined => push_combined,
        LogFormat::Common => push_common,
    };
    loop {
        let wishes = queue.take(&mut notes);
        let mut written = Written { lines: notes.len(), ..Written::default() };
        for note in &notes {
            push(&mut lines, &mut clock, Logged::of_note(note));
            lines.push(b'\n');
            if lines.len() >= WRITE_BYTES {
                written.note(destination.write(&lines));
                lines.clear();
                lines.shrink_to(2 * WRITE_BYTES);
            }
        }
        written.note(destination.write(&lines));
        lines.clear();
        if wishes.reopen {
            if let Err(error) = destination.reopen() {
                (written.reopen_failed, written.error) = (true, Some(error.to_string()));
            }
        }
        queue.settle(written, &mut notes);
        if wishes.end && queue.is_empty() {
            return;
        }
    }
}

/// So many bytes of lines are written at once, or a line more. The memory of a longer one is given back.
const WRITE_BYTES: usize = 64 * 1024;
