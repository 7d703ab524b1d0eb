//! Negotiation of content codings, against weights that are read as numbers of a general reader.

use quintet_request::{AcceptEncoding, Coding};

const OFFERED: [&str; 3] = ["br", "zstd", "gzip"];

/// The value of `Accept-Encoding`: the choice is the best of those that the list allows, whatever stands beside them.
pub fn accept_encoding(data: &[u8]) {
    let text: String = data.iter().map(|&byte| char::from(byte)).collect();
    let elements: Vec<(String, u16)> = text.split(',').filter_map(element).collect();
    let accepted = AcceptEncoding::parse(data);
    let smallest = |name: &str| elements.iter().filter(|(other, _)| other == name).map(|(_, weight)| *weight).min();
    let star = smallest("*");
    let mut best: Option<(usize, u16)> = None;
    for (at, coding) in OFFERED.iter().enumerate() {
        let weight = smallest(coding).or(star);
        assert_eq!(accepted.quality(coding), weight, "{coding} in {text:?}");
        let weight = weight.unwrap_or(0);
        if weight > best.map_or(0, |(_, best)| best) {
            best = Some((at, weight));
        }
    }
    let identity = smallest("identity").or(star.filter(|&weight| weight == 0));
    let expected = match best {
        Some((at, weight)) if identity.is_none_or(|identity| identity <= weight) => Coding::Offered(at),
        None if identity == Some(0) => Coding::NotAcceptable,
        _ => Coding::Identity,
    };
    assert_eq!(accepted.choose(&OFFERED), expected, "{text:?}");
    // An element that cannot be read changes nothing.
    let longer = [data, b",br;q=2,;q=1, g zip"].concat();
    assert_eq!(AcceptEncoding::parse(&longer).choose(&OFFERED), expected);
}

fn element(text: &str) -> Option<(String, u16)> {
    let parts: Vec<&str> = text.split(';').map(|part| part.trim_matches([' ', '\t'])).collect();
    let (name, weight) = match parts[..] {
        [name] => (name, "1"),
        [name, weight] => (name, weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="))?),
        _ => return None,
    };
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let is_number = weight.starts_with(['0', '1']) && weight.chars().all(|c| c.is_ascii_digit() || c == '.');
    if name.is_empty() || !name.chars().all(is_token) || !is_number || weight.len() > 5 {
        return None;
    }
    let digits = if weight.len() == 1 {
        weight.to_owned()
    } else {
        weight.strip_prefix(['0', '1'])?.strip_prefix('.').map(|_| weight.to_owned())?
    };
    let number: f64 = digits.parse().ok()?;
    let name = name.to_ascii_lowercase();
    let name = if name == "x-gzip" { "gzip".to_owned() } else { name };
    (number <= 1.0).then_some((name, (number * 1000.0).round() as u16))
}
