//! Basic credentials, against base64 that works bit by bit.

use quintet_request::{BasicAuth, bearer_token};

/// The value of an `Authorization` field: what is accepted is what a slow decoder accepts, and has one encoding.
pub fn basic_auth(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (user, password) = text.split_once(':').unwrap_or((&text, ""));
    let made = BasicAuth { user: user.to_owned(), password: password.to_owned() };
    assert_eq!(BasicAuth::parse(value(user, password).as_bytes()), Some(made), "what was encoded is read again");

    if let Some(token) = bearer_token(data) {
        assert!(data.len() > 7 && data[..7].eq_ignore_ascii_case(b"bearer ") && data.ends_with(token.as_bytes()));
        let plain = token.trim_end_matches('=').bytes();
        assert!(
            plain.len() > 0 && plain.into_iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
        );
    }
    let parsed = BasicAuth::parse(data);
    assert_eq!(parsed.as_ref().map(|auth| (auth.user.clone(), auth.password.clone())), read(data));
    let Some(auth) = parsed else { return };
    assert!(!auth.user.contains(':'), "the first colon ends the user");
    let again = value(&auth.user, &auth.password);
    assert_eq!(again.as_bytes()[6..], data[6..], "one text has one encoding");
    let without = BasicAuth { password: String::new(), ..auth.clone() };
    assert_eq!(format!("{auth:?}"), format!("{without:?}"), "it shows no password");
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The field's value for a user and a password.
fn value(user: &str, password: &str) -> String {
    let bits: Vec<u8> = format!("{user}:{password}").bytes().flat_map(|byte| bits(byte, 8)).collect();
    let mut text = String::from("Basic ");
    for six in bits.chunks(6) {
        let number = (0..6).fold(0, |number, at| number << 1 | six.get(at).copied().unwrap_or(0));
        text.push(char::from(ALPHABET[usize::from(number)]));
    }
    while !(text.len() - "Basic ".len()).is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// A user and a password from a field's value.
fn read(value: &[u8]) -> Option<(String, String)> {
    let (scheme, encoded) = (value.get(..6)?, value.get(6..)?);
    let digits = encoded.strip_suffix(b"==").or_else(|| encoded.strip_suffix(b"=")).unwrap_or(encoded);
    if !scheme.eq_ignore_ascii_case(b"basic ") || !encoded.len().is_multiple_of(4) {
        return None;
    }
    let mut all = Vec::new();
    for digit in digits {
        let place = ALPHABET.iter().position(|other| other == digit)?;
        all.extend(bits(u8::try_from(place).expect("below 64"), 6));
    }
    let whole = all.len() / 8 * 8;
    // Padding fills up to four digits and no more, and what it fills is zero.
    if encoded.len() - digits.len() != (4 - digits.len() % 4) % 4 || all[whole..].contains(&1) || all.len() - whole >= 6
    {
        return None;
    }
    let bytes = all[..whole].chunks(8).map(|eight| eight.iter().fold(0, |byte, bit| byte << 1 | bit)).collect();
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

/// The lowest `count` bits, highest first.
fn bits(number: u8, count: u32) -> impl Iterator<Item = u8> {
    (0..count).rev().map(move |at| number >> at & 1)
}
