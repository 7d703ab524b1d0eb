//! The head cache: a head that resembles the one before it is read by comparing the two.
//!
//! Most clients send the same fields with every request. A poller and a health check send the same head each time; an
//! API client sends the same fields with another target. Equal bytes have an equal meaning, so only the target has to
//! be read.

use super::{
    index::{Field, Index},
    layout::Layout,
};
use crate::{Head, Limits, Span, TargetForm, byte};

impl Head {
    /// Reads the head at the start of `bytes` if it differs from this one at most in its target, and returns its
    /// length. `None`: undecided, this head is unchanged, and the head has to be parsed.
    // Always: a program that serves two kinds of streams has two connection loops, and a call for each costs more.
    #[inline(always)]
    pub(crate) fn parse_cached(&mut self, bytes: &[u8], limits: &Limits) -> Option<usize> {
        let len = self.index.len();
        if len == 0 || !self.fits(limits) {
            return None;
        }
        // A head ends at its first empty line, so bytes that start with these bytes start with this head, not with a
        // longer one.
        if bytes.starts_with(&self.bytes) {
            return Some(len);
        }
        self.parse_target(bytes, limits)
    }

    /// The same for a head whose target differs.
    fn parse_target(&mut self, bytes: &[u8], limits: &Limits) -> Option<usize> {
        let old = self.index.target;
        let (start, end) = (old.start as usize, (old.start + old.len) as usize);
        // Other forms are parsed in full: an absolute target is compared with `Host`, an asterisk with the method.
        if self.index.layout.form != TargetForm::Origin || !bytes.starts_with(&self.bytes[..start]) {
            return None;
        }
        let rest = &bytes[start..];
        let target = &rest[..rest.iter().position(|&byte| !byte::is(byte, byte::TARGET))?];
        // From the space after the target to the empty line: version and fields. They were checked with another target
        // of the same form, and none of those checks depends on the text of an origin-form target.
        let behind = &self.bytes[end..];
        if target.len() > limits.target || !rest[target.len()..].starts_with(behind) {
            return None;
        }
        let len = start + target.len() + behind.len();
        let layout = Layout::read(self.method(), target).ok()?;
        // A head within the limit of one field has no field beyond that limit, so the fields need not be measured.
        if layout.form != TargetForm::Origin || len > limits.head.min(limits.field) {
            return None;
        }
        // Nothing was written before this line, so each `None` above leaves this head whole, for the next comparison.
        self.index.retarget(Span::offset(target.len()), layout);
        self.target.clear();
        self.target.push_str(std::str::from_utf8(target).ok()?);
        self.bytes.clear();
        self.bytes.extend_from_slice(&bytes[..len]);
        Some(len)
    }

    /// Whether this head is within these limits. They can differ from those it was parsed with: the pool is shared by
    /// all servers of a thread.
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
    /// Replaces the length and the layout of the target, and moves the offsets of everything after it.
    fn retarget(&mut self, len: u32, layout: Layout) {
        // One wrapping addition moves offsets in both directions: a shorter target gives a difference of 2³² minus the
        // shift.
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

    /// Asserts that a reused head and a new one read the same.
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
        fn a_cached_head_reads_like_a_new_one(
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
        fn a_cached_head_with_another_target_reads_like_a_new_one(
            fields in 0..FIELDS.len(),
            targets in proptest::collection::vec(0..TARGETS.len(), 1..12),
        ) {
            let heads = targets.iter().map(|target| format!("GET {} HTTP/1.1\r\n{}", TARGETS[*target], FIELDS[fields]));
            reads_alike(&heads.collect::<Vec<_>>(), &Limits::default());
        }
    }

    #[test]
    fn a_cached_head_is_parsed_again_under_other_limits() {
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
