//! Sending files by a wire: by the stream itself and in pieces, in order with other bytes, and files that change.
#![cfg(feature = "sendfile")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{
    fs::{self, File, OpenOptions},
    future::poll_fn,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use common::{Bell, Peer, Script, Step, connections, ends_after, limits, poll_once, scripted};
use proptest::prelude::*;
use quintet_conn::{FileSection, Phase, Timeouts, Wire, WireError};

/// The bytes of every file here, in which a missing or moved piece is noticed.
fn content(len: usize) -> Vec<u8> {
    let pattern: Vec<u8> = (0..4093).map(|at| (at % 251) as u8).collect();
    let mut content = pattern.repeat(len / pattern.len() + 1);
    content.truncate(len);
    content
}

/// A file in a folder, removed at once: only the descriptor keeps it.
fn file_in(folder: &Path, len: usize) -> Arc<File> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("quintet-files-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
    let path: PathBuf = folder.join(name);
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    file.write_all(&content(len)).unwrap();
    fs::remove_file(path).unwrap();
    Arc::new(file)
}

/// Not in the folder for temporary files, which is in memory on some systems (see [`is_told`]).
fn file(len: usize) -> Arc<File> {
    file_in(Path::new(env!("CARGO_TARGET_TMPDIR")), len)
}

/// Whether the system tells what is in the page cache. If not, every file is read by the blocking pool, and a test that
/// counts what one poll does has nothing to count: on tmpfs, and on other systems than Linux.
fn is_told(file: &Arc<File>) -> bool {
    FileSection::new(Arc::clone(file), 0, 1).try_read(1).unwrap().is_some()
}

fn section(file: &Arc<File>, offset: u64, len: u64) -> Box<FileSection> {
    Box::new(FileSection::new(Arc::clone(file), offset, len))
}

/// A wire on a stream that has `poll_send_file`.
fn sending() -> (Wire<Script>, Peer) {
    let (script, peer) = Script::new();
    peer.sends_files();
    (Wire::new(script), peer)
}

fn is_short(error: &WireError) -> bool {
    matches!(error, WireError::File(error) if error.kind() == io::ErrorKind::UnexpectedEof)
}

mod order {
    use super::*;

    #[tokio::test]
    async fn a_file_is_sent_by_the_stream_behind_its_head() {
        let (mut wire, peer) = sending();
        let file = file(100_000);
        if !is_told(&file) {
            return;
        }
        wire.output.extend(b"head 1");
        wire.output.push_file(section(&file, 0, 100_000));
        wire.output.extend(b"head 2");
        wire.output.push_file(section(&file, 10, 5));
        wire.output.extend(b"head 3");
        assert_eq!(wire.output.len(), 3 * 6 + 100_005);
        wire.flush().await.unwrap();
        let content = content(100_000);
        assert_eq!(peer.written(), [b"head 1", &content[..], b"head 2", &content[10..15], b"head 3"].concat());
        assert_eq!((peer.sent_files(), peer.calls()), (100_005, 5));
        assert_eq!(Arc::strong_count(&file), 1, "the wire holds a file that it has sent");
    }

    #[tokio::test]
    async fn a_stream_that_cannot_send_files_gets_pieces_of_64_kib() {
        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        let file = file(200_000);
        wire.output.extend(b"head");
        wire.output.push_file(section(&file, 1, 199_999));
        wire.output.extend(b"tail");
        wire.flush().await.unwrap();
        assert_eq!(peer.written(), [b"head", &content(200_000)[1..], b"tail"].concat());
        assert_eq!((peer.sent_files(), Arc::strong_count(&file)), (0, 1));
    }

    #[tokio::test]
    async fn a_file_of_no_bytes_sends_none() {
        for can in [true, false] {
            let (script, peer) = Script::new();
            let mut wire = Wire::new(script);
            if can {
                peer.sends_files();
            }
            let (empty, full) = (file(0), file(10));
            wire.output.push_file(section(&empty, 0, 0));
            assert!(wire.output.is_empty() && wire.output.is_plain());
            wire.output.extend(b"a");
            wire.output.push_file(section(&full, 10, 0));
            wire.output.extend(b"b");
            wire.flush().await.unwrap();
            assert_eq!(peer.written(), b"ab");
        }
    }

    #[tokio::test]
    async fn a_truncated_output_sends_the_start_of_its_file() {
        let (mut wire, peer) = sending();
        let file = file(1000);
        wire.output.extend(b"head");
        wire.output.push_file(section(&file, 0, 1000));
        wire.output.extend(b"tail");
        wire.output.truncate(14);
        assert_eq!(wire.output.len(), 14);
        wire.flush().await.unwrap();
        assert_eq!(peer.written(), [b"head", &content(10)[..]].concat());
    }

    #[derive(Clone, Debug)]
    enum Piece {
        Copied(usize),
        Lent(usize),
        File(usize, usize),
    }

    fn piece() -> impl Strategy<Value = Piece> {
        prop_oneof![
            (0..300_usize).prop_map(Piece::Copied),
            (8 * 1024..20_000_usize).prop_map(Piece::Lent),
            (0..1000_usize, prop_oneof![0..3_usize, 0..5000_usize, 60_000..150_000_usize])
                .prop_map(|(offset, len)| Piece::File(offset, len)),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![3 => (1..100_000_usize).prop_map(Step::Take), 1 => Just(Step::Later)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn bytes_are_in_order_whatever_the_mix_of_pieces(
            pieces in proptest::collection::vec(piece(), 0..12),
            steps in proptest::collection::vec(step(), 0..60),
            flushed in any::<u64>(),
            (can, plain, buffers) in any::<(bool, bool, bool)>(),
        ) {
            let (script, peer) = Script::new();
            if can { peer.sends_files(); }
            if plain { peer.plain(); }
            if buffers { peer.buffers(); }
            peer.writes(steps);
            let (source, content, mut expected) = (file(160_000), content(160_000), Vec::new());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let mut wire = Wire::new(script);
                for (at, piece) in (0_u8..).zip(pieces) {
                    let fill = b'a' + at;
                    match piece {
                        Piece::Copied(len) => {
                            wire.output.extend(&vec![fill; len]);
                            expected.extend(vec![fill; len]);
                        }
                        Piece::Lent(len) => {
                            wire.output.push(vec![fill; len].into());
                            expected.extend(vec![fill; len]);
                        }
                        Piece::File(offset, len) => {
                            wire.output.push_file(section(&source, offset as u64, len as u64));
                            expected.extend(&content[offset..offset + len]);
                        }
                    }
                    // Now and then a flush that may stay incomplete, as that of a pipeline does.
                    if flushed >> at & 1 == 1 {
                        let _ = poll_once(&Bell::new(), wire.flush());
                    }
                }
                wire.flush().await.unwrap();
                assert!(wire.output.is_empty());
            });
            prop_assert!(peer.written() == expected, "{} bytes of {}", peer.written_len(), expected.len());
            prop_assert_eq!(Arc::strong_count(&source), 1);
        }
    }
}

mod changes {
    use super::*;

    #[tokio::test]
    async fn a_file_that_shrank_resets_the_connection() {
        for can in [true, false] {
            let (script, peer) = Script::new();
            let mut wire = Wire::new(script);
            if can {
                peer.sends_files();
            }
            let file = file(100_000);
            wire.output.extend(b"head");
            wire.output.push_file(section(&file, 0, 100_000));
            wire.output.extend(b"the next reply");
            file.set_len(70_000).unwrap();
            let error = wire.flush().await.unwrap_err();
            assert!(is_short(&error), "{error:?}");
            assert!(peer.is_aborted() && wire.output.is_empty());
            assert!(peer.written_len() <= 4 + 70_000, "{} bytes", peer.written_len());
            // What lies behind a broken reply is never sent.
            wire.output.extend(b"more");
            assert!(matches!(wire.flush().await, Err(WireError::Io(_))));
            assert_eq!(Arc::strong_count(&file), 1);
        }
    }

    #[tokio::test]
    async fn a_file_that_shrinks_while_it_is_sent_resets_the_connection() {
        for can in [true, false] {
            let (script, peer) = Script::new();
            let mut wire = Wire::new(script);
            if can {
                peer.sends_files();
            }
            let file = file(100_000);
            wire.output.push_file(section(&file, 0, 100_000));
            peer.room(Some(30_000));
            assert!(poll_once(&Bell::new(), wire.flush()).is_pending());
            file.set_len(20_000).unwrap();
            peer.room(None);
            let error = wire.flush().await.unwrap_err();
            assert!(is_short(&error), "{error:?}");
            assert!(peer.is_aborted());
            // A piece that was read before goes out whole: the bytes are those that the file had.
            assert!(content(100_000).starts_with(&peer.written()), "{} bytes", peer.written_len());
        }
    }

    #[tokio::test]
    async fn a_file_that_grew_is_sent_to_its_announced_length() {
        for can in [true, false] {
            let (script, peer) = Script::new();
            let mut wire = Wire::new(script);
            if can {
                peer.sends_files();
            }
            let file = file(1000);
            wire.output.push_file(section(&file, 0, 1000));
            wire.output.extend(b"tail");
            file.set_len(5000).unwrap();
            wire.flush().await.unwrap();
            assert_eq!(peer.written(), [&content(1000)[..], b"tail"].concat());
        }
    }

    #[tokio::test]
    async fn a_section_beyond_the_largest_offset_is_refused_not_wrapped() {
        let (mut wire, peer) = sending();
        wire.output.push_file(section(&file(10), u64::MAX - 3, 100));
        assert_eq!(wire.output.len(), 3);
        assert!(matches!(wire.flush().await, Err(WireError::File(_))));
        assert_eq!(peer.written_len(), 0);
    }
}

mod turns {
    use super::*;

    #[tokio::test]
    async fn a_poll_sends_256_kib_of_a_file_and_yields() {
        for can in [true, false] {
            let (script, peer) = Script::new();
            let mut wire = Wire::new(script);
            if can {
                peer.sends_files();
            }
            let file = file(1 << 20);
            if !is_told(&file) {
                return;
            }
            wire.output.push_file(section(&file, 0, 1 << 20));
            for round in 1..=4 {
                let bell = Bell::new();
                let polled = poll_once(&bell, wire.flush());
                assert_eq!(peer.written_len(), round * 256 * 1024);
                tokio::task::yield_now().await; // the runtime wakes tasks that yielded when this task has yielded too
                assert_eq!((polled.is_ready(), bell.rings()), if round == 4 { (true, 0) } else { (false, 1) });
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_yields_is_not_late_with_its_reply() {
        let connections = connections(Timeouts { reply_stall: Duration::from_secs(1), ..limits() });
        let (_connection, mut wire, peer) = scripted(&connections);
        peer.sends_files();
        let file = file(1 << 20);
        wire.output.push_file(section(&file, 0, 1 << 20));
        for _ in 0..4 {
            let _ = poll_once(&Bell::new(), wire.flush());
            tokio::time::advance(Duration::from_secs(60)).await;
        }
        wire.flush().await.unwrap();
        assert_eq!(peer.written_len(), 1 << 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_of_a_file_times_out() {
        for can in [true, false] {
            let connections = connections(limits());
            let (_connection, mut wire, peer) = scripted(&connections);
            if can {
                peer.sends_files();
            }
            let file = file(1 << 20);
            wire.output.extend(b"head");
            wire.output.push_file(section(&file, 0, 1 << 20));
            peer.room(Some(100_000));
            let error = ends_after(limits().reply_stall, wire.flush()).await.unwrap_err();
            assert!(matches!(error, WireError::TimedOut(Phase::Reply)), "{error:?}");
            assert!(peer.is_aborted());
            assert_eq!((peer.written_len(), Arc::strong_count(&file)), (100_000, 1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_of_a_file_that_makes_progress_is_served() {
        for can in [true, false] {
            let connections = connections(limits());
            let (_connection, mut wire, peer) = scripted(&connections);
            if can {
                peer.sends_files();
            }
            let file = file(300_000);
            wire.output.push_file(section(&file, 0, 300_000));
            peer.room(Some(1000));
            let reader = peer.clone();
            tokio::spawn(async move {
                for _ in 0..299 {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    reader.room(Some(1000));
                }
            });
            wire.flush().await.unwrap();
            assert_eq!(peer.written(), content(300_000));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_abort_ends_a_file_that_only_yields() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        peer.sends_files();
        let file = file(1 << 20);
        if !is_told(&file) {
            return;
        }
        wire.output.push_file(section(&file, 0, 1 << 20));
        assert!(poll_once(&Bell::new(), wire.flush()).is_pending());
        connections.abort();
        assert!(matches!(wire.flush().await, Err(WireError::Aborted)));
        assert!(peer.is_aborted() && Arc::strong_count(&file) == 1);
    }
}

/// Files that are not in the page cache, or of which the system cannot tell.
#[cfg(target_os = "linux")]
mod cold {
    use super::*;
    use tokio::runtime::Builder;

    /// Throws a file out of the page cache.
    fn drop_cache(file: &File) {
        file.sync_all().unwrap();
        rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    }

    /// Runs a test on a runtime whose only thread for blocking work is busy until the given sender is dropped: a read in
    /// the pool is pending until then.
    fn with_busy_pool<F: Future<Output = ()>>(test: impl FnOnce(mpsc::Sender<()>) -> F) {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).max_blocking_threads(1).build();
        runtime.unwrap().block_on(async {
            let (busy, waits) = mpsc::channel();
            tokio::task::spawn_blocking(move || waits.recv());
            test(busy).await;
        });
    }

    #[test]
    fn eagain_of_a_cold_file_is_read_by_the_blocking_pool() {
        with_busy_pool(async |busy| {
            let file = file(100_000);
            drop_cache(&file);
            let mut cold = FileSection::new(Arc::clone(&file), 0, 100_000);
            if cold.try_read(1000).unwrap().is_some() {
                return; // a file system that keeps its files in memory, and tells
            }
            assert_eq!(cold.left(), 100_000, "nothing was read");
            assert!(poll_once(&Bell::new(), poll_fn(|cx| cold.poll_read(cx, 1000))).is_pending(), "it blocked");
            assert!(cold.try_read(1000).unwrap().is_none(), "it would be read twice");
            drop(busy);
            assert_eq!(poll_fn(|cx| cold.poll_read(cx, 1000)).await.unwrap(), content(1000));
        });
    }

    #[tokio::test]
    async fn a_cold_file_is_sent_whole() {
        for can in [true, false] {
            let file = file(1_000_000);
            drop_cache(&file);
            let (script, peer) = Script::new();
            let mut wire = Wire::new(script);
            if can {
                peer.sends_files();
            }
            wire.output.extend(b"head");
            wire.output.push_file(section(&file, 0, 1_000_000));
            wire.flush().await.unwrap();
            assert!(peer.written() == [b"head", &content(1_000_000)[..]].concat(), "{}", peer.written_len());
        }
    }

    /// tmpfs answers each read that must not block with EOPNOTSUPP.
    #[tokio::test]
    async fn eopnotsupp_of_tmpfs_is_read_by_the_blocking_pool() {
        let memory = Path::new("/dev/shm");
        if !memory.is_dir() {
            return;
        }
        for can in [true, false] {
            let file = file_in(memory, 300_000);
            let (script, peer) = Script::new();
            let mut wire = Wire::new(script);
            if can {
                peer.sends_files();
            }
            wire.output.push_file(section(&file, 5, 299_995));
            wire.flush().await.unwrap();
            assert!(peer.written() == content(300_000)[5..], "{}", peer.written_len());
            file.set_len(10).unwrap();
            wire.output.push_file(section(&file, 0, 11));
            assert!(is_short(&wire.flush().await.unwrap_err()));
        }
    }

    #[test]
    fn an_abort_ends_a_wait_for_the_blocking_pool() {
        let memory = Path::new("/dev/shm");
        if !memory.is_dir() {
            return;
        }
        with_busy_pool(async |busy| {
            let file = file_in(memory, 100);
            let connections = connections(limits());
            let (_connection, mut wire, peer) = scripted(&connections);
            wire.output.push_file(section(&file, 0, 100));
            assert!(poll_once(&Bell::new(), wire.flush()).is_pending());
            connections.abort();
            assert!(matches!(wire.flush().await, Err(WireError::Aborted)));
            assert_eq!(peer.written_len(), 0);
            drop(busy);
        });
    }

    #[test]
    fn a_wait_for_the_blocking_pool_has_no_timeout_of_the_client() {
        let memory = Path::new("/dev/shm");
        if !memory.is_dir() {
            return;
        }
        with_busy_pool(async |busy| {
            let file = file_in(memory, 100);
            let connections = connections(limits());
            let (_connection, mut wire, peer) = scripted(&connections);
            wire.output.push_file(section(&file, 0, 100));
            for _ in 0..10 {
                assert!(poll_once(&Bell::new(), wire.flush()).is_pending());
                tokio::time::advance(limits().reply_stall).await;
            }
            drop(busy);
            wire.flush().await.unwrap();
            assert_eq!(peer.written(), content(100));
        });
    }
}

mod sections {
    use super::*;

    #[test]
    fn a_section_reads_without_a_runtime() {
        let file = file(1000);
        let mut section = FileSection::new(Arc::clone(&file), 990, 10);
        let Poll::Ready(read) = poll_once(&Bell::new(), poll_fn(|cx| section.poll_read(cx, 100))) else {
            panic!("there is nothing to wait for")
        };
        assert_eq!(read.unwrap(), content(1000)[990..]);
        let Poll::Ready(read) = poll_once(&Bell::new(), poll_fn(|cx| section.poll_read(cx, 100))) else {
            panic!("there is nothing to wait for")
        };
        assert_eq!(read.unwrap(), Bytes::new(), "the end of the section");
    }

    #[tokio::test]
    async fn try_read_all_takes_all_or_nothing() {
        let file = file(1000);
        let mut longer = FileSection::new(Arc::clone(&file), 0, 1001);
        assert_eq!((longer.try_read_all(), longer.left()), (None, 1001));
        let mut whole = FileSection::new(Arc::clone(&file), 0, 1000);
        if let Some(bytes) = whole.try_read_all() {
            assert_eq!((bytes, whole.left()), (content(1000).into(), 0));
        }
    }

    #[cfg(unix)] // elsewhere a folder cannot be opened
    #[tokio::test]
    async fn a_read_of_what_is_no_regular_file_fails() {
        let folder = Arc::new(File::open(std::env::temp_dir()).unwrap());
        let mut section = FileSection::new(folder, 0, 10);
        assert!(poll_fn(|cx| section.poll_read(cx, 10)).await.is_err());
    }
}
