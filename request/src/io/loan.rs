//! A thing lent to somebody else, which its owner can take back at any time.
//!
//! The borrower polls it when it likes, from any task. The owner may use it too, and takes it back when the time has
//! come, whether or not the borrower is done: the borrower then finds nothing, and if it was waiting it is woken to
//! find that out. The lock is never held across a wait.

#[cfg(quintet_loom)]
use loom::sync::{Mutex, MutexGuard};
#[cfg(not(quintet_loom))]
use std::sync::{Mutex, MutexGuard};
use std::{
    ops::{Deref, DerefMut},
    sync::PoisonError,
    task::{Context, Poll, Waker},
};

/// A thing lent to somebody else, which its owner can take back.
#[derive(Debug)]
pub(super) struct Loan<T>(Mutex<Slot<T>>);

#[derive(Debug)]
struct Slot<T> {
    thing: Option<T>,
    borrower: Option<Waker>,
}

impl<T> Loan<T> {
    pub(super) fn new(thing: T) -> Self {
        Loan(Mutex::new(Slot { thing: Some(thing), borrower: None }))
    }

    /// For the borrower: `poll` is given the thing. `None` if it was taken back. If it is pending the borrower's task
    /// is remembered and woken by [`wake`](LoanGuard::wake) and [`take`](Self::take).
    pub(super) fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut T, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<Option<R>> {
        let mut slot = self.lock();
        slot.borrower = None;
        let Some(thing) = &mut slot.thing else { return Poll::Ready(None) };
        match poll(thing, cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => {
                slot.borrower = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// For either: the thing, unless it was taken back.
    pub(super) fn get(&self) -> Option<LoanGuard<'_, T>> {
        let slot = self.lock();
        slot.thing.is_some().then_some(LoanGuard(slot))
    }

    /// For the owner: takes the thing back. A borrower that waits is woken and finds nothing.
    pub(super) fn take(&self) -> Option<T> {
        let mut slot = self.lock();
        let borrower = slot.borrower.take();
        let thing = slot.thing.take();
        drop(slot);
        if let Some(borrower) = borrower {
            borrower.wake();
        }
        thing
    }

    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thing, for as long as nobody waits: this cannot be held across an await of a future that is sent.
#[derive(Debug)]
pub(super) struct LoanGuard<'a, T>(MutexGuard<'a, Slot<T>>);

impl<T> LoanGuard<'_, T> {
    /// The task of the borrower, if it waits.
    pub(super) fn borrower(&self) -> Option<&Waker> {
        self.0.borrower.as_ref()
    }

    /// Wakes the borrower, if it waits.
    pub(super) fn wake(&mut self) {
        if let Some(borrower) = self.0.borrower.take() {
            borrower.wake();
        }
    }
}

impl<T> Deref for LoanGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.0.thing.as_ref().expect("a guard is only made of a thing that is there")
    }
}

impl<T> DerefMut for LoanGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.thing.as_mut().expect("a guard is only made of a thing that is there")
    }
}

#[cfg(all(test, not(quintet_loom)))]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    use std::task::Wake;

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
        let loan = Loan::new(1);
        assert!(loan.poll(&mut cx, |_, _| Poll::<()>::Pending).is_pending());
        assert_eq!(loan.take(), Some(1));
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(loan.poll(&mut cx, |thing, _| Poll::Ready(*thing)), Poll::Ready(None));
        assert!(loan.get().is_none() && loan.take().is_none());
    }
}

/// Run with `RUSTFLAGS="--cfg quintet_loom" cargo test -p quintet-request --lib loom`.
#[cfg(all(test, quintet_loom))]
mod loom_tests {
    use super::*;
    use loom::{future::block_on, sync::Arc, thread};
    use std::future::poll_fn;

    /// The borrower reads until the thing is taken; whatever the order, it ends, and nobody else ever has the thing.
    #[test]
    fn lend_poll_take_back_and_drop_in_any_order() {
        loom::model(|| {
            let loan = Arc::new(Loan::new(0_u32));
            let lent = Arc::clone(&loan);
            let borrower = thread::spawn(move || {
                let mut polls = 0;
                block_on(poll_fn(|cx| {
                    lent.poll(cx, |thing, _| {
                        *thing += 1;
                        polls += 1;
                        Poll::<()>::Pending
                    })
                }));
                polls
            });
            if let Some(mut guard) = loan.get() {
                *guard += 10;
                guard.wake();
            }
            let thing = loan.take().expect("only the owner takes");
            drop(loan);
            assert_eq!(borrower.join().unwrap() + 10, thing);
        });
    }

    #[test]
    fn a_borrower_that_gives_up_leaves_nothing_behind() {
        loom::model(|| {
            let loan = Arc::new(Loan::new(()));
            let lent = Arc::clone(&loan);
            let borrower = thread::spawn(move || {
                let waker = futures_noop();
                let mut cx = Context::from_waker(&waker);
                let _ = lent.poll(&mut cx, |_, _| Poll::<()>::Pending);
                drop(lent);
            });
            assert!(loan.take().is_some());
            borrower.join().unwrap();
            assert!(loan.take().is_none());
        });
    }

    fn futures_noop() -> Waker {
        Waker::noop().clone()
    }
}
