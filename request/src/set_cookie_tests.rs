//! Cookies that are written, and those that are refused.

use super::*;

fn at(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    if seconds < 0 { epoch - distance } else { epoch + distance }
}

/// Rows of Go's TestWriteSetCookies that Go writes as they were given.
#[test]
fn set_cookie_is_written_as_in_go() {
    let new = SetCookie::new;
    for (cookie, written) in [
        (new("cookie-1", "v$1"), "cookie-1=v$1"),
        (new("cookie-2", "two").max_age(Duration::from_secs(3600)), "cookie-2=two; Max-Age=3600"),
        (new("cookie-3", "three").domain(".example.com"), "cookie-3=three; Domain=example.com"),
        (new("cookie-4", "four").path("/restricted/"), "cookie-4=four; Path=/restricted/"),
        (new("cookie-7", "seven").domain("127.0.0.1"), "cookie-7=seven; Domain=127.0.0.1"),
        (
            new("cookie-9", "expiring").expires(at(1_257_894_000)),
            "cookie-9=expiring; Expires=Tue, 10 Nov 2009 23:00:00 GMT",
        ),
        (
            new("cookie-10", "expiring-1601").expires(at(-11_644_408_799)),
            "cookie-10=expiring-1601; Expires=Mon, 01 Jan 1601 18:00:01 GMT",
        ),
        (new("cookie-12", "samesite-lax").same_site(SameSite::Lax), "cookie-12=samesite-lax; SameSite=Lax"),
        (new("cookie-13", "samesite-strict").same_site(SameSite::Strict), "cookie-13=samesite-strict; SameSite=Strict"),
        (new("cookie-14", "samesite-none").same_site(SameSite::None), "cookie-14=samesite-none; SameSite=None"),
        (
            new("cookie-15", "partitioned").secure().partitioned().path("/"),
            "cookie-15=partitioned; Path=/; Secure; Partitioned",
        ),
        (new("special-1", "a z"), "special-1=\"a z\""),
        (new("special-2", " z"), "special-2=\" z\""),
        (new("special-3", "a "), "special-3=\"a \""),
        (new("special-5", "a,z"), "special-5=\"a,z\""),
        (new("special-9", "1").quoted(), "special-9=\"1\""),
        (new("empty-value", ""), "empty-value="),
        (new("empty-value", "").quoted(), "empty-value="),
        (new("special-4", " "), "special-4=\" \""),
        (new("special-6", ",z"), "special-6=\",z\""),
        (new("special-7", "a,"), "special-7=\"a,\""),
        (new("special-8", ","), "special-8=\",\""),
        (new("gone", "").max_age(Duration::ZERO).http_only(), "gone=; Max-Age=0; HttpOnly"),
        (new("no-path", "v").path(""), "no-path=v"),
        (new("space", "v").path("/a b"), "space=v; Path=/a b"),
        (
            new("date", "v").domain("8.8.8.8").expires(at(0)),
            "date=v; Domain=8.8.8.8; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ),
    ] {
        assert_eq!(cookie.encode().unwrap(), written);
        assert_eq!(HeaderValue::try_from(&cookie).unwrap(), written);
    }
}

#[test]
fn max_age_is_rounded_up_and_only_zero_deletes() {
    for (age, written) in [
        (Duration::ZERO, "0"),
        (Duration::from_nanos(1), "1"),
        (Duration::from_millis(999), "1"),
        (Duration::from_secs(1), "1"),
        (Duration::from_millis(1_001), "2"),
        (Duration::from_secs(86_400), "86400"),
        (Duration::MAX, "18446744073709551615"),
    ] {
        let cookie = SetCookie::new("n", "v").max_age(age).encode().unwrap();
        assert_eq!(cookie, format!("n=v; Max-Age={written}"), "{age:?}");
    }
}

/// Rows of Go's TestCookieSanitizeValue and TestCookieSanitizePath: what Go leaves out, this refuses.
#[test]
fn no_text_adds_a_cookie_attribute_or_a_field() {
    for value in ["foo;bar", "foo\\bar", "foo\"bar", "\0\x7e\x7f\u{80}", "\"withquotes\"", "x\r\nSet-Cookie: y=z"] {
        assert_eq!(SetCookie::new("n", value).encode(), Err(SetCookieError::Value), "{value:?}");
    }
    for path in ["/with;semi", "/a\r\nb", "/caf\u{e9}", "/\0", "/\x7f", "/a; Domain=evil.example"] {
        assert_eq!(SetCookie::new("n", "").path(path).encode(), Err(SetCookieError::Path), "{path:?}");
    }
}

#[test]
fn each_byte_of_a_cookie_is_sent_or_refused() {
    for byte in '\0'..='\u{ff}' {
        let text = format!("a{byte}b");
        match SetCookie::new(text.as_str(), "v").encode() {
            Ok(written) => assert_eq!(written, format!("{text}=v")),
            Err(error) => assert_eq!((error, byte::is_token(text.as_bytes())), (SetCookieError::Name, false)),
        }
        match SetCookie::new("n", text.as_str()).encode() {
            Ok(written) => assert_eq!(crate::Cookies::parse(written.as_bytes()).get("n"), Some(text.as_str())),
            Err(error) => {
                assert_eq!((error, byte::all(text.as_bytes(), byte::COOKIE)), (SetCookieError::Value, false));
            }
        }
    }
}

/// What Go's `validCookieDomain` says of each, but for the dot at the end.
#[test]
fn cookie_domain_is_a_name_with_a_letter_or_an_ipv4_address() {
    let label = "a".repeat(63);
    for (domain, valid) in [
        ("example.com", true),
        (".example.com", true),
        ("EXAMPLE.com", true),
        ("localhost", true),
        ("a", true),
        ("1a.2", true),
        ("xn--bcher-kva.example", true),
        (label.as_str(), true),
        ("127.0.0.1", true),
        (".", false),
        ("..a", false),
        ("a..b", false),
        ("-a.b", false),
        ("a-.b", false),
        ("a.-b", false),
        ("a.b-", false),
        ("1.2.3", false),
        ("256.0.0.1", false),
        (".127.0.0.1", false),
        ("[::1]", false),
        ("a_b.c", false),
        ("a b", false),
        ("a:80", false),
        ("b\u{fc}cher.example", false),
        // Go takes this one.
        ("example.com.", false),
    ] {
        let encoded = SetCookie::new("n", "v").domain(domain).encode();
        let expected = format!("n=v; Domain={}", domain.strip_prefix('.').unwrap_or(domain));
        assert_eq!(encoded.ok().map(|value| value == expected), valid.then_some(true), "{domain}");
    }
}

#[test]
fn a_refused_cookie_is_no_header_value() {
    let new = SetCookie::new;
    for (cookie, error) in [
        (new("", "v"), SetCookieError::Name),
        (new("a b", "v"), SetCookieError::Name),
        (new("\t", ""), SetCookieError::Name),
        (new("\r", ""), SetCookieError::Name),
        (new("a\nb", "v"), SetCookieError::Name),
        (new("a\rb", "v"), SetCookieError::Name),
        (new("cookie-5", "five").domain("wrong;bad.abc"), SetCookieError::Domain),
        (new("cookie-6", "six").domain("bad-.abc"), SetCookieError::Domain),
        (new("cookie-8", "eight").domain("::1"), SetCookieError::Domain),
        (new("cookie-11", "invalid-expiry").expires(at(-11_644_473_601)), SetCookieError::Expires),
        (new("n", "a;b"), SetCookieError::Value),
        (new("n", "\"v\""), SetCookieError::Value),
        (new("n", "\u{e9}"), SetCookieError::Value),
        (new("n", "v").path("/a;b"), SetCookieError::Path),
        (new("n", "v").domain("-bad"), SetCookieError::Domain),
        (new("n", "v").domain(""), SetCookieError::Domain),
        (new("n", "v").domain("123"), SetCookieError::Domain),
        (new("n", "v").domain("a..b"), SetCookieError::Domain),
        (new("n", "v").domain("a".repeat(64)), SetCookieError::Domain),
        (new("n", "v").expires(at(-20_000_000_000)), SetCookieError::Expires),
        (new("n", "v").expires(at(253_402_300_800)), SetCookieError::Expires),
        (new("n", "v").partitioned(), SetCookieError::Partitioned),
    ] {
        assert_eq!(cookie.encode(), Err(error), "{cookie:?}");
        assert_eq!(HeaderValue::try_from(&cookie), Err(error), "{cookie:?}");
    }
    let fine = new("n", "v").path("/").domain("example.com").secure().partitioned();
    assert_eq!(HeaderValue::try_from(&fine).unwrap(), "n=v; Path=/; Domain=example.com; Secure; Partitioned");
}

#[test]
fn a_cookie_is_sent_for_its_path_and_below() {
    let (none, root, deep) =
        (SetCookie::new("a", ""), SetCookie::new("a", "").path("/"), SetCookie::new("a", "").path("/x"));
    for (cookie, set_by, path, is_sent) in [
        (&none, "/", "/", true),
        (&none, "/login", "/", true),
        (&none, "/x/login", "/x/y", true),
        (&none, "/x/login", "/x", true),
        (&none, "/x/login", "/xy", false),
        (&none, "/x/login", "/", false),
        (&none, "*", "/y", true),
        (&root, "/x/login", "/y", true),
        (&deep, "/", "/x", true),
        (&deep, "/", "/x/", true),
        (&deep, "/", "/x/y", true),
        (&deep, "/", "/xy", false),
        (&deep, "/", "/", false),
    ] {
        assert_eq!(cookie.path_matches(set_by, path), is_sent, "{cookie:?} of {set_by} for {path}");
    }
}

#[test]
fn a_cookie_is_sent_to_its_domain_and_below() {
    let (host, domain) = (SetCookie::new("a", ""), SetCookie::new("a", "").domain("A.example"));
    for (cookie, set_by, to, is_sent) in [
        (&host, "a.example", "A.Example", true),
        (&host, "a.example", "b.a.example", false),
        (&domain, "a.example", "a.example", true),
        (&domain, "b.a.example", "c.a.example", true),
        (&domain, "b.a.example", "ca.example", false),
        (&domain, "b.example", "a.example", false),
        (&SetCookie::new("a", "").domain("0.0.1"), "127.0.0.1", "127.0.0.1", false),
        (&SetCookie::new("a", "").domain("127.0.0.1"), "127.0.0.1", "127.0.0.1", true),
    ] {
        assert_eq!(cookie.domain_matches(set_by, to), is_sent, "{cookie:?} of {set_by} to {to}");
    }
}

#[test]
fn the_lifetime_of_a_cookie_is_max_age_or_else_expires() {
    let (cookie, now, hour) = (SetCookie::new("a", ""), at(1000), Duration::from_secs(3600));
    for (cookie, lifetime) in [
        (cookie.clone(), None),
        (cookie.clone().max_age(hour), Some(hour)),
        (cookie.clone().max_age(Duration::ZERO).expires(at(5000)), Some(Duration::ZERO)),
        (cookie.clone().expires(at(4600)), Some(hour)),
        (cookie.expires(at(-1)), Some(Duration::ZERO)),
    ] {
        assert_eq!(cookie.lifetime(now), lifetime, "{cookie:?}");
    }
}
