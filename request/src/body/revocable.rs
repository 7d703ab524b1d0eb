//! A value that its owner shares with borrowers and can take back at any time.
//!
//! A borrower polls the value from any task. The owner may use it too, and takes it back without asking the borrower. A
//! borrower then finds `None`, and one that waits is woken to find it. The lock is never held across a wait.
//!
//! The owner may ask whether the value is still borrowed, and must learn when the answer changes. So borrowers are
//! counted under the same lock ([`Borrowed`]), and the drop of the last one wakes the owner.
//!
//! Most values, a socket for one, hold the waker of one task, and here two tasks may wait. So a task that polls the
//! value while the other waits passes a waker of both ([`RevocableGuard::wake_both`]).

#[cfg(quintet_loom)]
use loom::sync::{Mutex, MutexGuard};
#[cfg(not(quintet_loom))]
use std::sync::{Mutex, MutexGuard};
use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

/// A value shared with borrowers that its owner can take back. It is used through an [`Arc`].
#[derive(Debug)]
pub(crate) struct Revocable<T>(Mutex<Slot<T>>);

#[derive(Debug)]
struct Slot<T> {
    value: Option<T>,
    /// The number of [`Borrowed`].
    borrowers: usize,
    borrower: Option<Waker>,
    owner: Option<Waker>,
}

impl<T> Revocable<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(Slot { value: Some(value), borrowers: 0, borrower: None, owner: None }))
    }

    /// For the borrower: calls `poll` with the value. `None` if the value was taken back. If `poll` is pending, the
    /// borrower's waker is stored; [`wake`](RevocableGuard::wake) and [`take`](Self::take) call it.
    ///
    /// An owner in another task is woken together with the borrower, and also when the borrower no longer waits.
    pub(crate) fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut T, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<Option<R>> {
        let mut slot = self.lock();
        let stale = slot.borrower.take(); // dropped after the lock, as in `take`
        // The value holds one waker, the last it was polled with. The borrower's waker alone would replace that of an
        // owner that watches for the client's end; the owner's alone would leave the borrower asleep. So a task that
        // polls while the other waits passes a waker of both. If both are one task, one waker is enough.
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
                // While the borrower polled, the owner was woken by the borrower's waker. Those polls end here, so the
                // owner is woken to register its own.
                if let Some(owner) = owner {
                    owner.wake();
                }
                Poll::Ready(Some(done))
            }
            Poll::Pending => {
                // The waker is stored under the same lock under which the value was found. An owner that takes the
                // value back later finds this waker; one that took it before was seen above. Stored after the lock was
                // released, it could miss the wake-up.
                slot.borrower = Some(cx.waker().clone());
                drop(slot);
                drop(stale);
                Poll::Pending
            }
        }
    }

    /// For both: the value, unless it was taken back.
    pub(crate) fn get(&self) -> Option<RevocableGuard<'_, T>> {
        let slot = self.lock();
        slot.value.is_some().then_some(RevocableGuard(slot))
    }

    /// For the owner: takes the value back. A borrower that waits is woken and finds `None`.
    pub(crate) fn take(&self) -> Option<T> {
        let mut slot = self.lock();
        let borrower = slot.borrower.take();
        let owner = slot.owner.take();
        let value = slot.value.take();
        drop(slot);
        // Dropped after the lock is released: dropping the last waker of a task drops its future, which may hold a body
        // that locks this mutex.
        drop(owner);
        // Woken after the value is gone and the lock is released, so a borrower that runs at once finds `None` and does
        // not block.
        if let Some(borrower) = borrower {
            borrower.wake();
        }
        value
    }

    /// Counts one more borrower.
    pub(crate) fn add_borrower(&self) {
        self.lock().borrowers += 1;
    }

    /// Counts one borrower less. For the last one, `last` is called with the value, unless it was taken back, and the
    /// owner is woken: its next step depends on whether the value is borrowed.
    pub(crate) fn remove_borrower(&self, last: impl FnOnce(&mut T)) {
        let mut slot = self.lock();
        slot.borrowers -= 1;
        if slot.borrowers > 0 {
            return;
        }
        // A borrower that is dropped while it waits does not remove its waker, so it is removed here; else it would
        // keep the task's memory.
        let borrower = slot.borrower.take();
        // Cloned: the owner stays registered until it takes the value back.
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

/// A value that can be [`Borrowed`].
pub(crate) trait Borrowable {
    /// See [`Revocable::add_borrower`].
    fn add_borrower(&self);
    /// See [`Revocable::remove_borrower`].
    fn remove_borrower(&self);
}

/// A borrower's reference to a [`Revocable`]. Dropping the last one wakes the owner.
#[derive(Debug)]
pub(crate) struct Borrowed<L: Borrowable + ?Sized>(Arc<L>);

impl<L: Borrowable + ?Sized> Borrowed<L> {
    pub(crate) fn new(revocable: Arc<L>) -> Self {
        revocable.add_borrower();
        Self(revocable)
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

/// Access to the value, with its lock held. It is not `Send`, so a future that is `Send` cannot hold it across an
/// await.
#[derive(Debug)]
pub(crate) struct RevocableGuard<'a, T>(MutexGuard<'a, Slot<T>>);

impl<T> RevocableGuard<'_, T> {
    /// For the owner: registers its waker. While a borrower waits, returns a waker of both tasks; else `None`.
    pub(crate) fn wake_both(&mut self, cx: &Context<'_>) -> Option<Waker> {
        if !self.0.owner.as_ref().is_some_and(|owner| owner.will_wake(cx.waker())) {
            self.0.owner = Some(cx.waker().clone());
        }
        let borrower = self.0.borrower.as_ref()?;
        Some(if borrower.will_wake(cx.waker()) { borrower.clone() } else { wake_both(cx.waker(), borrower) })
    }

    /// For the owner: whether the value is borrowed. An owner that acts on the answer must call
    /// [`wake_both`](Self::wake_both) before it drops the guard, so that it is woken when the answer changes.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.0.borrowers > 0
    }

    /// For the borrower: it no longer waits. The owner is woken, so that it registers its own waker again.
    pub(crate) fn forget(&mut self) {
        self.0.borrower = None;
        if let Some(owner) = &self.0.owner {
            owner.wake_by_ref();
        }
    }

    /// Wakes the borrower if it waits.
    pub(crate) fn wake(&mut self) {
        if let Some(borrower) = self.0.borrower.take() {
            borrower.wake();
        }
    }
}

/// A waker of two tasks.
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
#[path = "revocable_tests.rs"]
mod tests;

/// Run with `RUSTFLAGS="--cfg quintet_loom" cargo test -p quintet-request --lib loom`.
#[cfg(all(test, quintet_loom))]
#[path = "revocable_loom_tests.rs"]
mod loom_tests;
