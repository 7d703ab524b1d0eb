//! Values by host name, as a client says it in its handshake.

use std::collections::BTreeMap;

/// Values by host name, as a client says it in its handshake. A name is that of one host (`a.example`), or of all hosts
/// with one label before it (`*.a.example`); that of one host comes first.
///
/// # Spec
/// RFC 6066 §3, for a name; RFC 9525 §6.3, for what a `*` covers.
#[derive(Debug)]
pub(super) struct ServerNames<T> {
    hosts: BTreeMap<String, T>,
    /// By what follows the first label, with its dot: `.a.example`.
    under: BTreeMap<String, T>,
}

impl<T> Default for ServerNames<T> {
    fn default() -> Self {
        Self { hosts: BTreeMap::new(), under: BTreeMap::new() }
    }
}

impl<T> ServerNames<T> {
    /// A value that was there for the same name is replaced.
    pub(super) fn insert(&mut self, name: &str, value: T) {
        // A name with a dot at its end is the same name.
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        match name.strip_prefix('*') {
            Some(under) if under.starts_with('.') => self.under.insert(under.to_owned(), value),
            _ => self.hosts.insert(name, value),
        };
    }

    /// The value for a host, which is written in small letters.
    pub(super) fn find(&self, host: &str) -> Option<&T> {
        let host = host.strip_suffix('.').unwrap_or(host);
        let under = || host.find('.').filter(|at| *at > 0).and_then(|at| self.under.get(&host[at..]));
        self.hosts.get(host).or_else(under)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.under.is_empty()
    }

    /// In the order of the names.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.hosts.values().chain(self.under.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_host_comes_before_a_wildcard_of_one_label() {
        let mut names = ServerNames::default();
        assert!(names.is_empty());
        for (name, value) in
            [("A.example", 0), ("*.a.example", 2), ("b.A.example.", 3), ("a.example", 1), ("*", 4), ("*x.a.example", 5)]
        {
            names.insert(name, value);
        }
        for (host, expected) in [
            ("a.example", Some(1)),
            ("a.example.", Some(1)),
            ("b.a.example", Some(3)),
            ("c.a.example", Some(2)),
            ("c.a.example.", Some(2)),
            ("d.c.a.example", None),
            (".a.example", None),
            ("xa.example", None),
            ("example", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(names.find(host).copied(), expected, "{host:?}");
        }
        assert_eq!(names.values().copied().collect::<Vec<_>>(), [4, 5, 1, 3, 2]);
    }

    proptest! {
        #[test]
        fn find_is_a_comparison_with_each_name(
            names in prop::collection::vec("(\\*\\.)?[ab](\\.[ab]){0,2}", 0..6),
            host in "[ab]?(\\.[ab]){0,3}\\.?",
        ) {
            let mut map = ServerNames::default();
            names.iter().for_each(|name| map.insert(name, name.clone()));
            let host_name = host.strip_suffix('.').unwrap_or(&host);
            let is_under = |name: &str| {
                let (first, rest) = host_name.split_once('.')?;
                name.strip_prefix("*.").map(|under| under == rest && !first.is_empty())
            };
            let exact = names.iter().find(|name| *name == host_name);
            let naive = exact.or_else(|| names.iter().find(|name| is_under(name) == Some(true)));
            prop_assert_eq!(map.find(&host), naive);
        }
    }
}
