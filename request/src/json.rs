//! Reading JSON: which content types are JSON, and a text as a value of a type.

use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_path_to_error::{Deserializer as PathDeserializer, Track};

use crate::{DataError, HeadRef, JsonError, byte, head::has_content_coding};

/// Reads bytes as one JSON text, with nothing but whitespace around it.
///
/// Shape: RFC 8259, in UTF-8 without a byte order mark. A value may have 127 levels of arrays and objects; those that the
/// type skips may have any number, which costs a byte each. A field of a struct that is there twice is refused; of a name
/// that is twice in a map or in a `Value` the last one stays, as in Go.
///
/// # Errors
/// [`JsonError::Empty`] (400) for no bytes, [`JsonError::Syntax`] (400), and [`JsonError::Data`] (422) if the text is not a
/// value of the type. The first error in the order of the bytes is returned.
///
/// # Spec
/// RFC 8259. Go: `json.Unmarshal`, which matches names of fields in any case and skips what follows invalid UTF-8.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    if bytes.is_empty() {
        return Err(JsonError::Empty);
    }
    // As a whole, because the parser does not look at the strings that the type skips.
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(&bytes[..error.valid_up_to()]))?;
    let (mut json, mut track) = (serde_json::Deserializer::from_str(text), Track::new());
    match T::deserialize(PathDeserializer::new(&mut json, &mut track)) {
        Ok(value) => json.end().map(|()| value).map_err(|error| syntax(&error)),
        Err(error) if error.classify() == Category::Data => {
            Err(DataError::new(&track.path(), &error.to_string()).into())
        }
        Err(error) => Err(syntax(&error)),
    }
}

/// Checks that the body of a request is JSON by its fields.
///
/// A body without a content type is refused, too: a page of another site can make a browser send such a body, but none
/// with the type of JSON.
///
/// # Errors
/// [`JsonError::ContentType`], [`JsonError::Charset`] or [`JsonError::ContentEncoding`] (415).
pub(crate) fn check_json(head: HeadRef<'_>) -> Result<(), JsonError> {
    let mut types = head.headers_named("content-type");
    let (Some(content_type), None) = (types.next(), types.next()) else { return Err(JsonError::ContentType) };
    let content_type = std::str::from_utf8(content_type).map_err(|_| JsonError::ContentType)?;
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !is_json(essence.trim_matches([' ', '\t'])) {
        return Err(JsonError::ContentType);
    }
    if !is_utf8(parameters) {
        return Err(JsonError::Charset);
    }
    if has_content_coding(head) { Err(JsonError::ContentEncoding) } else { Ok(()) }
}

/// Whether a media type is JSON: `application/json`, or any with the suffix `+json` (RFC 6839 §3.1).
fn is_json(essence: &str) -> bool {
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    let token = |text: &str| byte::is_token(text.as_bytes());
    let suffix = subtype.len().checked_sub("+json".len()).filter(|at| *at > 0).and_then(|at| subtype.get(at..));
    token(kind)
        && token(subtype)
        && (essence.eq_ignore_ascii_case("application/json")
            || suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case("+json")))
}

/// Whether the parameters of a media type have no charset other than UTF-8. JSON has no charset (RFC 8259 §11), but many
/// clients send one. Parameters that cannot be read are not UTF-8.
fn is_utf8(parameters: &str) -> bool {
    let (mut rest, mut charset) = (parameters, None);
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() {
            return charset.is_none_or(|is_utf8| is_utf8);
        }
        let Some((name, value, after)) = parameter(rest) else { return false };
        let is_utf8 = value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("utf8");
        if name.eq_ignore_ascii_case("charset") && charset.replace(is_utf8).is_some() {
            return false;
        }
        rest = after;
    }
}

/// The name and the value of the first parameter (RFC 9110 §5.6.6), and what follows it: nothing, or a semicolon.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = text.split_once('=').filter(|(name, _)| byte::is_token(name.as_bytes()))?;
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => unquoted(quoted)?,
        None => {
            let end = rest.find([';', ' ', '\t']).unwrap_or(rest.len());
            (rest[..end].to_owned(), &rest[end..])
        }
    };
    let rest = rest.trim_start_matches([' ', '\t']);
    (rest.is_empty() || rest.starts_with(';')).then_some((name, value, rest))
}

/// The text of a quoted string (RFC 9110 §5.6.4) after its first quote, and what follows the second.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.chars());
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            c => value.push(c),
        }
    }
}

/// The error of the parser, whose texts about syntax are its own: they have no bytes of the client.
fn syntax(error: &serde_json::Error) -> JsonError {
    let (line, column) = (error.line(), error.column());
    let reason = error.to_string();
    let reason = reason.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&reason).to_owned();
    JsonError::Syntax { line, column, reason }
}

/// The error of a byte that is not UTF-8, after these bytes.
fn not_utf8(before: &[u8]) -> JsonError {
    let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
    let column = 1 + before.iter().rev().take_while(|&&byte| byte != b'\n').count();
    JsonError::Syntax { line, column, reason: "invalid utf-8".to_owned() }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
