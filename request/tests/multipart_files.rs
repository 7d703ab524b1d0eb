//! The files of a form: in memory up to a limit, else in temporary files without names; and streamed in constant memory.
#![cfg(feature = "multipart")]

use std::{
    convert::Infallible,
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::Frame;
use quintet_request::{Body, FormFile, MultipartForm, MultipartLimits, MultipartReadError, Request};
use tokio::io::AsyncWrite;

/// Bytes in which a missing or moved piece is noticed, with line ends and starts of boundaries among them.
fn pattern(len: usize) -> Vec<u8> {
    (0..).flat_map(|i: u32| format!("{i}\r\n--b{i}").into_bytes()).filter(|&byte| byte != b'b').take(len).collect()
}

/// A form with these files, in pieces of 10,000 bytes.
fn form(files: &[(&str, &str, &[u8])]) -> Request {
    let mut body = Vec::new();
    for (name, file_name, data) in files {
        body.extend(
            format!("--b\r\nContent-Disposition: form-data; name={name}; filename=\"{file_name}\"\r\n").bytes(),
        );
        body.extend(b"Content-Type: text/x-test\r\n\r\n");
        body.extend_from_slice(data);
        body.extend(b"\r\n");
    }
    body.extend(b"--b--\r\n");
    let pieces: Vec<_> = body.chunks(10_000).map(Bytes::copy_from_slice).collect();
    posted(Body::new(Pieces(pieces.into_iter())))
}

fn posted(body: Body) -> Request {
    let posted = http::Request::post("/").header("content-type", "multipart/form-data; boundary=b");
    Request::try_from(posted.body(body).expect("a request")).expect("a request")
}

struct Pieces<I>(I);

impl<I: Iterator<Item = Bytes> + Unpin> http_body::Body for Pieces<I> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }
}

fn read_all(file: &FormFile) -> Vec<u8> {
    let mut all = Vec::new();
    file.open().read_to_end(&mut all).expect("the file is readable");
    all
}

/// A folder of this test, which is removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("quintet-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn files_beyond_the_memory_are_on_disk() {
    let (small, middle, large) = (pattern(1_000), pattern(300_000), pattern(900_001));
    let files = [("a", "small", &small[..]), ("b", "large", &large[..]), ("a", "middle", &middle[..])];
    for (memory, in_memory) in [
        (u64::MAX, [true, true, true]),
        (1_201_001, [true, true, true]),
        (1_201_000, [true, true, false]),
        (301_000, [true, false, true]),
        (300_999, [true, false, false]),
        (1_000, [true, false, false]),
        (999, [false, false, false]),
        (0, [false, false, false]),
    ] {
        let form = form(&files).parse_multipart_form(memory).await.expect("a form");
        assert_eq!(form.files.iter().map(|file| file.as_bytes().is_some()).collect::<Vec<_>>(), in_memory, "{memory}");
        for (file, (name, file_name, data)) in form.files.iter().zip(files) {
            assert_eq!((file.form_name(), file.file_name(), file.size()), (name, file_name, data.len() as u64));
            assert_eq!((file.content_type(), file.header().len()), (Some("text/x-test"), 2));
            assert!(read_all(file) == data, "{file_name}, {memory}");
            assert!(file.to_bytes(data.len() as u64).await.expect("the limit is its size") == data);
            let error = file.to_bytes(data.len() as u64 - 1).await.unwrap_err();
            assert!(matches!(error, MultipartReadError::PartTooLarge { .. }) && error.status() == 413);
        }
        assert_eq!(form.file("a").map(FormFile::file_name), Some("small"));
        assert_eq!(form.files_named("a").map(FormFile::file_name).collect::<Vec<_>>(), ["small", "middle"]);
        assert!(form.file("c").is_none());
    }
}

#[tokio::test]
async fn readers_of_a_file_have_their_own_positions() {
    let data = pattern(400_000);
    for memory in [0, u64::MAX] {
        let form = form(&[("a", "x", &data)]).parse_multipart_form(memory).await.expect("a form");
        let file = form.files[0].clone();
        drop(form); // a clone keeps the file
        let (mut one, mut two) = (file.open(), file.open());
        let mut bytes = [0; 10];
        assert_eq!(one.seek(SeekFrom::End(-10)).expect("in the file"), 399_990);
        one.read_exact(&mut bytes).expect("ten bytes");
        assert_eq!(bytes, data[399_990..]);
        two.read_exact(&mut bytes).expect("ten bytes");
        assert_eq!(bytes, data[..10]);
        assert_eq!(two.seek(SeekFrom::Current(90)).expect("in the file"), 100);
        two.read_exact(&mut bytes).expect("ten bytes");
        assert_eq!(bytes, data[100..110]);
        for past in [400_000, 1 << 40, u64::MAX] {
            assert_eq!(two.seek(SeekFrom::Start(past)).expect("past the end"), past);
            assert_eq!(two.read(&mut bytes).expect("the end"), 0);
        }
        assert_eq!(two.seek(SeekFrom::End(-400_001)).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn persist_makes_a_new_file_and_replaces_none() {
    let folder = Folder::new("persist");
    let data = pattern(400_000);
    for memory in [0, u64::MAX] {
        let form = form(&[("a", "x", &data)]).parse_multipart_form(memory).await.expect("a form");
        let path = folder.0.join(format!("kept-{memory}"));
        form.files[0].persist(&path).await.expect("a new file");
        assert!(std::fs::read(&path).expect("the file") == data);

        std::fs::write(&path, "other").expect("the file");
        let error = form.files[0].persist(&path).await.unwrap_err();
        assert_eq!(
            (error.kind(), std::fs::read(&path).expect("the file")),
            (ErrorKind::AlreadyExists, b"other".to_vec())
        );
        #[cfg(unix)]
        {
            let (link, target) = (folder.0.join(format!("link-{memory}")), folder.0.join("target"));
            std::os::unix::fs::symlink(&target, &link).expect("a link");
            let error = form.files[0].persist(&link).await.unwrap_err();
            assert_eq!((error.kind(), target.exists()), (ErrorKind::AlreadyExists, false));
        }
        assert!(form.files[0].persist(folder.0.join("no/folder")).await.is_err());
    }
}

/// The temporary files of this process, as the system lists its descriptors: their mode and their number of names.
#[cfg(target_os = "linux")]
fn temporary_files() -> Vec<(u32, u64)> {
    use std::os::unix::fs::MetadataExt;

    let folder = std::env::temp_dir().canonicalize().expect("a folder");
    let entries = std::fs::read_dir("/proc/self/fd").expect("the descriptors");
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let ours = paths.filter(|path| std::fs::read_link(path).is_ok_and(|target| target.starts_with(&folder)));
    let found = ours.filter_map(|path| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file));
    found.filter(|file| file.nlink() == 0).map(|file| (file.mode() & 0o777, file.nlink())).collect()
}

/// In a process of its own: other tests have temporary files, too.
#[cfg(target_os = "linux")]
#[test]
fn temporary_files_are_0600_without_a_name_and_freed() {
    const CHILD: &str = "QUINTET_TEMPORARY_FILES";
    if std::env::var_os(CHILD).is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().expect("this test"));
        child.args(["--exact", "temporary_files_are_0600_without_a_name_and_freed", "--nocapture"]).env(CHILD, "1");
        let output = child.output().expect("the test runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let data = pattern(10_000);
        let parsed = form(&[("a", "x", &data), ("b", "y", &data)]).parse_multipart_form(0).await.expect("a form");
        assert_eq!(temporary_files(), [(0o600, 0)], "both are in one");
        let kept = parsed.files[1].clone();
        drop(parsed);
        assert_eq!(temporary_files().len(), 1, "a clone keeps it");
        let mut reader = kept.open();
        drop(kept);
        assert_eq!(temporary_files().len(), 1, "so does a reader");
        let mut read = Vec::new();
        reader.read_to_end(&mut read).expect("the file is readable");
        assert!(read == data);
        drop(reader);
        assert_eq!(temporary_files().len(), 0);

        // A thousand files that are not in memory cost one descriptor.
        let many: Vec<_> = (0..1_000).map(|_| ("a", "x", &b"1"[..])).collect();
        let parsed = form(&many).parse_multipart_form(0).await.expect("a form");
        assert_eq!((parsed.files.len(), temporary_files().len()), (1_000, 1));
        drop(parsed);

        // A form that fails after its first file.
        let mut request = form(&[("a", "x", &data), ("b", "y", &data)]);
        request.set_multipart_limits(MultipartLimits { parts: 1, ..MultipartLimits::default() });
        assert_eq!(request.parse_multipart_form(0).await.unwrap_err().status(), 413);
        assert_eq!(temporary_files().len(), 0);
    });
}

#[tokio::test]
async fn a_file_input_without_a_chosen_file_is_left_out() {
    let form = form(&[("a", "", b""), ("b", "", b"x"), ("c", "x", b""), ("d", "..", b"")]);
    let form = { form }.parse_multipart_form(MultipartForm::DEFAULT_MAX_MEMORY).await.expect("a form");
    let names: Vec<_> = form.files.iter().map(FormFile::form_name).collect();
    assert_eq!(names, ["b", "c"]);
}

/// A writer into a file, as far as the system takes it.
struct Blocking(std::fs::File);

impl AsyncWrite for Blocking {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.0.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_507_and_another_write_error_500() {
    for (path, write, status) in [("/dev/full", true, 507), ("/dev/null", false, 500)] {
        let mut request = form(&[("a", "x", b"data")]);
        let mut parts = request.multipart_reader().expect("a form");
        let part = parts.next_part().await.expect("a part").expect("a part");
        let file = std::fs::OpenOptions::new().write(write).read(!write).open(path).expect("a device");
        let error = part.copy_to(&mut Blocking(file), 100).await.unwrap_err();
        assert!(matches!(error, MultipartReadError::Storage(_)));
        assert_eq!(error.status(), status, "{path}");
    }
}

/// A body with one part of `size` bytes, made while it is read.
fn endless(size: u64) -> Request {
    let piece = Bytes::from(pattern(64 << 10));
    let head = Bytes::from_static(b"--b\r\nContent-Disposition: form-data; name=a; filename=x\r\n\r\n");
    let data = (0..size / piece.len() as u64).map(move |_| piece.clone());
    let mut request =
        posted(Body::new(Pieces([head].into_iter().chain(data).chain([Bytes::from_static(b"\r\n--b--")]))));
    request.set_multipart_limits(MultipartLimits { total: u64::MAX, ..MultipartLimits::default() });
    request
}

/// Streams a part; returns the most bytes of memory in use meanwhile.
fn memory_of(size: u64) -> u64 {
    let mut request = endless(size);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let measured = allocation_counter::measure(|| {
        runtime.block_on(async {
            let mut parts = request.multipart_reader().expect("a form");
            let mut part = parts.next_part().await.expect("a part").expect("a part");
            let mut read = 0;
            while let Some(piece) = part.chunk().await.expect("data") {
                read += piece.len() as u64;
            }
            assert_eq!(read, size);
            assert!(parts.next_part().await.expect("the end").is_none());
        });
    });
    measured.bytes_max
}

#[test]
fn a_large_part_is_streamed_in_constant_memory() {
    let (small, large) = (memory_of(1 << 20), memory_of(32 << 20));
    assert!(large <= small && large < 8 << 10, "{small} and {large} bytes");
}

#[test]
#[ignore = "the long form of the test above: a minute or more"]
fn a_part_of_1_gib_is_streamed_in_constant_memory() {
    let (small, large) = (memory_of(1 << 20), memory_of(1 << 30));
    assert!(large <= small && large < 8 << 10, "{small} and {large} bytes");
}
