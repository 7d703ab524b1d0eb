//! The table in `src/chunked.rs`, row by row. The bytes are those after the head.

mod common;

use common::{Body, every_chunk};
use http::HeaderMap;
use quintet_request::{ChunkError, Chunked, Limits, Step, is_forbidden_trailer};

#[track_caller]
fn taken(bytes: &str) -> Body {
    match every_chunk(bytes.as_bytes(), &Limits::default()) {
        Ok(Some(body)) => body,
        other => panic!("not taken but {other:?}: {bytes:?}"),
    }
}

#[track_caller]
fn refused(bytes: impl AsRef<[u8]>) -> ChunkError {
    match every_chunk(bytes.as_ref(), &Limits::default()) {
        Err(error) => error,
        other => panic!("not refused but {other:?}: {}", bytes.as_ref().escape_ascii()),
    }
}

mod rfc9112_7_1_size {
    use super::*;

    #[test]
    fn chunks_are_read_up_to_the_last_chunk() {
        for (bytes, data) in [
            ("0\r\n\r\n", ""),
            ("3\r\nabc\r\n0\r\n\r\n", "abc"),
            ("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"),
            ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            ("a\r\n0123456789\r\n000\r\n\r\n", "0123456789"),
            ("0000000000000003\r\nabc\r\n0\r\n\r\n", "abc"),
            ("6\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n\r\n"),
        ] {
            let body = taken(bytes);
            assert_eq!((body.data, body.len), (data.into(), bytes.len()), "{bytes:?}");
        }
    }

    #[test]
    fn chunk_size_is_hexadecimal_digits_only() {
        for (bytes, at) in [
            ("\r\nabc", 0),
            (" 3\r\nabc\r\n", 0),
            ("+3\r\nabc\r\n", 0),
            ("-3\r\nabc\r\n", 0),
            ("0x3\r\nabc\r\n", 1),
            ("g\r\n", 0),
            ("3g\r\n", 1),
            ("3_0\r\n", 1),
            (";a=b\r\n", 0),
            ("3\0\r\n", 1),
        ] {
            assert_eq!(refused(bytes), ChunkError::Size { at }, "{bytes:?}");
        }
    }

    #[test]
    fn chunk_size_past_2_to_the_63_or_16_digits_is_refused() {
        for (bytes, at) in [
            ("10000000000000000\r\n", 16),
            ("00000000000000003\r\n", 16),
            ("8000000000000000\r\n", 15),
            ("ffffffffffffffff\r\n", 15),
        ] {
            assert_eq!(refused(bytes), ChunkError::SizeTooLarge { at }, "{bytes:?}");
        }
        assert_eq!(every_chunk(b"7fffffffffffffff\r\nabc", &Limits::default()), Ok(None));
    }

    #[test]
    fn chunk_lines_end_in_crlf() {
        for (bytes, at) in [
            ("3\nabc\r\n0\r\n\r\n", 1),
            ("3\rabc\r\n0\r\n\r\n", 2),
            ("3;a\nabc\r\n0\r\n\r\n", 3),
            ("3;a\rb\r\nabc\r\n", 4),
            ("3;a=\"b\n\"\r\nabc\r\n", 6),
            ("0\n\r\n", 1),
            ("0\r\n\n", 3),
            ("0\r\nA: b\n\r\n", 7),
            ("0\r\nA: b\rc\r\n\r\n", 7),
        ] {
            assert_eq!(refused(bytes), ChunkError::LineEnd { at }, "{bytes:?}");
        }
    }

    #[test]
    fn chunk_data_is_as_long_as_its_size() {
        for (bytes, at) in [
            ("3\r\nabcX\r\n0\r\n\r\n", 6),
            ("3\r\nabc\n0\r\n\r\n", 6),
            ("3\r\nabc\rX", 7),
            ("3\r\nab\r\n0\r\n\r\n", 6),
            ("3\r\nabc0\r\n\r\n", 6),
        ] {
            assert_eq!(refused(bytes), ChunkError::DataEnd { at }, "{bytes:?}");
        }
    }

    #[test]
    fn an_incomplete_chunked_body_needs_more_bytes() {
        for bytes in
            ["", "3", "3\r", "3\r\n", "3\r\nabc", "3\r\nabc\r", "3\r\nabc\r\n", "0\r\n", "0\r\n\r", "0\r\nA: b\r\n"]
        {
            assert_eq!(every_chunk(bytes.as_bytes(), &Limits::default()), Ok(None), "{bytes:?}");
        }
    }
}

mod rfc9112_7_1_1_extensions {
    use super::*;

    #[test]
    fn chunk_extensions_by_the_grammar_are_accepted() {
        for extension in [
            ";a",
            ";a=b",
            ";a=b;c;d=e",
            " ; a = b",
            "\t;\ta\t=\tb\t;c",
            ";a=\"\"",
            ";a=\"b c\tdé!\"",
            ";a=\"\\\"\\\\\\;\"",
            ";a=\"b\" ;c=\"d;e=f\"",
            ";!#$%&'*+-.^_`|~=1",
        ] {
            let body = taken(&format!("3{extension}\r\nabc\r\n0{extension}\r\n\r\n"));
            assert_eq!(body.data, b"abc", "{extension}");
        }
    }

    #[test]
    fn malformed_chunk_extensions_are_refused() {
        for (extension, at) in [
            (" ", 2),
            ("\t \t", 4),
            (";", 2),
            (";=b", 2),
            (";a=", 4),
            (";a=;", 4),
            (";a b", 4),
            (";a ", 4),
            (";a=b ", 6),
            (";a=b c", 6),
            (";a=\"b\"c", 7),
            (";a=b=c", 5),
            (";a,b", 3),
            (";a=\"b", 6),
            (";a=\"\0\"", 5),
            (";a=\"\\\x01\"", 6),
            (";\0", 2),
            (";a\x7f", 3),
            (";a=\"\x7f\"", 5),
        ] {
            assert_eq!(refused(format!("3{extension}\r\nabc\r\n")), ChunkError::Extension { at }, "{extension:?}");
        }
    }

    #[test]
    fn chunk_extensions_are_limited() {
        let limits = Limits { chunk_extension: 5, ..Limits::default() };
        assert_eq!(every_chunk(b"1;a=bc\r\nx\r\n0\r\n\r\n", &limits).map(|body| body.is_some()), Ok(true));
        let error = every_chunk(b"1;a=bcd\r\nx\r\n0\r\n\r\n", &limits);
        assert_eq!(error, Err(ChunkError::ExtensionTooLong { at: 6 }));
        let none = Limits { chunk_extension: 0, ..Limits::default() };
        for bytes in ["1;a\r\n", "1 ;a\r\n"] {
            assert_eq!(every_chunk(bytes.as_bytes(), &none), Err(ChunkError::ExtensionTooLong { at: 1 }));
        }
        let default = refused(format!("1;{}", "a".repeat(4096)));
        assert_eq!(default, ChunkError::ExtensionTooLong { at: 1 + 4096 });
    }
}

mod overhead {
    use super::*;

    fn repeat(chunk: &str, times: usize) -> Result<u64, ChunkError> {
        let mut chunked = Chunked::new(&Limits::default());
        let mut data = 0;
        for _ in 0..times {
            let mut rest = chunk.as_bytes();
            while !rest.is_empty() {
                let step = chunked.next(rest)?;
                data += step.data as u64;
                rest = &rest[step.len()..];
            }
        }
        Ok(data)
    }

    #[test]
    fn chunks_of_one_byte_are_accepted_without_end() {
        assert_eq!(repeat("1\r\nX\r\n", 100_000), Ok(100_000));
        assert_eq!(repeat("1;a=b\r\nX\r\n", 100_000), Ok(100_000));
    }

    /// Go's TestChunkReaderTooMuchOverhead: long extensions on chunks of one byte.
    #[test]
    fn chunk_extensions_without_data_are_refused_after_16_kib() {
        let chunk = format!("1;{}\r\nX\r\n", "x".repeat(1000));
        // 1 + 1 + 1000 + 4 bytes of framing, of which 16 + 2 are free: 988 a chunk, 17 chunks are too many.
        assert_eq!(repeat(&chunk, 16), Ok(16));
        let error = repeat(&chunk, 17).unwrap_err();
        assert!(matches!(error, ChunkError::Overhead { .. }), "{error}");
        assert_eq!(error.status(), 400);
    }

    #[test]
    fn chunk_data_raises_the_limit_of_framing() {
        let chunk = format!("400;{}\r\n{}\r\n", "x".repeat(1000), "d".repeat(1024));
        assert_eq!(repeat(&chunk, 1000), Ok(1000 * 1024));
    }
}

mod rfc9112_7_1_2_trailers {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, http::HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn trailers_are_returned_at_the_end() {
        let body = taken("3\r\nabc\r\n0\r\nX-Sum: 1\r\nx-note:  a b \r\nX-SUM: 2\r\n\r\n");
        assert_eq!(body.trailers, map(&[("x-sum", "1"), ("x-sum", "2"), ("x-note", "a b")]));
        assert_eq!(taken("0\r\n\r\n").trailers, HeaderMap::new());
    }

    #[test]
    fn trailers_are_taken_once_and_not_before_the_end() {
        let mut chunked = Chunked::new(&Limits::default());
        assert_eq!(chunked.next(b"0\r\nA: b\r\n"), Ok(Step { framing: 9, data: 0 }));
        assert_eq!((chunked.is_end(), chunked.take_trailers()), (false, None));
        assert_eq!(chunked.next(b"\r\nrest"), Ok(Step { framing: 2, data: 0 }));
        assert!(chunked.is_end());
        assert_eq!(chunked.take_trailers(), Some(map(&[("a", "b")])));
        assert_eq!(chunked.take_trailers(), None);
        assert_eq!(chunked.next(b"rest"), Ok(Step::default()), "nothing is taken after the end");
    }

    #[test]
    fn forbidden_trailers_are_dropped() {
        let body =
            taken("0\r\nContent-Length: 5\r\nHost: evil\r\nX-Ok: 1\r\nAUTHORIZATION: x\r\nX-Forwarded-For: y\r\n\r\n");
        assert_eq!(body.trailers, map(&[("x-ok", "1")]));
        for name in [
            "transfer-encoding",
            "Content-Length",
            "Host",
            "Trailer",
            "TE",
            "Connection",
            "Upgrade",
            "Cookie",
            "Set-Cookie",
            "Authorization",
            "Proxy-Authorization",
            "Content-Type",
            "Content-Encoding",
            "Range",
            "If-Match",
            "Cache-Control",
            "Expect",
            "X-Forwarded-Proto",
            "Forwarded",
            "X-Real-IP",
            "X-HTTP-Method-Override",
            "Max-Forwards",
            "Sec-Fetch-Site",
        ] {
            assert!(is_forbidden_trailer(name), "{name}");
        }
        for name in ["x-sum", "Server-Timing", "Digest", "grpc-status", "contents", "hosts", "x-trace-te", "if"] {
            assert!(!is_forbidden_trailer(name), "{name}");
        }
    }

    #[test]
    fn malformed_trailers_are_refused() {
        for (section, at) in [
            ("junk\r\n\r\n", 7),
            (": b\r\n\r\n", 3),
            ("A : b\r\n\r\n", 4),
            ("A: b\r\n c\r\n\r\n", 9),
            (" A: b\r\n\r\n", 3),
            ("A: \0\r\n\r\n", 6),
            ("A(: b\r\n\r\n", 4),
        ] {
            assert_eq!(refused(format!("0\r\n{section}")), ChunkError::Trailer { at }, "{section:?}");
        }
        assert_eq!(refused(b"0\r\n\xff: b\r\n\r\n"), ChunkError::Trailer { at: 3 });
    }

    #[test]
    fn trailers_are_limited_in_size_and_number() {
        let limits = Limits { trailers: 12, trailer_fields: 2, ..Limits::default() };
        assert!(every_chunk(b"0\r\nA: b\r\nC: d\r\n\r\n", &limits).unwrap().is_some());
        let long = every_chunk(b"0\r\nA: b\r\nC: de\r\n\r\n", &limits).unwrap_err();
        assert_eq!((long, long.status().as_u16()), (ChunkError::TrailersTooLong { at: 3 + 14 }, 431));
        let endless = every_chunk(&[b"0\r\n".as_slice(), &[b'x'; 100]].concat(), &limits).unwrap_err();
        assert_eq!(endless, long);
        let limits = Limits { trailer_fields: 2, ..Limits::default() };
        let many = every_chunk(b"0\r\nA: b\r\nC: d\r\nE: f\r\n\r\n", &limits).unwrap_err();
        assert_eq!((many, many.status().as_u16()), (ChunkError::TooManyTrailers { at: 15 }, 431));
        // Trailers that are dropped count too.
        let dropped = every_chunk(b"0\r\nHost: b\r\nHost: d\r\nHost: f\r\n\r\n", &limits).unwrap_err();
        assert_eq!(dropped, ChunkError::TooManyTrailers { at: 21 });
    }
}

#[test]
fn a_chunk_error_repeats() {
    let mut chunked = Chunked::new(&Limits::default());
    let error = chunked.next(b"x").unwrap_err();
    assert_eq!(chunked.next(b"0\r\n\r\n"), Err(error));
    assert_eq!(chunked.next(b""), Err(error));
    assert!(!chunked.is_end());
    assert_eq!(error.to_string(), "chunk size is not hexadecimal at byte 0");
}

#[test]
fn chunk_data_is_not_copied() {
    let mut chunked = Chunked::new(&Limits::default());
    let bytes = b"5\r\nhello\r\n6\r\n world";
    assert_eq!(chunked.next(bytes), Ok(Step { framing: 3, data: 5 }));
    assert_eq!(chunked.next(&bytes[8..]), Ok(Step { framing: 5, data: 6 }));
    assert_eq!(chunked.next(b""), Ok(Step { framing: 0, data: 0 }));
}
