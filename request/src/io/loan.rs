//! A thing lent to somebody else, which its owner can take back at any time.
//!
//! The borrower polls it when it likes, from any task. The owner may use it too, and takes it back when the time has
//! come, whether or not the borrower is done: the borrower then finds nothing, and if it was waiting it is woken to
//! find that out. The lock is never held across a wait.
//!
//! Most things remember one task to wake, and here there may be two: whoever polls the thing while the other waits does
//! so in both names ([`LoanGuard::both`]).

#[cfg(quintet_loom)]
use loom::sync::{Mutex, MutexGuard};
#[cfg(not(quintet_loom))]
use std::sync::{Mutex, MutexGuard};
use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

/// A thing lent to somebody else, which its owner can take back.
#[derive(Debug)]
pub(super) struct Loan<T>(Mutex<Slot<T>>);

#[derive(Debug)]
struct Slot<T> {
    thing: Option<T>,
    borrower: Option<Waker>,
    owner: Option<Waker>,
}

impl<T> Loan<T> {
    pub(super) fn new(thing: T) -> Self {
        Loan(Mutex::new(Slot { thing: Some(thing), borrower: None, owner: None }))
    }

    /// For the borrower: `poll` is given the thing. `None` if it was taken back. If it is pending the borrower's task
    /// is remembered and woken by [`wake`](LoanGuard::wake) and [`take`](Self::take).
    ///
    /// An owner in another task is woken together with the borrower, and told when the borrower no longer waits.
    pub(super) fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut T, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<Option<R>> {
        let mut slot = self.lock();
        slot.borrower = None;
        let owner = slot.owner.clone().filter(|owner| !owner.will_wake(cx.waker()));
        let Some(thing) = &mut slot.thing else { return Poll::Ready(None) };
        let polled = match &owner {
            None => poll(thing, cx),
            Some(owner) => poll(thing, &mut Context::from_waker(&both(owner, cx.waker()))),
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
    /// For the owner: remembers its task. While a borrower waits, what wakes both; `None` if nobody waits.
    pub(super) fn both(&mut self, cx: &Context<'_>) -> Option<Waker> {
        if !self.0.owner.as_ref().is_some_and(|owner| owner.will_wake(cx.waker())) {
            self.0.owner = Some(cx.waker().clone());
        }
        let borrower = self.0.borrower.as_ref()?;
        Some(if borrower.will_wake(cx.waker()) { borrower.clone() } else { both(cx.waker(), borrower) })
    }

    /// For the borrower: it no longer waits. The owner is woken, to watch by itself again.
    pub(super) fn forget(&mut self) {
        self.0.borrower = None;
        if let Some(owner) = &self.0.owner {
            owner.wake_by_ref();
        }
    }

    /// Wakes the borrower, if it waits.
    pub(super) fn wake(&mut self) {
        if let Some(borrower) = self.0.borrower.take() {
            borrower.wake();
        }
    }
}

/// Two tasks as one.
struct Both(Waker, Waker);

fn both(one: &Waker, other: &Waker) -> Waker {
    Waker::from(Arc::new(Both(one.clone(), other.clone())))
}

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_by_ref();
        self.1.wake_by_ref();
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
        let loan = Loan::new(1);
        assert!(loan.poll(&mut cx, |_, _| Poll::<()>::Pending).is_pending());
        assert_eq!(loan.take(), Some(1));
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(loan.poll(&mut cx, |thing, _| Poll::Ready(*thing)), Poll::Ready(None));
        assert!(loan.get().is_none() && loan.take().is_none());
    }

    fn counted() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    #[test]
    fn two_tasks_are_woken_together() {
        let ((owners, owner), (borrowers, borrower)) = (counted(), counted());
        let counts = || (owners.0.load(Ordering::SeqCst), borrowers.0.load(Ordering::SeqCst));
        let loan = Loan::new(None::<Waker>);
        let remember = |thing: &mut Option<Waker>, cx: &mut Context<'_>| {
            *thing = Some(cx.waker().clone());
            Poll::<()>::Pending
        };
        // The borrower came first: the owner, who comes next, polls in both names.
        assert!(loan.poll(&mut Context::from_waker(&borrower), remember).is_pending());
        let waker = loan.get().unwrap().both(&Context::from_waker(&owner)).expect("somebody waits");
        waker.wake();
        assert_eq!(counts(), (1, 1));
        // From now on the borrower does, too.
        assert!(loan.poll(&mut Context::from_waker(&borrower), remember).is_pending());
        loan.get().unwrap().take().expect("remembered").wake();
        assert_eq!(counts(), (2, 2));
        // And when it has what it waited for, the owner is told that nobody waits any more.
        assert!(loan.poll(&mut Context::from_waker(&borrower), |_, _| Poll::Ready(())).is_ready());
        assert_eq!(counts(), (3, 2));
        assert!(loan.get().unwrap().both(&Context::from_waker(&owner)).is_none());
    }

    #[test]
    fn one_task_in_both_roles_is_woken_once() {
        let (count, waker) = counted();
        let mut cx = Context::from_waker(&waker);
        let loan = Loan::new(());
        assert!(loan.get().unwrap().both(&cx).is_none());
        assert!(loan.poll(&mut cx, |_, _| Poll::<()>::Pending).is_pending());
        loan.get().unwrap().both(&cx).expect("it waits").wake();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(loan.poll(&mut cx, |_, _| Poll::Ready(())).is_ready());
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
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
