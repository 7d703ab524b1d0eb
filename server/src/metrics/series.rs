//! The series of requests: one for each method, class of status and pattern, made at its first request.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use metrics::{Counter, Histogram, Label, counter, histogram};

use super::names::{CLASSES, DURATION, OTHER_PATTERNS, REQUEST_BODY, REQUESTS, RESPONSE_BODY};
use crate::known_method::METHODS;

/// The most patterns that have series of their own. A program has fewer routes; this bounds one whose handlers set
/// patterns of their own making.
const MAX_PATTERNS: usize = 4096;

/// The handles of one series.
pub(super) struct Series {
    pub(super) requests: Counter,
    pub(super) duration: Histogram,
    pub(super) request_body: Histogram,
    pub(super) response_body: Histogram,
}

/// The series of one pattern: for each method and class, boxed, since few of them are used.
struct PatternSeries([[OnceLock<Box<Series>>; CLASSES.len()]; METHODS.len()]);

/// The series of all patterns.
pub(super) struct AllSeries {
    labels: Vec<Label>,
    patterns: RwLock<HashMap<Box<str>, Arc<PatternSeries>>>,
}

impl AllSeries {
    /// No series yet. Each has these labels, too.
    pub(super) fn new(labels: Vec<Label>) -> Self {
        Self { labels, patterns: RwLock::default() }
    }

    /// Calls a function with the series of this method and class (places in [`METHODS`] and [`CLASSES`]) and pattern.
    pub(super) fn with<T>(&self, method: usize, class: usize, pattern: &str, f: impl FnOnce(&Series) -> T) -> T {
        let (name, of_pattern) = self.of_pattern(pattern);
        f(of_pattern.0[method][class].get_or_init(|| Box::new(self.make(method, class, name))))
    }

    /// The series of a pattern, and the name that it has there.
    fn of_pattern<'a>(&self, pattern: &'a str) -> (&'a str, Arc<PatternSeries>) {
        // A thread that panicked with the lock (a recorder's code) leaves the map whole: its poison is ignored.
        let known = self.patterns.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_pattern) = known.get(pattern) {
            return (pattern, Arc::clone(of_pattern));
        }
        drop(known);
        let mut patterns = self.patterns.write().unwrap_or_else(PoisonError::into_inner);
        let is_known = patterns.contains_key(pattern);
        let name = if is_known || patterns.len() < MAX_PATTERNS { pattern } else { OTHER_PATTERNS };
        (name, Arc::clone(patterns.entry(name.into()).or_default()))
    }

    fn make(&self, method: usize, class: usize, pattern: &str) -> Series {
        let mut labels = self.labels.clone();
        labels.push(Label::from_static_parts("method", METHODS[method]));
        labels.push(Label::from_static_parts("status", CLASSES[class]));
        labels.push(Label::new("pattern", pattern.to_owned()));
        Series {
            requests: counter!(REQUESTS, labels.clone()),
            duration: histogram!(DURATION, labels.clone()),
            request_body: histogram!(REQUEST_BODY, labels.clone()),
            response_body: histogram!(RESPONSE_BODY, labels),
        }
    }
}

impl Default for PatternSeries {
    fn default() -> Self {
        Self(std::array::from_fn(|_| std::array::from_fn(|_| OnceLock::new())))
    }
}

impl fmt::Debug for AllSeries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns = self.patterns.read().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("AllSeries").field("patterns", &patterns).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_with_series_are_bounded() {
        let series = AllSeries::new(Vec::new());
        for n in 0..2 * MAX_PATTERNS {
            let pattern = format!("/{n}");
            let (name, _) = series.of_pattern(&pattern);
            assert_eq!(name, if n < MAX_PATTERNS { &pattern } else { OTHER_PATTERNS });
        }
        assert_eq!(series.of_pattern("/7").0, "/7");
        assert_eq!(series.patterns.read().unwrap().len(), MAX_PATTERNS + 1);
    }
}
