//! The values that handlers left for the observers of a request.

use std::{any::Any, sync::Arc};

/// The values that handlers left for the observers of a request, one of each type: see
/// [`ActiveRequest::set_value`](super::ActiveRequest::set_value).
///
/// ```
/// use quintet_conn::RequestValues;
/// use std::sync::Arc;
///
/// let mut values = RequestValues::default();
/// values.set(Arc::new("alice"));
/// values.set(Arc::new(7_u8));
/// assert_eq!((values.get::<&str>(), values.get::<u8>(), values.get::<u16>()), (Some(&"alice"), Some(&7), None));
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequestValues {
    /// In place: the usual request has one value, its route.
    first: Option<Value>,
    more: Vec<Value>,
}

/// A value of any type.
type Value = Arc<dyn Any + Send + Sync>;

impl RequestValues {
    /// Whether it has no value.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Without the first one there is no other.
        self.first.is_none()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        self.first.iter().chain(&self.more)
    }

    /// The value of this type.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.iter().find_map(|value| value.downcast_ref())
    }

    /// Adds a value, and returns the one of the same type that it replaces.
    #[inline]
    pub fn set(&mut self, value: Arc<dyn Any + Send + Sync>) -> Option<Arc<dyn Any + Send + Sync>> {
        if self.first.is_some() {
            return self.replace(value);
        }
        self.first = Some(value);
        None
    }

    fn replace(&mut self, value: Value) -> Option<Value> {
        let kind = (*value).type_id();
        match self.first.iter_mut().chain(&mut self.more).find(|known| (***known).type_id() == kind) {
            Some(known) => Some(std::mem::replace(known, value)),
            None => {
                self.more.push(value);
                None
            }
        }
    }

    /// Removes the value of this type, and returns it.
    pub fn remove<T: Any>(&mut self) -> Option<Arc<dyn Any + Send + Sync>> {
        if let Some(at) = self.more.iter().position(|value| value.is::<T>()) {
            return Some(self.more.swap_remove(at));
        }
        if !self.first.as_ref().is_some_and(|value| value.is::<T>()) {
            return None;
        }
        std::mem::replace(&mut self.first, self.more.pop())
    }

    /// Moves all values of `other` here. Those of a type that is here already replace it.
    #[inline]
    pub fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            self.first = other.first.take();
            if !other.more.is_empty() {
                std::mem::swap(&mut self.more, &mut other.more);
            }
        } else {
            self.append_each(other);
        }
    }

    #[cold]
    fn append_each(&mut self, other: &mut Self) {
        for value in other.first.take().into_iter().chain(other.more.drain(..)) {
            self.set(value);
        }
    }

    /// Drops the values for which `keeps` is `false`.
    #[inline]
    pub fn retain(&mut self, keeps: impl Fn(&(dyn Any + Send + Sync)) -> bool) {
        if !self.more.is_empty() {
            self.more.retain(|value| keeps(&**value));
        }
        if self.first.as_ref().is_some_and(|value| !keeps(&**value)) {
            self.first = self.more.pop();
        }
    }

    /// Drops all values.
    #[inline]
    pub fn clear(&mut self) {
        if !self.is_empty() {
            self.first = None;
            self.more.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &RequestValues) -> (Option<&str>, Option<u8>, Option<char>, usize) {
        (values.get::<&str>().copied(), values.get().copied(), values.get().copied(), values.iter().count())
    }

    #[test]
    fn a_value_replaces_that_of_its_type() {
        let mut values = RequestValues::default();
        assert!(values.is_empty() && values.set(Arc::new("a")).is_none() && values.set(Arc::new(1_u8)).is_none());
        assert_eq!(values.set(Arc::new("b")).and_then(|old| old.downcast_ref::<&str>().copied()), Some("a"));
        assert_eq!(values.set(Arc::new(2_u8)).and_then(|old| old.downcast_ref::<u8>().copied()), Some(1));
        assert_eq!(texts(&values), (Some("b"), Some(2), None, 2));
        values.clear();
        assert!(values.is_empty() && values.iter().next().is_none());
    }

    #[test]
    fn a_value_is_removed_from_every_place() {
        let filled = || {
            let mut values = RequestValues::default();
            values.set(Arc::new("a"));
            values.set(Arc::new(1_u8));
            values.set(Arc::new('c'));
            values
        };
        let mut values = filled();
        assert!(values.remove::<u16>().is_none() && values.remove::<&str>().is_some());
        assert_eq!(texts(&values), (None, Some(1), Some('c'), 2));
        assert!(values.remove::<u8>().is_some() && values.remove::<char>().is_some() && values.is_empty());
        let mut values = filled();
        assert!(values.remove::<u8>().is_some() && values.remove::<u8>().is_none());
        assert_eq!(texts(&values), (Some("a"), None, Some('c'), 2));
    }

    #[test]
    fn retained_values_are_those_that_are_kept() {
        for (kept, expected) in [
            ("", (None, None, None, 0)),
            ("sc", (Some("a"), None, Some('c'), 2)),
            ("n", (None, Some(1), None, 1)),
            ("nc", (None, Some(1), Some('c'), 2)),
        ] {
            let mut values = RequestValues::default();
            values.set(Arc::new("a"));
            values.set(Arc::new(1_u8));
            values.set(Arc::new('c'));
            values.retain(|value| {
                (value.is::<&str>() && kept.contains('s'))
                    || (value.is::<u8>() && kept.contains('n'))
                    || (value.is::<char>() && kept.contains('c'))
            });
            assert_eq!(texts(&values), expected, "{kept}");
        }
    }

    #[test]
    fn appended_values_replace_those_of_their_types() {
        let (mut values, mut other) = (RequestValues::default(), RequestValues::default());
        other.set(Arc::new("a"));
        other.set(Arc::new(1_u8));
        values.append(&mut other);
        assert_eq!((texts(&values), texts(&other)), ((Some("a"), Some(1), None, 2), (None, None, None, 0)));
        other.set(Arc::new("b"));
        other.set(Arc::new('c'));
        values.append(&mut other);
        assert_eq!((texts(&values), other.is_empty()), ((Some("b"), Some(1), Some('c'), 3), true));
    }
}
