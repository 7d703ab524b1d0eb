//! The `Content-Disposition` of a part: the name of a field of the form, and perhaps the name of a file.

use super::{
    ext_value,
    multipart_error::MultipartError,
    parameters::{self, Value},
};

/// The names that a `Content-Disposition: form-data` has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disposition {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
}

impl Disposition {
    /// Reads the value of the field, whose line starts at the offset `at` of the body.
    ///
    /// A form must not have extended parameters (RFC 7578 §4.2). Some readers take `filename*` before `filename` (RFC 6266
    /// §4.3; Go), and others do not know it, so that two names of a file could pass a filter by the one and be stored by
    /// the other. The clients of .NET send both: they are taken if both are the same name, and refused otherwise. Readers
    /// that know the pieces of RFC 2231 (`filename*0`) put them together: there is no need for them, and they are refused.
    pub(super) fn parse(value: &[u8], max_name: usize, at: u64) -> Result<Self, MultipartError> {
        let (kind, parameters) = parameters::split(value);
        if !kind.eq_ignore_ascii_case(b"form-data") {
            return Err(MultipartError::Disposition { at });
        }
        let (mut name, mut file_name, mut extended) = (None, None, None);
        for parameter in parameters {
            let (key, value) = parameter.map_err(|_| MultipartError::Disposition { at })?;
            let taken = if key.eq_ignore_ascii_case(b"name") {
                name.replace(value)
            } else if key.eq_ignore_ascii_case(b"filename") {
                file_name.replace(value)
            } else if key.eq_ignore_ascii_case(b"filename*") {
                extended.replace(value)
            } else if key.contains(&b'*') {
                return Err(MultipartError::ExtendedName { at });
            } else {
                None
            };
            if taken.is_some() {
                return Err(MultipartError::Disposition { at });
            }
        }
        let name = decode(name.ok_or(MultipartError::NoName { at })?, at)?;
        if name.is_empty() {
            return Err(MultipartError::NoName { at });
        }
        if name.len() > max_name {
            return Err(MultipartError::NameTooLong { at });
        }
        let file_name = file_name.map(|value| decode(value, at)).transpose()?;
        if extended.is_some_and(|value| !is_same(value, file_name.as_deref())) {
            return Err(MultipartError::ExtendedName { at });
        }
        Ok(Self { name, file_name: file_name.map(|path| last_element(&path).to_owned()) })
    }
}

/// Whether an extended value is the name that the plain parameter says.
fn is_same(extended: Value<'_>, plain: Option<&str>) -> bool {
    ext_value::decode(extended).is_some_and(|text| Some(text.as_str()) == plain)
}

/// The text of a parameter.
///
/// In a quoted value `%22`, `%0D` and `%0A` are a quotation mark and the two bytes of a line end, which browsers, curl
/// and the clients of Python send like that (HTML Standard, "multipart/form-data encoding algorithm"); a `%` elsewhere
/// is one. Other clients escape the quotation mark by a backslash, and the backslash by another one.
fn decode(value: Value<'_>, at: u64) -> Result<String, MultipartError> {
    let mut text = Vec::with_capacity(value.raw().len());
    let mut rest = value.raw();
    let quoted = matches!(value, Value::Quoted(_));
    loop {
        let (byte, after) = match rest {
            [b'\\', byte @ (b'"' | b'\\'), after @ ..] => (*byte, after),
            [b'%', b'2', b'2', after @ ..] if quoted => (b'"', after),
            [b'%', b'0', b'D', after @ ..] if quoted => (b'\r', after),
            [b'%', b'0', b'A', after @ ..] if quoted => (b'\n', after),
            [byte, after @ ..] => (*byte, after),
            [] => break,
        };
        text.push(byte);
        rest = after;
    }
    String::from_utf8(text).map_err(|_| MultipartError::Utf8 { at })
}

/// The last element of a path with slashes or backslashes; empty if that is `.` or `..`, or if there is none.
///
/// # Spec
/// RFC 7578 §4.2: a file name must not be used with its path. Go: `Part.FileName`, by `filepath.Base`, which knows the
/// separator of its own system only, and returns `..`.
fn last_element(path: &str) -> &str {
    let path = path.trim_end_matches(['/', '\\']);
    match path.rsplit(['/', '\\']).next() {
        None | Some("." | "..") => "",
        Some(last) => last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<(String, Option<String>), MultipartError> {
        Disposition::parse(value.as_bytes(), 20, 7).map(|found| (found.name, found.file_name))
    }

    #[test]
    fn a_disposition_has_a_name_and_perhaps_a_file_name() {
        for (value, name, file_name) in [
            (r#"form-data; name="a""#, "a", None),
            ("Form-Data;NAME=a", "a", None),
            (r#"form-data; name="a"; filename="x.txt""#, "a", Some("x.txt")),
            (r#"form-data; filename="x.txt"; name="a";"#, "a", Some("x.txt")),
            (r#"form-data; name="a"; filename="""#, "a", Some("")),
            (r#"form-data; name="a"; size=12; filename=x"#, "a", Some("x")),
            ("form-data; name=\"\u{e9}\"; filename=\"\u{65e5}\u{672c}.txt\"", "\u{e9}", Some("\u{65e5}\u{672c}.txt")),
            (r#"form-data; name="a%22b%0D%0Ac%25%zz""#, "a\"b\r\nc%25%zz", None),
            (r#"form-data; name=a%22"#, "a%22", None),
            (r#"form-data; name="a\"b\\c\d""#, "a\"b\\c\\d", None),
            (r#"form-data; name="filename=x; x=\"y""#, "filename=x; x=\"y", None),
            // As .NET sends it, in any order and case, and of any letters.
            ("form-data; name=a; filename=x.txt; filename*=utf-8''x.txt", "a", Some("x.txt")),
            ("form-data; FileName*=UTF-8'en'a%20b; name=a; filename=\"a b\"", "a", Some("a b")),
            ("form-data; name=a; filename=\"\u{e9}\"; filename*=utf-8''%C3%A9", "a", Some("\u{e9}")),
            ("form-data; name=a; filename=\"%22\\\"\"; filename*=utf-8''%22%22", "a", Some("\"\"")),
            ("form-data; name=a; filename=\"\"; filename*=utf-8''", "a", Some("")),
        ] {
            assert_eq!(parse(value), Ok((name.to_owned(), file_name.map(str::to_owned))), "{value}");
        }
    }

    #[test]
    fn a_file_name_is_the_last_element_of_its_path() {
        for (sent, file_name) in [
            ("x.txt", "x.txt"),
            ("/etc/passwd", "passwd"),
            ("../../x", "x"),
            (r"C:\temp\x.txt", "x.txt"),
            (r"C:\\temp\\x.txt", "x.txt"),
            (r"a\b/c", "c"),
            (r"a/b\c", "c"),
            ("a/b/", "b"),
            ("..", ""),
            ("a/..", ""),
            (".", ""),
            ("/", ""),
            (r"..\", ""),
            ("...", "..."),
            (".bashrc", ".bashrc"),
        ] {
            // The backslash that ends a value is doubled: alone it would escape the quotation mark.
            let value =
                format!("form-data; name=a; filename=\"{sent}{}\"", if sent.ends_with('\\') { "\\" } else { "" });
            assert_eq!(parse(&value), Ok(("a".into(), Some(file_name.into()))), "{sent}");
        }
    }

    #[test]
    fn a_malformed_disposition_is_refused() {
        use MultipartError::{Disposition, ExtendedName, NameTooLong, NoName};
        for (value, error) in [
            ("attachment; name=a", Disposition { at: 7 }),
            ("", Disposition { at: 7 }),
            ("form-data; name=a; name=a", Disposition { at: 7 }),
            ("form-data; name=a; filename=x; FileName=y", Disposition { at: 7 }),
            ("form-data; name=\"a", Disposition { at: 7 }),
            ("form-data; name=\"a\"x", Disposition { at: 7 }),
            ("form-data, name=a", Disposition { at: 7 }),
            ("form-data", NoName { at: 7 }),
            ("form-data; filename=x", NoName { at: 7 }),
            ("form-data; name=\"\"", NoName { at: 7 }),
            ("form-data; name=a; filename*=utf-8''x", ExtendedName { at: 7 }),
            ("form-data; name=a; filename=x; FileName*=utf-8''y", ExtendedName { at: 7 }),
            ("form-data; name*=utf-8''a", ExtendedName { at: 7 }),
            ("form-data; name=a; name*=utf-8''a", ExtendedName { at: 7 }),
            ("form-data; name=a; filename=x; filename*=utf-8''x; filename*=utf-8''x", Disposition { at: 7 }),
            ("form-data; name=a; filename=x; filename*=x", ExtendedName { at: 7 }),
            ("form-data; name=a; filename=x; filename*=\"utf-8''x\"", ExtendedName { at: 7 }),
            ("form-data; name=a; filename=x; filename*=iso-8859-1''x", ExtendedName { at: 7 }),
            ("form-data; name=a; filename=X; filename*=utf-8''x", ExtendedName { at: 7 }),
            // The same last element, of other paths.
            ("form-data; name=a; filename=x; filename*=utf-8''..%2Fx", ExtendedName { at: 7 }),
            // .NET, of a name that is not ASCII: readers take the encoded word as it is.
            ("form-data; name=a; filename=\"=?utf-8?B?w6k=?=\"; filename*=utf-8''%C3%A9", ExtendedName { at: 7 }),
            ("form-data; name=a; filename*=x\"", Disposition { at: 7 }),
            ("form-data; name=a; filename*0=x", ExtendedName { at: 7 }),
            ("form-data; name=a; filename*0*=utf-8''x; filename*1=y", ExtendedName { at: 7 }),
            ("form-data; name=aaaaaaaaaaaaaaaaaaaaa", NameTooLong { at: 7 }),
        ] {
            assert_eq!(parse(value), Err(error), "{value}");
        }
        for value in [&b"form-data; name=\"\xff\""[..], b"form-data; name=a; filename=\"\xe9.txt\""] {
            assert_eq!(super::Disposition::parse(value, 20, 7), Err(MultipartError::Utf8 { at: 7 }));
        }
    }
}
