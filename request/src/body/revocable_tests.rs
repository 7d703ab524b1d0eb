//! Tests of which task is woken when a value is shared with borrowers.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Default)]
struct Count(AtomicUsize);
impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn take_wakes_a_waiting_borrower_which_finds_none() {
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let revocable = Revocable::new(1);
    assert!(revocable.poll(&mut cx, |_, _| Poll::<()>::Pending).is_pending());
    assert_eq!(revocable.take(), Some(1));
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert_eq!(revocable.poll(&mut cx, |value, _| Poll::Ready(*value)), Poll::Ready(None));
    assert!(revocable.get().is_none() && revocable.take().is_none());
}

fn counted() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (Arc::clone(&count), Waker::from(count))
}

#[test]
fn owner_and_borrower_are_woken_together() {
    let ((owners, owner), (borrowers, borrower)) = (counted(), counted());
    let counts = || (owners.0.load(Ordering::SeqCst), borrowers.0.load(Ordering::SeqCst));
    let revocable = Revocable::new(None::<Waker>);
    let remember = |value: &mut Option<Waker>, cx: &mut Context<'_>| {
        *value = Some(cx.waker().clone());
        Poll::<()>::Pending
    };
    // The borrower polls first. The owner, which polls next, passes a waker of both.
    assert!(revocable.poll(&mut Context::from_waker(&borrower), remember).is_pending());
    let waker = revocable.get().unwrap().wake_both(&Context::from_waker(&owner)).expect("a borrower waits");
    waker.wake();
    assert_eq!(counts(), (1, 1));
    // From now on the borrower passes a waker of both, too.
    assert!(revocable.poll(&mut Context::from_waker(&borrower), remember).is_pending());
    revocable.get().unwrap().take().expect("remembered").wake();
    assert_eq!(counts(), (2, 2));
    // When the borrower's poll is ready, the owner is woken, as no borrower waits any more.
    assert!(revocable.poll(&mut Context::from_waker(&borrower), |_, _| Poll::Ready(())).is_ready());
    assert_eq!(counts(), (3, 2));
    assert!(revocable.get().unwrap().wake_both(&Context::from_waker(&owner)).is_none());
}

impl Borrowable for Revocable<u32> {
    fn add_borrower(&self) {
        Self::add_borrower(self);
    }
    fn remove_borrower(&self) {
        Self::remove_borrower(self, |value| *value += 1);
    }
}

#[test]
fn the_drop_of_the_last_borrower_wakes_the_owner() {
    let ((owners, owner), (borrowers, borrower)) = (counted(), counted());
    let revocable = Arc::new(Revocable::new(0));
    let bodies = [Borrowed::new(Arc::clone(&revocable)), Borrowed::new(Arc::clone(&revocable))];
    assert!(revocable.get().unwrap().is_borrowed());
    assert!(revocable.get().unwrap().wake_both(&Context::from_waker(&owner)).is_none());
    // One borrower waits and does not call `forget`.
    assert!(bodies[0].poll(&mut Context::from_waker(&borrower), |_, _| Poll::<()>::Pending).is_pending());
    let [first, last] = bodies;
    drop(first);
    assert_eq!(owners.0.load(Ordering::SeqCst), 0, "a borrower still has it");
    assert_eq!(*revocable.get().unwrap(), 0);
    drop(last);
    assert_eq!(owners.0.load(Ordering::SeqCst), 1);
    assert_eq!(*revocable.get().unwrap(), 1, "the last one to go left it in order");
    assert!(!revocable.get().unwrap().is_borrowed());
    assert!(revocable.get().unwrap().wake_both(&Context::from_waker(&owner)).is_none(), "no borrower waits any more");
    assert_eq!(borrowers.0.load(Ordering::SeqCst), 0);
    assert_eq!(Arc::strong_count(&borrowers), 2, "no waker of a borrower is kept: ours and the test's");
}

#[test]
fn drop_of_a_borrower_after_take_wakes_no_task() {
    let (owners, owner) = counted();
    let revocable = Arc::new(Revocable::new(0));
    let body = Borrowed::new(Arc::clone(&revocable));
    assert!(revocable.get().unwrap().wake_both(&Context::from_waker(&owner)).is_none());
    assert_eq!(revocable.take(), Some(0));
    drop(body);
    assert_eq!(owners.0.load(Ordering::SeqCst), 0);
    assert_eq!(Arc::strong_count(&owners), 2, "the owner's task is not kept once the value was taken back");
}

/// A reference count wakes no task when it changes, and loom does not see it.
#[test]
fn no_code_decides_by_a_reference_count() {
    fn sources(dir: &std::path::Path, seen: &mut usize) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, seen);
            } else if path.to_str().is_some_and(|path| path.ends_with(".rs") && !path.ends_with("_tests.rs")) {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                for count in ["strong_count", "weak_count", "try_unwrap", "Arc::get_mut", "Arc::into_inner"] {
                    assert!(!code.contains(count), "{} asks for {count}", path.display());
                }
                *seen += 1;
            }
        }
    }
    let (root, mut seen) = (std::path::Path::new(env!("CARGO_MANIFEST_DIR")), 0);
    sources(&root.join("src"), &mut seen);
    assert!(seen > 20, "{seen} sources");
}

#[test]
fn one_task_in_both_roles_is_woken_once() {
    let (count, waker) = counted();
    let mut cx = Context::from_waker(&waker);
    let revocable = Revocable::new(());
    assert!(revocable.get().unwrap().wake_both(&cx).is_none());
    assert!(revocable.poll(&mut cx, |_, _| Poll::<()>::Pending).is_pending());
    revocable.get().unwrap().wake_both(&cx).expect("it waits").wake();
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert!(revocable.poll(&mut cx, |_, _| Poll::Ready(())).is_ready());
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
}
