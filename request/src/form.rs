//! Forms: pairs of names and values in a query or a body, `name=value&name=value`.

use std::{borrow::Cow, fmt};

use super::{
    form_error::FormError,
    form_iter::{FormIntoIter, FormIter, FormValues},
};
use crate::percent;

/// A form: decoded pairs of names and values, in the order in which they were written.
///
/// ```
/// use quintet_request::Form;
///
/// let form = Form::parse(b"name=J%C3%BCrgen+M.&tag=a&tag=b&empty").unwrap();
/// assert_eq!(form.get("name"), Some("Jürgen M."));
/// assert_eq!(form.all("tag").collect::<Vec<_>>(), ["a", "b"]);
/// assert_eq!(form.get("empty"), Some(""));
/// for (name, value) in &form {
///     println!("{name} is {value}");
/// }
/// assert!(Form::parse(b"a=1;b=2").is_err());
///
/// // A form is also written.
/// let form: Form = [("name", "Jürgen"), ("tag", "a&b")].into_iter().collect();
/// assert_eq!(form.to_string(), "name=J%C3%BCrgen&tag=a%26b");
///
/// // A malformed pair is reported, and the others can be read.
/// let (form, error) = Form::parse_lossy(b"discount=100%&page=2");
/// assert_eq!((form.get("discount"), form.get("page")), (None, Some("2")));
/// assert!(error.is_some());
/// ```
#[doc(alias = "query string")]
#[doc(alias = "urlencoded")]
#[derive(Clone, Default)]
pub struct Form {
    /// All names and values, joined without separators.
    text: String,
    /// For each pair, the offsets in `text` where its name and its value end.
    ends: Vec<(usize, usize)>,
}

impl Form {
    /// The default limit of pairs. Go: `urlmaxqueryparams`.
    pub const MAX_PAIRS: usize = 10_000;

    /// Reads a query or the body of a form.
    ///
    /// Shape: pairs separated by `&`. `+` is a space; `%` and two hexadecimal digits are a byte. A pair without `=` has
    /// an empty value. Empty pairs are skipped, but count towards the limit.
    ///
    /// # Errors
    /// [`FormError`] (400) for the first malformed pair. [`parse_lossy`](Self::parse_lossy) returns the other pairs.
    ///
    /// # Spec
    /// URL Standard §5.1. Go: `url.ParseQuery`, which does not check for UTF-8.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        Self::parse_at_most(bytes, Self::MAX_PAIRS)
    }

    /// The same with another limit on the number of pairs.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_at_most(bytes: &[u8], most: usize) -> Result<Self, FormError> {
        match Self::read(bytes, most) {
            (form, None) => Ok(form),
            (_, Some(error)) => Err(error),
        }
    }

    /// Reads every well-formed pair, and returns the error of the first malformed one: a bare `;`, a malformed escape,
    /// or text that is not UTF-8. A malformed pair is left out as a whole. Of more than [`MAX_PAIRS`](Self::MAX_PAIRS)
    /// pairs none is read.
    ///
    /// # Spec
    /// Go: `url.ParseQuery`, which returns both in the same way.
    pub fn parse_lossy(bytes: &[u8]) -> (Self, Option<FormError>) {
        Self::read(bytes, Self::MAX_PAIRS)
    }

    /// The well-formed pairs and the first error.
    fn read(bytes: &[u8], most: usize) -> (Self, Option<FormError>) {
        // Counted before any pair is stored, so that a refused form costs no memory.
        if bytes.iter().filter(|&&byte| byte == b'&').count() >= most && !bytes.is_empty() {
            return (Self::default(), Some(FormError::TooMany { most }));
        }
        let (mut text, mut ends, mut first) = (String::with_capacity(bytes.len()), Vec::new(), None);
        let mut at = 0;
        for pair in bytes.split(|&byte| byte == b'&') {
            let start = text.len();
            match decode_pair(pair, at, &mut text) {
                _ if pair.is_empty() => {}
                Ok(pair) => ends.push(pair),
                Err(error) => {
                    text.truncate(start);
                    first.get_or_insert(error);
                }
            }
            at += pair.len() + 1;
        }
        (Self { text, ends }, first)
    }

    /// The first value with this name. Go: `Values.Get`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value with this name, in order. Go: `Values[name]`.
    pub fn all<'n>(&self, name: &'n str) -> FormValues<'_, 'n> {
        FormValues::new(self.iter(), name)
    }

    /// Every pair, in order.
    pub fn iter(&self) -> FormIter<'_> {
        FormIter::new(&self.text, &self.ends)
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether the form has no pairs.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a pair at the end.
    pub fn push(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        let end = self.text.len();
        self.text.push_str(value);
        self.ends.push((end, self.text.len()));
    }

    /// Adds the pairs of `other` at the end. [`get`](Self::get) prefers the pairs that were there before.
    pub fn append(&mut self, other: &Self) {
        let shift = self.text.len();
        self.text.push_str(&other.text);
        self.ends.extend(other.ends.iter().map(|(name, value)| (name + shift, value + shift)));
    }
}

impl<'a> IntoIterator for &'a Form {
    type Item = (&'a str, &'a str);
    type IntoIter = FormIter<'a>;

    fn into_iter(self) -> FormIter<'a> {
        self.iter()
    }
}

impl IntoIterator for Form {
    type Item = (String, String);
    type IntoIter = FormIntoIter;

    fn into_iter(self) -> FormIntoIter {
        FormIntoIter::new(self.text, self.ends)
    }
}

impl<N: AsRef<str>, V: AsRef<str>> Extend<(N, V)> for Form {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, pairs: I) {
        pairs.into_iter().for_each(|(name, value)| self.push(name.as_ref(), value.as_ref()));
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Form {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut form = Self::default();
        form.extend(pairs);
        form
    }
}

/// Decodes a pair and appends it to `text`; returns where its name and its value end. After an error `text` may have a
/// part of the pair.
fn decode_pair(pair: &[u8], at: usize, text: &mut String) -> Result<(usize, usize), FormError> {
    let semicolon = pair.iter().position(|&byte| byte == b';');
    // The first error in the order of bytes is returned, so escapes are only looked for before the semicolon.
    match (semicolon, percent::malformed_escape(&pair[..semicolon.unwrap_or(pair.len())])) {
        (_, Some(i)) => return Err(FormError::Escape { at: at + i }),
        (Some(i), None) => return Err(FormError::Semicolon { at: at + i }),
        (None, None) => {}
    }
    let equals = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
    // Name and value are checked for UTF-8 each by itself, so that the end of a name and the start of a value cannot
    // form a character.
    let name = decode_part(&pair[..equals], at, text)?;
    let value = decode_part(pair.get(equals + 1..).unwrap_or_default(), at, text)?;
    Ok((name, value))
}

/// Decodes a name or a value and appends it to `text`; returns where it ends.
fn decode_part(part: &[u8], at: usize, text: &mut String) -> Result<usize, FormError> {
    let spaced = match part.contains(&b'+') {
        true => Cow::Owned(part.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect::<Vec<_>>()),
        false => Cow::Borrowed(part),
    };
    let decoded = percent::percent_decode(&spaced);
    text.push_str(std::str::from_utf8(&decoded).map_err(|_| FormError::Utf8 { at })?);
    Ok(text.len())
}

/// Writes the pairs as a query or a form body. Go: `Values.Encode`, which sorts them.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.iter().enumerate() {
            if i > 0 {
                f.write_str("&")?;
            }
            encode(name, f)?;
            f.write_str("=")?;
            encode(value, f)?;
        }
        Ok(())
    }
}

fn encode(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    text.bytes().try_for_each(|byte| match byte {
        b' ' => f.write_str("+"),
        b'-' | b'.' | b'_' | b'~' => fmt::Write::write_char(f, byte.into()),
        byte if byte.is_ascii_alphanumeric() => fmt::Write::write_char(f, byte.into()),
        byte => write!(f, "%{byte:02X}"),
    })
}

/// Shows the names, but no values: they may be secret.
impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
