//! Files that stay open for a while after they were asked for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{runtime::Handle, time::Instant};

use super::{file_path::FilePath, file_system::OpenFile};

/// The most files that stay open.
const MAX_FILES: usize = 1_000;

/// Open files by their paths. Each is closed when its time is over, also if it is not asked for again.
#[derive(Debug)]
pub(super) struct DescriptorCache {
    keep: Duration,
    files: Arc<Mutex<Files>>,
}

#[derive(Debug, Default)]
struct Files {
    by_path: HashMap<FilePath, (OpenFile, Instant)>,
    /// Whether a task waits to close them.
    is_swept: bool,
}

fn lock(files: &Mutex<Files>) -> MutexGuard<'_, Files> {
    files.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DescriptorCache {
    pub(super) fn new(keep: Duration) -> Self {
        Self { keep, files: Arc::default() }
    }

    /// The open file of this path.
    pub(super) fn find(&self, path: &FilePath) -> Option<OpenFile> {
        let files = lock(&self.files);
        let (file, until) = files.by_path.get(path)?;
        (Instant::now() < *until).then(|| file.clone())
    }

    /// Keeps a file. It is not kept if there are too many, or if no task can be begun that closes it in time.
    pub(super) fn keep(&self, path: &FilePath, file: &OpenFile) {
        let Ok(runtime) = Handle::try_current() else { return };
        let mut files = lock(&self.files);
        let now = Instant::now();
        if files.by_path.len() >= MAX_FILES {
            files.by_path.retain(|_, (_, until)| now < *until);
        }
        if files.by_path.len() >= MAX_FILES {
            return;
        }
        files.by_path.insert(path.clone(), (file.clone(), now + self.keep));
        if !files.is_swept {
            files.is_swept = true;
            drop(runtime.spawn(sweep(Sweep(Arc::clone(&self.files)), self.keep)));
        }
    }
}

/// Closes the files whose time is over, until none is left.
async fn sweep(sweep: Sweep, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let mut files = lock(&sweep.0);
        let now = Instant::now();
        files.by_path.retain(|_, (_, until)| now < *until);
        if files.by_path.is_empty() {
            return;
        }
    }
}

/// The sweeping task's part in the files. When the task ends, also by the end of its runtime, the files are closed: no task
/// would close them later.
struct Sweep(Arc<Mutex<Files>>);

impl Drop for Sweep {
    fn drop(&mut self) {
        let mut files = lock(&self.0);
        files.by_path.clear();
        files.is_swept = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> FilePath {
        FilePath::new(name).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_cached_descriptor_is_closed_when_its_time_is_over() {
        let cache = DescriptorCache::new(Duration::from_secs(1));
        let file = OpenFile::new("a");
        assert!(cache.find(&path("a")).is_none());
        cache.keep(&path("a"), &file);
        tokio::time::sleep(Duration::from_millis(500)).await;
        cache.keep(&path("b"), &file);
        assert!(cache.find(&path("a")).is_some());
        assert!(cache.find(&path("c")).is_none());
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(cache.find(&path("a")).is_none());
        assert!(cache.find(&path("b")).is_some());
        tokio::time::sleep(Duration::from_millis(1_501)).await;
        let files = lock(&cache.files);
        assert!(files.by_path.is_empty(), "closed without being asked for");
        assert!(!files.is_swept);
    }

    #[tokio::test(start_paused = true)]
    async fn the_descriptor_cache_is_bounded() {
        let cache = DescriptorCache::new(Duration::from_secs(1));
        for n in 0..2 * MAX_FILES {
            cache.keep(&path(&format!("f{n}")), &OpenFile::new("a"));
        }
        assert_eq!(lock(&cache.files).by_path.len(), MAX_FILES);
        tokio::time::advance(Duration::from_secs(1)).await;
        cache.keep(&path("late"), &OpenFile::new("a"));
        assert!(cache.find(&path("late")).is_some(), "files whose time is over make room");
    }

    #[test]
    fn cached_descriptors_are_closed_with_the_runtime() {
        let cache = DescriptorCache::new(Duration::from_secs(1000));
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime().block_on(async { cache.keep(&path("a"), &OpenFile::new("a")) });
        assert!(lock(&cache.files).by_path.is_empty());
        runtime().block_on(async {
            cache.keep(&path("a"), &OpenFile::new("a"));
            assert!(cache.find(&path("a")).is_some());
        });
    }
}
