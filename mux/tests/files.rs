//! Files of a folder: which are served, under which names, and with which fields.
#![allow(clippy::unwrap_used, reason = "a test")]
#![cfg(feature = "files")]

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use http::{HeaderValue, StatusCode};
use quintet_mux::{
    CacheRule, Content, Dir, DirOptions, EntryKind, FileOptions, FilePath, FileServer, FileSystem, Handler, Hidden,
    Listing, MemoryFiles, OpenDirectory, OpenFile, OpenNode, Precompressed, ReadAt, Response, ServeMux, Symlinks,
    file_server, serve_content, serve_file, strip_prefix,
};
use quintet_request::Request;

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("quintet-files-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file that was changed an hour ago.
    fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        changed(&path, Duration::from_secs(3600));
        path
    }

    fn dir(&self) -> Dir {
        Dir::open(&self.0).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sets the time of the last change of a file to so long ago.
fn changed(path: &Path, ago: Duration) -> SystemTime {
    let time = SystemTime::now() - ago;
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    time
}

fn request(method: &str, path: &str, fields: &[(&str, &str)]) -> Request {
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    Request::parse(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes()).unwrap()
}

async fn get(server: &impl Handler, path: &str, fields: &[(&str, &str)]) -> Response {
    server.call(request("GET", path, fields)).await
}

fn field(response: &Response, name: &str) -> Option<String> {
    response.header(name).map(|value| value.to_str().unwrap().to_owned())
}

async fn body(mut response: Response) -> String {
    String::from_utf8_lossy(&response.take_body().to_bytes(1 << 24).await.unwrap()).into_owned()
}

/// The status and the body of a GET.
async fn seen(server: &impl Handler, path: &str) -> (u16, String) {
    let response = get(server, path, &[]).await;
    (response.status().as_u16(), body(response).await)
}

const NOT_FOUND: &str = "404 page not found\n";

#[tokio::test]
async fn a_folder_is_served_by_names() {
    let folder = Folder::new("names");
    folder.write("a.txt", "a");
    folder.write("index.html", "root");
    folder.write("sub/index.html", "sub");
    folder.write("bare/x", "x");
    folder.write("caf\u{e9} 1%.txt", "coffee");
    folder.write(".git/config", "secret");
    folder.write(".well-known/security.txt", "contact");
    folder.write("a:b", "colon");
    let server = file_server(folder.dir());
    for (path, status, text) in [
        ("/a.txt", 200, "a"),
        ("/", 200, "root"),
        ("/sub/", 200, "sub"),
        ("/sub", 301, ""),
        ("/a.txt/", 301, ""),
        ("/sub/index.html", 301, ""),
        ("/bare/", 404, NOT_FOUND),
        ("/bare/x", 200, "x"),
        ("/caf%C3%A9%201%25.txt", 200, "coffee"),
        ("/a:b", 200, "colon"),
        ("/.git/config", 404, NOT_FOUND),
        ("/.git/", 404, NOT_FOUND),
        ("/.git", 404, NOT_FOUND),
        ("/.well-known/security.txt", 200, "contact"),
        ("/missing", 404, NOT_FOUND),
        ("/a.txt/x", 404, NOT_FOUND),
        ("/sub%2Findex.html", 404, NOT_FOUND),
        ("/..%2f..%2fetc%2fpasswd", 404, NOT_FOUND),
        ("/a.txt%00", 404, NOT_FOUND),
        ("/sub%5Cindex.html", 404, NOT_FOUND),
        ("/../../../../../etc/passwd", 404, NOT_FOUND),
        ("/%2e%2e/%2e%2e/a.txt", 200, "a"),
    ] {
        assert_eq!(seen(&server, path).await, (status, text.to_owned()), "{path}");
    }
    let long = format!("/{}", "x".repeat(256));
    assert_eq!(seen(&server, &long).await.0, 404);
    let deep = "/d".repeat(3000);
    assert_eq!(seen(&server, &deep).await.0, 404);
    let hidden = FileServer::with_options(folder.dir(), FileOptions { hidden: Hidden::Served, ..Default::default() });
    assert_eq!(seen(&hidden, "/.git/config").await, (200, "secret".to_owned()));
    let plain = FileServer::with_options(folder.dir(), FileOptions { index: None, ..Default::default() });
    assert_eq!(seen(&plain, "/sub/index.html").await, (200, "sub".to_owned()));
    assert_eq!(seen(&plain, "/sub/").await.0, 404);
}

#[tokio::test]
async fn redirects_of_files_keep_the_query_and_the_prefix() {
    let folder = Folder::new("redirects");
    folder.write("sub/index.html", "sub");
    folder.write("a:b/index.html", "colon");
    let mux = ServeMux::new();
    mux.handle("/static/", strip_prefix("/static", file_server(folder.dir())));
    for (path, location) in [
        ("/static/sub", "sub/"),
        ("/static/sub?v=1&w", "sub/?v=1&w"),
        ("/static/sub/index.html?v", "./?v"),
        ("/static/sub/index.html/", "../index.html"),
        ("/static/a:b", "./a:b/"),
    ] {
        let reply = get(&mux, path, &[]).await;
        assert_eq!((reply.status().as_u16(), field(&reply, "location").as_deref()), (301, Some(location)), "{path}");
        assert_eq!(field(&reply, "etag"), None);
    }
    assert_eq!(seen(&mux, "/static/sub/").await, (200, "sub".to_owned()));
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_name_may_be_any_bytes() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let folder = Folder::new("bytes");
    folder.write(Path::new(OsStr::from_bytes(b"\xff\xfe\n.txt")), "raw");
    let server =
        FileServer::with_options(folder.dir(), FileOptions { listing: Some(Listing::default()), ..Default::default() });
    assert_eq!(seen(&server, "/%ff%FE%0a.txt").await, (200, "raw".to_owned()));
    let (_, page) = seen(&server, "/").await;
    assert!(page.contains("<a href=\"%FF%FE%0A.txt\">"), "{page}");
}

#[cfg(unix)]
#[tokio::test]
async fn symlinks_that_leave_the_root_are_refused() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new("symlinks");
    folder.write("outside/secret", "secret");
    folder.write("root/x", "x");
    folder.write("root/d/y", "y");
    for (link, target) in
        [("in", "x"), ("dir", "d"), ("out", "../outside/secret"), ("absolute", "/etc/passwd"), ("away", "../outside")]
    {
        symlink(target, folder.0.join("root").join(link)).unwrap();
    }
    let server = file_server(Dir::open(folder.0.join("root")).unwrap());
    let refused = DirOptions { symlinks: Symlinks::Refused, ..DirOptions::default() };
    let strict = file_server(Dir::open_with(folder.0.join("root"), refused).unwrap());
    for (path, inside, none) in [
        ("/x", 200, 200),
        ("/d/y", 200, 200),
        ("/in", 200, 404),
        ("/dir/y", 200, 404),
        ("/out", 404, 404),
        ("/absolute", 404, 404),
        ("/away/secret", 404, 404),
        ("/away", 404, 404),
    ] {
        assert_eq!((seen(&server, path).await.0, seen(&strict, path).await.0), (inside, none), "{path}");
    }
    // A listing shows what is served.
    let listing = FileOptions { listing: Some(Listing::default()), ..FileOptions::default() };
    let page = seen(&FileServer::with_options(Dir::open(folder.0.join("root")).unwrap(), listing), "/").await.1;
    for (link, is_shown) in [("in", true), ("dir/", true), ("out", false), ("absolute", false), ("away", false)] {
        assert_eq!(page.contains(&format!("<a href=\"{link}\">")), is_shown, "{link}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn fifos_sockets_and_devices_are_no_files() {
    let folder = Folder::new("fifo");
    let fifo = folder.0.join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(folder.0.join("socket")).unwrap();
    let options = FileOptions { listing: Some(Listing::default()), ..FileOptions::default() };
    let server = FileServer::with_options(folder.dir(), options);
    for path in ["/fifo", "/socket"] {
        assert_eq!(seen(&server, path).await, (404, NOT_FOUND.to_owned()), "{path}");
    }
    let (_, page) = seen(&server, "/").await;
    assert!(page.contains("This directory is empty."), "{page}");
    let devices = file_server(Dir::open("/dev").unwrap());
    for path in ["/null", "/zero", "/tty"] {
        assert_eq!(seen(&devices, path).await.0, 404, "{path}");
    }
}

/// The folder itself is held, not its name.
#[cfg(unix)]
#[tokio::test]
async fn a_renamed_root_stays_the_root() {
    let folder = Folder::new("renamed");
    folder.write("root/x", "first");
    let server = file_server(Dir::open(folder.0.join("root")).unwrap());
    fs::rename(folder.0.join("root"), folder.0.join("old")).unwrap();
    folder.write("root/x", "second");
    assert_eq!(seen(&server, "/x").await, (200, "first".to_owned()));
    assert!(Dir::open(folder.0.join("missing")).is_err());
    assert!(Dir::open(folder.0.join("old/x")).is_err());
}

/// A program that opens several folders learns which one it is.
#[test]
fn the_error_of_a_root_names_it() {
    let folder = Folder::new("no-root");
    folder.write("file", "x");
    for (name, kind) in [("missing", io::ErrorKind::NotFound), ("file", io::ErrorKind::NotADirectory)] {
        let path = folder.0.join(name);
        let error = Dir::open(&path).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
    }
}

#[tokio::test]
async fn a_405_of_a_file_server_has_allow() {
    let server = file_server(MemoryFiles::new().with_file("a", "a"));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get"] {
        for path in ["/a", "/missing", "/%00", "/.x"] {
            let reply = server.call(request(method, path, &[])).await;
            assert_eq!(
                (reply.status().as_u16(), field(&reply, "allow").as_deref()),
                (405, Some("GET, HEAD")),
                "{method}"
            );
        }
    }
}

/// A file system that fails in the way that the name says.
struct Failing;

impl FileSystem for Failing {
    async fn open(&self, path: &FilePath) -> io::Result<OpenNode> {
        Err(match path.as_bytes() {
            b"missing" => io::ErrorKind::NotFound,
            b"through-a-file" => io::ErrorKind::NotADirectory,
            b"forbidden" => io::ErrorKind::PermissionDenied,
            b"exhausted" => io::ErrorKind::WouldBlock,
            b"forbidden-index/index.html" => io::ErrorKind::PermissionDenied,
            b"forbidden-index" => return Ok(OpenDirectory::new(|_| Ok(Vec::new())).into()),
            b"unreadable" | b"unreadable/index.html" if path.file_name() == b"index.html" => io::ErrorKind::NotFound,
            b"unreadable" => return Ok(OpenDirectory::new(|_| Err(io::Error::other("a bad disk"))).into()),
            b"unlisted/index.html" => io::ErrorKind::NotFound,
            b"unlisted" => return Ok(OpenDirectory::new(|_| Err(io::ErrorKind::WouldBlock.into())).into()),
            b"panics" => return Ok(OpenDirectory::new(|_| panic!("a bug")).into()),
            b"panics/index.html" => io::ErrorKind::NotFound,
            b"broken" => return Ok(OpenFile::new(Content::reader(BrokenReader, 10)).into()),
            _ => io::ErrorKind::Other,
        }
        .into())
    }
}

struct BrokenReader;

impl ReadAt for BrokenReader {
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Err(io::Error::other("a bad disk"))
    }
}

#[tokio::test]
async fn an_error_of_a_file_system_has_a_status() {
    let options = FileOptions { listing: Some(Listing::default()), ..FileOptions::default() };
    let rule = Some(CacheRule::always(HeaderValue::from_static("max-age=60")));
    let server = FileServer::with_options(Failing, FileOptions { cache_control: rule, ..options });
    for (path, status, text) in [
        ("/missing", 404, NOT_FOUND),
        ("/through-a-file", 404, NOT_FOUND),
        ("/forbidden", 403, "403 Forbidden\n"),
        ("/forbidden-index/", 403, "403 Forbidden\n"),
        ("/exhausted", 503, "503 Service Unavailable\n"),
        ("/else", 500, "500 Internal Server Error\n"),
        ("/unreadable/", 500, "Error reading directory\n"),
        // A directory that is open takes one more descriptor to be read.
        ("/unlisted/", 503, "503 Service Unavailable\n"),
        ("/panics/", 500, "Error reading directory\n"),
        ("/broken", 500, "500 Internal Server Error\n"),
    ] {
        let reply = get(&server, path, &[]).await;
        for name in ["etag", "last-modified", "cache-control", "accept-ranges"] {
            assert_eq!(field(&reply, name), None, "{path}: {name}");
        }
        assert_eq!((reply.status().as_u16(), body(reply).await), (status, text.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_file_has_a_date_an_etag_and_a_type() {
    let folder = Folder::new("fields");
    let path = folder.write("a.html", "<h1>a</h1>");
    let server = file_server(folder.dir());
    let reply = get(&server, "/a.html", &[]).await;
    assert_eq!(field(&reply, "content-type").unwrap(), "text/html; charset=utf-8");
    assert_eq!(field(&reply, "accept-ranges").unwrap(), "bytes");
    let nanoseconds = fs::metadata(&path).unwrap().modified().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let etag = format!("\"{:x}-a\"", nanoseconds.as_nanos());
    assert_eq!(field(&reply, "etag").unwrap(), etag);
    let date = field(&reply, "last-modified").unwrap();
    assert!(date.ends_with(" GMT"), "{date}");

    for fields in
        [[("if-none-match", &*etag)], [("if-modified-since", &*date)], [("if-none-match", &format!("W/{etag}"))]]
    {
        let fresh = get(&server, "/a.html", &fields).await;
        assert_eq!((fresh.status().as_u16(), field(&fresh, "etag").as_deref()), (304, Some(&*etag)), "{fields:?}");
        assert_eq!((field(&fresh, "content-type"), field(&fresh, "last-modified")), (None, None));
        assert!(fresh.body().is_empty());
    }
    // Resumed as curl and wget do: only while the file is the same.
    let resume = |validator| [("range", "bytes=3-"), ("if-range", validator)];
    let rest = get(&server, "/a.html", &resume(&etag)).await;
    assert_eq!(field(&rest, "content-range").unwrap(), "bytes 3-9/10");
    assert_eq!(body(rest).await, ">a</h1>"[..].to_owned());
    assert_eq!(get(&server, "/a.html", &resume(&date)).await.status(), 206);
    // The same size, another time: a strong tag tells them apart, and the date of a second would not.
    fs::write(&path, "<h1>b</h1>").unwrap();
    changed(&path, Duration::from_secs(1800));
    assert_eq!(get(&server, "/a.html", &resume(&etag)).await.status(), 200);
    assert_eq!(get(&server, "/a.html", &[("if-match", &etag)]).await.status(), 412);
    assert_eq!(get(&server, "/a.html", &[("if-none-match", &etag)]).await.status(), 200);
}

/// Two versions within one step of the file system's clock have the same tag, so it is weak at first.
#[tokio::test]
async fn the_etag_of_a_young_file_is_weak() {
    let folder = Folder::new("young");
    let path = folder.write("a", "a");
    let server = file_server(folder.dir());
    for (ago, weak) in [(0, true), (1, true), (3, false), (100, false)] {
        changed(&path, Duration::from_secs(ago));
        let reply = get(&server, "/a", &[]).await;
        let etag = field(&reply, "etag").unwrap();
        assert_eq!(etag.starts_with("W/"), weak, "{ago} s: {etag}");
        let resumed = get(&server, "/a", &[("range", "bytes=0-0"), ("if-range", &etag)]).await;
        assert_eq!(resumed.status().as_u16(), if weak { 200 } else { 206 });
        assert_eq!(get(&server, "/a", &[("if-none-match", &etag)]).await.status(), 304);
    }
    // A date in the future is no date that a client could compare with (RFC 9110 §8.8.2.1).
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(SystemTime::now() + Duration::from_secs(86_400))
        .unwrap();
    let reply = get(&server, "/a", &[]).await;
    assert!(field(&reply, "etag").unwrap().starts_with("W/"));
    let date = field(&reply, "last-modified").unwrap();
    assert_eq!(get(&server, "/a", &[("if-modified-since", &date)]).await.status(), 304);
}

#[tokio::test]
async fn a_head_has_the_fields_of_a_get_and_no_body() {
    let folder = Folder::new("head");
    folder.write("a.txt", vec![b'x'; 100_000]);
    folder.write("sniffed", "<html>");
    let server = file_server(folder.dir());
    for path in ["/a.txt", "/sniffed", "/missing", "/a.txt/"] {
        let (get, head) = (get(&server, path, &[]).await, server.call(request("HEAD", path, &[])).await);
        assert_eq!(get.status(), head.status());
        for name in ["content-type", "etag", "last-modified", "accept-ranges", "location"] {
            assert_eq!(get.header(name), head.header(name), "{path}: {name}");
        }
        if get.status() == 200 {
            assert_eq!(field(&head, "content-length"), get.body().len().map(|len| len.to_string()));
            assert!(head.body().is_empty());
        }
    }
}

#[tokio::test]
async fn a_type_that_no_ending_tells_is_guessed_or_the_default() {
    let folder = Folder::new("types");
    folder.write("page", "<!DOCTYPE html><p>a page");
    folder.write("large", ["<!DOCTYPE html>", &" ".repeat(100_000)].concat());
    folder.write("picture", b"\x89PNG\r\n\x1a\n");
    folder.write("empty", "");
    folder.write("a.css", "<html>");
    let guessing = file_server(folder.dir());
    let known = Some(HeaderValue::from_static("application/octet-stream"));
    let fixed = FileServer::with_options(folder.dir(), FileOptions { default_type: known, ..Default::default() });
    for (path, guessed, default) in [
        ("/page", "text/html; charset=utf-8", "application/octet-stream"),
        ("/large", "text/html; charset=utf-8", "application/octet-stream"),
        ("/picture", "image/png", "application/octet-stream"),
        ("/empty", "text/plain; charset=utf-8", "application/octet-stream"),
        ("/a.css", "text/css; charset=utf-8", "text/css; charset=utf-8"),
    ] {
        for fields in [&[][..], &[("range", "bytes=1-3")]] {
            assert_eq!(field(&get(&guessing, path, fields).await, "content-type").unwrap(), guessed, "{path}");
            assert_eq!(field(&get(&fixed, path, fields).await, "content-type").unwrap(), default, "{path}");
        }
    }
}

#[tokio::test]
async fn cache_control_follows_the_rule_and_not_errors() {
    let folder = Folder::new("cache-control");
    folder.write("assets/a.js", "a");
    folder.write("b.js", "b");
    let rule = CacheRule::new(|path| {
        path.as_bytes().starts_with(b"assets/").then(|| HeaderValue::from_static("max-age=31536000, immutable"))
    });
    let server =
        FileServer::with_options(folder.dir(), FileOptions { cache_control: Some(rule), ..FileOptions::default() });
    let etag = field(&get(&server, "/assets/a.js", &[]).await, "etag").unwrap();
    for (path, fields, status, sent) in [
        ("/assets/a.js", &[][..], 200, true),
        ("/assets/a.js", &[("range", "bytes=0-0")], 206, true),
        ("/assets/a.js", &[("if-none-match", &*etag)], 304, true),
        ("/assets/a.js", &[("if-match", "\"x\"")], 412, false),
        ("/assets/a.js", &[("range", "bytes=9-")], 416, false),
        ("/assets/missing.js", &[], 404, false),
        ("/assets", &[], 301, false),
        ("/b.js", &[], 200, false),
    ] {
        let reply = get(&server, path, fields).await;
        let value = field(&reply, "cache-control");
        assert_eq!((reply.status().as_u16(), value.is_some()), (status, sent), "{path} {fields:?}");
    }
}

#[tokio::test]
async fn a_precompressed_file_is_sent_if_it_is_accepted_and_fresh() {
    let folder = Folder::new("precompressed");
    for (name, bytes) in
        [("a.js", "plain"), ("a.js.br", "br"), ("a.js.gz", "gzip"), ("old.js", "plain"), ("only.js.gz", "gzip")]
    {
        folder.write(name, bytes);
    }
    let old = folder.write("old.js.gz", "old");
    changed(&old, Duration::from_secs(7200));
    folder.write("index.html", "plain");
    folder.write("index.html.gz", "gzip");
    let options = FileOptions { precompressed: Precompressed::ALL.to_vec(), ..FileOptions::default() };
    let server = FileServer::with_options(folder.dir(), options);
    let mut tags = Vec::new();
    for (path, accept, coding, text) in [
        ("/a.js", Some("br, gzip"), Some("br"), "br"),
        ("/a.js", Some("gzip, br"), Some("br"), "br"),
        ("/a.js", Some("gzip"), Some("gzip"), "gzip"),
        ("/a.js", Some("br;q=0.5, gzip"), Some("gzip"), "gzip"),
        ("/a.js", Some("br;q=0, zstd"), None, "plain"),
        ("/a.js", Some("zstd, gzip;q=0.1"), Some("gzip"), "gzip"),
        ("/a.js", Some("identity"), None, "plain"),
        ("/a.js", Some("*"), Some("br"), "br"),
        ("/a.js", Some(""), None, "plain"),
        ("/a.js", None, None, "plain"),
        ("/old.js", Some("gzip"), None, "plain"),
        ("/", Some("gzip"), Some("gzip"), "gzip"),
    ] {
        let fields: Vec<_> = accept.map(|accept| ("accept-encoding", accept)).into_iter().collect();
        let reply = get(&server, path, &fields).await;
        assert_eq!(
            (reply.status().as_u16(), field(&reply, "content-encoding").as_deref()),
            (200, coding),
            "{path} {accept:?}"
        );
        assert_eq!(field(&reply, "vary").unwrap(), "Accept-Encoding");
        let expected = if path == "/" { "text/html; charset=utf-8" } else { "text/javascript; charset=utf-8" };
        assert_eq!(field(&reply, "content-type").unwrap(), expected);
        let etag = field(&reply, "etag").unwrap();
        assert_eq!(coding.is_none(), !etag.contains("-br\"") && !etag.contains("-gzip\""), "{etag}");
        let fresh = get(&server, path, &[&fields[..], &[("if-none-match", &etag)]].concat()).await;
        assert_eq!((fresh.status().as_u16(), field(&fresh, "vary").as_deref()), (304, Some("Accept-Encoding")));
        assert_eq!(field(&fresh, "content-encoding"), None);
        let part = get(&server, path, &[&fields[..], &[("range", "bytes=1-1")]].concat()).await;
        assert_eq!(body(part).await, text[1..2], "a range of the coded bytes");
        assert_eq!(body(reply).await, text);
        if path == "/a.js" {
            tags.push((coding, etag));
        }
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3, "one entity tag for each coding: {tags:?}");
    // Without the original there is nothing that the compressed file stands for.
    assert_eq!(get(&server, "/only.js", &[("accept-encoding", "gzip")]).await.status(), 404);
    // By its own name it is a file like all others.
    let named = get(&server, "/a.js.gz", &[("accept-encoding", "gzip")]).await;
    assert_eq!(
        (field(&named, "content-encoding"), field(&named, "content-type").as_deref()),
        (None, Some("application/gzip"))
    );
    // Off, as it is by default: no field says that the reply could be another.
    let off = get(&file_server(folder.dir()), "/a.js", &[("accept-encoding", "br, gzip")]).await;
    assert_eq!((field(&off, "vary"), field(&off, "content-encoding")), (None, None));
}

/// Bytes that say where they are.
fn numbered(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
}

#[tokio::test]
async fn ranges_of_a_large_file_are_its_bytes() {
    let folder = Folder::new("large");
    let bytes = numbered(300_000);
    folder.write("a.bin", &bytes);
    let server = file_server(folder.dir());
    let part = async |range: &str| {
        let mut reply = get(&server, "/a.bin", &[("range", range)]).await;
        (reply.status().as_u16(), reply.take_body().to_bytes(1 << 20).await.unwrap())
    };
    for (range, start, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=100-20099", 100, 20_100),
        ("bytes=65535-65536", 65_535, 65_537),
        ("bytes=-1", 299_999, 300_000),
        ("bytes=1000-", 1000, 300_000),
        ("bytes=0-999999", 0, 300_000),
    ] {
        assert_eq!(part(range).await, (206, bytes[start..end].to_vec().into()), "{range}");
    }
    let mut reply = get(&server, "/a.bin", &[("range", "bytes=10-20, 200000-270000,-5")]).await;
    let content_type = field(&reply, "content-type").unwrap();
    let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").unwrap().to_owned();
    let length = reply.body().len().unwrap();
    let all = reply.take_body().to_bytes(1 << 20).await.unwrap();
    assert_eq!(all.len() as u64, length, "the length is known before the body");
    let mut expected = Vec::new();
    for (start, end) in [(10, 21), (200_000, 270_001), (299_995, 300_000)] {
        let first = if expected.is_empty() { "" } else { "\r\n" };
        let head = format!(
            "{first}--{boundary}\r\nContent-Range: bytes {start}-{}/300000\r\nContent-Type: application/octet-stream\r\n\r\n",
            end - 1
        );
        expected.extend_from_slice(head.as_bytes());
        expected.extend_from_slice(&bytes[start..end]);
    }
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert_eq!(all, expected);
}

/// The reader of a part is asked for that part only.
struct Counting(Arc<AtomicUsize>);

impl ReadAt for Counting {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.fetch_add(1, Ordering::Relaxed);
        // Fewer bytes than asked for, as a reader may.
        let len = buffer.len().min(1000);
        let bytes = numbered(200_000);
        let start = usize::try_from(offset).unwrap();
        buffer[..len].copy_from_slice(&bytes[start..start + len]);
        Ok(len)
    }
}

#[tokio::test]
async fn content_of_a_reader_is_read_in_pieces() {
    let calls = Arc::new(AtomicUsize::new(0));
    let content = || Content::reader(Counting(Arc::clone(&calls)), 200_000);
    let whole = serve_content(&request("GET", "/", &[]), "a.bin", None, None, content()).await;
    assert_eq!(calls.load(Ordering::Relaxed), 0, "nothing is read before the reply is sent");
    let mut whole = whole;
    assert_eq!(whole.take_body().to_bytes(1 << 20).await.unwrap(), numbered(200_000));
    calls.store(0, Ordering::Relaxed);
    let range = request("GET", "/", &[("range", "bytes=150000-150999")]);
    let mut part = serve_content(&range, "a.bin", None, None, content()).await;
    assert_eq!(part.take_body().to_bytes(1 << 20).await.unwrap(), numbered(200_000)[150_000..151_000]);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    // A reader that ends early breaks the reply off.
    let mut short = serve_content(&request("GET", "/", &[]), "a.bin", None, None, Content::reader(Ended, 10)).await;
    assert!(short.take_body().to_bytes(100).await.is_err());
}

struct Ended;

impl ReadAt for Ended {
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Ok(0)
    }
}

#[tokio::test]
async fn a_file_that_shrank_breaks_the_reply_and_one_that_grew_does_not() {
    let folder = Folder::new("changing");
    let path = folder.write("a.bin", numbered(100_000));
    let server = file_server(folder.dir());
    let mut reply = get(&server, "/a.bin", &[]).await;
    fs::File::options().write(true).open(&path).unwrap().set_len(50_000).unwrap();
    assert!(reply.take_body().to_bytes(1 << 20).await.is_err());
    folder.write("b.bin", numbered(100_000));
    let mut reply = get(&server, "/b.bin", &[]).await;
    folder.write("b.bin", numbered(200_000));
    assert_eq!(reply.take_body().to_bytes(1 << 20).await.unwrap(), numbered(100_000));
}

#[tokio::test]
async fn an_etag_that_cannot_be_sent_is_left_out() {
    for etag in ["plain", "\"a\"b\"", "\"", ""] {
        let etag = HeaderValue::try_from(etag).unwrap();
        let reply = serve_content(&request("GET", "/", &[]), "a", None, Some(etag), "text").await;
        assert_eq!((reply.status().as_u16(), field(&reply, "etag")), (200, None));
    }
}

#[tokio::test]
async fn serve_file_has_the_name_of_the_program() {
    let files =
        MemoryFiles::new().with_file("files/a.txt", "a").with_file("files/index.html", "index").with_file(".x", "x");
    let reply = async |path: &str, name: &str| serve_file(&request("GET", path, &[]), &files, name).await;
    for (path, name, status) in [
        ("/", "files/a.txt", 200),
        ("/any/path/", "files/a.txt", 200),
        ("/x", "/files/a.txt", 200),
        ("/x", "files/missing", 404),
        ("/x", "files", 301),
        ("/x/", "files", 200),
        ("/index.html", "files/a.txt", 301),
        ("/x", "../files/a.txt", 404),
        ("/x", "files/../files/a.txt", 404),
        ("/x", ".x", 404),
        ("/x/../y", "files/a.txt", 400),
        ("/x/%2e%2e/y", "files/a.txt", 400),
        ("/x/..%2fy", "files/a.txt", 400),
        ("/x/..%5Cy", "files/a.txt", 400),
        ("/x/a..", "files/a.txt", 200),
    ] {
        assert_eq!(reply(path, name).await.status().as_u16(), status, "{path} {name}");
    }
}

#[tokio::test]
async fn files_in_memory_are_a_tree() {
    let files = MemoryFiles::new()
        .with_file("a.b", "file beside")
        .with_file("a/x", "x")
        .with_file("a/d/y", "y")
        .with_file("a/d/z", "z")
        .with_file("a-b", "other");
    let options = FileOptions { listing: Some(Listing::default()), ..FileOptions::default() };
    let server = FileServer::with_options(files.clone(), options);
    for (path, names) in [("/", &["a/", "a-b", "a.b"][..]), ("/a/", &["../", "d/", "x"]), ("/a/d/", &["../", "y", "z"])]
    {
        let (status, page) = seen(&server, path).await;
        let found: Vec<_> = page.split("<a href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!((status, &*found), (200, names), "{path}");
    }
    assert_eq!(seen(&server, "/a/missing/").await.0, 404);
    assert_eq!(seen(&server, "/a").await.0, 301);
    let first = field(&get(&server, "/a/x", &[]).await, "etag").unwrap();
    let again = field(&get(&file_server(files.with_file("a/x", "x")), "/a/x", &[]).await, "etag").unwrap();
    assert_eq!(first, again, "the tag is made of the bytes");
    let OpenNode::Directory(root) = MemoryFiles::new().open(&FilePath::new("").unwrap()).await.unwrap() else {
        panic!("the root is a directory")
    };
    assert!(root.read(10).unwrap().is_empty());
}

/// 10,000 entries are one page of names: their sizes would be 10,000 calls of the system.
#[tokio::test]
async fn a_directory_of_ten_thousand_files_is_listed() {
    let folder = Folder::new("ten-thousand");
    for n in 0..10_050 {
        fs::File::create(folder.0.join(format!("file-{n:05}"))).unwrap();
    }
    let listing = |max_entries| FileOptions { listing: Some(Listing { max_entries }), ..FileOptions::default() };
    let page = seen(&FileServer::with_options(folder.dir(), listing(20_000)), "/").await.1;
    assert_eq!(page.matches("<tr><td>").count(), 10_050);
    assert!(!page.contains(" B</td>"), "no size is asked for");
    let first = page.find("file-00000").unwrap();
    assert!(first < page.find("file-10049").unwrap());
    let page = seen(&FileServer::with_options(folder.dir(), listing(10_000)), "/").await.1;
    assert_eq!(page.matches("<tr><td>").count(), 10_000);
    assert!(page.contains("only 10000 entries are shown"), "it says that there are more");
    let OpenNode::Directory(directory) = folder.dir().open(&FilePath::new("").unwrap()).await.unwrap() else {
        panic!("a directory")
    };
    let entries = directory.read(10).unwrap();
    assert_eq!((entries.len(), entries[0].kind), (10, EntryKind::File), "not more than asked for are read");
}

#[tokio::test]
async fn a_listing_shows_sizes_and_dates_and_no_dotfiles() {
    let folder = Folder::new("listing");
    folder.write("notes.txt", "x".repeat(1500));
    folder.write("sub dir/x", "x");
    folder.write(".secret", "x");
    let options = FileOptions { listing: Some(Listing::default()), ..FileOptions::default() };
    let server = FileServer::with_options(folder.dir(), options);
    let reply = get(&server, "/", &[]).await;
    assert_eq!(field(&reply, "content-type").unwrap(), "text/html; charset=utf-8");
    assert!(field(&reply, "content-security-policy").unwrap().starts_with("default-src 'none'"));
    let page = body(reply).await;
    assert!(
        page.contains("<a href=\"notes.txt\">notes.txt</a></td><td title=\"1500 bytes\">1.5 KB</td><td>20"),
        "{page}"
    );
    assert!(page.contains("<a href=\"sub%20dir/\">sub dir/</a>") && !page.contains(".secret"));
    assert!(!page.contains("../"), "the root has nothing above it");
    let page = seen(&server, "/sub%20dir/").await.1;
    assert!(page.contains("<h1>Index of /sub dir/</h1>") && page.contains("<a href=\"../\">"));
    let head = server.call(request("HEAD", "/", &[])).await;
    assert_eq!((head.status(), head.body().is_empty()), (StatusCode::OK, true));
}

/// A path has no backslash, so a link to such a name would lead to a 404.
#[cfg(unix)]
#[tokio::test]
async fn a_listing_has_no_names_with_a_backslash() {
    let folder = Folder::new("backslash");
    folder.write("back\\slash.txt", "x");
    folder.write("a.txt", "x");
    for options in [FileOptions::default(), FileOptions { hidden: Hidden::Served, ..FileOptions::default() }] {
        let server =
            FileServer::with_options(folder.dir(), FileOptions { listing: Some(Listing::default()), ..options });
        let page = seen(&server, "/").await.1;
        assert!(page.contains("a.txt") && !page.contains("slash.txt"), "{page}");
        assert_eq!(seen(&server, "/back%5Cslash.txt").await.0, 404);
    }
}

#[tokio::test]
async fn an_empty_index_is_no_redirect_of_a_directory_to_itself() {
    let files = MemoryFiles::new().with_file("a/x.txt", "x");
    let options =
        FileOptions { index: Some(String::new()), listing: Some(Listing::default()), ..FileOptions::default() };
    let server = FileServer::with_options(files, options);
    for path in ["/", "/a/"] {
        let (status, page) = seen(&server, path).await;
        assert!(status == 200 && page.contains("Index of"), "{path} {status}");
    }
    assert_eq!(seen(&server, "/a/x.txt").await.1, "x");
}

#[tokio::test]
async fn a_descriptor_cache_keeps_a_file_that_was_replaced() {
    let folder = Folder::new("cache");
    folder.write("a", "first");
    let options = DirOptions { descriptor_cache: Some(Duration::from_secs(1000)), ..DirOptions::default() };
    let server = file_server(Dir::open_with(&folder.0, options).unwrap());
    assert_eq!(seen(&server, "/a").await.1, "first");
    folder.write("new", "second");
    fs::rename(folder.0.join("new"), folder.0.join("a")).unwrap();
    assert_eq!(seen(&server, "/a").await.1, "first");
    assert_eq!(seen(&file_server(folder.dir()), "/a").await.1, "second", "without the option it is not kept");
}
