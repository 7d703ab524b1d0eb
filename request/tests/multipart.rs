//! The table in `src/multipart/multipart.rs`, row by row, and the bodies of common clients. The bytes are those of the
//! body.
#![cfg(feature = "multipart")]

use quintet_request::{Boundary, Multipart, MultipartError, MultipartLimits, MultipartStep};

/// A part: the name of its field, that of its file, its media type, and its data.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    name: String,
    file_name: Option<String>,
    content_type: Option<String>,
    data: Vec<u8>,
    ended: bool,
}

/// The parts of a body that arrives in pieces of these sizes, and the error.
fn read(
    boundary: &Boundary,
    bytes: &[u8],
    limits: &MultipartLimits,
    mut piece: impl FnMut() -> usize,
) -> (Vec<Part>, Result<(), MultipartError>) {
    let (mut multipart, mut parts) = (Multipart::new(boundary, limits), Vec::<Part>::new());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(piece().clamp(1, rest.len()));
        let mut now = now;
        while !now.is_empty() {
            let step = match multipart.next(now) {
                Ok(step) => step,
                Err(error) => {
                    assert_eq!(multipart.next(b"x"), Err(error), "every further call");
                    assert_eq!(multipart.next(b""), Err(error), "every further call");
                    assert_eq!(multipart.finish(), Err(error), "every further call");
                    return (parts, Err(error));
                }
            };
            match step {
                MultipartStep::Framing(n) => assert!(n > 0),
                MultipartStep::Part(_) => {
                    let header = multipart.take_part().expect("the header of the part");
                    assert!(multipart.take_part().is_none() && parts.last().is_none_or(|part| part.ended));
                    parts.push(Part {
                        name: header.form_name().to_owned(),
                        file_name: header.file_name().map(str::to_owned),
                        content_type: header.content_type().map(str::to_owned),
                        data: Vec::new(),
                        ended: false,
                    });
                }
                MultipartStep::Kept(_) => parts.last_mut().expect("a part").data.extend_from_slice(&multipart.kept()),
                MultipartStep::Data(n) => parts.last_mut().expect("a part").data.extend_from_slice(&now[..n]),
                MultipartStep::PartEnd(_) => parts.last_mut().expect("a part").ended = true,
            }
            now = &now[step.len()..];
        }
        rest = later;
    }
    (parts, multipart.finish())
}

/// Reads a body as a whole, split in two at every byte, and byte by byte; all must agree.
fn every_way(boundary: &Boundary, bytes: &[u8], limits: &MultipartLimits) -> (Vec<Part>, Result<(), MultipartError>) {
    let whole = read(boundary, bytes, limits, || usize::MAX);
    assert_eq!(read(boundary, bytes, limits, || 1), whole, "byte by byte: {}", bytes.escape_ascii());
    for first in 1..bytes.len() {
        let mut sizes = [first].into_iter();
        let split = read(boundary, bytes, limits, || sizes.next().unwrap_or(usize::MAX));
        assert_eq!(split, whole, "split at {first}: {}", bytes.escape_ascii());
    }
    whole
}

fn boundary(text: &str) -> Boundary {
    Boundary::parse(format!("multipart/form-data; boundary=\"{text}\"").as_bytes()).expect("a boundary")
}

/// The data of the parts of a body with the boundary `b`, which must be taken.
#[track_caller]
fn taken(bytes: impl AsRef<[u8]>) -> Vec<String> {
    let (parts, result) = every_way(&boundary("b"), bytes.as_ref(), &MultipartLimits::default());
    assert_eq!(result, Ok(()), "{}", bytes.as_ref().escape_ascii());
    assert!(parts.iter().all(|part| part.ended));
    parts.into_iter().map(|part| String::from_utf8_lossy(&part.data).into_owned()).collect()
}

/// The error of a body with the boundary `b`, which must be refused.
#[track_caller]
fn refused(bytes: impl AsRef<[u8]>) -> MultipartError {
    refused_by(bytes, &MultipartLimits::default())
}

#[track_caller]
fn refused_by(bytes: impl AsRef<[u8]>, limits: &MultipartLimits) -> MultipartError {
    let (parts, result) = every_way(&boundary("b"), bytes.as_ref(), limits);
    match result {
        Err(error) => error,
        Ok(()) => panic!("not refused but {parts:?}: {}", bytes.as_ref().escape_ascii()),
    }
}

/// A body with one part that has this data.
fn with_data(data: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n{data}\r\n--b--\r\n")
}

/// A body with one part that has this header.
fn with_header(header: &str) -> String {
    format!("--b\r\n{header}\r\n\r\nx\r\n--b--\r\n")
}

mod rfc2046_5_1_1_boundary {
    use super::*;

    const PART: &str = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n";

    #[test]
    fn parts_end_at_the_boundary() {
        for (body, data) in [
            (format!("{PART}one\r\n--b--"), &["one"][..]),
            (format!("{PART}one\r\n--b--\r\n"), &["one"]),
            (format!("{PART}one\r\n{PART}two\r\n--b--\r\n"), &["one", "two"]),
            (format!("{PART}\r\n{PART}\r\n\r\n--b--\r\n"), &["", "\r\n"]),
            ("--b--".into(), &[]),
            ("--b--\r\n".into(), &[]),
        ] {
            assert_eq!(taken(&body), data, "{body:?}");
        }
    }

    #[test]
    fn data_may_have_anything_but_the_boundary() {
        for data in [
            "\r\n",
            "\r\n\r\n",
            "\n--b--\n",
            "\r--b--\r",
            "\r\n-",
            "\r\n--",
            "\r\n--c\r\n",
            "\r\n-- b",
            "\r\r\n\r\n\r",
            "\r\n--\r\n--\r\n",
            "--",
            "--a",
            "-",
            "--c--\r\n",
            "x--b--\r\n",
            "x\r\n -b\r\n",
            "\0\u{7f}",
            "Content-Disposition: form-data; name=z\r\n\r\n",
            "a\r\n--a\r\n-\r-\n--",
        ] {
            assert_eq!(taken(with_data(data)), [data], "{data:?}");
        }
    }

    #[test]
    fn line_ends_around_the_boundaries_are_taken() {
        for (before, after) in [("\r\n", ""), ("", "\r\n\r\n"), ("\r\n\r\n\r\n", "\r\n\r\n\r\n")] {
            assert_eq!(taken(format!("{before}{PART}x\r\n--b--{after}")), ["x"]);
            assert!(taken(format!("{before}--b--{after}")).is_empty());
        }
    }

    #[test]
    fn preamble_is_400() {
        for (body, at) in [
            ("preamble\r\n--b--\r\n", 0),
            (" --b--", 0),
            ("\n--b--", 0),
            ("\r--b--", 1),
            ("\r\n\n--b--", 2),
            ("\r\n--\r\n--b--", 4),
            ("-b--", 1),
            ("--c--", 2),
            ("---b--", 2),
            ("--B--", 2),
        ] {
            assert_eq!(refused(body), MultipartError::Preamble { at }, "{body:?}");
        }
    }

    #[test]
    fn epilogue_is_400() {
        for (rest, at) in [("x", 5), ("\n", 5), ("\r\nepilogue", 7), ("\r\n--b--", 7), ("--", 5), ("\rx", 6), (" ", 5)]
        {
            assert_eq!(refused(format!("--b--{rest}")), MultipartError::Epilogue { at }, "{rest:?}");
        }
    }

    #[test]
    fn boundary_is_followed_by_crlf_or_two_dashes() {
        for (rest, at) in [
            (" \r\n", 3),
            ("\t\r\n", 3),
            ("\nContent-Disposition: form-data; name=a\r\n", 3),
            ("\rx", 4),
            ("-\r\n", 4),
            ("-x", 4),
            ("b--", 3),
            ("-b--", 4),
        ] {
            assert_eq!(refused(format!("--b{rest}")), MultipartError::Delimiter { at }, "{rest:?}");
            // After data the part has not ended then.
            let body = format!("{PART}one\r\n--b{rest}");
            let (parts, result) = every_way(&boundary("b"), body.as_bytes(), &MultipartLimits::default());
            let at = at + PART.len() as u64 + 5;
            assert_eq!(result, Err(MultipartError::Delimiter { at }), "{rest:?}");
            assert!(parts.len() == 1 && !parts[0].ended && parts[0].data == b"one");
        }
    }

    /// Go and the grammar take it as a part without data; other readers take the boundary for data.
    #[test]
    fn boundary_right_after_a_header_is_400() {
        for rest in ["--b--\r\n", "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--b--"] {
            assert!(matches!(refused(format!("{PART}{rest}")), MultipartError::Delimiter { .. }), "{rest:?}");
        }
    }

    /// A dash may begin the name of a field.
    #[test]
    fn boundary_in_a_header_is_400() {
        for (line, is_refused) in
            [("--b: x", true), ("--bc: x", true), ("--b", true), ("--c: x", false), ("-b: x", false)]
        {
            let body = with_header(&format!("Content-Disposition: form-data; name=a\r\n{line}"));
            match is_refused {
                true => assert_eq!(refused(body), MultipartError::Delimiter { at: 45 }, "{line}"),
                false => assert_eq!(taken(body), ["x"], "{line}"),
            }
        }
    }

    #[test]
    fn body_without_its_last_boundary_is_400() {
        for body in
            ["", "\r\n", "-", "--", "--b", "--b-", "--b\r", "--b\r\n", "--b\r\nContent-Disposition: form-", PART]
        {
            let at = body.len() as u64;
            assert_eq!(refused(body), MultipartError::Incomplete { at }, "{body:?}");
        }
        for rest in ["", "x", "\r", "\r\n", "\r\n--", "\r\n--b", "\r\n--b\r\n", "\r\n--b-"] {
            assert!(matches!(refused(format!("{PART}x{rest}")), MultipartError::Incomplete { .. }), "{rest:?}");
        }
        assert_eq!(refused("--b--\r"), MultipartError::Incomplete { at: 6 });
    }

    #[test]
    fn boundary_of_70_bytes_and_of_every_byte() {
        for text in ["'()+_,-./:=?", "-", "--", "----------", "a b", &"x".repeat(70), "0", "\\".trim_end_matches('\\')]
        {
            if text.is_empty() {
                continue;
            }
            let near: String = format!("\r\n--{}", &text[..text.len() - 1]);
            let body =
                format!("--{text}\r\nContent-Disposition: form-data; name=a\r\n\r\nx{near}.{near}\r\n--{text}--\r\n");
            let (parts, result) = every_way(&boundary(text), body.as_bytes(), &MultipartLimits::default());
            assert_eq!(result, Ok(()), "{text}");
            assert_eq!(parts[0].data, format!("x{near}.{near}").as_bytes(), "{text}");
        }
    }
}

mod rfc7578_4_header {
    use super::*;

    #[test]
    fn header_lines_are_field_lines_that_end_in_crlf() {
        for header in [
            "Content-Disposition: form-data; name=a",
            "content-disposition:form-data; name=a\r\nX-Other:",
            "X-Other: \t \r\nCONTENT-DISPOSITION: form-data; name=a \t",
            "Content-Disposition: form-data; name=a\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 99",
        ] {
            assert_eq!(taken(with_header(header)), ["x"], "{header:?}");
        }
        for (header, at) in [
            ("Content-Disposition: form-data; name=a\nX: y", 43),
            ("Content-Disposition: form-data; name=a\rX: y", 43),
            ("Content-Disposition: form-data; name=a\r\n ;x=y", 45),
            ("Content-Disposition : form-data; name=a", 24),
            (": form-data", 5),
            ("junk", 9),
            ("na\u{e9}me: x", 7),
            ("X: a\0b", 9),
        ] {
            assert_eq!(refused(with_header(header)), MultipartError::HeaderLine { at }, "{header:?}");
        }
        assert_eq!(
            refused("--b\r\nContent-Disposition: form-data; name=a\n\nx"),
            MultipartError::HeaderLine { at: 43 }
        );
    }

    #[test]
    fn content_disposition_is_required_once() {
        let part = "Content-Disposition: form-data; name=a";
        assert_eq!(refused("--b\r\n\r\nx\r\n--b--"), MultipartError::NoDisposition { at: 5 });
        assert_eq!(refused(with_header("Content-Type: text/plain")), MultipartError::NoDisposition { at: 5 });
        for second in [part, "content-disposition: form-data; name=b"] {
            let error = refused(with_header(&format!("{part}\r\n{second}")));
            assert_eq!(error, MultipartError::DuplicateHeader { at: 45 });
        }
        for twice in ["Content-Type: text/plain", "Content-Transfer-Encoding: binary"] {
            let error = refused(with_header(&format!("{part}\r\n{twice}\r\n{twice}")));
            assert!(matches!(error, MultipartError::DuplicateHeader { .. }), "{twice}");
        }
        assert_eq!(taken(with_header(&format!("{part}\r\nX-A: 1\r\nX-A: 2"))), ["x"]);
        for (value, error) in [
            ("attachment; name=a", MultipartError::Disposition { at: 5 }),
            ("form-data", MultipartError::NoName { at: 5 }),
            ("form-data; name=\"\"", MultipartError::NoName { at: 5 }),
            ("form-data; name=a; filename*=utf-8''x", MultipartError::ExtendedName { at: 5 }),
            ("form-data; name=a; name=b", MultipartError::Disposition { at: 5 }),
            // A name that ends in a backslash, as browsers send it, has an escaped quotation mark for other readers.
            ("form-data; name=\"a\\\"", MultipartError::Disposition { at: 5 }),
        ] {
            assert_eq!(refused(with_header(&format!("Content-Disposition: {value}"))), error, "{value}");
        }
    }

    #[test]
    fn transfer_encoding_of_mail_is_415() {
        for (encoding, allowed) in [
            ("7bit", true),
            ("8BIT", true),
            ("Binary", true),
            ("", false),
            ("base64", false),
            ("quoted-printable", false),
            ("binary, base64", false),
        ] {
            let header = format!("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: {encoding}");
            if allowed {
                assert_eq!(taken(with_header(&header)), ["x"], "{encoding}");
            } else {
                let error = refused(with_header(&header));
                assert_eq!(error, MultipartError::TransferEncoding { at: 45 }, "{encoding}");
                assert_eq!(error.status(), 415);
            }
        }
    }

    #[test]
    fn parts_lines_and_bytes_past_their_limit_are_413() {
        let limits = MultipartLimits { parts: 2, header_lines: 3, header: 100, name: 4, ..MultipartLimits::default() };
        let part = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n";
        for (body, error) in [
            (format!("{part}{part}--b--"), None),
            (format!("{part}{part}--b\r\n"), Some(MultipartError::TooManyParts { at: 104 })),
            (with_header("Content-Disposition: form-data; name=abcd\r\nA: b\r\nC: d"), None),
            (
                with_header("Content-Disposition: form-data; name=abcd\r\nA: b\r\nC: d\r\nE: f"),
                Some(MultipartError::TooManyHeaderLines { at: 60 }),
            ),
            (with_header("Content-Disposition: form-data; name=abcde"), Some(MultipartError::NameTooLong { at: 5 })),
            (with_header(&format!("Content-Disposition: form-data; name=a\r\nA: {}", "x".repeat(55))), None),
            (
                with_header(&format!("Content-Disposition: form-data; name=a\r\nA: {}", "x".repeat(58))),
                Some(MultipartError::HeaderTooLong { at: 107 }),
            ),
            (format!("--b\r\n{}", "x".repeat(200)), Some(MultipartError::HeaderTooLong { at: 107 })),
        ] {
            match error {
                None => assert_eq!(every_way(&boundary("b"), body.as_bytes(), &limits).1, Ok(()), "{body:?}"),
                Some(error) => {
                    assert_eq!((refused_by(&body, &limits), error.status().as_u16()), (error, 413), "{body:?}");
                }
            }
        }
    }

    #[test]
    fn default_limits_hold_for_10_000_parts_and_endless_headers() {
        let limits = MultipartLimits::default();
        let part = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n";
        let (parts, result) = read(&boundary("b"), part.repeat(10_000).as_bytes(), &limits, || 999);
        assert!(matches!(result, Err(MultipartError::TooManyParts { .. })) && parts.len() == 1_000);
        for line in ["a: b\r\n", "a", "a: b"] {
            let endless = format!("--b\r\n{}", line.repeat(100_000));
            let (parts, result) = read(&boundary("b"), endless.as_bytes(), &limits, || 999);
            let error = result.unwrap_err();
            assert!(parts.is_empty() && error.at().is_some_and(|at| at < 8 << 11), "{error}");
            assert_eq!(error.status(), 413, "{line}: {error}");
        }
    }
}

/// The cases of Go's `mime/multipart` tests, as far as they are of forms: what Go takes, and what is made of it here.
mod go_multipart_test {
    use super::*;

    fn form(name: &str, rest: &str) -> String {
        format!("Content-Disposition: form-data; name=\"{name}\"{rest}")
    }

    /// `TestMultipart`: three parts, of which one has several lines and one is long.
    #[test]
    fn parts_of_several_lines_and_of_a_megabyte() {
        let (lines, long) = ("line 1\r\nline 2\r\n\r\n\r\nline 5", "abcdefgh\n".repeat(1 << 17));
        let mut body = String::new();
        for data in ["My value\r\nThe end.", lines, &long] {
            body += &format!("--MyBoundary\r\n{}\r\nfoo-bar: baz\r\n\r\n{data}\r\n", form("a", ""));
        }
        body += "--MyBoundary--\r\n";
        let whole = read(&boundary("MyBoundary"), body.as_bytes(), &MultipartLimits::default(), || usize::MAX);
        assert_eq!(whole.1, Ok(()));
        let data: Vec<_> = whole.0.iter().map(|part| part.data.as_slice()).collect();
        assert_eq!(data, [b"My value\r\nThe end.", lines.as_bytes(), long.as_bytes()]);
        for piece in [1, 7, 4_096] {
            let split = read(&boundary("MyBoundary"), body.as_bytes(), &MultipartLimits::default(), || piece);
            assert!(split == whole, "pieces of {piece}");
        }
    }

    /// `TestFileName`, `TestMultipartSlowInput`, `parseTests` (the upload of App Engine's blobstore).
    #[test]
    fn values_and_files_in_one_form() {
        let body = format!(
            "--b\r\n{}\r\n\r\nfoo\r\n--b\r\n{}\r\nContent-Type: text/plain\r\n\r\nfoo text\r\n--b--\r\n",
            form("name", ""),
            form("file", "; filename=\"file.txt\"")
        );
        let (parts, result) = every_way(&boundary("b"), body.as_bytes(), &MultipartLimits::default());
        assert_eq!((result, parts.len()), (Ok(()), 2));
        assert_eq!((parts[0].file_name.as_deref(), parts[0].data.as_slice()), (None, &b"foo"[..]));
        assert_eq!(parts[1].file_name.as_deref(), Some("file.txt"));
        assert_eq!(parts[1].content_type.as_deref(), Some("text/plain"));
    }

    /// `parseTests`, "nested separator prefix is the outer separator followed by a dash": Go takes it as data.
    #[test]
    fn boundary_that_begins_another_one_is_400() {
        let body = format!("--foo\r\n{}\r\n\r\n--foo-bar\r\n\r\nstuff\r\n--foo-bar--\r\n--foo--\r\n", form("a", ""));
        let error = every_way(&boundary("foo"), body.as_bytes(), &MultipartLimits::default()).1.unwrap_err();
        assert!(matches!(error, MultipartError::Delimiter { .. }), "{error}");
    }

    /// `TestVariousTextLineEndings`: the data keeps its line ends.
    #[test]
    fn line_ends_of_the_data_are_kept() {
        for data in ["Foo\nBar", "Foo\nBar\n", "Foo\r\nBar", "Foo\r\nBar\r\n", "Foo\rBar", "Foo\rBar\r", "\n", "\n\n"] {
            assert_eq!(taken(with_data(data)), [data], "{data:?}");
        }
        let zeros: String = (0..30).map(|i| if i % 3 == 0 { '\0' } else { '\r' }).collect();
        assert_eq!(taken(with_data(&zeros)), [zeros]);
    }

    /// `TestLineContinuation`, `TestQuotedPrintableEncoding`, `TestLineLimit`, `TestNested`: of mail; refused.
    #[test]
    fn parts_as_in_mail_are_refused() {
        let continued = with_header("Content-Disposition: form-data; name=a;\r\n\tfilename=\"b\"");
        assert!(matches!(refused(continued), MultipartError::HeaderLine { .. }));
        let quoted = with_header(&(form("a", "") + "\r\nContent-Transfer-Encoding: quoted-printable"));
        assert_eq!(refused(quoted).status(), 415);
        let long = with_header(&format!("X: {}\r\n{}", "x".repeat(9 << 10), form("a", "")));
        let limits = MultipartLimits::default();
        assert_eq!(read(&boundary("b"), long.as_bytes(), &limits, || 99).1.unwrap_err().status(), 413);
        assert!(matches!(refused("This is a multi-part message.\r\n\r\n--b--"), MultipartError::Preamble { at: 0 }));
    }
}

/// What clients send: captured, but for Firefox, whose form is written by hand.
mod clients {
    use super::*;

    #[track_caller]
    fn body_of(client: &str) -> Vec<Part> {
        let path = format!("{}/tests/data/multipart/{client}.multipart", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&path).expect("a body of the tests");
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head and a body");
        let content_type = bytes[..end].strip_prefix(b"Content-Type: ").expect("a content type");
        let boundary = Boundary::parse(content_type).expect("a boundary");
        let (parts, result) = every_way(&boundary, &bytes[end + 4..], &MultipartLimits::default());
        assert_eq!(result, Ok(()), "{client}");
        parts
    }

    #[test]
    fn curl_browsers_python_and_node_are_read() {
        for (client, name, file_name, data) in [
            ("curl", "na\"me\\x", "quo\"te\\ü.txt", &b"a\r\n--b\r\n\0\xff"[..]),
            ("curl-escape", "na\"me\\x", "quo\"te\\ü.txt", b"a\r\n--b\r\n\0\xff"),
            ("chromium-fetch", "na\"me\r\n\"\\x", "dir/quo\"te\\日.txt", b"a\r\n--b\r\n\0\xc3\xbf"),
            ("firefox", "na\"me\\x", "quo\"teü.txt", b"a\r\n--b\r\n\0\xff"),
            ("requests", "na\"me\\x", "dir/quo\"te\\ü.txt", b"a\r\n--b\r\n\0\xff"),
            ("httpx", "na\"me\\x", "dir/quo\"te\\ü.txt", b"a\r\n--b\r\n\0\xff"),
            ("aiohttp", "na\"me\\x", "quo\"te.txt", b"a\r\n--b\r\n\0\xff"),
            ("node", "na\"me\\x", "dir/quo\"te\\ü.txt", b"a\r\n--b\r\n\0\xff"),
        ] {
            let parts = body_of(client);
            assert_eq!((&*parts[0].name, &*parts[0].data), ("note", "café \"x\"".as_bytes()), "{client}");
            assert_eq!((&*parts[1].name, &*parts[1].data), (name, &b"v"[..]), "{client}");
            // Also what follows a backslash is the last element of a path.
            let last = file_name.rsplit(['/', '\\']).next();
            assert_eq!((&*parts[2].name, parts[2].file_name.as_deref()), ("file", last), "{client}");
            assert_eq!((parts[2].content_type.as_deref(), &*parts[2].data), (Some("text/plain"), data), "{client}");
            for empty in &parts[3..] {
                assert_eq!((empty.file_name.as_deref(), &*empty.data), (Some(""), &b""[..]), "{client}");
            }
        }
    }

    #[test]
    fn form_of_a_page_in_chromium_is_read() {
        let parts = body_of("chromium-form");
        let seen: Vec<_> = parts.iter().map(|part| (&*part.name, part.file_name.as_deref(), &*part.data)).collect();
        let expected = [
            ("na\"me\\x", None, &b"ab"[..]),
            ("text", None, b"line one\r\nline two"),
            ("none", Some(""), b""),
            ("s", None, "é".as_bytes()),
        ];
        assert_eq!(seen, expected);
    }
}
