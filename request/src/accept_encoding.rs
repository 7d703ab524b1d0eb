//! Which content codings (`gzip`, `br`) a client accepts: `Accept-Encoding`.
//!
//! The server of the rows offers `br`, then `gzip`.
//!
//! | value | RFC 9110 §12.5.3 | Quintet |
//! |---|---|---|
//! | no field | any coding | identity |
//! | *empty* | identity | identity |
//! | `gzip, deflate, br, zstd` | equal: the server chooses | br |
//! | `gzip;q=1.0, br;q=0.5` | gzip | gzip |
//! | `gzip;q=0, br;q=0.000` | identity | identity |
//! | `*` | the server chooses | br |
//! | `*;q=0` | nothing is acceptable | not acceptable |
//! | `identity;q=0` | nothing is acceptable here | not acceptable |
//! | `gzip;q=0.5` | gzip, as identity is not named | gzip |
//! | `identity, gzip;q=0.5` | identity | identity |
//! | `identity;q=0.5, *;q=0.1` | identity | identity |
//! | `br;q=0, *` | gzip | gzip |
//! | `GZIP;Q=0.5`, `x-gzip`, `gzip ; q=0.5` | gzip | gzip |
//! | `gzip;q=1.5`, `gzip;q=.5`, `gzip;q=0.1234`, `gzip;q=`, `gzip;level=1`, `g zip` | malformed | the element is ignored |
//! | `gzip, gzip;q=0` | twice: undefined | identity: the smallest weight counts |
//!
//! Go has no negotiation of codings. An element that cannot be read is ignored, so that the client gets the content
//! without a coding, which every client can read.

use crate::{HeadRef, byte};

/// The content codings that a client accepts, read on demand from `Accept-Encoding`.
///
/// Shape: a list of codings, each with an optional weight: `br, gzip;q=0.5, *;q=0`. Several fields are one list.
///
/// ```
/// use quintet_request::{AcceptEncoding, Coding};
///
/// let accepted = AcceptEncoding::parse(b"gzip, br;q=0.5");
/// assert_eq!(accepted.choose(&["br", "gzip"]), Coding::Offered(1));
/// assert_eq!(accepted.choose(&["zstd"]), Coding::Identity);
/// assert_eq!(accepted.quality("br"), Some(500));
/// ```
///
/// # Spec
/// RFC 9110 §12.5.3, §12.4.2. Go has none of it. The table in `src/accept_encoding.rs` has the cases.
#[derive(Clone, Copy, Debug)]
pub struct AcceptEncoding<'a> {
    line: Option<&'a [u8]>,
    head: Option<HeadRef<'a>>,
}

/// The coding for a reply. Made by [`AcceptEncoding::choose`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Coding {
    /// The one at this index of those offered.
    Offered(usize),
    /// None: the content as it is.
    Identity,
    /// The client refuses the content as it is, and all that was offered. The reply is 406, or the content as it is: a
    /// server may disregard the field (RFC 9110 §12.1).
    NotAcceptable,
}

/// The highest weight, in thousandths.
const FULL: u16 = 1_000;

impl<'a> AcceptEncoding<'a> {
    /// What the value of one field accepts.
    pub fn parse(value: &'a [u8]) -> Self {
        Self { line: Some(value), head: None }
    }

    /// What every `Accept-Encoding` field of a head accepts.
    pub fn of(head: HeadRef<'a>) -> Self {
        Self { line: None, head: Some(head) }
    }

    /// The weight of a coding in thousandths, by its name in any case: `Some(0)` if it is refused, `None` if neither it nor
    /// `*` is in the list. `*` stands for any other coding (RFC 9110 §12.5.3); for `identity` it only counts if it
    /// refuses.
    pub fn quality(self, coding: &str) -> Option<u16> {
        let coding = canonical(coding.as_bytes());
        let weight = |name: &[u8]| {
            let found = self.elements().filter(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map(|(_, weight)| weight).min()
        };
        let is_identity = coding.eq_ignore_ascii_case(b"identity");
        weight(coding).or_else(|| weight(b"*").filter(|&weight| !is_identity || weight == 0))
    }

    /// Chooses among the codings that a server has, in the order of its preference: the one with the highest weight; of
    /// equal ones the first. [`Coding::Identity`] if the client prefers that, accepts none of them, or sent no field.
    pub fn choose(self, offered: &[&str]) -> Coding {
        let mut best: Option<(usize, u16)> = None;
        for (at, coding) in offered.iter().enumerate() {
            let weight = self.quality(coding).unwrap_or(0);
            if weight > best.map_or(0, |(_, weight)| weight) {
                best = Some((at, weight));
            }
        }
        match (best, self.quality("identity")) {
            (Some((_, weight)), Some(identity)) if identity > weight => Coding::Identity,
            (Some((at, _)), _) => Coding::Offered(at),
            (None, Some(0)) => Coding::NotAcceptable,
            (None, _) => Coding::Identity,
        }
    }

    /// The well-formed elements: the name of a coding, or `*`, and its weight.
    fn elements(self) -> impl Iterator<Item = (&'a [u8], u16)> {
        let fields = self.head.into_iter().flat_map(|head| head.headers_named("accept-encoding"));
        let lines = self.line.into_iter().chain(fields);
        lines.flat_map(|line| line.split(|&byte| byte == b',')).filter_map(read)
    }
}

/// `x-gzip` is `gzip` (RFC 9110 §8.4.1.3).
fn canonical(coding: &[u8]) -> &[u8] {
    if coding.eq_ignore_ascii_case(b"x-gzip") { b"gzip" } else { coding }
}

fn read(element: &[u8]) -> Option<(&[u8], u16)> {
    let end = element.iter().position(|&byte| byte == b';');
    let (name, weight) = match end {
        None => (element, FULL),
        Some(end) => (&element[..end], read_weight(byte::trim(&element[end + 1..]))?),
    };
    let name = byte::trim(name);
    byte::is_token(name).then(|| (canonical(name), weight))
}

/// `q=`, and `0` or `1` with up to three decimals, at most 1 (RFC 9110 §12.4.2).
fn read_weight(parameter: &[u8]) -> Option<u16> {
    let value = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    let (whole, decimals) = match value {
        [whole @ (b'0' | b'1')] => (whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut weight = u16::from(whole - b'0') * FULL;
    for (decimal, unit) in decimals.iter().zip([100, 10, 1]) {
        weight += u16::from(decimal.is_ascii_digit().then(|| decimal - b'0')?) * unit;
    }
    (weight <= FULL).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_encoding_chooses_by_weight_then_by_the_servers_order() {
        let (br, gzip) = (Coding::Offered(0), Coding::Offered(1));
        for (value, chosen) in [
            ("", Coding::Identity),
            ("gzip, deflate, br, zstd", br),
            ("gzip;q=1.0, br;q=0.5", gzip),
            ("gzip;q=0, br;q=0.000", Coding::Identity),
            ("*", br),
            ("*;q=0", Coding::NotAcceptable),
            ("identity;q=0", Coding::NotAcceptable),
            ("identity;q=0, deflate", Coding::NotAcceptable),
            ("identity;q=0, *", br),
            ("*;q=0, identity", Coding::Identity),
            ("*;q=0, gzip", gzip),
            ("gzip;q=0.5", gzip),
            ("identity, gzip;q=0.5", Coding::Identity),
            ("identity;q=0.5, gzip;q=0.5", gzip),
            ("identity;q=0.5, *;q=0.1", Coding::Identity),
            ("br;q=0, *", gzip),
            ("gzip;q=0.5, *;q=0.8", br),
            ("GZIP;Q=0.5", gzip),
            ("x-gzip", gzip),
            ("gzip ;\tq=0.5", gzip),
            (" ,gzip,, ", gzip),
            ("gzip;q=0.001, br;q=0.002", br),
            ("gzip, gzip;q=0", Coding::Identity),
            ("deflate", Coding::Identity),
        ] {
            assert_eq!(AcceptEncoding::parse(value.as_bytes()).choose(&["br", "gzip"]), chosen, "{value}");
        }
    }

    #[test]
    fn accept_encoding_ignores_a_malformed_element() {
        for element in [
            "gzip;q=1.5",
            "gzip;q=.5",
            "gzip;q=0.1234",
            "gzip;q=",
            "gzip;q=1.001",
            "gzip;q=0,5",
            "gzip;q=-1",
            "gzip;q=0.x",
            "gzip;q = 1",
            "gzip;level=1",
            "gzip;",
            "gzip;q=1;q=0",
            "g zip",
            "\"gzip\"",
            "gzip\u{e9}",
            ";q=1",
        ] {
            let value = format!("{element}, br;q=0.1");
            // A comma in an element makes two of it.
            let is_split = element.contains(',');
            let quality = AcceptEncoding::parse(value.as_bytes()).quality("gzip");
            assert_eq!(quality, is_split.then_some(0), "{value}");
            assert_eq!(AcceptEncoding::parse(value.as_bytes()).choose(&["gzip", "br"]), Coding::Offered(1), "{value}");
        }
    }

    #[test]
    fn accept_encoding_of_a_head_without_the_field_is_identity() {
        for (fields, chosen) in [
            ("", Coding::Identity),
            ("Accept-Encoding:\r\n", Coding::Identity),
            ("Accept-Encoding: br;q=0.5\r\nX: y\r\naccept-encoding: gzip\r\n", Coding::Offered(1)),
            ("Accept-Encoding: gzip\r\nAccept-Encoding: gzip;q=0\r\n", Coding::Identity),
        ] {
            let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            let index = crate::parse(bytes.as_bytes(), &crate::Limits::default()).unwrap().unwrap();
            let accepted = AcceptEncoding::of(HeadRef::new(bytes.as_bytes(), &index));
            assert_eq!(accepted.choose(&["br", "gzip"]), chosen, "{fields:?}");
            assert_eq!(accepted.choose(&[]), Coding::Identity);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_chosen_coding_is_never_a_refused_one(value in "(gzip|br|identity|\\*|x)?(;q=(0|1|0\\.[0-9]{1,3}))?(,(gzip|br|identity|\\*)(;q=(0|1|0\\.[0-9]{1,3}))?){0,5}") {
            let accepted = AcceptEncoding::parse(value.as_bytes());
            let identity = accepted.quality("identity");
            match accepted.choose(&["br", "gzip"]) {
                Coding::Offered(at) => {
                    let weights = ["br", "gzip"].map(|coding| accepted.quality(coding).unwrap_or(0));
                    proptest::prop_assert!(weights[at] > 0 && weights.iter().all(|&weight| weight <= weights[at]));
                    proptest::prop_assert!(identity.unwrap_or(0) <= weights[at]);
                }
                Coding::Identity => proptest::prop_assert_ne!(identity, Some(0)),
                Coding::NotAcceptable => proptest::prop_assert_eq!(identity, Some(0)),
            }
        }
    }
}
