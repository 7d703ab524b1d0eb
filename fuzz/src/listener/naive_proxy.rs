//! PROXY headers against a reader that knows no incomplete input, and against the crate `proxy-header`.

use std::{
    net::{IpAddr, SocketAddr},
    os::unix::ffi::OsStringExt,
};

use quintet_listener::{Addr, ProxyHeader, ProxyHeaderError, UnixName};

/// A header is what a naive reader finds in the bytes; cut short it is not whole yet or wrong for the same reason;
/// what follows changes nothing; where another library finds addresses in it, they are the same.
pub fn proxy_header(data: &[u8]) {
    let whole = ProxyHeader::parse(data);
    let naive = if data.starts_with(b"PROXY ") { line(data) } else { block(data) };
    match &whole {
        Ok(Some((header, len))) => {
            let read = (header.source.clone(), header.destination.clone(), header.unique_id.clone(), *len);
            assert_eq!(Some(read), naive);
            if let Some(Addr::Tcp(source)) = header.source {
                other_library(data, source, header.destination.as_ref().and_then(Addr::tcp), *len);
            }
        }
        Ok(None) => assert!(naive.is_none() && data.len() < 16 + 4096, "not whole after {} bytes", data.len()),
        Err(error) => {
            assert_eq!(naive, None, "{error}");
            assert!(at(*error) <= data.len());
        }
    }
    for end in (0..data.len().min(300)).chain(data.len().saturating_sub(3)..data.len()) {
        let part = ProxyHeader::parse(&data[..end]);
        match (&part, &whole) {
            (Ok(None), _) => {}
            (Ok(Some((_, len))), _) => assert!(*len <= end && part == whole, "{end} bytes: {part:?}"),
            (Err(_), _) => assert_eq!(part, whole, "{end} bytes"),
        }
    }
    if !matches!(whole, Ok(None)) {
        assert_eq!(ProxyHeader::parse(&[data, b"\r\nGET / HTTP/1.1\r\n"].concat()), whole);
    }
}

type Read = Option<(Option<Addr>, Option<Addr>, Option<Box<[u8]>>, usize)>;

/// Version 1, in whole lines and by printing what was read.
fn line(data: &[u8]) -> Read {
    let len = data.windows(2).take(106).position(|two| two == b"\r\n")? + 2;
    let line = std::str::from_utf8(&data[..len - 2]).ok();
    let unknown = data[..len - 2].starts_with(b"PROXY UNKNOWN ") || data[..len - 2] == *b"PROXY UNKNOWN";
    if data[..len - 2].contains(&b'\r') || data[..len - 2].contains(&b'\n') {
        return None;
    }
    if unknown {
        return Some((None, None, None, len));
    }
    let ["PROXY", family, source, to, source_port, to_port] = line?.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let addr = |ip: &str, port: &str| {
        let ip: IpAddr = ip.parse().ok()?;
        let port: u16 = port.parse().ok().filter(|number: &u16| number.to_string() == port)?;
        let right = (family == "TCP4" && ip.is_ipv4()) || (family == "TCP6" && ip.is_ipv6());
        right.then(|| Addr::from(SocketAddr::new(ip, port)))
    };
    Some((Some(addr(source, source_port)?), Some(addr(to, to_port)?), None, len))
}

/// Version 2, by counting.
fn block(data: &[u8]) -> Read {
    let signature = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10];
    let number = |at: usize| Some(256 * usize::from(*data.get(at)?) + usize::from(*data.get(at + 1)?));
    let length = number(14)?;
    if data[..12] != signature || length > 4096 || data.len() < 16 + length {
        return None;
    }
    let end = 16 + length;
    let (family, transport) = (data[13] / 16, data[13] % 16);
    match data[12] {
        32 => return Some((None, None, None, end)),
        33 if family > 3 || transport > 2 => return None,
        33 if family == 0 || transport != 1 => return Some((None, None, None, end)),
        33 => {}
        _ => return None,
    }
    let size = [0, 4, 16, 108][usize::from(family)];
    let ports = if family == 3 { 0 } else { 2 };
    let mut at = 16 + 2 * (size + ports);
    if at > end {
        return None;
    }
    let addr = |nth: usize| {
        let bytes = &data[16 + nth * size..16 + (nth + 1) * size];
        let port = u16::try_from(number(16 + 2 * size + nth * ports)?).ok()?;
        let ip = match size {
            4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
            _ => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
        };
        Some(Addr::from(SocketAddr::new(ip, port)))
    };
    let unix_addr = |at: usize| Addr::Unix(unix(&data[at..at + 108]));
    let (source, to) = if family == 3 { (unix_addr(16), unix_addr(124)) } else { (addr(0)?, addr(1)?) };
    let (mut id, mut seen) = (None, [0_u8; 256]);
    while at < end {
        let len = number(at + 1).filter(|len| at + 3 + len <= end)?;
        let (kind, value) = (data[at], &data[at + 3..at + 3 + len]);
        seen[usize::from(kind)] = seen[usize::from(kind)].saturating_add(1);
        match kind {
            3 if len != 4 || checksum(&data[..end], at + 3) != value => return None,
            5 if len > 128 => return None,
            5 => id = Some(value.into()),
            0x20 if !tls(value) => return None,
            _ => {}
        }
        at += 3 + len;
    }
    let twice = [1, 2, 3, 5, 0x20].iter().any(|kind: &usize| seen[*kind] > 1);
    (!twice).then_some((Some(source), Some(to), id, end))
}

/// The name in a padded path.
fn unix(bytes: &[u8]) -> UnixName {
    let text = bytes.to_vec();
    if text.iter().all(|byte| *byte == 0) {
        return UnixName::Unnamed;
    }
    if text[0] == 0 {
        let mut name = text[1..].to_vec();
        while name.last() == Some(&0) {
            name.pop();
        }
        return UnixName::Abstract(name);
    }
    let name: Vec<u8> = text.into_iter().take_while(|byte| *byte != 0).collect();
    UnixName::Path(std::ffi::OsString::from_vec(name).into())
}

/// Whether the field about TLS is well formed.
fn tls(value: &[u8]) -> bool {
    let (mut rest, mut seen) = (value.get(5..), Vec::new());
    while let Some([kind, high, low, after @ ..]) = rest {
        let len = 256 * usize::from(*high) + usize::from(*low);
        if len > after.len() || ((0x21..=0x23).contains(kind) && seen.contains(kind)) {
            return false;
        }
        seen.push(*kind);
        rest = Some(&after[len..]);
    }
    rest.is_some_and(<[u8]>::is_empty)
}

/// CRC32c by polynomial division of a string of bits.
fn checksum(header: &[u8], zero: usize) -> [u8; 4] {
    let mut header = header.to_vec();
    header[zero..zero + 4].fill(0);
    let mut register = u32::MAX;
    for byte in header {
        for bit in 0..8 {
            let out = (register >> 31) ^ (u32::from(byte) >> bit & 1);
            register = (register << 1) ^ (out * 0x1edc_6f41);
        }
    }
    (!register).reverse_bits().to_be_bytes()
}

fn other_library(data: &[u8], source: SocketAddr, to: Option<SocketAddr>, len: usize) {
    let (header, read) =
        proxy_header::ProxyHeader::parse(data, proxy_header::ParseConfig::default()).expect("it accepts more than we");
    let pair = header.proxied_address().expect("addresses");
    assert_eq!(read, len);
    assert_eq!(Addr::from(pair.source), Addr::Tcp(source));
    assert_eq!(Some(Addr::from(pair.destination)), to.map(Addr::Tcp));
}

/// Where an error is.
fn at(error: ProxyHeaderError) -> usize {
    let text = error.to_string();
    let number: String =
        text.split("byte ").nth(1).into_iter().flat_map(str::chars).take_while(char::is_ascii_digit).collect();
    number.parse().expect("an error says at which byte")
}
