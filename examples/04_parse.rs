//! The parser alone: the head of a request, read from standard input without a socket and without a runtime.
//!
//! You learn: a parsed head is its bytes and an index of them, and what the head says about the connection.
//!
//! Run:      `printf 'GET /caf%%C3%%A9?milk=oat HTTP/1.1\r\nHost: a.example\r\nCookie: id=7\r\n\r\nrest' |
//!           cargo run --example 04_parse`
//! You see:  method, target and fields, what the head says about the connection, and the number of bytes left over.
//! Try:      heads that other servers accept: two `Host` lines; `Host : a`; `\n` for `\r\n`; both `Content-Length` and
//!           `Transfer-Encoding`; `GET http://b/ HTTP/1.1` with `Host: a`. You see the status to answer, the reason
//!           and the byte offset; the exit status is 1.

use std::io::Read;

use anyhow::bail;
use quintet_examples::{NoArguments, arguments, outln};
use quintet_request::{Form, HeadRef, Index, Limits, Scan};

fn main() -> anyhow::Result<()> {
    let NoArguments {} = arguments(include_str!("04_parse.rs"));
    let limits = Limits::default();
    let (mut scan, mut index) = (Scan::new(&limits), Index::default());
    let (mut bytes, mut piece) = (Vec::new(), [0; 1024]);
    let mut input = std::io::stdin().lock();
    loop {
        let read = input.read(&mut piece)?;
        bytes.extend_from_slice(&piece[..read]);
        // A head may arrive in any pieces. `scan` says whether parsing again can have a new result. It can also have
        // one at the end of the input.
        if !scan.look(&bytes) && read > 0 {
            continue;
        }
        match index.parse(&bytes, &limits) {
            Ok(Some(_)) => break,
            Ok(None) if read > 0 => {}
            Ok(None) => {
                bail!("not a whole head yet: {} bytes, and no more came", bytes.len());
            }
            Err(error) => bail!("refused with {}: {error}", error.status()),
        }
    }

    let head = HeadRef::new(&bytes, &index);
    let target = head.target();
    outln!(
        "{} {:?} of {:?}",
        head.method(),
        target.decoded_path().unwrap_or_default(),
        head.host().unwrap_or("no host")
    );
    for (name, value) in target.query().and_then(|query| Form::parse(query.as_bytes()).ok()).unwrap_or_default().iter()
    {
        outln!("  query   {name:?} is {value:?}");
    }
    for (name, value) in head.headers() {
        outln!("  field   {name}: {}", value.escape_ascii());
    }
    for cookie in head.cookies().iter() {
        outln!("  cookie  {} is {:?}", cookie.name, cookie.value);
    }
    outln!("{:?}, body: {:?}", head.version(), head.framing());
    outln!("keep alive: {}, waits for 100: {}", head.keep_alive(), head.expects_continue());
    outln!("{} bytes of head, {} left over", index.len(), bytes.len() - index.len());
    Ok(())
}
