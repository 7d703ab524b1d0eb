//! The value of `If-Match` or `If-None-Match`: `*`, or a list of entity tags.

use super::etag::ETag;
use crate::byte;

/// What a list says of the current representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListMatch {
    /// It is `*`.
    Any,
    /// It has a tag that matches.
    Found,
    /// It has none, and all of it could be read.
    NotFound,
    /// It has none before the place where it is no list of tags. An empty list is one such.
    Malformed,
}

/// Searches all fields of one name, which are one list (RFC 9110 §5.3). `None` if there is no such field.
pub(super) fn search<'a>(
    values: impl Iterator<Item = &'a [u8]>,
    is_match: impl Fn(ETag<'a>) -> bool,
) -> Option<ListMatch> {
    let mut result = None;
    for value in values {
        match search_line(value, &is_match) {
            found @ (ListMatch::Any | ListMatch::Found) => return Some(found),
            // A field that cannot be read is not mended by one that can.
            ListMatch::Malformed => result = Some(ListMatch::Malformed),
            ListMatch::NotFound => result = result.or(Some(ListMatch::NotFound)),
        }
    }
    result
}

fn search_line<'a>(value: &'a [u8], is_match: impl Fn(ETag<'a>) -> bool) -> ListMatch {
    let mut rest = byte::trim(value);
    if rest == b"*" {
        return ListMatch::Any;
    }
    let mut tags = 0;
    while !rest.is_empty() {
        // Empty elements are allowed to a recipient (RFC 9110 §5.6.1.2).
        if let [b',', after @ ..] = rest {
            rest = byte::trim(after);
            continue;
        }
        let Some((tag, after)) = ETag::scan(rest) else { return ListMatch::Malformed };
        if is_match(tag) {
            return ListMatch::Found;
        }
        tags += 1;
        rest = byte::trim(after);
        if !matches!(rest, [] | [b',', ..]) {
            return ListMatch::Malformed;
        }
    }
    if tags == 0 { ListMatch::Malformed } else { ListMatch::NotFound }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etag_list_is_searched_up_to_the_tag_or_the_malformed_place() {
        for (list, expected) in [
            ("*", ListMatch::Any),
            (" *\t", ListMatch::Any),
            ("\"x\"", ListMatch::Found),
            ("\"a\" ,\t\"x\"", ListMatch::Found),
            (", ,\"a\",,\"x\",", ListMatch::Found),
            ("\"x\", malformed", ListMatch::Found),
            ("\"a\", \"b\"", ListMatch::NotFound),
            ("\"a\",", ListMatch::NotFound),
            ("\"a\"\"x\"", ListMatch::Malformed),
            ("\"a\" \"x\"", ListMatch::Malformed),
            ("x", ListMatch::Malformed),
            ("\"a\", *", ListMatch::Malformed),
            ("*, \"x\"", ListMatch::Malformed),
            ("**", ListMatch::Malformed),
            ("\"a\";\"x\"", ListMatch::Malformed),
            ("", ListMatch::Malformed),
            (" , ,", ListMatch::Malformed),
        ] {
            let found = search([list.as_bytes()].into_iter(), |tag| tag.as_bytes() == b"\"x\"");
            assert_eq!(found, Some(expected), "{list}");
        }
    }

    #[test]
    fn etag_list_of_several_fields_is_one_list() {
        let search = |values: &[&'static str]| {
            search(values.iter().map(|value| value.as_bytes()), |tag| tag.as_bytes() == b"\"x\"")
        };
        assert_eq!(search(&[]), None);
        assert_eq!(search(&["\"a\"", "\"x\""]), Some(ListMatch::Found));
        assert_eq!(search(&["malformed", "\"x\""]), Some(ListMatch::Found));
        assert_eq!(search(&["\"a\"", "*"]), Some(ListMatch::Any));
        assert_eq!(search(&["malformed", "\"a\""]), Some(ListMatch::Malformed));
        assert_eq!(search(&["\"a\"", ""]), Some(ListMatch::Malformed));
        assert_eq!(search(&["\"a\"", "\"b\""]), Some(ListMatch::NotFound));
    }
}
