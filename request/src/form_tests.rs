//! Pairs that are read, refused and written.

use super::*;

fn pairs(text: &str) -> Vec<(String, String)> {
    let form = Form::parse(text.as_bytes()).unwrap();
    form.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn form_pairs_are_decoded_in_order() {
    for (text, expected) in [
        ("", &[][..]),
        ("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]),
        ("a", &[("a", "")]),
        ("a=", &[("a", "")]),
        ("=b", &[("", "b")]),
        ("=", &[("", "")]),
        ("&&a=b&", &[("a", "b")]),
        ("a=b=c", &[("a", "b=c")]),
        ("a+b=c+d", &[("a b", "c d")]),
        ("a%2Bb=%26%3D%3B", &[("a+b", "&=;")]),
        ("%C3%A9=%E2%82%AC", &[("é", "€")]),
        ("é=ü", &[("é", "ü")]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        assert_eq!(pairs(text), expected, "{text}");
    }
}

#[test]
fn form_values_are_found_by_name() {
    let form = Form::parse(b"a=1&b=2&a=3").unwrap();
    assert_eq!((form.get("a"), form.get("b"), form.get("c")), (Some("1"), Some("2"), None));
    assert_eq!(form.all("a").collect::<Vec<_>>(), ["1", "3"]);
    assert_eq!((form.len(), form.is_empty(), Form::default().is_empty()), (3, false, true));
}

#[test]
fn a_form_that_two_readers_read_differently_is_refused() {
    for (text, error) in [
        ("a=1;b=2", FormError::Semicolon { at: 3 }),
        (";", FormError::Semicolon { at: 0 }),
        ("a=1&b=2;", FormError::Semicolon { at: 7 }),
        ("a=%zz", FormError::Escape { at: 2 }),
        ("a=%4", FormError::Escape { at: 2 }),
        ("a=1&%=2", FormError::Escape { at: 4 }),
        ("a=1&b=%ff", FormError::Utf8 { at: 4 }),
        ("%c3=%a9", FormError::Utf8 { at: 0 }),
        ("a=%c3&%a9=b", FormError::Utf8 { at: 0 }),
    ] {
        assert_eq!(Form::parse(text.as_bytes()).unwrap_err(), error, "{text}");
        assert_eq!(error.status(), 400);
    }
}

/// Rows of Go's TestParseQuery among others: which pairs are left, and what is wrong with the first that is not.
#[test]
fn a_malformed_pair_is_reported_and_the_others_are_kept() {
    for (text, pairs, error) in [
        ("a=1&b=2", &[("a", "1"), ("b", "2")][..], None),
        ("q=100%", &[], Some(FormError::Escape { at: 5 })),
        ("q=100%&page=2", &[("page", "2")], Some(FormError::Escape { at: 5 })),
        ("page=2&q=%zz&sort=up", &[("page", "2"), ("sort", "up")], Some(FormError::Escape { at: 9 })),
        ("a=1;b=2", &[], Some(FormError::Semicolon { at: 3 })),
        ("a;b=1", &[], Some(FormError::Semicolon { at: 1 })),
        ("a=%3B", &[("a", ";")], None),
        ("a%3Bb=1", &[("a;b", "1")], None),
        ("a=1&a=2;a=banana", &[("a", "1")], Some(FormError::Semicolon { at: 7 })),
        ("a;b&c=1", &[("c", "1")], Some(FormError::Semicolon { at: 1 })),
        ("a=1&b=2;c=3&d=4", &[("a", "1"), ("d", "4")], Some(FormError::Semicolon { at: 7 })),
        ("a=1&b=2;a=3&c=%zz&d", &[("a", "1"), ("d", "")], Some(FormError::Semicolon { at: 7 })),
        ("a=1&b=2;c=3", &[("a", "1")], Some(FormError::Semicolon { at: 7 })),
        (";", &[], Some(FormError::Semicolon { at: 0 })),
        ("a=1;", &[], Some(FormError::Semicolon { at: 3 })),
        ("a=1&;", &[("a", "1")], Some(FormError::Semicolon { at: 4 })),
        (";a=1&b=2", &[("b", "2")], Some(FormError::Semicolon { at: 0 })),
        ("%=1&a=%ff&%c3=%a9&b", &[("b", "")], Some(FormError::Escape { at: 0 })),
        ("a=%c3&%a9=b&c=%C3%A9", &[("c", "é")], Some(FormError::Utf8 { at: 0 })),
        ("name%%20=1&name=2", &[("name", "2")], Some(FormError::Escape { at: 4 })),
        ("&&", &[], None),
        ("", &[], None),
    ] {
        let (form, first) = Form::parse_lossy(text.as_bytes());
        assert_eq!((form.iter().collect::<Vec<_>>(), first), (pairs.to_vec(), error), "{text}");
        assert_eq!(Form::parse(text.as_bytes()).err(), error, "{text}");
    }
    let (form, error) = Form::parse_lossy(vec!["a"; Form::MAX_PAIRS + 1].join("&").as_bytes());
    assert_eq!((form.len(), error), (0, Some(FormError::TooMany { most: Form::MAX_PAIRS })));
}

#[test]
fn a_form_with_too_many_pairs_is_refused() {
    let text = vec!["a"; Form::MAX_PAIRS].join("&");
    assert_eq!(Form::parse(text.as_bytes()).unwrap().len(), Form::MAX_PAIRS);
    let error = Form::parse(format!("{text}&").as_bytes()).unwrap_err();
    assert_eq!(error, FormError::TooMany { most: 10_000 });
    assert_eq!(Form::parse_at_most(b"a&b", 1).unwrap_err(), FormError::TooMany { most: 1 });
    assert!(Form::parse_at_most(b"", 0).unwrap().is_empty());
}

#[test]
fn form_display_is_read_back() {
    let mut form = Form::default();
    form.push("näme", "J & K; = +%");
    form.push("", "");
    form.append(&Form::parse(b"x=1").unwrap());
    assert_eq!(form.to_string(), "n%C3%A4me=J+%26+K%3B+%3D+%2B%25&=&x=1");
    assert!(Form::parse(form.to_string().as_bytes()).unwrap().iter().eq(form.iter()));
    assert_eq!(format!("{form:?}"), r#"["näme", "", "x"]"#);
}

#[test]
fn a_form_iterates_borrowed_and_owned() {
    for (text, expected) in [("", &[][..]), ("a=1&b&=&a=\u{e9}", &[("a", "1"), ("b", ""), ("", ""), ("a", "\u{e9}")])] {
        let form = Form::parse(text.as_bytes()).unwrap();
        let mut seen = Vec::new();
        for pair in &form {
            seen.push(pair);
        }
        assert_eq!(seen, expected);
        assert_eq!((form.iter().len(), form.clone().into_iter().len()), (expected.len(), expected.len()));
        let owned: Vec<_> = form.clone().into_iter().collect();
        assert!(owned.iter().map(|(name, value)| (&**name, &**value)).eq(expected.iter().copied()));
        assert!(form.iter().collect::<Form>().iter().eq(owned.into_iter().collect::<Form>().iter()));
        let mut ends = form.iter();
        ends.by_ref().for_each(drop);
        assert_eq!((ends.next(), ends.len()), (None, 0));
    }
    let form = Form::parse(b"secret=1").unwrap();
    let printed = format!("{:?} {:?}", form.iter(), form.clone().into_iter());
    assert!(!printed.contains("secret"), "{printed}");
}
