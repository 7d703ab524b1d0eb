//! The pairs of a form as a value of a type.

use serde::de::DeserializeOwned;
use serde_path_to_error::{Deserializer as PathDeserializer, Track};

use crate::{DataError, Form};

impl Form {
    /// The pairs as a value of a type: a struct or a map of names and values, or a list of pairs.
    ///
    /// A field that is a `Vec` has every value of its name, in order; any other field takes one value, and a second is an
    /// error. An `Option` of a number or a `bool` is `None` for an empty value. A `bool` is `true`, `on` or `false`. A
    /// field with `#[serde(flatten)]` has strings only.
    ///
    /// # Example
    /// ```
    /// use quintet_request::Form;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Search {
    ///     q: String,
    ///     page: Option<u32>,
    ///     #[serde(default)]
    ///     tag: Vec<String>,
    /// }
    ///
    /// let search: Search = Form::parse(b"q=rust&tag=a&tag=b").unwrap().decode().unwrap();
    /// assert_eq!((&*search.q, search.page, search.tag.len()), ("rust", None, 2));
    /// let error = Form::parse(b"q=rust&page=two").unwrap().decode::<Search>().err().unwrap();
    /// assert_eq!(error.to_string(), "page: expected a number");
    /// ```
    ///
    /// # Errors
    /// [`DataError`] if the pairs are not a value of the type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DataError> {
        decode(self.to_string().as_bytes())
    }
}

/// The pairs of a form as a value of a type. The bytes are a form that [`Form::parse`] accepts, which the library reads in
/// the same way: the fuzz target `form` compares the two.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DataError> {
    let mut track = Track::new();
    let pairs = serde_html_form::Deserializer::from_bytes(bytes);
    T::deserialize(PathDeserializer::new(pairs, &mut track))
        .map_err(|error| DataError::new(&track.path(), &error.to_string()))
}
