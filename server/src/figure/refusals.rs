//! The last refusals of a server, each with its rule.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::{json::Object, rule::Rule, sample::millis};
use crate::served::Refusal;

/// The most refusals that are kept.
const MAX_REFUSALS: usize = 64;

/// The last refusals of a server. Without any it holds no memory.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    total: u64,
    last: VecDeque<Refused>,
}

/// One refusal, without a byte of its client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    /// Its number, from 1.
    pub(super) seq: u64,
    at: Instant,
    refusal: Refusal,
}

impl Refusals {
    pub(super) fn push(&mut self, refusal: Refusal, at: Instant) {
        self.total += 1;
        if self.last.len() == MAX_REFUSALS {
            self.last.pop_front();
        }
        self.last.push_back(Refused { seq: self.total, at, refusal });
    }

    /// How many there were.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The first `n` of those after number `seq`, in order.
    pub(super) fn after(&self, seq: u64, n: usize) -> Vec<Refused> {
        self.last.iter().filter(|refused| refused.seq > seq).take(n).copied().collect()
    }
}

impl Refused {
    /// Writes it; `began` is when the server did.
    pub(super) fn write(&self, out: &mut Object<'_>, began: Instant) {
        let rule = Rule(self.refusal);
        out.number("seq", self.seq);
        out.number("at", millis(self.at.saturating_duration_since(began)));
        out.status("status", self.refusal.status());
        out.text("rule", rule);
        out.name("name", self.refusal.as_str());
        out.name("chapter", rule.chapter());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusals_kept_are_the_last_64() {
        let (mut refusals, now) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.last.capacity(), 0);
        for _ in 0..1000 {
            refusals.push(Refusal::HeadTimeout, now);
        }
        let seqs = |seq, n| refusals.after(seq, n).iter().map(|refused| refused.seq).collect::<Vec<_>>();
        assert_eq!((refusals.total(), refusals.last.len()), (1000, 64));
        assert_eq!(seqs(0, 2), [937, 938]);
        assert_eq!(seqs(998, 10), [999, 1000]);
        assert!(seqs(1000, 10).is_empty());
    }
}
