//! The table in `src/head/parse.rs`, row by row. The data could be pasted into `nc`.

mod common;

use common::{every_way, refused, taken};
use quintet_request::{Framing, FramingError, HeadError, Limits, TargetError, TargetForm, Version};

/// A GET with these field lines.
fn with_fields(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\n{fields}\r\n")
}

/// A GET of this target, with this Host.
fn with_target(target: &str, host: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

mod rfc9112_2_2_lines {
    use super::*;

    #[test]
    fn one_empty_line_before_the_request_is_skipped() {
        taken("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", |head| {
            assert_eq!((head.method(), head.path(), head.host()), ("GET", "/", Some("a")));
            assert_eq!(head.index().len(), 29);
        });
    }

    #[test]
    fn two_empty_lines_before_the_request_are_refused() {
        assert_eq!(refused("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), HeadError::EmptyLines { at: 2 });
        assert_eq!(refused("\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), HeadError::EmptyLines { at: 2 });
        assert_eq!(refused("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), HeadError::BareLf { at: 0 });
    }

    #[test]
    fn bare_lf_is_refused_in_every_line() {
        for (bytes, at) in [
            ("GET / HTTP/1.1\nHost: a\n\n", 14),
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", 14),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", 23),
            ("GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", 23),
            ("GET / HTTP/1.1\r\nHost: a \t\n\r\n", 25),
            ("GET / HTTP/1.1\r\nHost: a\r\nX:\n\r\n", 27),
            ("GET / HTTP/1.1\r\nHost: a\r\n\n", 25),
        ] {
            assert_eq!(refused(bytes), HeadError::BareLf { at }, "{bytes:?}");
        }
    }

    #[test]
    fn bare_cr_is_refused_in_every_line() {
        for (bytes, at) in [
            ("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 0),
            ("GET / HTTP/1.1\rHost: a\r\n\r\n", 14),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 29),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n", 29),
            ("GET / HTTP/1.1\r\nHost: a\r\n\rX", 25),
        ] {
            assert_eq!(refused(bytes), HeadError::BareCr { at }, "{bytes:?}");
        }
    }

    #[test]
    fn an_incomplete_head_needs_more_bytes() {
        for bytes in ["", "\r", "\r\n", "GET", "GET / HT", "GET / HTTP/1.1\r", "GET / HTTP/1.1\r\nHost: a\r\n"] {
            assert_eq!(every_way(bytes.as_bytes(), &Limits::default()), Ok(None), "{bytes:?}");
        }
    }
}

mod rfc9112_3_request_line {
    use super::*;

    #[test]
    fn request_line_has_single_spaces_only() {
        let target = |at| HeadError::Target(TargetError::Byte { at });
        for (bytes, error) in [
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", target(4)),
            ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::Version { at: 6 }),
            ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::Method { at: 3 }),
            ("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", target(5)),
            ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", HeadError::Version { at: 14 }),
            (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::Method { at: 0 }),
        ] {
            assert_eq!((refused(bytes), error.status().as_u16()), (error, 400), "{bytes:?}");
        }
    }

    #[test]
    fn a_method_that_is_not_a_token_is_refused() {
        for (bytes, at) in [("G(T / HTTP/1.1\r\n", 1), (" / HTTP/1.1\r\n", 0), ("\x16\x03\x01\x02", 0), ("G\0T / ", 1)]
        {
            assert_eq!(refused(bytes), HeadError::Method { at }, "{bytes:?}");
        }
    }

    #[test]
    fn any_token_is_a_method_in_its_case() {
        for method in ["GET", "get", "BREW", "M-SEARCH", "!#$%&'*+-.^_`|~09", "UPDATEREDIRECTREF"] {
            taken(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"), |head| assert_eq!(head.method(), method));
        }
    }

    #[test]
    fn a_method_longer_than_any_known_is_501() {
        let method = "M".repeat(33);
        let error = refused(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((error, error.status().as_u16()), (HeadError::MethodTooLong { at: 32 }, 501));
        taken(format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", &method[1..]), |head| assert_eq!(head.method().len(), 32));
    }

    #[test]
    fn a_target_longer_than_its_limit_is_414() {
        let limits = Limits { target: 10, ..Limits::default() };
        let bytes = |target: &str| with_target(target, "a").into_bytes();
        assert_eq!(every_way(&bytes("/234567890"), &limits).map(|head| head.is_some()), Ok(true));
        let error = every_way(&bytes("/2345678901"), &limits).unwrap_err();
        assert_eq!((error, error.status().as_u16()), (HeadError::TargetTooLong { at: 14 }, 414));
        let default = quintet_request::parse(&bytes(&format!("/{}", "x".repeat(8192))), &Limits::default());
        assert_eq!(default.unwrap_err(), HeadError::TargetTooLong { at: 4 + 8192 });
    }

    #[test]
    fn another_minor_version_is_served_as_1_1() {
        for (version, read) in [
            ("HTTP/1.0", Version::Http10),
            ("HTTP/1.1", Version::Http11),
            ("HTTP/1.2", Version::Http11),
            ("HTTP/1.9", Version::Http11),
        ] {
            taken(format!("GET / {version}\r\nHost: a\r\n\r\n"), |head| assert_eq!(head.version(), read, "{version}"));
        }
    }

    #[test]
    fn another_major_version_is_505() {
        for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/3.0", "HTTP/9.9"] {
            let error = refused(format!("GET / {version}\r\nHost: a\r\n\r\n"));
            assert_eq!((error, error.status().as_u16()), (HeadError::VersionUnsupported { at: 6 }, 505), "{version}");
        }
        // The preface of HTTP/2; `PRI *` is refused for its version.
        assert_eq!(refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status(), 505);
    }

    #[test]
    fn a_malformed_version_is_refused() {
        for (bytes, at) in [
            ("GET / HTTP/1.10\r\n", 14),
            ("GET / http/1.1\r\n", 6),
            ("GET / HTTP/1,1\r\n", 12),
            ("GET / HTTP/a.1\r\n", 11),
            ("GET / HTTP/11.1\r\n", 12),
            ("GET / HTTP 1.1\r\n", 10),
            ("GET / \r\n", 6),
            ("GET /\r\n\r\n", 5),
            ("GET /\n", 5),
        ] {
            assert_eq!(refused(bytes), HeadError::Version { at }, "{bytes:?}");
        }
    }
}

mod rfc9112_3_2_target {
    use super::*;

    #[test]
    fn a_relative_target_is_refused() {
        assert_eq!(refused(with_target("foo", "a")), HeadError::Target(TargetError::Form { at: 4 }));
        assert_eq!(refused("GET  HTTP/1.1\r\nHost: a\r\n\r\n"), HeadError::Target(TargetError::Byte { at: 4 }));
        assert_eq!(refused(with_target("?q", "a")), HeadError::Target(TargetError::Form { at: 4 }));
    }

    #[test]
    fn a_fragment_is_refused() {
        assert_eq!(refused(with_target("/a#b", "a")), HeadError::Target(TargetError::Byte { at: 6 }));
    }

    #[test]
    fn target_bytes_that_no_uri_has_are_refused() {
        for byte in ["\0", "\x01", "\x7f", "\"", "<", ">", "\u{e9}"] {
            let error = HeadError::Target(TargetError::Byte { at: 6 });
            assert_eq!(refused(with_target(&format!("/a{byte}b"), "a")), error, "{byte:?}");
        }
        assert_eq!(refused(b"GET /\xff HTTP/1.1\r\n"), HeadError::Target(TargetError::Byte { at: 5 }));
    }

    #[test]
    fn target_bytes_that_browsers_send_bare_are_accepted() {
        taken(with_target("/[a]|^?[b]={c}|^\\`", "a"), |head| {
            assert_eq!(head.path(), "/[a]|^");
            assert_eq!(head.target().query(), Some("[b]={c}|^\\`"));
        });
        for byte in ["{", "}", "\\", "`"] {
            let error = HeadError::Target(TargetError::Byte { at: 5 });
            assert_eq!(refused(with_target(&format!("/{byte}"), "a")), error, "{byte}");
        }
    }

    #[test]
    fn a_malformed_escape_in_the_path_is_refused() {
        for (target, at) in [("/%zz", 5), ("/%4", 5), ("/%", 5), ("/%20%2", 8), ("/%?%20", 5), ("/%zz?q=%zz", 5)] {
            assert_eq!(refused(with_target(target, "a")), HeadError::Target(TargetError::Escape { at }), "{target}");
        }
        taken(with_target("/%20%e9?%FF", "a"), |head| assert_eq!(head.path(), "/%20%e9"));
    }

    #[test]
    fn a_malformed_escape_in_the_query_is_accepted_raw() {
        for query in ["q=%zz", "%%20", "q=100%", "%", "%4", "a=%&b=%g0", "100%&%"] {
            taken(with_target(&format!("/%20?{query}"), "a"), |head| {
                assert_eq!((head.path(), head.target().query()), ("/%20", Some(query)));
            });
        }
    }

    #[test]
    fn an_absolute_target_that_agrees_with_host_is_accepted() {
        for (target, host) in [
            ("http://a/b?c", "a"),
            ("http://a/b?c", "A:80"),
            ("HTTP://A:80/b?c", "a"),
            ("https://a/b?c", "a:443"),
            ("http://[::1]:8/b?c", "[::1]:8"),
            ("http://a:/b?c", "a"),
        ] {
            taken(with_target(target, host), |head| {
                assert_eq!((head.path(), head.target().query()), ("/b", Some("c")), "{target}");
                assert_eq!(head.target().form(), TargetForm::Absolute);
                assert_eq!(head.host(), head.target().authority());
            });
        }
        taken("GET http://a:8/ HTTP/1.0\r\n\r\n", |head| assert_eq!(head.host(), Some("a:8")));
    }

    #[test]
    fn an_absolute_target_that_disagrees_with_host_is_refused() {
        for (target, host) in [
            ("http://a/b", "b"),
            ("http://a/b", ""),
            ("http://a/b", "a:81"),
            ("https://a/b", "a:80"),
            ("http://a:443/b", "a"),
            ("http://a/b", "a."),
        ] {
            let error = refused(with_target(target, host));
            assert!(matches!(error, HeadError::HostDisagrees { .. }), "{target} {host}: {error}");
            assert_eq!(error.at() as usize, 4 + target.len() + 17);
        }
    }

    #[test]
    fn an_absolute_target_without_a_path_is_the_root() {
        taken(with_target("http://a", "a"), |head| {
            assert_eq!((head.path(), head.target().path(), head.target().query()), ("/", "/", None));
        });
        taken(with_target("http://a?b", "a"), |head| {
            assert_eq!((head.path(), head.target().query()), ("/", Some("b")));
        });
    }

    #[test]
    fn userinfo_in_a_target_is_refused() {
        for target in ["http://u@a/", "http://u:p@a/", "http://@a/", "http://a@/"] {
            assert_eq!(refused(with_target(target, "a")), HeadError::Target(TargetError::Authority { at: 11 }));
        }
    }

    #[test]
    fn another_scheme_or_none_is_refused() {
        for target in ["ftp://a/", "a:b", "a:80", "http:/a", "http:a", "://a/", "httpx://a/", "//", "http//a"] {
            match target {
                // Two slashes start a path, not an authority.
                "//" => taken(with_target(target, "a"), |head| assert_eq!(head.path(), "//")),
                _ => assert_eq!(refused(with_target(target, "a")), HeadError::Target(TargetError::Form { at: 4 })),
            }
        }
        assert_eq!(refused(with_target("http:///x", "")), HeadError::Target(TargetError::Authority { at: 11 }));
    }

    #[test]
    fn connect_target_is_a_host_and_a_port() {
        taken("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", |head| {
            assert_eq!((head.path(), head.host()), ("", Some("a.example:443")));
            assert_eq!((head.target().form(), head.target().query()), (TargetForm::Authority, None));
        });
        for target in ["a", "a:", ":443", "a:b", "http://a:1/", "u@a:1", "*"] {
            let error = refused(format!("CONNECT {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
            assert_eq!(error, HeadError::Target(TargetError::Authority { at: 8 }), "{target}");
        }
        let path = refused("CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(path, HeadError::Target(TargetError::Form { at: 8 }));
    }

    #[test]
    fn connect_target_and_host_must_agree() {
        let connect = |host: &str| format!("CONNECT a:443 HTTP/1.1\r\nHost: {host}\r\n\r\n");
        for host in ["a:443", "A", "a:"] {
            taken(connect(host), |head| assert_eq!(head.host(), Some("a:443")));
        }
        for host in ["b", "b:443", "a:80", ""] {
            assert_eq!(refused(connect(host)), HeadError::HostDisagrees { at: 30 }, "{host}");
        }
    }

    #[test]
    fn asterisk_target_is_for_options_only() {
        taken("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", |head| {
            assert_eq!((head.path(), head.target().form()), ("*", TargetForm::Asterisk));
        });
        for request in ["GET *", "options *", "OPTIONS **", "OPTIONS *?a"] {
            let error = refused(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
            assert!(matches!(error, HeadError::Target(TargetError::Form { .. })), "{request}: {error}");
        }
    }
}

mod rfc9112_3_2_host {
    use super::*;

    #[test]
    fn http_1_1_without_host_is_refused() {
        assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), HeadError::HostMissing { at: 18 });
        assert!(matches!(refused("GET http://a/ HTTP/1.1\r\n\r\n"), HeadError::HostMissing { .. }));
        assert!(matches!(refused("CONNECT a:1 HTTP/1.1\r\n\r\n"), HeadError::HostMissing { .. }));
        assert!(matches!(refused("GET / HTTP/1.7\r\nHosts: a\r\n\r\n"), HeadError::HostMissing { .. }));
    }

    #[test]
    fn http_1_0_without_host_is_accepted() {
        taken("GET / HTTP/1.0\r\n\r\n", |head| assert_eq!(head.host(), None));
    }

    #[test]
    fn an_empty_host_is_accepted() {
        taken(with_fields("Host:\r\n"), |head| assert_eq!(head.host(), Some("")));
    }

    #[test]
    fn host_twice_is_refused_in_any_version() {
        for version in ["HTTP/1.0", "HTTP/1.1"] {
            for second in ["Host: a", "host: a", "HOST: b", "Host:"] {
                let error = refused(format!("GET / {version}\r\nHost: a\r\n{second}\r\n\r\n"));
                assert_eq!(error, HeadError::DuplicateHost { at: 25 }, "{version} {second}");
            }
        }
    }

    #[test]
    fn a_malformed_host_is_refused() {
        for host in ["a b", "a/b", "u@a", "a%41", "a,b c", "\u{e9}", "a?b", "a#b", "a\\b", "a\tb", "\"a\"", "<a>"] {
            assert_eq!(refused(with_fields(&format!("Host: {host}\r\n"))), HeadError::Host { at: 22 }, "{host}");
        }
    }

    #[test]
    fn a_host_that_is_not_an_authority_is_refused() {
        for host in ["a:99999", "a:b", "::1", "[x]", "[::1", ":80", "a:80:80", "[fe80::1%25eth0]"] {
            assert_eq!(refused(with_fields(&format!("Host: {host}\r\n"))), HeadError::Host { at: 22 }, "{host}");
        }
        for host in ["a", "A.B", "127.0.0.1:80", "[::1]:80", "a_b", "xn--caf-dma.example", "a:"] {
            taken(with_fields(&format!("Host: {host}\r\n")), |head| assert_eq!(head.host(), Some(host)));
        }
    }
}

mod rfc9112_5_fields {
    use super::*;

    #[test]
    fn whitespace_before_the_colon_is_refused() {
        for line in ["X : 1", "X\t: 1", "X Y: 1", "Content-Length : 5", "Transfer-Encoding\t: chunked"] {
            let error = refused(with_fields(&format!("Host: a\r\n{line}\r\n")));
            assert!(matches!(error, HeadError::SpaceBeforeColon { .. }), "{line:?}: {error}");
        }
    }

    #[test]
    fn a_folded_line_is_refused() {
        for line in ["X: one\r\n two", "X: one\r\n\ttwo", "X: one\r\n \r\n", "X: 1\r\n \r\nY: 2"] {
            let error = refused(with_fields(&format!("Host: a\r\n{line}\r\n")));
            assert!(matches!(error, HeadError::Fold { .. }), "{line:?}: {error}");
        }
    }

    #[test]
    fn a_blank_before_the_first_field_is_refused() {
        assert_eq!(refused(with_fields(" Host: a\r\n")), HeadError::Fold { at: 16 });
        assert_eq!(refused(with_fields(" \r\nHost: a\r\n")), HeadError::Fold { at: 16 });
    }

    #[test]
    fn a_field_name_that_is_not_a_token_is_refused() {
        for (line, at) in
            [("junk", 29), (": v", 25), ("X(A): 1", 26), ("X\0: 1", 26), ("\u{e9}: 1", 25), ("\x0bX: 1", 25)]
        {
            assert_eq!(
                refused(with_fields(&format!("Host: a\r\n{line}\r\n"))),
                HeadError::FieldName { at },
                "{line:?}"
            );
        }
    }

    #[test]
    fn field_values_are_trimmed() {
        taken(with_fields("Host: a\r\nA: \t v \t\r\nB:\r\nC: \t \r\nD:a\tb c\r\na:2\r\n"), |head| {
            let fields: Vec<_> = head.headers().collect();
            let expected: [(&str, &[u8]); 6] =
                [("Host", b"a"), ("A", b"v"), ("B", b""), ("C", b""), ("D", b"a\tb c"), ("a", b"2")];
            assert_eq!(fields, expected);
            assert_eq!(head.headers_named("A").collect::<Vec<_>>(), [b"v", b"2"]);
            assert_eq!((head.header("a"), head.header("none")), (Some("v"), None));
        });
    }

    #[test]
    fn a_control_in_a_field_value_is_refused() {
        for byte in (0..0x20).chain([0x7f]).filter(|byte| !b"\t\r\n".contains(byte)) {
            let bytes = [b"GET / HTTP/1.1\r\nHost: a\r\nX: a", &[byte][..], b"b\r\n\r\n"].concat();
            assert_eq!(refused(bytes), HeadError::FieldValue { at: 29 }, "{byte:#x}");
        }
        assert_eq!(refused(with_fields("Host: a\r\nX:\0\r\n")), HeadError::FieldValue { at: 27 });
    }

    #[test]
    fn bytes_past_ascii_in_a_field_value_are_accepted() {
        taken(b"GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\xff\r\nY: \xc3\xa9\r\n\r\n", |head| {
            assert_eq!((head.header("x"), head.header_bytes("x")), (None, Some(&b"\xc3\xa9\xff"[..])));
            assert_eq!(head.header("y"), Some("\u{e9}"));
        });
    }
}

mod rfc9110_5_4_limits {
    use super::*;

    #[test]
    fn one_field_too_many_is_431() {
        let head = |n: usize| with_fields(&format!("Host: a\r\n{}", "X: 1\r\n".repeat(n - 1)));
        taken(head(100), |head| assert_eq!(head.headers().len(), 100));
        let error = refused(head(101));
        assert_eq!((error, error.status().as_u16()), (HeadError::TooManyFields { at: 16 + 9 + 99 * 6 }, 431));
        // More fields than httparse has room for: the reference parser reads them.
        let limits = Limits { fields: 500, ..Limits::default() };
        let index = every_way(head(300).as_bytes(), &limits).unwrap().unwrap();
        assert_eq!(index.fields().len(), 300);
    }

    #[test]
    fn a_field_longer_than_its_limit_is_431() {
        let limits = Limits { field: 10, ..Limits::default() };
        let head = |line: &str| with_fields(&format!("Host: a\r\n{line}\r\n")).into_bytes();
        for line in ["X: 4567890", "X:34567   ", "Host-Name:"] {
            assert!(every_way(&head(line), &limits).unwrap().is_some(), "{line}");
        }
        for line in ["X: 45678901", "X:3        ", "Long-Name-Without-Colon", "X: 4567890\r\nY: 45678901"] {
            let error = every_way(&head(line), &limits).unwrap_err();
            assert!(matches!(error, HeadError::FieldTooLong { .. }), "{line}: {error}");
            assert_eq!(error.status(), 431);
        }
        let long = refused(with_fields(&format!("Host: a\r\nX: {}", "x".repeat(32 << 10))));
        assert_eq!(long, HeadError::FieldTooLong { at: 25 + (32 << 10) });
    }

    #[test]
    fn a_head_longer_than_its_limit_is_431() {
        let head = with_fields("Host: a\r\n").into_bytes();
        let exact = Limits { head: head.len(), ..Limits::default() };
        assert!(every_way(&head, &exact).unwrap().is_some());
        let less = Limits { head: head.len() - 1, ..Limits::default() };
        let error = every_way(&head, &less).unwrap_err();
        assert_eq!((error, error.status().as_u16()), (HeadError::TooLong { at: 26 }, 431));
        // Also without an end of the request line.
        assert_eq!(quintet_request::parse(&[b'x'; 65_536], &Limits::default()).unwrap_err().status(), 501);
        let mut endless = with_fields(&"X: 1\r\n".repeat(90)).into_bytes();
        endless.truncate(500);
        let limits = Limits { head: 500, ..Limits::default() };
        assert_eq!(every_way(&endless, &limits).unwrap_err(), HeadError::TooLong { at: 500 });
    }
}

mod rfc9110_10_1_1_expect {
    use super::*;

    fn expect(version: &str, fields: &str) -> String {
        format!("POST / {version}\r\nHost: a\r\n{fields}\r\n")
    }

    #[test]
    fn expect_100_continue_with_a_body_waits_for_100() {
        for fields in [
            "Expect: 100-continue\r\nContent-Length: 3\r\n",
            "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 3\r\nexpect: 100-CONTINUE\r\n",
        ] {
            taken(expect("HTTP/1.1", fields), |head| assert!(head.expects_continue(), "{fields}"));
        }
    }

    #[test]
    fn expect_100_continue_is_ignored_in_1_0_and_without_body() {
        for (version, fields) in [
            ("HTTP/1.0", "Expect: 100-continue\r\nContent-Length: 3\r\n"),
            ("HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n"),
            ("HTTP/1.1", "Expect: 100-continue\r\n"),
            ("HTTP/1.1", "Expect:\r\nContent-Length: 3\r\n"),
            ("HTTP/1.1", "Content-Length: 3\r\n"),
        ] {
            taken(expect(version, fields), |head| assert!(!head.expects_continue(), "{version} {fields}"));
        }
    }

    #[test]
    fn an_unknown_expect_is_417() {
        for value in ["200-ok", "100-continue, x", "100-continue;q=1", "100-continuE ,"] {
            let error = refused(expect("HTTP/1.1", &format!("Expect: {value}\r\nContent-Length: 3\r\n")));
            assert_eq!((error, error.status().as_u16()), (HeadError::Expect { at: 34 }, 417), "{value}");
        }
    }
}

mod rfc9112_9_connection {
    use super::*;

    #[test]
    fn keep_alive_follows_the_version_and_connection_field() {
        for (version, connection, kept) in [
            ("HTTP/1.1", "", true),
            ("HTTP/1.1", "Connection: close\r\n", false),
            ("HTTP/1.1", "Connection: foo, Close\r\n", false),
            ("HTTP/1.1", "Connection: foo\r\nConnection: CLOSE\r\n", false),
            ("HTTP/1.1", "Connection: keep-alive, close\r\n", false),
            ("HTTP/1.1", "Connection: closed, not-close\r\n", true),
            ("HTTP/1.1", "X-Connection: close\r\n", true),
            ("HTTP/1.0", "", false),
            ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
            ("HTTP/1.0", "Connection: foo ,\tkeep-alive\r\n", true),
            ("HTTP/1.0", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ] {
            let bytes = format!("GET / {version}\r\nHost: a\r\n{connection}\r\n");
            taken(bytes, |head| assert_eq!(head.keep_alive(), kept, "{version} {connection}"));
        }
    }

    #[test]
    fn upgrade_needs_both_fields_and_http_1_1() {
        for (version, fields, offered) in [
            ("HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", true),
            ("HTTP/1.1", "Upgrade: websocket\r\nConnection: keep-alive, upgrade\r\n", true),
            ("HTTP/1.1", "Connection: upgrade\r\n", false),
            ("HTTP/1.1", "Upgrade: websocket\r\n", false),
            ("HTTP/1.0", "Connection: upgrade\r\nUpgrade: websocket\r\n", false),
        ] {
            let bytes = format!("GET / {version}\r\nHost: a\r\n{fields}\r\n");
            taken(bytes, |head| assert_eq!(head.wants_upgrade(), offered, "{version} {fields}"));
        }
    }
}

mod rfc9112_6_framing {
    use super::*;

    fn post(version: &str, fields: &str) -> String {
        format!("POST / {version}\r\nHost: a\r\n{fields}\r\n")
    }

    #[test]
    fn framing_is_what_the_head_declares() {
        for (fields, framing) in [
            ("", Framing::None),
            ("Content-Length: 3\r\n", Framing::Length(3)),
            ("content-length:0\r\n", Framing::Length(0)),
            ("Transfer-Encoding: Chunked\t\r\n", Framing::Chunked),
        ] {
            taken(post("HTTP/1.1", fields), |head| assert_eq!(head.framing(), framing, "{fields}"));
        }
        taken("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", |head| {
            assert_eq!(head.framing(), Framing::Length(3), "a body on GET is read");
        });
    }

    #[test]
    fn framing_with_two_readings_is_refused() {
        for (version, fields, why, at) in [
            ("HTTP/1.1", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", FramingError::LengthAndCoding, 64),
            ("HTTP/1.1", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", FramingError::LengthAndCoding, 70),
            ("HTTP/1.1", "Content-Length: 3\r\ncontent-length: 3\r\n", FramingError::DuplicateLength, 61),
            ("HTTP/1.1", "Content-Length: 3, 3\r\n", FramingError::Length, 42),
            ("HTTP/1.1", "Transfer-Encoding: gzip, chunked\r\n", FramingError::Coding, 45),
            ("HTTP/1.1", "Transfer-Encoding: chunked, gzip\r\n", FramingError::CodingLast, 45),
            ("HTTP/1.1", "Transfer-Encoding: gzip\r\n", FramingError::CodingLast, 45),
            ("HTTP/1.1", "Transfer-Encoding:\r\n", FramingError::CodingLast, 44),
            ("HTTP/1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", FramingError::CodingLast, 73),
            (
                "HTTP/1.1",
                "Transfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n",
                FramingError::DuplicateCoding,
                73,
            ),
            ("HTTP/1.0", "Transfer-Encoding: chunked\r\n", FramingError::CodingInHttp10, 45),
        ] {
            let error = refused(post(version, fields));
            assert_eq!(
                (error, error.status().as_u16()),
                (HeadError::Framing { at, why }, why.status().as_u16()),
                "{fields}"
            );
        }
    }

    #[test]
    fn trailer_field_that_announces_framing_is_refused() {
        for name in ["Content-Length", "x, transfer-encoding", "TRAILER"] {
            let error = refused(post("HTTP/1.1", &format!("Trailer: {name}\r\nTransfer-Encoding: chunked\r\n")));
            assert_eq!((error, error.status().as_u16()), (HeadError::Trailer { at: 35 }, 400), "{name}");
        }
        taken(post("HTTP/1.1", "Trailer: Content-Length\r\n"), |head| assert_eq!(head.framing(), Framing::None));
        taken(post("HTTP/1.1", "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n"), |head| {
            assert_eq!(head.framing(), Framing::Chunked);
        });
    }
}

#[test]
fn a_head_error_has_an_offset_and_no_client_bytes() {
    let error = refused(with_fields("Host: a\r\nX-Secret: hunter2\0\r\n"));
    assert_eq!(error.to_string(), "field value has a control character at byte 42");
    assert_eq!((error.at(), error.status().as_u16()), (42, 400));
    let error = refused(with_fields("Host: a\r\nContent-Length: x\r\n"));
    assert_eq!(error.to_string(), "content-length is not a number at byte 41");
    let error = refused(with_target("/%zz", "a"));
    assert_eq!(error.to_string(), "target has a malformed percent escape at byte 5");
}
