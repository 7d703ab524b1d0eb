//! A set of shared values, each with a small number that is reused after its removal.

use std::sync::Arc;

/// A set of shared values by their number. An empty set holds no memory.
///
/// The sweeper walks all values five times a second: a vector is walked in the order of memory, and adding or removing is
/// a push or a pop on the list of free numbers.
pub(super) struct Slots<T> {
    things: Vec<Option<Arc<T>>>,
    free: Vec<u32>,
    taken: usize,
}

impl<T> Slots<T> {
    /// Adds the value that `make` returns for its number.
    pub(super) fn add(&mut self, make: impl FnOnce(u32) -> T) -> Arc<T> {
        let number = self
            .free
            .pop()
            .unwrap_or_else(|| u32::try_from(self.things.len()).expect("fewer than 2^32 connections at once"));
        let thing = Arc::new(make(number));
        match self.things.get_mut(number as usize) {
            Some(slot) => *slot = Some(Arc::clone(&thing)),
            None => self.things.push(Some(Arc::clone(&thing))),
        }
        self.taken += 1;
        thing
    }

    /// Removes a value and returns it, so that the caller drops it outside of its lock. The number is one that
    /// [`add`](Self::add) gave, and is removed once.
    pub(super) fn remove(&mut self, number: u32) -> Option<Arc<T>> {
        let thing = self.things[number as usize].take();
        self.taken -= 1;
        // After a burst of connections the memory of the set goes with the last of them.
        if self.taken == 0 {
            *self = Self::default();
        } else {
            self.free.push(number);
        }
        thing
    }

    pub(super) fn get(&self, number: u32) -> Option<&Arc<T>> {
        self.things.get(number as usize)?.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.things.iter().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.taken
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { things: Vec::new(), free: Vec::new(), taken: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_reused_and_an_empty_set_holds_no_memory() {
        let mut slots = Slots::default();
        for expected in 0..3 {
            assert_eq!(*slots.add(|number| number), expected);
        }
        assert_eq!(slots.remove(1).as_deref(), Some(&1));
        assert_eq!((slots.len(), slots.get(1).is_none()), (2, true));
        assert_eq!(*slots.add(|number| number), 1);
        (0..3).for_each(|number| drop(slots.remove(number)));
        assert_eq!((slots.len(), slots.iter().count(), slots.things.capacity()), (0, 0, 0));
    }
}
