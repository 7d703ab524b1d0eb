//! The hit tracker of the head cache: it skips comparisons that would rarely succeed.

/// Decides for each head whether it is compared with the one before. After each miss in a row heads are compared half
/// as often, down to one in sixteen, so a client that never repeats a head pays little for the cache.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HitTracker {
    /// How many heads are parsed in full between two comparisons.
    wait: u8,
    left: u8,
}

impl HitTracker {
    /// Whether to compare this head.
    #[inline]
    pub(crate) fn is_tried(&mut self) -> bool {
        let due = self.left == 0;
        self.left = self.left.saturating_sub(1);
        due
    }

    /// The next head is not compared with the one that is there.
    pub(crate) fn skip_next(&mut self) {
        self.left = self.left.max(1);
    }

    /// Records the result of a comparison.
    #[inline]
    pub(crate) fn note(&mut self, hit: bool) {
        self.wait = if hit { 0 } else { (2 * self.wait + 1).min(15) };
        self.left = self.wait;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_that_never_repeat_are_rarely_compared() {
        let mut hits = HitTracker::default();
        let tries = |hits: &mut HitTracker, hit: bool| {
            (0..100)
                .filter(|_| {
                    hits.is_tried() && {
                        hits.note(hit);
                        true
                    }
                })
                .count()
        };
        assert_eq!(tries(&mut hits, false), 9);
        while !hits.is_tried() {}
        hits.note(true);
        assert_eq!(tries(&mut hits, true), 100);
    }
}
