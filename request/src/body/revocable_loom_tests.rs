//! Loom models of an owner and its borrowers: every order of their steps.

use super::*;
use loom::{future::block_on, sync::Arc, thread};
use std::future::poll_fn;

/// The borrower polls until the value is taken back. In every order it ends, and only the owner then has the value.
#[test]
fn poll_take_and_drop_end_in_any_order() {
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

/// As the owner does while it sends a reply: it waits until the value is no longer borrowed.
fn wait_until_given_back(revocable: &Revocable<u32>) -> u32 {
    block_on(poll_fn(|cx| {
        let mut guard = revocable.get().expect("only the owner takes");
        let _ = guard.wake_both(cx);
        if guard.is_borrowed() { Poll::Pending } else { Poll::Ready(*guard) }
    }))
}

/// Loom finds a deadlock if the owner is not woken in some order.
#[test]
fn drop_of_the_last_borrower_wakes_a_waiting_owner() {
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
fn drop_of_a_borrower_that_polled_wakes_a_waiting_owner() {
    loom::model(|| {
        let revocable = std::sync::Arc::new(Revocable::new(0));
        let body = Borrowed::new(std::sync::Arc::clone(&revocable));
        let other = thread::spawn(move || {
            let waker = futures_noop();
            // It is dropped while it waits, without `forget`.
            let _ = body.poll(&mut Context::from_waker(&waker), |_, _| Poll::<()>::Pending);
        });
        assert_eq!(wait_until_given_back(&revocable), 1);
        other.join().unwrap();
    });
}

#[test]
fn drop_of_a_borrower_during_take_leaves_nothing_behind() {
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
