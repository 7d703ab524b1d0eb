//! The head cache: a head much like the one before it is read by comparing.
//!
//! Most clients say the same fields with every request: a poller and a health check say the same head, an API client
//! the same fields under another target. Bytes that are equal mean what they meant, so only what differs is read.

use super::{
    index::{Field, Index},
    target::Layout,
};
use crate::{Head, Limits, Span, TargetForm, byte};

impl Head {
    /// The length of the head at the start of `bytes`, if it differs from the one held here in its target at most; this
    /// is then that head. `None`: undecided, and this head is as it was.
    #[inline]
    pub(crate) fn parse_cached(&mut self, bytes: &[u8], limits: &Limits) -> Option<usize> {
        let len = self.index.len();
        if len == 0 || !self.fits(limits) {
            return None;
        }
        // A head ends at its first empty line, so bytes that start with a whole head are that head and no longer one.
        if bytes.starts_with(&self.bytes) {
            return Some(len);
        }
        self.parse_target(bytes, limits)
    }

    /// The same for a head with another target.
    fn parse_target(&mut self, bytes: &[u8], limits: &Limits) -> Option<usize> {
        let old = self.index.target;
        let (start, end) = (old.start as usize, (old.start + old.len) as usize);
        // An absolute target is compared with Host, an asterisk with the method: those are read in full.
        if self.index.layout.form != TargetForm::Origin || !bytes.starts_with(&self.bytes[..start]) {
            return None;
        }
        let rest = &bytes[start..];
        let target = &rest[..rest.iter().position(|&byte| !byte::is(byte, byte::TARGET))?];
        // From the blank after the target to the empty line: version and fields. They were read with another target of
        // the same form, and nothing of them depends on its text (an absolute one would be compared with `Host`).
        let behind = &self.bytes[end..];
        if target.len() > limits.target || !rest[target.len()..].starts_with(behind) {
            return None;
        }
        let len = start + target.len() + behind.len();
        let layout = Layout::read(self.method(), target).ok()?;
        // A head that is no longer than one field may be has no field that is too long.
        if layout.form != TargetForm::Origin || len > limits.head.min(limits.field) {
            return None;
        }
        // Only from here on is anything written: a `None` above leaves the head as it was, for the next one.
        self.index.retarget(Span::offset(target.len()), layout);
        self.target.clear();
        self.target.push_str(std::str::from_utf8(target).ok()?);
        self.bytes.clear();
        self.bytes.extend_from_slice(&bytes[..len]);
        Some(len)
    }

    /// Whether the head held here would be taken under these limits, which may be another server's.
    fn fits(&self, limits: &Limits) -> bool {
        let index = &self.index;
        index.len() <= limits.head.min(limits.field)
            && index.fields.len() <= limits.fields
            && index.method.len as usize <= limits.method
            && index.target.len as usize <= limits.target
    }

    fn method(&self) -> &[u8] {
        self.index.method.of(&self.bytes)
    }
}

impl Index {
    /// Gives this head a target of another length; everything behind it moves.
    fn retarget(&mut self, len: u32, layout: Layout) {
        // Both directions in one addition: a shorter target moves everything by a difference that wraps around.
        let by = len.wrapping_sub(self.target.len);
        self.target.len = len;
        self.layout = layout;
        self.len = self.len.wrapping_add(by);
        for Field { name, value } in &mut self.fields {
            name.start = name.start.wrapping_add(by);
            value.start = value.start.wrapping_add(by);
        }
        if let Some(host) = &mut self.host {
            host.start = host.start.wrapping_add(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::hit_tracker::HitTracker, *};
    use proptest::prelude::*;

    const FIELDS: [&str; 5] = [
        "Host: a\r\n\r\n",
        "Host: a\r\nX-B: c\r\n\r\n",
        "Host: a\r\nContent-Length: 3\r\n\r\n",
        "Host: b\r\nConnection: close\r\n\r\n",
        "X-B: c\r\n\r\n",
    ];
    const TARGETS: [&str; 12] =
        ["/", "/a", "/a?b", "/ab", "/%61", "/%6", "*", "http://a/", "http://a/x", "/a#", "/\u{e4}", ""];

    /// A head that was used before says what a new one says.
    fn reads_alike(heads: &[String], limits: &Limits) {
        let mut used = Head::default();
        for bytes in heads {
            let mut fresh = Head::default();
            used.hits = HitTracker::default();
            let (ours, theirs) = (used.parse(bytes.as_bytes(), limits), fresh.parse(bytes.as_bytes(), limits));
            assert_eq!(ours, theirs, "{bytes:?}");
            assert_eq!(
                (&used.index, &used.bytes, &used.target),
                (&fresh.index, &fresh.bytes, &fresh.target),
                "{bytes:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_was_read_before_changes_nothing(
            heads in proptest::collection::vec(
                ("GET|POST|OPTIONS", 0..TARGETS.len(), "HTTP/1\\.[012]|HTTP/2.0", 0..FIELDS.len(), "(\\r\\n)?", "(x|\\r\\n)?"),
                1..12,
            ),
            target in prop_oneof![Just(8192_usize), 1..12_usize],
            head in prop_oneof![Just(65536_usize), 20..60_usize],
        ) {
            let heads: Vec<_> = heads
                .into_iter()
                .map(|(method, target, version, fields, before, after)| {
                    format!("{before}{method} {} {version}\r\n{}{after}", TARGETS[target], FIELDS[fields])
                })
                .collect();
            reads_alike(&heads, &Limits { target, head, ..Limits::default() });
        }
    }

    proptest! {
        #[test]
        fn another_target_is_all_that_changes(
            fields in 0..FIELDS.len(),
            targets in proptest::collection::vec(0..TARGETS.len(), 1..12),
        ) {
            let heads = targets.iter().map(|target| format!("GET {} HTTP/1.1\r\n{}", TARGETS[*target], FIELDS[fields]));
            reads_alike(&heads.collect::<Vec<_>>(), &Limits::default());
        }
    }

    #[test]
    fn a_head_that_was_taken_under_other_limits_is_read_again() {
        let bytes = b"GET /abc HTTP/1.1\r\nHost: a\r\nX-B: c\r\n\r\n";
        let mut head = Head::default();
        assert_eq!(head.parse(bytes, &Limits::default()), Ok(Some(bytes.len())));
        for limits in [
            Limits { head: 30, ..Limits::default() },
            Limits { fields: 1, ..Limits::default() },
            Limits { field: 6, ..Limits::default() },
            Limits { target: 3, ..Limits::default() },
            Limits { method: 2, ..Limits::default() },
        ] {
            let mut used = head.clone();
            used.hits = HitTracker::default();
            assert!(used.parse(bytes, &limits).is_err(), "{limits:?}");
        }
    }
}
