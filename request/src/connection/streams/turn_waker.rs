//! The waker of a connection's library, which does not wake the task during its own turn.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Wake, Waker},
};

/// The waker that the library is polled with. During a turn of the connection's task it only notes that there is more to
/// do: a handler that runs in that task, and replies at once, would otherwise have the task run once more for nothing,
/// which costs 1,500 instructions.
#[derive(Debug)]
pub(super) struct TurnWaker {
    gate: Arc<Gate>,
    /// Made of `gate`, once.
    waker: Waker,
}

#[derive(Debug)]
struct Gate {
    /// Whether a turn is in progress: the library is polled before the task waits.
    in_turn: AtomicBool,
    /// Whether it was woken since it was polled last.
    woken: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl TurnWaker {
    pub(super) fn new() -> Self {
        let gate =
            Arc::new(Gate { in_turn: AtomicBool::new(false), woken: AtomicBool::new(false), task: Mutex::new(None) });
        Self { waker: Arc::clone(&gate).into(), gate }
    }

    /// Begins a turn of this task, or continues it. The library is to be polled now.
    pub(super) fn begin(&self, cx: &Context<'_>) {
        // Only the task itself begins and ends its turns.
        if !self.gate.in_turn.load(SeqCst) {
            let mut task = self.gate.task.lock().unwrap_or_else(PoisonError::into_inner);
            if !task.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                *task = Some(cx.waker().clone());
            }
            drop(task);
            self.gate.in_turn.store(true, SeqCst);
        }
        self.gate.woken.store(false, SeqCst);
    }

    /// Ends the turn: the task waits. `false` if the library has to be polled once more; the turn then goes on.
    pub(super) fn end(&self) -> bool {
        // In this order, and `wake` in the other: either it finds the turn ended and wakes the task, or it is seen here.
        self.gate.in_turn.store(false, SeqCst);
        if !self.gate.woken.load(SeqCst) {
            return true;
        }
        self.gate.in_turn.store(true, SeqCst);
        false
    }

    /// Ends the turn although the library may have to be polled once more: the task has woken itself.
    pub(super) fn suspend(&self) {
        self.gate.in_turn.store(false, SeqCst);
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, SeqCst);
        if !self.in_turn.load(SeqCst) {
            let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(task) = task {
                task.wake(); // not under the lock: it may drop the last reference to the task
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts as the kit's waker does, which needs a feature.
    #[derive(Default)]
    struct Counts(std::sync::atomic::AtomicUsize);

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn a_wake_during_a_turn_is_one_more_poll_and_no_wake_of_the_task() {
        let counts = Arc::new(Counts::default());
        let task = Waker::from(Arc::clone(&counts));
        let cx = Context::from_waker(&task);
        let turn = TurnWaker::new();
        turn.begin(&cx);
        turn.waker().wake_by_ref();
        assert!(!turn.end(), "the library is polled once more");
        turn.begin(&cx);
        assert!(turn.end());
        assert_eq!(counts.0.load(SeqCst), 0);
        turn.waker().wake_by_ref();
        assert_eq!(counts.0.load(SeqCst), 1);
    }

    #[test]
    fn a_wake_between_two_turns_wakes_the_task_that_polled_last() {
        let (first, second) = (Arc::new(Counts::default()), Arc::new(Counts::default()));
        let turn = TurnWaker::new();
        for counts in [&first, &second] {
            let task = Waker::from(Arc::clone(counts));
            turn.begin(&Context::from_waker(&task));
            turn.suspend();
            turn.waker().wake_by_ref();
        }
        assert_eq!((first.0.load(SeqCst), second.0.load(SeqCst)), (1, 1));
    }
}
