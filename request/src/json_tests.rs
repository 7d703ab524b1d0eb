//! Tests of reading JSON: which texts are refused and where, which shapes, and which content types are JSON.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::{Head, Limits};

/// The line, the column and the status of the error that some bytes are refused with.
fn refused(json: &[u8]) -> (usize, usize, u16) {
    match parse_json::<Value>(json).unwrap_err() {
        error @ JsonError::Syntax { line, column, .. } => (line, column, error.status().as_u16()),
        other => panic!("{other:?}: {}", json.escape_ascii()),
    }
}

mod rfc8259 {
    use super::*;

    #[test]
    fn malformed_json_is_400_with_line_and_column() {
        for (json, line, column) in [
            (&b" "[..], 1, 1),
            (b"\n\n", 3, 0),
            (b"{", 1, 1),
            (b"{\"a\": }", 1, 7),
            (b"{\"a\":\n  1,\n  \"b\": nul}", 3, 11),
            (b"[1,]", 1, 4),
            (b"{\"a\":1,}", 1, 8),
            (b"{a:1}", 1, 2),
            (b"{'a':1}", 1, 2),
            (b"01", 1, 2),
            (b"+1", 1, 1),
            (b"1.", 1, 2),
            (b".5", 1, 1),
            (b"0x10", 1, 2),
            (b"NaN", 1, 1),
            (b"Infinity", 1, 1),
            (b"True", 1, 1),
            (b"\"a", 1, 2),
            (b"\"a\nb\"", 2, 0),
            (b"\"\x00\"", 1, 2),
            (b"\"\\x\"", 1, 3),
            (b"\"\\ud800\"", 1, 8),
            (b"1e999", 1, 5),
            // A text is one value.
            (b"1 2", 1, 3),
            (b"{} {}", 1, 4),
            (b"{}\n\n]", 3, 1),
            (b"{}\0", 1, 3),
            (b"// a\n1", 1, 1),
            // A byte order mark is no whitespace.
            (b"\xef\xbb\xbf{}", 1, 1),
        ] {
            assert_eq!(refused(json), (line, column, 400), "{}", json.escape_ascii());
        }
        assert!(matches!(parse_json::<Value>(b""), Err(JsonError::Empty)));
        for json in [&b"null"[..], b" \t\r\n1\n", b"{}", b"\"\\ud83d\\ude00\"", b"-0.0e-1", b"\"\x7f\""] {
            assert!(parse_json::<Value>(json).is_ok(), "{}", json.escape_ascii());
        }
    }

    /// The parser does not look at strings that the type skips.
    #[test]
    fn json_that_is_not_utf8_is_400_also_where_it_is_skipped() {
        #[derive(Deserialize)]
        struct Empty {}
        for (json, line, column) in [
            (&b"\xff"[..], 1, 1),
            (b"{\"a\": \"b\xff\"}", 1, 9),
            (b"{\"a\":\n\"\xc3\"}", 2, 2),
            (b"{} \xed\xa0\x80", 1, 4),
        ] {
            assert_eq!(refused(json), (line, column, 400), "{}", json.escape_ascii());
            let skipped = parse_json::<Empty>(json).err().unwrap();
            assert_eq!(skipped.to_string(), format!("json is malformed at line {line} column {column}: invalid utf-8"));
        }
    }

    #[test]
    fn json_nested_beyond_127_levels_is_400() {
        let nested = |levels| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(parse_json::<Value>(&nested(127)).is_ok());
        for levels in [128, 129, 1_000_000] {
            assert_eq!(refused(&nested(levels)), (1, 128, 400));
        }
        // What the type skips needs no stack.
        #[derive(Debug, Deserialize)]
        struct Empty {}
        let skipped = [b"{\"a\":", &*nested(1_000_000), b"}"].concat();
        assert!(parse_json::<Empty>(&skipped).is_ok());
    }

    #[test]
    fn a_json_text_cut_anywhere_is_400_or_another_value() {
        let whole = "{\"a\": [1, -2.5e3, \"\\u00e9é\", {\"b\": null}], \"c\": true}\n";
        for end in 0..whole.len() - 1 {
            match parse_json::<Value>(&whole.as_bytes()[..end]) {
                Err(error) => assert_eq!(error.status(), 400, "{end}"),
                Ok(value) => panic!("{end}: {value}"),
            }
        }
        assert!(parse_json::<Value>(whole.as_bytes()).is_ok());
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[allow(dead_code, reason = "only the errors are looked at")]
    id: u32,
    #[serde(default)]
    #[allow(dead_code, reason = "only the errors are looked at")]
    items: Vec<Item>,
    #[serde(default)]
    #[allow(dead_code, reason = "only the errors are looked at")]
    prices: BTreeMap<String, f64>,
    #[allow(dead_code, reason = "only the errors are looked at")]
    how: Option<How>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    #[allow(dead_code, reason = "only the errors are looked at")]
    name: String,
    #[allow(dead_code, reason = "only the errors are looked at")]
    count: Option<u8>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum How {
    Post,
    #[allow(dead_code, reason = "only the errors are looked at")]
    Van {
        #[allow(dead_code, reason = "only the errors are looked at")]
        size: u8,
    },
}

/// The path and the text of the error of JSON of another shape.
fn misshapen(json: &str) -> (String, String) {
    match parse_json::<Order>(json.as_bytes()).unwrap_err() {
        error @ JsonError::Data(_) => {
            assert_eq!(error.status(), 422);
            let JsonError::Data(data) = &error else { unreachable!("it was matched above") };
            (data.path().to_owned(), error.to_string())
        }
        other => panic!("{other:?}: {json}"),
    }
}

#[test]
fn json_of_another_shape_is_422_with_the_path_of_the_field() {
    for (json, path, text) in [
        ("[]", "", "expected an object"),
        ("7", "", "expected an object"),
        ("{}", "id", "field id is missing"),
        (r#"{"id": "7"}"#, "id", "id: expected u32"),
        (r#"{"id": -1}"#, "id", "id: expected u32"),
        (r#"{"id": 1.5}"#, "id", "id: expected u32"),
        (r#"{"id": 4294967296}"#, "id", "id: expected u32"),
        (r#"{"id": 1, "id": 2}"#, "id", "field id is there twice"),
        (r#"{"id": 1, "colour": 2}"#, "colour", "field colour is unknown"),
        (r#"{"id": 1, "a`, expected b": 2}"#, "?", "field ? is unknown"),
        (r#"{"id": 1, "<script>": 2}"#, "?", "field ? is unknown"),
        (r#"{"id": 1, "": 2}"#, "?", "field ? is unknown"),
        (r#"{"id": 1, "items": [{"name": "a", "name": "b"}]}"#, "items[0].name", "field items[0].name is there twice"),
        (r#"{"id": 1, "items": [{"name": "a", "no": 1}]}"#, "items[0].no", "field items[0].no is unknown"),
        (r#"{"id": 1, "items": {}}"#, "items", "items: expected a sequence"),
        (r#"{"id": 1, "items": [{"name": "a"}, {}]}"#, "items[1].name", "field items[1].name is missing"),
        (r#"{"id": 1, "items": [{"name": "a", "count": 300}]}"#, "items[0].count", "items[0].count: expected u8"),
        (r#"{"id": 1, "items": [{"name": null}]}"#, "items[0].name", "items[0].name: expected a string"),
        (r#"{"id": 1, "prices": {"tea": "x, expected y"}}"#, "prices.tea", "prices.tea: expected f64"),
        (r#"{"id": 1, "prices": {"tea\r\nX: 1": []}}"#, "prices.?", "prices.?: expected f64"),
        (r#"{"id": 1, "prices": {"größe": []}}"#, "prices.größe", "prices.größe: expected f64"),
        (r#"{"id": 1, "how": "boat, expected plane"}"#, "how", "how: expected `post` or `van`"),
        (r#"{"id": 1, "how": {"van": {"size": []}}}"#, "how.van.size", "how.van.size: expected u8"),
    ] {
        assert_eq!(misshapen(json), (path.to_owned(), text.to_owned()), "{json}");
    }
}

/// The text goes to the client and to the log. Whatever the client sends, it is one short line.
#[test]
fn no_value_of_the_client_is_in_the_text_of_a_422() {
    let long = "é\n\u{1b}[2J<b>".repeat(1000);
    for json in [
        serde_json::json!({"id": long}),
        serde_json::json!({"id": 1, &*long: 1}),
        serde_json::json!({"id": 1, "how": long}),
        serde_json::json!({"id": 1, "prices": {&*long: {}}}),
    ] {
        let (path, text) = misshapen(&json.to_string());
        assert!(path.len() < 20 && text.len() < 60 && text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{text}");
        let JsonError::Data(data) = parse_json::<Order>(json.to_string().as_bytes()).unwrap_err() else {
            panic!("{json}")
        };
        assert!(data.message().len() <= 256);
    }
    // Serde's text of an enum without variants says nothing of what was expected.
    #[derive(Debug, serde::Deserialize)]
    enum Never {}
    for json in [r#""boat, expected plane""#, r#"{"boat`, expected plane": 1}"#] {
        let error = parse_json::<Never>(json.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "the value is not accepted", "{json}");
    }
    // A type without a message of serde's is asked for its own, which is not shown.
    let data = parse_json::<std::net::IpAddr>(b"\"1.2.3.4.5 is no address\"").unwrap_err();
    assert_eq!(data.to_string(), "the value is not accepted");
    let JsonError::Data(data) = data else { panic!("{data}") };
    assert_eq!((data.message(), data.expected()), ("invalid IP address syntax", None));
}

#[test]
fn the_path_of_a_422_is_at_most_256_bytes() {
    let deep = (0..60).rev().fold("1".to_owned(), |inner, n| format!("{{\"name-{n}\": {inner}}}"));
    type Deep = BTreeMap<String, Nested>;
    #[derive(Debug, Deserialize)]
    #[serde(transparent)]
    struct Nested(#[allow(dead_code, reason = "only the error is looked at")] Deep);
    let JsonError::Data(data) = parse_json::<Deep>(deep.as_bytes()).unwrap_err() else { panic!("{deep}") };
    assert!(data.path().len() <= 256 && data.path().starts_with("name-0.name-1."), "{data}");
}

#[test]
fn a_number_of_json_is_the_nearest_float() {
    for (json, float) in [
        ("1111111111111111111111", 1_111_111_111_111_111_111_111.0),
        ("0.1", 0.1),
        ("2.2250738585072011e-308", 2.225_073_858_507_201e-308),
        ("1e-400", 0.0),
    ] {
        assert_eq!(parse_json::<f64>(json.as_bytes()).unwrap().to_bits(), f64::to_bits(float), "{json}");
    }
}

#[test]
fn a_name_twice_is_422_in_a_struct_and_the_last_in_a_map() {
    let twice = br#"{"name": "a", "name": "b"}"#;
    assert_eq!(parse_json::<Item>(twice).unwrap_err().status(), 422);
    assert_eq!(parse_json::<Value>(twice).unwrap(), serde_json::json!({"name": "b"}));
    assert_eq!(parse_json::<BTreeMap<String, String>>(twice).unwrap()["name"], "b");
}

/// The status that the fields of a request are refused with.
fn status(fields: &str) -> Option<u16> {
    let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let mut head = Head::default();
    head.parse(bytes.as_bytes(), &Limits::default()).unwrap().unwrap();
    check_json(head.as_ref()).err().map(|error| error.status().as_u16())
}

#[test]
fn json_is_application_json_or_a_type_with_the_suffix_json() {
    for (content_type, accepted) in [
        ("application/json", true),
        ("Application/JSON", true),
        ("application/json ; charset=utf-8", true),
        ("application/json;charset=UTF-8", true),
        ("application/json; charset=\"utf-8\"", true),
        ("application/json; charset=utf8", true),
        ("application/json;", true),
        ("application/json; ; x=y", true),
        ("application/problem+json", true),
        ("application/vnd.a.b-c+JSON", true),
        ("model/gltf+json", true),
        ("application/ld+json; profile=\"https://a.example/;charset=latin1\"", true),
        ("application/json; x=\"a\\\"b;\"", true),
        ("", false),
        ("text/plain", false),
        ("text/json", false),
        ("application/x-www-form-urlencoded", false),
        ("multipart/form-data; boundary=json", false),
        ("application/jsonx", false),
        ("application/xjson", false),
        ("application/json-seq", false),
        ("application/+json", false),
        ("application/", false),
        ("/json", false),
        ("json", false),
        ("application/json, text/plain", false),
        ("application /json", false),
        ("application/json x", false),
        ("*/*", false),
        ("application/json; charset=latin1", false),
        ("application/json; charset=utf-16", false),
        ("application/json; charset=", false),
        ("application/json; charset=utf-8; charset=latin1", false),
        ("application/json; charset=utf-8; Charset=utf-8", false),
        ("application/json; charset", false),
        ("application/json; charset=\"utf-8", false),
        ("application/json; charset=\"utf-8\"x", false),
        ("application/json; =x", false),
        ("application/json; charset =utf-8", false),
    ] {
        let expected = (!accepted).then_some(415);
        assert_eq!(status(&format!("Content-Type: {content_type}\r\n")), expected, "{content_type}");
    }
    assert_eq!(status(""), Some(415), "a body without a type");
    let twice = "Content-Type: application/json\r\nContent-Type: application/json\r\n";
    assert_eq!(status(twice), Some(415), "two types");
    for (coding, expected) in [("gzip", Some(415)), ("identity", None), ("br, identity", Some(415)), ("", None)] {
        let fields = format!("Content-Type: application/json\r\nContent-Encoding: {coding}\r\n");
        assert_eq!(status(&fields), expected, "{coding}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_as_json_is_read_again(value in any_json(), pretty: bool) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        prop_assert_eq!(parse_json::<Value>(text.as_bytes()).unwrap(), value);
    }

    #[test]
    fn any_bytes_are_json_or_refused_with_a_place_in_them(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Err(JsonError::Syntax { line, column, .. }) = parse_json::<Value>(&bytes) {
            let lines: Vec<_> = bytes.split(|&byte| byte == b'\n').collect();
            prop_assert!(line <= lines.len() && column <= lines[line - 1].len().max(1), "{} {}", line, column);
        }
    }
}
