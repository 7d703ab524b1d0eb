//! A value shared with borrowers, which its owner can take back at any time.
//!
//! The borrower polls it when it likes, from any task. The owner may use it too, and takes it back when the time has
//! come, whether or not the borrower is done: the borrower then finds nothing, and if it was waiting it is woken to
//! find that out. The lock is never held across a wait.
//!
//! The owner may ask whether somebody still borrows the value, and what it decides by the answer must not become old:
//! borrowers are counted under the same lock ([`Borrowed`]), and the last one to go wakes the owner.
//!
//! Most things remember one task to wake, and here there may be two: whoever polls the value while the other waits does
//! so in both names ([`RevocableGuard::wake_both`]).

#[cfg(quintet_loom)]
use loom::sync::{Mutex, MutexGuard};
#[cfg(not(quintet_loom))]
use std::sync::{Mutex, MutexGuard};
use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

/// A value shared with borrowers, which its owner can take back.
#[derive(Debug)]
pub(crate) struct Revocable<T>(Mutex<Slot<T>>);

#[derive(Debug)]
struct Slot<T> {
    value: Option<T>,
    /// How many [`Borrowed`] there are.
    borrowers: usize,
    borrower: Option<Waker>,
    owner: Option<Waker>,
}

impl<T> Revocable<T> {
    pub(crate) fn new(value: T) -> Self {
        Revocable(Mutex::new(Slot { value: Some(value), borrowers: 0, borrower: None, owner: None }))
    }

    /// For the borrower: `poll` is given the value. `None` if it was taken back. If it is pending the borrower's task
    /// is remembered and woken by [`wake`](RevocableGuard::wake) and [`take`](Self::take).
    ///
    /// An owner in another task is woken together with the borrower, and told when the borrower no longer waits.
    pub(crate) fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut T, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<Option<R>> {
        let mut slot = self.lock();
        let stale = slot.borrower.take(); // dropped after the lock, as in `take`
        let owner = slot.owner.clone().filter(|owner| !owner.will_wake(cx.waker()));
        let Some(value) = &mut slot.value else {
            drop(slot);
            return Poll::Ready(None);
        };
        let polled = match &owner {
            None => poll(value, cx),
            Some(owner) => poll(value, &mut Context::from_waker(&wake_both(owner, cx.waker()))),
        };
        match polled {
            Poll::Ready(done) => {
                drop(slot);
                if let Some(owner) = owner {
                    owner.wake();
                }
                Poll::Ready(Some(done))
            }
            Poll::Pending => {
                slot.borrower = Some(cx.waker().clone());
                drop(slot);
                drop(stale);
                Poll::Pending
            }
        }
    }

    /// For either: the value, unless it was taken back.
    pub(crate) fn get(&self) -> Option<RevocableGuard<'_, T>> {
        let slot = self.lock();
        slot.value.is_some().then_some(RevocableGuard(slot))
    }

    /// For the owner: takes the value back. A borrower that waits is woken and finds nothing.
    pub(crate) fn take(&self) -> Option<T> {
        let mut slot = self.lock();
        let borrower = slot.borrower.take();
        let owner = slot.owner.take();
        let value = slot.value.take();
        drop(slot);
        drop(owner); // not under the lock: nobody knows what the last reference to a task takes with it
        if let Some(borrower) = borrower {
            borrower.wake();
        }
        value
    }

    /// One borrower more.
    pub(crate) fn add_borrower(&self) {
        self.lock().borrowers += 1;
    }

    /// One borrower less. If it was the last, `last` is given the value, unless it was taken back, and the owner is
    /// woken: whatever it does while somebody borrows the value, it may have to do otherwise from now on.
    pub(crate) fn remove_borrower(&self, last: impl FnOnce(&mut T)) {
        let mut slot = self.lock();
        slot.borrowers -= 1;
        if slot.borrowers > 0 {
            return;
        }
        let borrower = slot.borrower.take();
        let owner = slot.owner.clone();
        if let Some(value) = &mut slot.value {
            last(value);
        }
        drop(slot);
        drop(borrower);
        if let Some(owner) = owner {
            owner.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What can be [`Borrowed`].
pub(crate) trait Borrowable {
    /// See [`Revocable::add_borrower`].
    fn add_borrower(&self);
    /// See [`Revocable::remove_borrower`].
    fn remove_borrower(&self);
}

/// A borrower's end of a [`Revocable`]; dropping the last one wakes the owner.
#[derive(Debug)]
pub(crate) struct Borrowed<L: Borrowable + ?Sized>(Arc<L>);

impl<L: Borrowable + ?Sized> Borrowed<L> {
    pub(crate) fn new(revocable: Arc<L>) -> Self {
        revocable.add_borrower();
        Borrowed(revocable)
    }
}

impl<L: Borrowable + ?Sized> Drop for Borrowed<L> {
    fn drop(&mut self) {
        self.0.remove_borrower();
    }
}

impl<L: Borrowable + ?Sized> Deref for Borrowed<L> {
    type Target = L;
    fn deref(&self) -> &L {
        &self.0
    }
}

/// The value, for as long as nobody waits: this cannot be held across an await of a future that is sent.
#[derive(Debug)]
pub(crate) struct RevocableGuard<'a, T>(MutexGuard<'a, Slot<T>>);

impl<T> RevocableGuard<'_, T> {
    /// For the owner: remembers its task. While a borrower waits, what wakes both; `None` if nobody waits.
    pub(crate) fn wake_both(&mut self, cx: &Context<'_>) -> Option<Waker> {
        if !self.0.owner.as_ref().is_some_and(|owner| owner.will_wake(cx.waker())) {
            self.0.owner = Some(cx.waker().clone());
        }
        let borrower = self.0.borrower.as_ref()?;
        Some(if borrower.will_wake(cx.waker()) { borrower.clone() } else { wake_both(cx.waker(), borrower) })
    }

    /// For the owner: whether somebody borrows the value. Who decides by this must also be woken when it changes, and
    /// registers with [`wake_both`](Self::wake_both) before the guard is dropped.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.0.borrowers > 0
    }

    /// For the borrower: it no longer waits. The owner is woken, to watch by itself again.
    pub(crate) fn forget(&mut self) {
        self.0.borrower = None;
        if let Some(owner) = &self.0.owner {
            owner.wake_by_ref();
        }
    }

    /// Wakes the borrower, if it waits.
    pub(crate) fn wake(&mut self) {
        if let Some(borrower) = self.0.borrower.take() {
            borrower.wake();
        }
    }
}

/// Wakes two tasks.
struct WakeBoth(Waker, Waker);

fn wake_both(one: &Waker, other: &Waker) -> Waker {
    Waker::from(Arc::new(WakeBoth(one.clone(), other.clone())))
}

impl Wake for WakeBoth {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_by_ref();
        self.1.wake_by_ref();
    }
}

impl<T> Deref for RevocableGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.0.value.as_ref().expect("a guard is only made of a value that is there")
    }
}

impl<T> DerefMut for RevocableGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.value.as_mut().expect("a guard is only made of a value that is there")
    }
}

#[cfg(all(test, not(quintet_loom)))]
mod tests {
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
    fn a_borrower_that_waits_is_woken_to_find_nothing() {
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
    fn two_tasks_are_woken_together() {
        let ((owners, owner), (borrowers, borrower)) = (counted(), counted());
        let counts = || (owners.0.load(Ordering::SeqCst), borrowers.0.load(Ordering::SeqCst));
        let revocable = Revocable::new(None::<Waker>);
        let remember = |value: &mut Option<Waker>, cx: &mut Context<'_>| {
            *value = Some(cx.waker().clone());
            Poll::<()>::Pending
        };
        // The borrower came first: the owner, who comes next, polls in both names.
        assert!(revocable.poll(&mut Context::from_waker(&borrower), remember).is_pending());
        let waker = revocable.get().unwrap().wake_both(&Context::from_waker(&owner)).expect("somebody waits");
        waker.wake();
        assert_eq!(counts(), (1, 1));
        // From now on the borrower does, too.
        assert!(revocable.poll(&mut Context::from_waker(&borrower), remember).is_pending());
        revocable.get().unwrap().take().expect("remembered").wake();
        assert_eq!(counts(), (2, 2));
        // And when it has what it waited for, the owner is told that nobody waits any more.
        assert!(revocable.poll(&mut Context::from_waker(&borrower), |_, _| Poll::Ready(())).is_ready());
        assert_eq!(counts(), (3, 2));
        assert!(revocable.get().unwrap().wake_both(&Context::from_waker(&owner)).is_none());
    }

    impl Borrowable for Revocable<u32> {
        fn add_borrower(&self) {
            Revocable::add_borrower(self);
        }
        fn remove_borrower(&self) {
            Revocable::remove_borrower(self, |value| *value += 1);
        }
    }

    #[test]
    fn the_drop_of_the_last_borrower_wakes_the_owner() {
        let ((owners, owner), (borrowers, borrower)) = (counted(), counted());
        let revocable = Arc::new(Revocable::new(0));
        let bodies = [Borrowed::new(Arc::clone(&revocable)), Borrowed::new(Arc::clone(&revocable))];
        assert!(revocable.get().unwrap().is_borrowed());
        assert!(revocable.get().unwrap().wake_both(&Context::from_waker(&owner)).is_none());
        // One waits and does not say that it has given up.
        assert!(bodies[0].poll(&mut Context::from_waker(&borrower), |_, _| Poll::<()>::Pending).is_pending());
        let [first, last] = bodies;
        drop(first);
        assert_eq!(owners.0.load(Ordering::SeqCst), 0, "somebody still has it");
        assert_eq!(*revocable.get().unwrap(), 0);
        drop(last);
        assert_eq!(owners.0.load(Ordering::SeqCst), 1);
        assert_eq!(*revocable.get().unwrap(), 1, "the last one to go left it in order");
        assert!(!revocable.get().unwrap().is_borrowed());
        assert!(revocable.get().unwrap().wake_both(&Context::from_waker(&owner)).is_none(), "nobody waits any more");
        assert_eq!(borrowers.0.load(Ordering::SeqCst), 0);
        assert_eq!(Arc::strong_count(&borrowers), 2, "no waker of a borrower is kept: ours and the test's");
    }

    #[test]
    fn a_borrower_that_goes_after_the_owner_wakes_nobody() {
        let (owners, owner) = counted();
        let revocable = Arc::new(Revocable::new(0));
        let body = Borrowed::new(Arc::clone(&revocable));
        assert!(revocable.get().unwrap().wake_both(&Context::from_waker(&owner)).is_none());
        assert_eq!(revocable.take(), Some(0));
        drop(body);
        assert_eq!(owners.0.load(Ordering::SeqCst), 0);
        assert_eq!(Arc::strong_count(&owners), 2, "the owner's task is not kept once the value was taken back");
    }

    /// A count of references wakes nobody when it changes, and no model checker sees it.
    #[test]
    fn nothing_is_decided_by_a_count_of_references() {
        fn sources(dir: &std::path::Path, seen: &mut usize) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    sources(&path, seen);
                } else if path.extension().is_some_and(|ext| ext == "rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let code = text.split("#[cfg(all(test").next().unwrap().split("#[cfg(test)]").next().unwrap();
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
}

/// Run with `RUSTFLAGS="--cfg quintet_loom" cargo test -p quintet-request --lib loom`.
#[cfg(all(test, quintet_loom))]
mod loom_tests {
    use super::*;
    use loom::{future::block_on, sync::Arc, thread};
    use std::future::poll_fn;

    /// The borrower reads until the value is taken; whatever the order, it ends, and nobody else ever has the value.
    #[test]
    fn lend_poll_take_back_and_drop_in_any_order() {
        loom::model(|| {
            let revocable = Arc::new(Revocable::new(0_u32));
            let borrowed = Arc::clone(&revocable);
            let borrower = thread::spawn(move || {
                let mut polls = 0;
                block_on(poll_fn(|cx| {
                    borrowed.poll(cx, |value, _| {
                        *value += 1;
                        polls += 1;
                        Poll::<()>::Pending
                    })
                }));
                polls
            });
            if let Some(mut guard) = revocable.get() {
                *guard += 10;
                guard.wake();
            }
            let value = revocable.take().expect("only the owner takes");
            drop(revocable);
            assert_eq!(borrower.join().unwrap() + 10, value);
        });
    }

    #[test]
    fn a_borrower_that_gives_up_leaves_nothing_behind() {
        loom::model(|| {
            let revocable = Arc::new(Revocable::new(()));
            let borrowed = Arc::clone(&revocable);
            let borrower = thread::spawn(move || {
                let waker = futures_noop();
                let mut cx = Context::from_waker(&waker);
                let _ = borrowed.poll(&mut cx, |_, _| Poll::<()>::Pending);
                drop(borrowed);
            });
            assert!(revocable.take().is_some());
            borrower.join().unwrap();
            assert!(revocable.take().is_none());
        });
    }

    impl Borrowable for Revocable<u32> {
        fn add_borrower(&self) {
            Revocable::add_borrower(self);
        }
        fn remove_borrower(&self) {
            Revocable::remove_borrower(self, |value| *value += 1);
        }
    }

    /// What the owner does while it sends a reply: it waits until nobody borrows the value any more.
    fn wait_until_given_back(revocable: &Revocable<u32>) -> u32 {
        block_on(poll_fn(|cx| {
            let mut guard = revocable.get().expect("only the owner takes");
            let _ = guard.wake_both(cx);
            if guard.is_borrowed() { Poll::Pending } else { Poll::Ready(*guard) }
        }))
    }

    /// Loom finds a deadlock if the owner is not woken in some order.
    #[test]
    fn the_last_borrower_to_go_wakes_an_owner_that_waits_in_any_order() {
        loom::model(|| {
            let revocable = std::sync::Arc::new(Revocable::new(0));
            let bodies = [(); 2].map(|()| Borrowed::new(std::sync::Arc::clone(&revocable)));
            let others = bodies.map(|body| thread::spawn(move || drop(body)));
            assert_eq!(wait_until_given_back(&revocable), 1, "given back once");
            others.into_iter().for_each(|other| other.join().unwrap());
            assert_eq!(revocable.take(), Some(1));
        });
    }

    #[test]
    fn a_borrower_that_polled_and_goes_wakes_an_owner_that_waits_in_any_order() {
        loom::model(|| {
            let revocable = std::sync::Arc::new(Revocable::new(0));
            let body = Borrowed::new(std::sync::Arc::clone(&revocable));
            let other = thread::spawn(move || {
                let waker = futures_noop();
                // It does not say that it has given up: it is dropped while it waits.
                let _ = body.poll(&mut Context::from_waker(&waker), |_, _| Poll::<()>::Pending);
            });
            assert_eq!(wait_until_given_back(&revocable), 1);
            other.join().unwrap();
        });
    }

    #[test]
    fn a_borrower_that_goes_while_the_thing_is_taken_back_leaves_nothing_behind() {
        loom::model(|| {
            let revocable = std::sync::Arc::new(Revocable::new(0));
            let body = Borrowed::new(std::sync::Arc::clone(&revocable));
            let other = thread::spawn(move || drop(body));
            let value = revocable.take().expect("only the owner takes");
            assert!(value <= 1);
            other.join().unwrap();
            assert!(!revocable.lock().owner.is_some() && revocable.lock().borrowers == 0);
        });
    }

    fn futures_noop() -> Waker {
        Waker::noop().clone()
    }
}
