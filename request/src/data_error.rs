//! The error of a value that does not have the shape of the type that the program reads.

use std::fmt;

use serde_path_to_error::{Path, Segment};

/// The most bytes of a name that is shown in a path.
const MAX_NAME_BYTES: usize = 64;
/// The most bytes of a path.
const MAX_PATH_BYTES: usize = 256;
/// The most bytes of a deserializer's message.
const MAX_MESSAGE_BYTES: usize = 256;
/// The messages of the standard library about text that is not a number.
const NUMBER_MESSAGES: [&str; 6] = [
    "cannot parse float from empty string",
    "cannot parse integer from empty string",
    "invalid digit found in string",
    "invalid float literal",
    "number too large to fit in target type",
    "number too small to fit in target type",
];

/// The reason why a well-formed value (JSON, a query or a form) is not one of the type that the program reads: a field is
/// missing, unknown or twice there, or has another type.
///
/// The text names the field by its path and says what was expected. It has no value that the client sent. Names in the
/// path may be the client's, if the type is a map: a name that has other characters than letters, digits, `_` and `-`, or
/// more than 64 bytes, is shown as `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataError {
    path: String,
    problem: Problem,
    message: String,
}

/// What is wrong with the value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Missing,
    Unknown,
    Duplicate,
    Expected(String),
    Other,
}

impl DataError {
    /// The error of a deserializer at a path. `message` is its text; JSON's ends with a position.
    pub(crate) fn new(path: &Path, message: &str) -> Self {
        let message = without_position(message);
        let mut names = names(path);
        let problem = match field(message) {
            Some((problem, name)) => {
                push_name(&mut names, name);
                problem
            }
            // The path ends with its name.
            None if message.starts_with("unknown field `") => Problem::Unknown,
            None => expected(message).map_or(Problem::Other, Problem::Expected),
        };
        Self { path: names, problem, message: shortened(message) }
    }

    /// The path of the field, such as `items[2].count`; empty for the value as a whole. At most 256 bytes.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What was expected there, in the words of the type: `u32`, `a string`, ``one of `up`, `down` ``. `None` if a field
    /// is missing, unknown or twice there, or if the type did not say.
    pub fn expected(&self) -> Option<&str> {
        match &self.problem {
            Problem::Expected(expected) => Some(expected),
            _ => None,
        }
    }

    /// The deserializer's own message, at most 256 bytes. **It may quote the client.** It is for a log, and for programs
    /// whose types write messages of their own (`#[serde(try_from = "…")]`) that clients are to read.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.path.is_empty();
        let path = if whole { "the value" } else { self.path.as_str() };
        match &self.problem {
            Problem::Missing => write!(f, "field {path} is missing"),
            Problem::Unknown => write!(f, "field {path} is unknown"),
            Problem::Duplicate => write!(f, "field {path} is there twice"),
            Problem::Expected(expected) if whole => write!(f, "expected {expected}"),
            Problem::Expected(expected) => write!(f, "{path}: expected {expected}"),
            Problem::Other => write!(f, "{path} is not accepted"),
        }
    }
}

impl std::error::Error for DataError {}

/// A message without the position that JSON's have at their end. The path says more.
fn without_position(message: &str) -> &str {
    match message.rsplit_once(" at line ") {
        Some((text, position)) if position.bytes().all(|byte| byte.is_ascii_digit() || b" column".contains(&byte)) => {
            text
        }
        _ => message,
    }
}

/// The problem and the name of a field that is not in the path: serde's own messages about one.
fn field(message: &str) -> Option<(Problem, &str)> {
    let kinds = [("missing field `", Problem::Missing), ("duplicate field `", Problem::Duplicate)];
    let (name, problem) = kinds.into_iter().find_map(|(start, kind)| Some((message.strip_prefix(start)?, kind)))?;
    Some((problem, name.strip_suffix('`')?))
}

/// What serde's own message says was expected. Only its end is taken: the client's value stands before it.
fn expected(message: &str) -> Option<String> {
    if NUMBER_MESSAGES.contains(&message) {
        return Some("a number".to_owned());
    }
    // Of `serde_html_form`: a name that is twice in a form, and the field is no list.
    if message == "unsupported value" {
        return Some("one value".to_owned());
    }
    let kinds = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant `"];
    // An enum without variants has a text of its own, whose only `expected` would be the client's.
    if !kinds.iter().any(|kind| message.starts_with(kind)) || message.ends_with(", there are no variants") {
        return None;
    }
    let (_, expected) = message.rsplit_once(", expected ")?;
    // The name of a type of Rust means nothing to a client.
    Some(if expected.starts_with("struct ") { "an object".to_owned() } else { shortened(expected) })
}

/// The path as text.
fn names(path: &Path) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => push(&mut text, &format!("[{index}]")),
            Segment::Map { key } => push_name(&mut text, key),
            Segment::Enum { variant } => push_name(&mut text, variant),
            Segment::Unknown => push_name(&mut text, "?"),
        }
    }
    text
}

/// Adds a name, which may be the client's.
fn push_name(path: &mut String, name: &str) {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let shown = !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.chars().all(plain);
    let dot = if path.is_empty() { "" } else { "." };
    push(path, &format!("{dot}{}", if shown { name } else { "?" }));
}

fn push(path: &mut String, text: &str) {
    if path.len() + text.len() <= MAX_PATH_BYTES {
        path.push_str(text);
    }
}

/// The beginning of a text, up to a whole character.
fn shortened(text: &str) -> String {
    let end = (0..=text.len().min(MAX_MESSAGE_BYTES)).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].to_owned()
}
