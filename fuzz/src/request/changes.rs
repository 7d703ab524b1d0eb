//! Changes of a request's head with any text.

use quintet_request::{Framing, Head, HeadRef, Limits, Request, TargetForm, Version};

/// Requests of every form of target and of every framing.
const HEADS: [&[u8]; 6] = [
    b"GET /a?b HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\n\r\n",
    b"POST http://a/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-A: 1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-A: 1\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    b"PUT /p HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n",
];

/// What no change may touch: the framing and what steers the connection.
fn steering(head: HeadRef<'_>) -> (Version, Framing, (bool, bool, bool)) {
    let options = (head.keep_alive(), head.expects_continue(), head.wants_upgrade());
    (head.version(), head.framing(), options)
}

/// Changes with any text, one after the other, of the request that the first byte selects. Each change is one byte for
/// the method to call and words that end in 0xff. After each, the strict parser reads the head as the request shows it,
/// the framing is untouched, and a refused change has changed nothing.
pub fn changes(data: &[u8]) {
    let Some((seed, data)) = data.split_first() else { return };
    let mut request = Request::parse(HEADS[usize::from(*seed) % HEADS.len()]).expect("a valid head");
    let sent = request.target().raw().to_owned();
    let mut words = data.split(|&byte| byte == 0xff);
    while let Some([call, word @ ..]) = words.next() {
        let text = String::from_utf8_lossy(word);
        let before = (request.head().as_bytes().to_vec(), steering(request.head()));
        let done = match call % 5 {
            0 => request.set_method(&text).is_ok_and(|()| request.method() == text),
            1 => {
                // The target of a CONNECT stays the host: a `Host` that agrees with it may be spelled in another way.
                let connect = request.target().form() == TargetForm::Authority;
                let host = if connect { request.host().unwrap_or_default().to_owned() } else { text.clone().into() };
                request.set_host(&text).is_ok_and(|()| request.host() == Some(&*host))
            }
            2 => request.remove_header(&text).is_ok_and(|_| request.header_bytes(&text).is_none()),
            call => {
                let value = words.next().unwrap_or_default();
                let change = if call == 3 { Request::set_header } else { Request::append_header };
                let done = change(&mut request, &text, value).is_ok();
                // Whitespace around a value is not part of it (RFC 9110 §5.5).
                let value = value.trim_ascii();
                assert!(!done || request.headers_named(&text).last() == Some(value), "{text:?}: {value:?}");
                done
            }
        };
        let head = request.head();
        assert!(done || head.as_bytes() == before.0, "refused and changed");
        assert_eq!(steering(head), before.1);
        assert_eq!(request.target().raw(), sent);
        reads_the_same(head);
    }
}

/// The bytes of a head are one whole head, which the strict parser reads with the same words and fields.
fn reads_the_same(head: HeadRef<'_>) {
    let limits = Limits { head: usize::MAX, fields: usize::MAX, field: usize::MAX, ..Limits::default() };
    let limits = Limits { target: usize::MAX, method: usize::MAX, ..limits };
    let mut again = Head::default();
    assert_eq!(again.parse(head.as_bytes(), &limits), Ok(Some(head.as_bytes().len())));
    let again = again.as_ref();
    assert_eq!((again.method(), again.host()), (head.method(), head.host()));
    assert_eq!(again.target().raw(), head.target().raw());
    assert!(again.headers().eq(head.headers()));
    assert_eq!(steering(again), steering(head));
}
