//! Tests of the table in `ranges.rs`.

use proptest::prelude::*;

use super::*;

/// The reply: 200, 416, or the ranges as pairs of start and length.
#[derive(Debug, PartialEq)]
enum Reply {
    Whole,
    Unsatisfiable,
    Parts(Vec<(u64, u64)>),
}
use Reply::{Parts, Unsatisfiable, Whole};

fn reply(value: &str, size: u64) -> Reply {
    match Ranges::parse(value.as_bytes(), size) {
        Ok(None) => Whole,
        Err(error) => {
            assert_eq!((error.size, error.status().as_u16()), (size, 416));
            assert_eq!(error.content_range(), format!("bytes */{size}"));
            Unsatisfiable
        }
        Ok(Some(ranges)) => {
            let parts: Vec<_> = ranges.as_slice().iter().map(|range| (range.start, range.length)).collect();
            assert_eq!(ranges.size(), parts.iter().map(|part| part.1).sum::<u64>());
            Parts(parts)
        }
    }
}

/// A value, the size of the content, Go's ranges, and ours if they differ.
type Row = (&'static str, u64, &'static [(u64, u64)], Option<Reply>);

/// The rows of Go's TestParseRange with Go's ranges, `&[]` for none; and ours where they differ.
#[test]
fn ranges_are_read_as_go_reads_them_but_for_these_rows() {
    let rows: &[Row] = &[
        ("", 0, &[], None),
        ("", 1000, &[], None),
        ("foo", 0, &[], None),
        ("bytes=", 0, &[], None),
        ("bytes=7", 10, &[], None),
        ("bytes= 7 ", 10, &[], None),
        ("bytes=1-", 0, &[], None),
        ("bytes=5-4", 10, &[], None),
        ("bytes=0-2,5-4", 10, &[], None),
        ("bytes=2-5,4-3", 10, &[], None),
        ("bytes=--5,4--3", 10, &[], None),
        ("bytes=A-", 10, &[], None),
        ("bytes=A- ", 10, &[], None),
        ("bytes=A-Z", 10, &[], None),
        ("bytes= -Z", 10, &[], None),
        ("bytes=5-Z", 10, &[], None),
        ("bytes=Ran-dom, garbage", 10, &[], None),
        ("bytes=0x01-0x02", 10, &[], None),
        ("bytes=         ", 10, &[], None),
        ("bytes= , , ,   ", 10, &[], None),
        ("bytes=0-9", 10, &[(0, 10)], None),
        ("bytes=0-", 10, &[(0, 10)], None),
        ("bytes=5-", 10, &[(5, 5)], None),
        ("bytes=0-20", 10, &[(0, 10)], None),
        ("bytes=15-,0-5", 10, &[(0, 6)], None),
        ("bytes=1-2,5-", 10, &[(1, 2), (5, 5)], None),
        ("bytes=-2 , 7-", 11, &[(9, 2), (7, 4)], Some(Parts(vec![(7, 4)]))),
        ("bytes=0-0 ,2-2, 7-", 11, &[(0, 1), (2, 1), (7, 4)], None),
        ("bytes=-5", 10, &[(5, 5)], None),
        ("bytes=-15", 10, &[(0, 10)], None),
        ("bytes=0-499", 10000, &[(0, 500)], None),
        ("bytes=500-999", 10000, &[(500, 500)], None),
        ("bytes=-500", 10000, &[(9500, 500)], None),
        ("bytes=9500-", 10000, &[(9500, 500)], None),
        ("bytes=0-0,-1", 10000, &[(0, 1), (9999, 1)], None),
        ("bytes=500-600,601-999", 10000, &[(500, 101), (601, 399)], Some(Parts(vec![(500, 500)]))),
        ("bytes=500-700,601-999", 10000, &[(500, 201), (601, 399)], Some(Parts(vec![(500, 500)]))),
        ("bytes=   1 -2   ,  4- 5, 7 - 8 , ,,", 11, &[(1, 2), (4, 2), (7, 2)], Some(Whole)),
    ];
    assert_eq!(rows.len(), 38);
    for (value, size, go, differs) in rows {
        let go = if go.is_empty() { Whole } else { Parts(go.to_vec()) };
        assert_eq!(&reply(value, *size), differs.as_ref().unwrap_or(&go), "{value}, {size}");
    }
}

/// The rows of Go's ServeFileRangeTests: a file of 11 bytes. Go joins nothing, but no row has ranges that could be.
#[test]
fn ranges_of_a_file_of_11_bytes_are_those_of_go() {
    for (value, expected) in [
        ("", Whole),
        ("bytes=0-4", Parts(vec![(0, 5)])),
        ("bytes=2-", Parts(vec![(2, 9)])),
        ("bytes=-5", Parts(vec![(6, 5)])),
        ("bytes=3-7", Parts(vec![(3, 5)])),
        ("bytes=0-0,-2", Parts(vec![(0, 1), (9, 2)])),
        ("bytes=0-1,5-8", Parts(vec![(0, 2), (5, 4)])),
        ("bytes=0-1,5-", Parts(vec![(0, 2), (5, 6)])),
        ("bytes=5-1000", Parts(vec![(5, 6)])),
        ("bytes=0-,1-,2-,3-,4-", Whole),
        ("bytes=0-9", Parts(vec![(0, 10)])),
        ("bytes=0-10", Parts(vec![(0, 11)])),
        ("bytes=0-11", Parts(vec![(0, 11)])),
        ("bytes=10-11", Parts(vec![(10, 1)])),
        ("bytes=10-", Parts(vec![(10, 1)])),
        ("bytes=11-", Unsatisfiable),
        ("bytes=11-12", Unsatisfiable),
        ("bytes=12-12", Unsatisfiable),
        ("bytes=11-100", Unsatisfiable),
        ("bytes=12-100", Unsatisfiable),
        ("bytes=100-", Unsatisfiable),
        ("bytes=100-1000", Unsatisfiable),
    ] {
        assert_eq!(reply(value, 11), expected, "{value}");
    }
}

/// The rows of Go's TestServeFileRejectsInvalidSuffixLengths; Go answers 416 to the malformed ones.
#[test]
fn a_suffix_length_is_digits_and_416_only_for_zero() {
    for (value, expected) in [
        ("bytes=--6", Whole),
        ("bytes=--0", Whole),
        ("bytes=---0", Whole),
        ("bytes=-6", Parts(vec![(17, 6)])),
        ("bytes=6-", Parts(vec![(6, 17)])),
        ("bytes=-6-", Whole),
        ("bytes=-0", Unsatisfiable),
        ("bytes=", Whole),
    ] {
        assert_eq!(reply(value, 23), expected, "{value}");
    }
}

#[test]
fn ranges_are_malformed_numbers_or_not_bytes_and_ignored() {
    for value in [
        "foo",
        "lines=1-2",
        "bytes 0-1",
        "bytes",
        "bytes:0-1",
        "bytes=+1-2",
        "bytes=1-+2",
        "bytes=1-2;3-4",
        "bytes=1-2 3-4",
        "bytes=1-2,x",
        "bytes=1.0-2",
        "bytes=-",
        "bytes=\u{663}-",
        "bytes=1\u{2013}2",
        "bytes=1_0-20",
        "bytes=0-1\0",
        "=0-1",
        "bytes=1 -2",
        "bytes=4- 5",
        "bytes = 0-1",
    ] {
        assert_eq!(reply(value, 11), Whole, "{value}");
    }
}

#[test]
fn ranges_with_a_huge_number_end_with_the_content() {
    for (value, size, expected) in [
        ("bytes=5-99999999999999999999999999", 11, Parts(vec![(5, 6)])),
        ("bytes=-99999999999999999999999999", 11, Parts(vec![(0, 11)])),
        ("bytes=99999999999999999999999999-", 11, Unsatisfiable),
        ("bytes=18446744073709551615-18446744073709551615", u64::MAX, Unsatisfiable),
        ("bytes=18446744073709551614-", u64::MAX, Parts(vec![(u64::MAX - 1, 1)])),
        ("bytes=0-", u64::MAX, Parts(vec![(0, u64::MAX)])),
        ("bytes=0-,0-,0-", u64::MAX, Whole),
        ("Bytes=0-4", 11, Parts(vec![(0, 5)])),
        ("bytes=00000000000000000000000000001-4", 11, Parts(vec![(1, 4)])),
    ] {
        assert_eq!(reply(value, size), expected, "{value}");
    }
}

#[test]
fn ranges_of_empty_content_are_ignored() {
    for value in ["bytes=0-", "bytes=-1", "bytes=5-", "bytes=0-0,1-1", "bytes=-0"] {
        assert_eq!(reply(value, 0), Whole, "{value}");
    }
}

/// Go: TestParseRangeLimit.
#[test]
fn more_than_200_ranges_are_ignored() {
    let list = |count: usize| {
        let ranges: Vec<_> = (0..count).map(|at| format!("{}-{}", at * 2, at * 2)).collect();
        format!("bytes={}", ranges.join(","))
    };
    let Parts(parts) = reply(&list(200), 1000) else { panic!("200 are served") };
    assert_eq!(parts.len(), 200);
    assert_eq!(reply(&list(201), 1000), Whole);
    // What is not there counts too; empty elements do not.
    assert_eq!(reply(&format!("{},5000-", list(200)), 1000), Whole);
    assert_eq!(reply(&format!("bytes=0-0{}", ",".repeat(1000)), 1000), Parts(vec![(0, 1)]));
    assert_eq!(reply(&format!("bytes=1-1{}", ",0-0".repeat(100)), 1000), Parts(vec![(0, 2)]));
}

#[test]
fn joined_ranges_stand_where_their_first_part_stood() {
    for (value, expected) in [
        ("bytes=0-1,2-3", vec![(0, 4)]),
        ("bytes=2-3,0-1", vec![(0, 4)]),
        ("bytes=8-9,0-1,2-3", vec![(8, 2), (0, 4)]),
        ("bytes=2-3,8-9,0-1", vec![(0, 4), (8, 2)]),
        ("bytes=0-1,3-4", vec![(0, 2), (3, 2)]),
        ("bytes=0-3,1-2", vec![(0, 4)]),
        ("bytes=1-2,0-3", vec![(0, 4)]),
        ("bytes=0-1,6-7,2-5", vec![(0, 8)]),
        ("bytes=5-5,5-5,5-5", vec![(5, 1)]),
    ] {
        assert_eq!(reply(value, 100), Parts(expected), "{value}");
    }
}

/// What an element asks for, and how it is written.
fn spec() -> impl Strategy<Value = (u64, u64, String)> {
    (0_u64..40, 0_u64..12, 0..3).prop_map(|(first, more, kind)| match kind {
        0 => (first, first + more + 1, format!("{first}-{}", first + more)),
        1 => (first, u64::MAX, format!("{first}-")),
        _ => (u64::MAX - more, u64::MAX, format!("-{more}")),
    })
}

proptest! {
    /// The union of what is sent is the union of what is asked for and there; nothing twice, nothing beyond the end.
    #[test]
    fn joined_ranges_are_the_union_of_what_was_asked_for(specs in prop::collection::vec(spec(), 1..8), size in 1_u64..30) {
        let asked: Vec<(u64, u64)> = specs.iter().map(|(start, end, _)| {
            let is_suffix = *start > u64::MAX / 2;
            if is_suffix { (size.saturating_sub(u64::MAX - start), size) } else { (*start, (*end).min(size)) }
        }).collect();
        let value = format!("bytes={}", specs.iter().map(|spec| spec.2.clone()).collect::<Vec<_>>().join(", "));
        let has = |at: u64| asked.iter().any(|(start, end)| (*start..*end).contains(&at));
        let sum: u64 = asked.iter().map(|(start, end)| end.saturating_sub(*start)).sum();
        match reply(&value, size) {
            Whole => prop_assert!(specs.len() > 1 && sum > size),
            Unsatisfiable => prop_assert!((0..size).all(|at| !has(at))),
            Parts(parts) => {
                let satisfiable = asked.iter().filter(|(start, end)| start < end).count();
                prop_assert!(sum <= size || satisfiable == 1);
                for at in 0..size + 50 {
                    let sent = parts.iter().filter(|(start, length)| (*start..start + length).contains(&at)).count();
                    prop_assert_eq!(sent, usize::from(has(at)), "byte {}", at);
                }
                let adjoining = parts.iter().any(|one| parts.iter().any(|other| one.0 + one.1 == other.0));
                prop_assert!(!adjoining);
            }
        }
    }

    /// Go: printing and reading again.
    #[test]
    fn a_printed_range_is_read_again(start in 0_u64..1000, length in 1_u64..1000, more in 0_u64..10) {
        let (range, size) = (ByteRange { start, length }, start + length + more);
        let ranges = Ranges::parse(format!("bytes={start}-{}", range.end() - 1).as_bytes(), size).unwrap().unwrap();
        prop_assert_eq!(ranges.as_slice(), &[range]);
        prop_assert_eq!(range.content_range(size), format!("bytes {start}-{}/{size}", range.end() - 1));
    }

    #[test]
    fn no_bytes_of_a_range_field_panic(value in prop::collection::vec(any::<u8>(), 0..60), size in any::<u64>()) {
        for value in [&value[..], &[b"bytes=", &value[..]].concat()] {
            if let Ok(Some(ranges)) = Ranges::parse(value, size) {
                prop_assert!(ranges.size() <= size && ranges.as_slice().iter().all(|range| range.length > 0 && range.end() <= size));
            }
        }
    }
}
