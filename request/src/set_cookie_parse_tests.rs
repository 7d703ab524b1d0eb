//! `Set-Cookie` fields that are read, and those that are refused.

use super::*;

fn new(name: &str, value: &str) -> SetCookie {
    SetCookie::new(name, value)
}

#[test]
fn a_set_cookie_that_was_written_is_read() {
    let date = UNIX_EPOCH + Duration::from_secs(784_111_777);
    for (text, cookie) in [
        ("a=b", new("a", "b")),
        ("a=", new("a", "")),
        ("a=\"b\"", new("a", "b").quoted()),
        ("a=\"b c,d\"", new("a", "b c,d").quoted()),
        ("a=b=c", new("a", "b=c")),
        ("a=b; Path=/", new("a", "b").path("/")),
        ("a=b; Path=/x y", new("a", "b").path("/x y")),
        ("a=b; Domain=a.example", new("a", "b").domain("a.example")),
        ("a=b; Domain=127.0.0.1", new("a", "b").domain("127.0.0.1")),
        ("a=b; Max-Age=0", new("a", "b").max_age(Duration::ZERO)),
        ("a=b; Max-Age=3600", new("a", "b").max_age(Duration::from_secs(3600))),
        ("a=b; Expires=Sun, 06 Nov 1994 08:49:37 GMT", new("a", "b").expires(date)),
        ("a=b; Expires=Mon, 01 Jan 1601 00:00:00 GMT", {
            new("a", "b").expires(UNIX_EPOCH - Duration::from_secs(11_644_473_600))
        }),
        ("a=b; HttpOnly", new("a", "b").http_only()),
        ("a=b; Secure; SameSite=None", new("a", "b").secure().same_site(SameSite::None)),
        ("a=b; SameSite=Strict", new("a", "b").same_site(SameSite::Strict)),
        ("a=b; Secure; Partitioned", new("a", "b").secure().partitioned()),
        ("__Secure-a=b; Secure", new("__Secure-a", "b").secure()),
        ("__Host-a=b; Path=/; Secure", new("__Host-a", "b").path("/").secure()),
    ] {
        assert_eq!(SetCookie::parse(text.as_bytes()), Ok(cookie.clone()), "{text}");
        assert_eq!(cookie.encode().unwrap(), text);
    }
    let cookie = SetCookie::parse(b"a=b; SECURE; httponly; samesite=LAX; path=/; domain=A.example; max-age=1").unwrap();
    assert_eq!(cookie.encode().unwrap(), "a=b; Path=/; Domain=A.example; Max-Age=1; HttpOnly; Secure; SameSite=Lax");
}

#[test]
fn a_set_cookie_that_browsers_repair_is_refused() {
    use SetCookieParseError::*;
    for (text, error) in [
        ("", NoEquals),
        ("a", NoEquals),
        ("a; Path=/", NoEquals),
        ("=b", Name),
        ("a b=c", Name),
        ("a =b", Name),
        (" a=b", Name),
        ("a= b", Value { at: 2 }),
        ("a=b c", Value { at: 3 }),
        ("a=b,c", Value { at: 3 }),
        ("a=\"b", Value { at: 2 }),
        ("a=b\"", Value { at: 3 }),
        ("a=\"b\"c\"", Value { at: 4 }),
        ("a=\\", Value { at: 2 }),
        ("a=\u{e9}", Value { at: 2 }),
        ("a=b\x01", Value { at: 3 }),
        ("a=b;Path=/", Attribute { at: 3 }),
        ("a=b;  Path=/", Attribute { at: 5 }),
        ("a=b ; Path=/", Value { at: 3 }),
        ("a=b;", Attribute { at: 3 }),
        ("a=b; ", Attribute { at: 5 }),
        ("a=b; Path=/;", Attribute { at: 11 }),
        ("a=b; Path", Attribute { at: 5 }),
        ("a=b; Path =/", Attribute { at: 5 }),
        ("a=b; Secure=", Attribute { at: 5 }),
        ("a=b; HttpOnly=1", Attribute { at: 5 }),
        ("a=b; Priority=High", Attribute { at: 5 }),
        ("a=b; Path=", AttributeValue { at: 5 }),
        ("a=b; Path=x", AttributeValue { at: 5 }),
        ("a=b; Path=/\u{e9}", AttributeValue { at: 5 }),
        ("a=b; Domain=", AttributeValue { at: 5 }),
        ("a=b; Domain=.a.example", AttributeValue { at: 5 }),
        ("a=b; Domain=a_b", AttributeValue { at: 5 }),
        ("a=b; Max-Age=", AttributeValue { at: 5 }),
        ("a=b; Max-Age=-1", AttributeValue { at: 5 }),
        ("a=b; Max-Age=+1", AttributeValue { at: 5 }),
        ("a=b; Max-Age=060", AttributeValue { at: 5 }),
        ("a=b; Max-Age=18446744073709551616", AttributeValue { at: 5 }),
        ("a=b; Expires=Sunday, 06-Nov-94 08:49:37 GMT", AttributeValue { at: 5 }),
        ("a=b; Expires=Mon, 06 Nov 1994 08:49:37 GMT", AttributeValue { at: 5 }),
        ("a=b; Expires=0", AttributeValue { at: 5 }),
        ("a=b; SameSite=Loose", AttributeValue { at: 5 }),
        ("a=b; Path=/; path=/", Duplicate { at: 13 }),
        ("a=b; Secure; Secure", Duplicate { at: 13 }),
        ("a=b; SameSite=None", NotSecure),
        ("a=b; Partitioned", NotSecure),
        ("__Secure-a=b", Prefix),
        ("__host-a=b; Secure", Prefix),
        ("__Host-a=b; Path=/x; Secure", Prefix),
        ("__Host-a=b; Path=/; Domain=a.example; Secure", Prefix),
    ] {
        assert_eq!(SetCookie::parse(text.as_bytes()), Err(error), "{text}");
    }
    let long = |name: usize, value: usize| format!("{}={}", "a".repeat(name), "b".repeat(value));
    assert!(SetCookie::parse(long(96, 4000).as_bytes()).is_ok());
    assert_eq!(SetCookie::parse(long(97, 4000).as_bytes()), Err(TooLong { at: 0 }));
    let path = |len: usize| format!("a=b; Path=/{}", "x".repeat(len));
    assert!(SetCookie::parse(path(1023).as_bytes()).is_ok());
    assert_eq!(SetCookie::parse(path(1024).as_bytes()), Err(TooLong { at: 5 }));
}
