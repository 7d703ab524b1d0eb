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
        // The value remembers one waker, the last it was polled with. Polled in the borrower's name alone it would
        // forget an owner that watches for the client's end, and the other way round the borrower would sleep on: so
        // whichever polls while the other waits leaves a waker of both. One that wakes this very task needs no second.
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
                // The owner left its wake-ups to the borrower's polls, which end here: it must poll for itself again.
                if let Some(owner) = owner {
                    owner.wake();
                }
                Poll::Ready(Some(done))
            }
            Poll::Pending => {
                // Under the lock in which the value was found there: an owner that takes it back from now on finds this
                // waker, one that took it before was seen above. Stored after the lock, it could miss its wake-up.
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
        // Not under the lock: the last reference to a task drops its future, which may have a body that locks this.
        drop(owner);
        // After the value is gone and the lock is free: a borrower that runs at once finds nothing, and does not wait.
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
        // A borrower that is dropped while it waits says nothing; its waker would be kept, and woken for nobody.
        let borrower = slot.borrower.take();
        // Cloned: the owner stays the one to be woken, until it takes the value back.
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
#[path = "revocable_tests.rs"]
mod tests;

/// Run with `RUSTFLAGS="--cfg quintet_loom" cargo test -p quintet-request --lib loom`.
#[cfg(all(test, quintet_loom))]
#[path = "revocable_loom_tests.rs"]
mod loom_tests;
