//! Whether the head cache is worth asking.

/// Whether comparing is worth it. A client that says something else with every request is not asked each time: after
/// each miss in a row half as often, down to one head in sixteen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HitTracker {
    /// How many heads are read in full before the next try.
    wait: u8,
    left: u8,
}

impl HitTracker {
    /// Whether to try with this head.
    #[inline]
    pub(crate) fn is_tried(&mut self) -> bool {
        let due = self.left == 0;
        self.left = self.left.saturating_sub(1);
        due
    }

    /// What came of a try.
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
    fn a_client_that_never_repeats_itself_is_rarely_compared() {
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
