//! A handler that serves files.

use std::{io, time::SystemTime};

use http::{StatusCode, header};
use quintet_request::{AcceptEncoding, Body, Coding, Request, percent_decode};

use super::{
    content::off_the_worker,
    etag::coded_etag,
    file_options::{EtagPolicy, FileOptions, Hidden, Listing, Precompressed},
    file_path::FilePath,
    file_system::{FileSystem, OpenDirectory, OpenFile, OpenNode},
    listing::{ListingBody, Page, sort},
    representation::Representation,
};
use crate::{Handler, Html, IntoResponse, Response, error, location::sendable};

/// A handler that serves the files of a folder or of another [`FileSystem`]. The path of the request is that of the file.
/// Go: `http.FileServer`.
///
/// - The index of a directory, `index.html`, is served in its place. A request for `…/index.html` is redirected to `./`, one
///   for a directory without a slash at its end to that with one, one for a file with a slash to that without one; the query
///   stays. All of them are 301, and relative, so that they hold behind [`strip_prefix`](crate::strip_prefix) and a proxy.
/// - Conditions and ranges of the request are answered as [`serve_content`](crate::serve_content) does.
/// - A file that does not exist is a 404, one that must not be read a 403, a method other than `GET` and `HEAD` a 405. If the
///   process has no descriptor left, the reply is a 503.
/// - A directory without an index, and a path with a part that begins with a dot, are a 404, unless
///   [`FileOptions`] say otherwise.
///
/// # Example
/// ```no_run
/// use quintet_mux::{Dir, ServeMux, file_server};
///
/// let mux = ServeMux::new();
/// mux.handle("/", file_server(Dir::open("public")?));
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "static files")]
#[doc(alias = "ServeDir")]
#[derive(Clone, Debug)]
pub struct FileServer<F> {
    files: F,
    options: FileOptions,
}

/// A handler that serves the files of a folder or of another [`FileSystem`], as [`FileServer`] says. Go: `http.FileServer`,
/// `http.FileServerFS`.
///
/// # Example
/// ```
/// use quintet_mux::{Handler, MemoryFiles, file_server};
/// use quintet_request::Request;
///
/// let server = file_server(MemoryFiles::new().with_file("docs/index.html", "<h1>hello</h1>\n"));
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let reply = server.call(Request::parse(b"GET /docs HTTP/1.1\r\nHost: a\r\n\r\n").unwrap()).await;
/// assert_eq!((reply.status().as_u16(), reply.header("location").unwrap()), (301, "docs/".parse().unwrap()));
/// # });
/// ```
#[doc(alias = "FileServerFS")]
#[must_use]
pub fn file_server<F: FileSystem>(files: F) -> FileServer<F> {
    FileServer::new(files)
}

/// Answers a request with the file of this name. Go: `http.ServeFile`, `http.ServeFileFS`.
///
/// The name is relative to the root of `files`, and has no percent escapes. If it is a directory, its index is served. As in
/// Go, a request whose path ends with `/index.html` is redirected to `./`, and one whose path has a segment `..` is answered
/// 400: a handler may have made `name` of it. Otherwise as [`FileServer`], with its default options;
/// [`FileServer::serve_file`] has others.
///
/// # Cancel safety
/// Cancel safe: it changes nothing.
///
/// # Example
/// ```
/// use quintet_mux::{MemoryFiles, ServeMux, serve_file, with_state};
/// use quintet_request::Request;
///
/// let files = MemoryFiles::new().with_file("icons/favicon.ico", &b"..."[..]);
/// let mux = ServeMux::new();
/// mux.handle("GET /favicon.ico", with_state(files, async |files: MemoryFiles, request: Request| {
///     serve_file(&request, &files, "icons/favicon.ico").await
/// }));
/// ```
#[doc(alias = "ServeFile")]
#[doc(alias = "NamedFile")]
#[doc(alias = "sendfile")]
pub async fn serve_file(request: &Request, files: &impl FileSystem, name: &str) -> Response {
    named(files, &FileOptions::default(), request, name).await
}

impl<F: FileSystem> FileServer<F> {
    /// A server of these files, with the default options.
    #[must_use]
    pub fn new(files: F) -> Self {
        Self::with_options(files, FileOptions::default())
    }

    /// A server of these files.
    #[must_use]
    pub fn with_options(files: F, options: FileOptions) -> Self {
        Self { files, options }
    }

    /// Answers a request with the file of this name, as [`serve_file`] does, with the options of this server.
    ///
    /// # Cancel safety
    /// Cancel safe: it changes nothing.
    pub async fn serve_file(&self, request: &Request, name: &str) -> Response {
        named(&self.files, &self.options, request, name).await
    }
}

impl<F: FileSystem> Handler for FileServer<F> {
    async fn call(&self, request: Request) -> Response {
        match FilePath::from_url(request.path()) {
            Ok(path) => serve(&self.files, &self.options, &request, &path, Slash::Canonical).await,
            Err(why) => not_allowed(&request).unwrap_or_else(|| refused(why.status())),
        }
    }
}

async fn named<F: FileSystem>(files: &F, options: &FileOptions, request: &Request, name: &str) -> Response {
    if has_dot_dot(request.path()) {
        return error("invalid URL path", StatusCode::BAD_REQUEST);
    }
    match FilePath::new(name) {
        Ok(path) => serve(files, options, request, &path, Slash::Any).await,
        Err(why) => not_allowed(request).unwrap_or_else(|| refused(why.status())),
    }
}

/// Whether a file is served only under its path without a slash at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slash {
    Canonical,
    Any,
}

/// Answers a request with a file or a directory. Go: `serveFile`.
async fn serve<F: FileSystem>(
    files: &F,
    options: &FileOptions,
    request: &Request,
    path: &FilePath,
    slash: Slash,
) -> Response {
    if let Some(reply) = not_allowed(request) {
        return reply;
    }
    if options.hidden == Hidden::Refused && path.is_hidden() {
        return refused(StatusCode::NOT_FOUND);
    }
    if options.index.as_deref().is_some_and(|index| last_segment_is(request.path(), index)) {
        return moved(request, "./");
    }
    let ends_with_slash = request.path().ends_with('/');
    match files.open(path).await {
        Err(why) => unopened(&why),
        Ok(OpenNode::File(_)) if ends_with_slash && slash == Slash::Canonical => match without_slash(request.path()) {
            Some(location) => moved(request, &location),
            None => error("http: attempting to traverse a non-directory", StatusCode::INTERNAL_SERVER_ERROR),
        },
        Ok(OpenNode::File(file)) => send(files, options, request, path, file).await,
        Ok(OpenNode::Directory(_)) if !ends_with_slash => moved(request, &with_slash(request.path())),
        Ok(OpenNode::Directory(directory)) => serve_directory(files, options, request, path, directory).await,
    }
}

/// Answers with the index of a directory, or else with the page that lists it.
async fn serve_directory<F: FileSystem>(
    files: &F,
    options: &FileOptions,
    request: &Request,
    path: &FilePath,
    directory: OpenDirectory,
) -> Response {
    if let Some(index) = options.index.as_ref().and_then(|index| path.join(index).ok()) {
        match files.open(&index).await {
            Ok(OpenNode::File(file)) => return send(files, options, request, &index, file).await,
            Ok(OpenNode::Directory(_)) => {}
            Err(why) if is_missing(&why) => {}
            Err(why) => return unopened(&why),
        }
    }
    match options.listing {
        Some(listing) => list(options, request, path, directory, listing).await,
        None => refused(StatusCode::NOT_FOUND),
    }
}

/// Sends a file, or a compressed one in its place.
async fn send<F: FileSystem>(
    files: &F,
    options: &FileOptions,
    request: &Request,
    path: &FilePath,
    file: OpenFile,
) -> Response {
    let (file, coding) = match precompressed(files, &options.precompressed, request, path, file.modified).await {
        Some((compressed, coding)) => (compressed, Some(coding)),
        None => (file, None),
    };
    let representation = Representation {
        name: path.file_name(),
        default_type: options.default_type.as_ref(),
        content: file.content,
        modified: file.modified,
        etag: file.etag.filter(|_| options.etag == EtagPolicy::Sent),
        cache_control: options.cache_control.as_ref().and_then(|rule| rule.value(path)),
        coding,
        varies: !options.precompressed.is_empty(),
    };
    representation.reply(request).await.unwrap_or_else(|_| refused(StatusCode::INTERNAL_SERVER_ERROR))
}

/// The compressed file that the client likes best, if it is not older than the original.
async fn precompressed<F: FileSystem>(
    files: &F,
    offered: &[Precompressed],
    request: &Request,
    path: &FilePath,
    modified: Option<SystemTime>,
) -> Option<(OpenFile, &'static str)> {
    if offered.is_empty() || request.header_bytes("accept-encoding").is_none() {
        return None;
    }
    let accepted = AcceptEncoding::of(request.head());
    let mut offered = offered.to_vec();
    loop {
        let names: Vec<_> = offered.iter().map(|one| one.coding()).collect();
        let Coding::Offered(at) = accepted.choose(&names) else { return None };
        let coding = offered.remove(at);
        let Some(beside) = path.with_ending(coding.ending()) else { continue };
        if let Ok(OpenNode::File(mut file)) = files.open(&beside).await {
            if modified.zip(file.modified).is_none_or(|(original, compressed)| original <= compressed) {
                file.etag = file.etag.and_then(|etag| coded_etag(&etag, coding.coding()));
                return Some((file, coding.coding()));
            }
        }
    }
}

/// Answers with the page that lists a directory.
async fn list(
    options: &FileOptions,
    request: &Request,
    path: &FilePath,
    directory: OpenDirectory,
    listing: Listing,
) -> Response {
    let most = listing.max_entries;
    let shows_hidden = options.hidden == Hidden::Served;
    let parent = path.clone();
    // Read and sorted elsewhere: both take milliseconds for a large directory.
    let read = move || {
        let mut entries = directory.read(most.saturating_add(1))?;
        let is_cut = entries.len() > most;
        entries.truncate(most);
        // A name that no path can have, such as one with a backslash, would be a link to a 404.
        let is_served = |name: &[u8]| (shows_hidden || !name.starts_with(b".")) && parent.join(name).is_ok();
        entries.retain(|entry| is_served(&entry.name));
        sort(&mut entries);
        Ok((entries, is_cut))
    };
    let body = if request.method() == "HEAD" {
        Body::empty()
    } else {
        let (entries, is_cut) = match off_the_worker(read).await {
            Ok(read) => read,
            // It takes one more descriptor to read a directory, and none may be left.
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => return unopened(&why),
            Err(_) => return error("Error reading directory", StatusCode::INTERNAL_SERVER_ERROR),
        };
        let asked = percent_decode(request.target().path().as_bytes());
        let page = Page {
            path: &String::from_utf8_lossy(&asked),
            has_parent: !path.is_root(),
            cut_at: is_cut.then_some(most),
        };
        Body::new(ListingBody::new(&page, entries))
    };
    // The page has no script. The policy holds even if a name got past the escaping.
    let policy = [
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
    ];
    (policy, Html(body)).into_response()
}

/// The reply to a method that reads nothing.
fn not_allowed(request: &Request) -> Option<Response> {
    let is_read = matches!(request.method(), "GET" | "HEAD");
    let reply = || error("Method Not Allowed", StatusCode::METHOD_NOT_ALLOWED).with_header("allow", "GET, HEAD");
    (!is_read).then(reply)
}

/// The reply if a file cannot be opened. Go: `toHTTPError`.
fn unopened(why: &io::Error) -> Response {
    refused(match why.kind() {
        _ if is_missing(why) => StatusCode::NOT_FOUND,
        io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        io::ErrorKind::WouldBlock => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    })
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn refused(status: StatusCode) -> Response {
    match status {
        StatusCode::NOT_FOUND => error("404 page not found", status),
        status => error(status, status),
    }
}

/// A 301 to a relative location, with the query of the request. Go: `localRedirect`.
fn moved(request: &Request, location: &str) -> Response {
    let location = match request.query() {
        Some(query) => sendable(&format!("{location}?{query}")),
        None => sendable(location),
    };
    Response::new(()).with_status(StatusCode::MOVED_PERMANENTLY).with_header(header::LOCATION, location)
}

/// Whether a part of the decoded path is `..`; a backslash separates parts, too. Go: `containsDotDot`.
fn has_dot_dot(path: &str) -> bool {
    percent_decode(path.as_bytes()).split(|byte| matches!(byte, b'/' | b'\\')).any(|part| part == b"..")
}

/// Whether the last segment of an escaped path is this name. An empty name is none: it would be that of each directory.
fn last_segment_is(path: &str, name: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    !name.is_empty() && last.len() >= name.len() && *percent_decode(last.as_bytes()) == *name.as_bytes()
}

/// The path with a slash added, relative to itself. A colon in it must not be read as the end of a scheme.
fn with_slash(path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    let here = if last.contains(':') { "./" } else { "" };
    format!("{here}{last}/")
}

/// The path without the slashes at its end, relative to itself; `None` if nothing but dots is before them.
fn without_slash(path: &str) -> Option<String> {
    let bare = path.trim_end_matches('/');
    let last = bare.rsplit('/').next().unwrap_or_default();
    let is_name = !matches!(&*percent_decode(last.as_bytes()), b"" | b"." | b"..");
    is_name.then(|| "../".repeat(path.len() - bare.len()) + last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_is_added_or_removed_by_a_relative_location() {
        for (path, location) in [
            ("/a", "a/"),
            ("/a/b%20c", "b%20c/"),
            ("/a/x:y", "./x:y/"),
            ("/a/.", "./"),
            ("/a/..", "../"),
            ("//evil.example", "evil.example/"),
        ] {
            assert_eq!(with_slash(path), location, "{path}");
        }
        for (path, location) in [
            ("/a/", Some("../a")),
            ("/a/b.txt/", Some("../b.txt")),
            ("/a//", Some("../../a")),
            ("/", None),
            ("//", None),
            ("/a/./", None),
            ("/a/%2e%2E/", None),
        ] {
            assert_eq!(without_slash(path).as_deref(), location, "{path}");
        }
    }

    #[test]
    fn the_index_is_the_last_segment_alone() {
        for (path, is) in [
            ("/index.html", true),
            ("/a/index.html", true),
            ("/a/%69ndex.html", true),
            ("/index.html/", false),
            ("/xindex.html", false),
            ("/", false),
        ] {
            assert_eq!(last_segment_is(path, "index.html"), is, "{path}");
        }
        assert!(!last_segment_is("/", ""), "a directory would be redirected to itself");
    }
}
