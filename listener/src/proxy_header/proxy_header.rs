//! A PROXY header: what a proxy says of its client before the client's first byte.

use super::{ProxyHeaderError, v1, v2};
use crate::{Addr, Opened, TlsState};

/// What a header of the PROXY protocol says, version 1 (a line of text) or 2 (bytes).
///
/// ```
/// use quintet_listener::ProxyHeader;
///
/// let bytes = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET / HTTP/1.1\r\n";
/// let (header, len) = ProxyHeader::parse(bytes)?.expect("the header is whole");
/// assert_eq!(header.source, Some("192.0.2.1:56324".parse()?));
/// assert!(bytes[len..].starts_with(b"GET / "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # The rules
/// What HAProxy 2.6.12 (`accept-proxy`) and nginx 1.22.1 (`listen … proxy_protocol`) do was measured; "own" means that
/// the connection is served with the addresses of the socket.
///
/// | input | specification | HAProxy | nginx | we |
/// |---|---|---|---|---|
/// | v1 TCP4 | accept | accept | accept | accept |
/// | v1 TCP6, in capitals | accept | accept | accept | accept |
/// | v1 TCP6 with an IPv4 address, `::ffff:192.0.2.1` | – | accept | accept | accept, as IPv4 |
/// | v1 UNKNOWN | own | own | own | own |
/// | v1 UNKNOWN with addresses | own | refuse | own | own |
/// | v1 UNKNOWN of 107 bytes | own | refuse | own | own |
/// | v1 UNKNOWN of 108 bytes | refuse | refuse | own | refuse |
/// | v1 UNKNOWNX | refuse | refuse | own | refuse |
/// | v1 UDP4 | refuse | refuse | refuse | refuse |
/// | v1 in small letters | refuse | refuse | refuse | refuse |
/// | v1 address 192.0.2.01 | refuse | accept | as it is | refuse |
/// | v1 address of three numbers | refuse | as 192.0.2.0 | as it is | refuse |
/// | v1 TCP4 with an IPv6 address | refuse | refuse | accept | refuse |
/// | v1 TCP6 with 192.0.2.1 | refuse | refuse | accept | refuse |
/// | v1 address with a zone | refuse | refuse | refuse | refuse |
/// | v1 port 0 | accept | accept | as none | accept |
/// | v1 port 056324 | refuse | accept | accept | refuse |
/// | v1 port +56324 | refuse | refuse | refuse | refuse |
/// | v1 port 65536 | refuse | as 0 | refuse | refuse |
/// | v1 without ports | refuse | refuse | refuse | refuse |
/// | v1 two blanks | refuse | refuse | refuse | refuse |
/// | v1 a tab | refuse | refuse | refuse | refuse |
/// | v1 a field too many | refuse | refuse | refuse | refuse |
/// | v1 a blank at the end | refuse | refuse | refuse | refuse |
/// | v1 LF alone | refuse | refuse | refuse | refuse |
/// | v1 CR alone | refuse | refuse | refuse | refuse |
/// | no header | refuse | refuse | refuse | refuse, at the first byte that differs |
/// | v2 TCP over IPv4 | accept | accept | accept | accept |
/// | v2 TCP over IPv6 | accept | accept | accept | accept |
/// | v2 TCP over IPv6, `::ffff:192.0.2.1` | – | accept | accept | accept, as IPv4 |
/// | v2 Unix, path and abstract name | accept or own | refuse | own | accept |
/// | v2 Unix, without names | accept or own | refuse | own | accept |
/// | v2 LOCAL | own | own | own | own |
/// | v2 LOCAL with an address and malformed fields | own | own | own | own |
/// | v2 LOCAL with a family that is not assigned | own | own | own | own |
/// | v2 unspecified | own or refuse | refuse | own | own |
/// | v2 unspecified with bytes | own or refuse | refuse | own | own |
/// | v2 datagrams over IPv4 | own | refuse | own | own |
/// | v2 IPv4 without a transport | own or refuse | refuse | own | own |
/// | v2 family 4 | refuse | refuse | own | refuse |
/// | v2 transport 3 | refuse | refuse | own | refuse |
/// | v2 version 1 | refuse | refuse | refuse | refuse |
/// | v2 command 2 | refuse | refuse | own | refuse |
/// | v2 length below IPv4 addresses | – | refuse | refuse | refuse, before the bytes have come |
/// | v2 length below Unix addresses | – | refuse | own | refuse, before the bytes have come |
/// | v2 length 4096 | accept | accept | refuse | accept |
/// | v2 length 4097 | accept | accept | refuse | refuse, before the bytes have come |
/// | v2 field that is not known | accept | accept | accept | accept |
/// | v2 field of two bytes | – | refuse | accept | refuse |
/// | v2 field longer than the header | – | refuse | accept | refuse |
/// | v2 unique id of 128 bytes | accept | accept | accept | accept |
/// | v2 unique id of 129 bytes | refuse | refuse | accept | refuse |
/// | v2 unique id twice | – | the last | accept | refuse |
/// | v2 checksum | accept | accept | accept | accept |
/// | v2 checksum that is wrong | refuse | refuse | accept | refuse |
/// | v2 checksum of three bytes | – | refuse | accept | refuse |
/// | v2 TLS of four bytes | – | accept | accept | refuse |
/// | v2 TLS with a field too long | – | accept | accept | refuse |
///
/// # Spec
/// The PROXY protocol, versions 1 and 2 (`proxy-protocol.txt` of HAProxy, 2020/03/05), §2. Go: none in its standard
/// library; Caddy: `caddy.listeners.proxy_protocol`.
#[doc(alias = "HAProxy")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyHeader {
    /// Where the client is. `None`: the proxy speaks for itself (a health check), or does not know; the addresses are
    /// then those of the socket.
    pub source: Option<Addr>,
    /// The address that the client connected to; there if and only if [`source`](Self::source) is.
    pub destination: Option<Addr>,
    /// The proxy's identifier of the connection (`PP2_TYPE_UNIQUE_ID`), at most 128 bytes.
    pub unique_id: Option<Box<[u8]>>,
    /// What the client's TLS handshake with the proxy agreed on, if there was one (`PP2_TYPE_SSL`): version, cipher
    /// suite, ALPN, SNI, and the name in the client's certificate if that was verified. Numbers are 0 where the proxy
    /// did not say, or said a name that is not known here; a name that is not UTF-8 is left out.
    pub tls: Option<TlsState>,
}

impl ProxyHeader {
    /// Reads a header at the beginning of `bytes`, and tells how long it is. `Ok(None)`: so far right, read more; at
    /// most 4112 bytes are needed. What follows the header is not looked at.
    ///
    /// # Errors
    /// [`ProxyHeaderError`], which no further bytes can mend.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProxyHeaderError> {
        match bytes.first() {
            None => Ok(None),
            Some(b'P') if begins(bytes, v1::SIGNATURE)? => {
                let line = v1::parse(bytes)?;
                Ok(line.map(|(addresses, len)| (Self::default().between(addresses), len)))
            }
            Some(b'P') => Ok(None),
            Some(_) if begins(bytes, v2::SIGNATURE)? => {
                let Some(block) = v2::parse(bytes)? else { return Ok(None) };
                let unique_id = block.tlvs.unique_id.map(Into::into);
                let header = Self { unique_id, tls: block.tlvs.tls(), ..Self::default() };
                Ok(Some((header.between(block.addresses), block.len)))
            }
            Some(_) => Ok(None),
        }
    }

    fn between(self, addresses: Option<(Addr, Addr)>) -> Self {
        let (source, destination) = addresses.unzip();
        Self { source, destination, ..self }
    }
}

/// Whether the signature is there whole.
fn begins(bytes: &[u8], signature: &[u8]) -> Result<bool, ProxyHeaderError> {
    match bytes.iter().zip(signature).position(|(is, must)| is != must) {
        Some(at) => Err(ProxyHeaderError::Signature { at }),
        None => Ok(bytes.len() >= signature.len()),
    }
}

impl From<ProxyHeader> for Opened {
    fn from(header: ProxyHeader) -> Self {
        Self {
            peer: header.source,
            local: header.destination,
            tls: header.tls.map(Into::into),
            own_tls: false,
            hosts: None,
            unique_id: header.unique_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProxyHeaderError::*;
    use proptest::prelude::*;

    /// What a row comes to: the addresses, or why not.
    type Outcome = Result<Option<(&'static str, &'static str)>, ProxyHeaderError>;

    const V4: Outcome = Ok(Some(("192.0.2.1:56324", "198.51.100.1:443")));
    const V6: Outcome = Ok(Some(("[2001:db8::1]:56324", "[2001:db8::2]:443")));
    const OWN: Outcome = Ok(None);

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).unwrap().to_be_bytes();
        [v2::SIGNATURE, &[command, family], &len, body].concat()
    }

    /// A header of version 2 over IPv4 with these fields.
    fn fields(fields: &[u8]) -> Vec<u8> {
        v2(0x21, 0x11, &[ADDRESSES_V4, fields].concat())
    }

    fn field(kind: u8, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(value.len()).unwrap().to_be_bytes();
        [&[kind], &len[..], value].concat()
    }

    const ADDRESSES_V4: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb];
    const ADDRESSES_V6: &[u8] = b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\
        \x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\xdc\x04\x01\xbb";
    const ADDRESSES_MAPPED: &[u8] = b"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01\
        \x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\xdc\x04\x01\xbb";
    const MAPPED: Outcome = Ok(Some(("192.0.2.1:56324", "[2001:db8::2]:443")));

    /// Of both ends.
    fn unix(source: &[u8], destination: &[u8]) -> Vec<u8> {
        let padded = |name: &[u8]| [name, &vec![0; 108 - name.len()]].concat();
        [padded(source), padded(destination)].concat()
    }

    /// A header with a unique id and this checksum (0x3f830546 is right).
    fn checksum(sum: &[u8]) -> Vec<u8> {
        fields(&[field(0x03, sum), field(0x05, b"id")].concat())
    }

    fn text(rest: &str) -> Vec<u8> {
        format!("PROXY {rest}").into_bytes()
    }

    /// The rows of version 1 in the table of the documentation.
    fn rows_v1() -> Vec<(&'static str, Vec<u8>, Outcome)> {
        let unknown = |blank: usize| text(&format!("UNKNOWN {}\r\n", "f".repeat(blank)));
        let protocol = Err(Protocol { at: 6 });
        vec![
            ("v1 TCP4", text("TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"), V4),
            ("v1 TCP6, in capitals", text("TCP6 2001:DB8::1 2001:DB8:0:0:0:0:0:2 56324 443\r\n"), V6),
            (
                "v1 TCP6 with an IPv4 address, `::ffff:192.0.2.1`",
                text("TCP6 ::ffff:192.0.2.1 2001:db8::2 56324 443\r\n"),
                MAPPED,
            ),
            ("v1 UNKNOWN", text("UNKNOWN\r\n"), OWN),
            ("v1 UNKNOWN with addresses", text("UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), OWN),
            ("v1 UNKNOWN of 107 bytes", unknown(91), OWN),
            ("v1 UNKNOWN of 108 bytes", unknown(92), Err(TooLong { at: 106 })),
            ("v1 UNKNOWNX", text("UNKNOWNX\r\n"), protocol),
            ("v1 UDP4", text("UDP4 192.0.2.1 198.51.100.1 56324 443\r\n"), protocol),
            ("v1 in small letters", b"proxy tcp4 192.0.2.1 198.51.100.1 1 2\r\n".to_vec(), Err(Signature { at: 0 })),
            ("v1 address 192.0.2.01", text("TCP4 192.0.2.01 198.51.100.1 1 2\r\n"), Err(Address { at: 11 })),
            ("v1 address of three numbers", text("TCP4 192.0.2.1 198.51.100 1 2\r\n"), Err(Address { at: 21 })),
            ("v1 TCP4 with an IPv6 address", text("TCP4 2001:db8::1 2001:db8::2 1 2\r\n"), Err(Address { at: 11 })),
            ("v1 TCP6 with 192.0.2.1", text("TCP6 192.0.2.1 198.51.100.1 1 2\r\n"), Err(Address { at: 11 })),
            ("v1 address with a zone", text("TCP6 fe80::1%eth0 fe80::2 1 2\r\n"), Err(Address { at: 11 })),
            ("v1 port 0", text("TCP4 192.0.2.1 198.51.100.1 0 0\r\n"), Ok(Some(("192.0.2.1:0", "198.51.100.1:0")))),
            ("v1 port 056324", text("TCP4 192.0.2.1 198.51.100.1 056324 443\r\n"), Err(Port { at: 34 })),
            ("v1 port +56324", text("TCP4 192.0.2.1 198.51.100.1 +56324 443\r\n"), Err(Port { at: 34 })),
            ("v1 port 65536", text("TCP4 192.0.2.1 198.51.100.1 65536 443\r\n"), Err(Port { at: 34 })),
            ("v1 without ports", text("TCP4 192.0.2.1 198.51.100.1\r\n"), Err(Port { at: 33 })),
            ("v1 two blanks", text("TCP4  192.0.2.1 198.51.100.1 1 2\r\n"), Err(Address { at: 11 })),
            ("v1 a tab", text("TCP4\t192.0.2.1 198.51.100.1 1 2\r\n"), protocol),
            ("v1 a field too many", text("TCP4 192.0.2.1 198.51.100.1 1 2 x\r\n"), Err(LineEnd { at: 37 })),
            ("v1 a blank at the end", text("TCP4 192.0.2.1 198.51.100.1 1 2 \r\n"), Err(LineEnd { at: 37 })),
            ("v1 LF alone", text("TCP4 192.0.2.1 198.51.100.1 1 2\n"), Err(LineEnd { at: 37 })),
            ("v1 CR alone", text("TCP4 192.0.2.1 198.51.100.1 1 2\r\r\n"), Err(LineEnd { at: 38 })),
            ("no header", b"PROPFIND / HTTP/1.1\r\n".to_vec(), Err(Signature { at: 3 })),
        ]
    }

    /// The rows of the addresses of version 2.
    fn rows_v2() -> Vec<(&'static str, Vec<u8>, Outcome)> {
        let noop = |len: usize| fields(&field(0x04, &vec![0; len - 12 - 3]));
        let family = Err(Protocol { at: 13 });
        let names = unix(b"/run/a.sock\0left over", b"\0app");
        vec![
            ("v2 TCP over IPv4", fields(&[]), V4),
            ("v2 TCP over IPv6", v2(0x21, 0x21, ADDRESSES_V6), V6),
            ("v2 TCP over IPv6, `::ffff:192.0.2.1`", v2(0x21, 0x21, ADDRESSES_MAPPED), MAPPED),
            ("v2 Unix, path and abstract name", v2(0x21, 0x31, &names), Ok(Some(("unix:/run/a.sock", "unix:@app")))),
            ("v2 Unix, without names", v2(0x21, 0x31, &unix(b"", b"")), Ok(Some(("unix:", "unix:")))),
            ("v2 LOCAL", v2(0x20, 0, &[]), OWN),
            ("v2 LOCAL with an address and malformed fields", v2(0x20, 0x11, &[ADDRESSES_V4, &[5]].concat()), OWN),
            ("v2 LOCAL with a family that is not assigned", v2(0x20, 0xff, b"abc"), OWN),
            ("v2 unspecified", v2(0x21, 0, &[]), OWN),
            ("v2 unspecified with bytes", v2(0x21, 0, b"abcdef"), OWN),
            ("v2 datagrams over IPv4", v2(0x21, 0x12, ADDRESSES_V4), OWN),
            ("v2 IPv4 without a transport", v2(0x21, 0x10, ADDRESSES_V4), OWN),
            ("v2 family 4", v2(0x21, 0x41, ADDRESSES_V4), family),
            ("v2 transport 3", v2(0x21, 0x13, ADDRESSES_V4), family),
            ("v2 version 1", v2(0x11, 0x11, ADDRESSES_V4), Err(Command { at: 12 })),
            ("v2 command 2", v2(0x22, 0x11, ADDRESSES_V4), Err(Command { at: 12 })),
            ("v2 length below IPv4 addresses", v2(0x21, 0x11, &ADDRESSES_V4[1..]), Err(Length { at: 14 })),
            ("v2 length below Unix addresses", v2(0x21, 0x31, &names[1..]), Err(Length { at: 14 })),
            ("v2 length 4096", noop(4096), V4),
            ("v2 length 4097", noop(4097), Err(TooLong { at: 14 })),
        ]
    }

    /// The rows of the fields of version 2.
    fn rows_fields() -> Vec<(&'static str, Vec<u8>, Outcome)> {
        let malformed = Err(Tlv { at: 28 });
        let twice = [field(0x05, b"1"), field(0x05, b"2")].concat();
        let tls = [0x01, 0, 0, 0, 0, 0x21, 0, 7, b'T', b'L', b'S'];
        vec![
            ("v2 field that is not known", fields(&field(0xee, b"x")), V4),
            ("v2 field of two bytes", fields(&[0x05, 0]), malformed),
            ("v2 field longer than the header", fields(&[0x05, 0, 3, b'a', b'b']), malformed),
            ("v2 unique id of 128 bytes", fields(&field(0x05, &[b'i'; 128])), V4),
            ("v2 unique id of 129 bytes", fields(&field(0x05, &[b'i'; 129])), malformed),
            ("v2 unique id twice", fields(&twice), Err(Tlv { at: 32 })),
            ("v2 checksum", checksum(&[0x3f, 0x83, 0x05, 0x46]), V4),
            ("v2 checksum that is wrong", checksum(&[0x3f, 0x83, 0x05, 0x47]), Err(Checksum { at: 28 })),
            ("v2 checksum of three bytes", checksum(&[0x3f, 0x83, 0x05]), malformed),
            ("v2 TLS of four bytes", fields(&field(0x20, &tls[..4])), malformed),
            ("v2 TLS with a field too long", fields(&field(0x20, &tls)), Err(Tlv { at: 36 })),
        ]
    }

    fn rows() -> Vec<(&'static str, Vec<u8>, Outcome)> {
        [rows_v1(), rows_v2(), rows_fields()].concat()
    }

    /// As it is in a table.
    fn parse(bytes: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyHeaderError> {
        let parsed = ProxyHeader::parse(bytes);
        if let Ok(Some((header, len))) = &parsed {
            assert!(*len <= bytes.len() && header.source.is_some() == header.destination.is_some());
        }
        parsed
    }

    /// Every prefix is not whole yet, or fails as the whole does.
    fn every_split(row: &str, bytes: &[u8]) {
        let whole = parse(bytes);
        let len = whole.as_ref().map_or(bytes.len(), |parsed| parsed.as_ref().map_or(bytes.len(), |(_, len)| *len));
        for end in 0..len {
            let part = parse(&bytes[..end]);
            assert!(part == Ok(None) || (whole.is_err() && part == whole), "{row}, {end} bytes: {part:?}");
        }
    }

    #[test]
    fn every_row_of_the_table_holds_whole_split_and_with_bytes_left_over() {
        for (row, bytes, outcome) in rows() {
            let addr = |text: &str| Some(text.parse::<Addr>().unwrap());
            let parsed = parse(&bytes).map(|parsed| parsed.unwrap_or_else(|| panic!("{row} is not whole")));
            assert_eq!(
                parsed.clone().map(|(header, _)| (header.source, header.destination)),
                outcome.map(|pair| pair.map_or((None, None), |(source, to)| (addr(source), addr(to)))),
                "{row}"
            );
            assert!(!parsed.as_ref().is_ok_and(|(_, len)| *len != bytes.len()), "{row} takes all its bytes");
            every_split(row, &bytes);
            let more = [&bytes[..], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
            assert_eq!(parse(&more), parsed.map(Some), "{row}, with a request behind it");
        }
    }

    /// The documentation has a row for each case here, in this order, and no other.
    #[test]
    fn the_table_of_the_documentation_has_the_same_rows() {
        let lines =
            include_str!("proxy_header.rs").lines().map_while(|line| (!line.contains("mod tests")).then_some(line));
        let cells = lines.filter_map(|line| line.strip_prefix("/// | ")?.split(" | ").next());
        let documented: Vec<_> = cells.filter(|cell| *cell != "input").collect();
        assert_eq!(documented, rows().iter().map(|(row, ..)| *row).collect::<Vec<_>>());
    }

    #[test]
    fn the_unique_id_and_the_tls_state_are_told() {
        let tls = [
            &[0x03, 0, 0, 0, 0][..],
            &field(0x21, b"TLSv1.2"),
            &field(0x22, "Zoë".as_bytes()),
            &field(0x23, b"ECDHE-RSA-AES128-GCM-SHA256"),
            &field(0x24, b"SHA256"),
        ];
        let all =
            [field(0x01, b"http/1.1"), field(0x02, b"A.example"), field(0x20, &tls.concat()), field(0x05, b"\0id")];
        let opened: Opened = parse(&fields(&all.concat())).unwrap().unwrap().0.into();
        assert_eq!(opened.unique_id.as_deref(), Some(&b"\0id"[..]));
        let tls = opened.tls.unwrap();
        assert_eq!((tls.version_name(), tls.cipher_suite), (Some("TLSv1.2"), 0xc02f));
        assert_eq!((&*tls.negotiated_protocol, tls.server_name.as_deref()), (&b"http/1.1"[..], Some("a.example")));
        assert_eq!((tls.peer_common_name.as_deref(), tls.did_resume), (Some("Zoë"), false));
    }

    /// The first byte of the field says what there was; the next four are zero if the certificate was verified.
    #[test]
    fn a_common_name_counts_only_if_the_certificate_was_verified() {
        let name = |client: u8, verify: u8, name: &[u8]| {
            let tls = [&[client, 0, 0, 0, verify][..], &field(0x22, name)].concat();
            let (header, _) = parse(&fields(&field(0x20, &tls))).unwrap().unwrap();
            header.tls.map(|tls| (tls.peer_common_name, tls.did_resume))
        };
        assert_eq!(name(0x00, 0, b"ada"), None, "no TLS");
        assert_eq!(name(0x01, 0, b"ada"), Some((None, false)), "no certificate");
        assert_eq!(name(0x03, 0, b"ada"), Some((Some("ada".into()), false)));
        assert_eq!(name(0x07, 0, b"ada"), Some((Some("ada".into()), false)));
        assert_eq!(name(0x05, 0, b"ada"), Some((Some("ada".into()), true)), "from the session that was resumed");
        assert_eq!(name(0x03, 10, b"ada"), Some((None, false)), "the certificate has expired");
        assert_eq!(name(0x03, 0, b"Zo\xeb"), Some((None, false)), "Latin-1");
    }

    #[test]
    fn what_the_proxy_says_of_itself_is_not_taken_for_its_client() {
        let local = v2(0x20, 0x11, &[ADDRESSES_V4, &field(0x05, b"id")].concat());
        assert_eq!(parse(&local), Ok(Some((ProxyHeader::default(), local.len()))));
    }

    /// A header of either version between these addresses.
    fn headers() -> impl Strategy<Value = (Addr, Addr, Vec<u8>)> {
        let v4 = |ip: u32, port| Addr::Tcp(std::net::SocketAddr::new(std::net::Ipv4Addr::from_bits(ip).into(), port));
        let v6 = |ip: u128, port| Addr::from(std::net::SocketAddr::new(std::net::Ipv6Addr::from_bits(ip).into(), port));
        let line = |family, source: (String, u16), to: (String, u16)| {
            text(&format!("{family} {} {} {} {}\r\n", source.0, to.0, source.1, to.1))
        };
        let one = any::<(u32, u16, u32, u16)>().prop_map(move |(a, p, b, q)| {
            let ip = |bits| std::net::Ipv4Addr::from_bits(bits).to_string();
            (v4(a, p), v4(b, q), line("TCP4", (ip(a), p), (ip(b), q)))
        });
        let two = any::<(u128, u16, u128, u16)>().prop_map(move |(a, p, b, q)| {
            let ip = |bits| std::net::Ipv6Addr::from_bits(bits).to_string();
            (v6(a, p), v6(b, q), line("TCP6", (ip(a), p), (ip(b), q)))
        });
        let bytes = any::<(u128, u16, u128, u16, Vec<u8>)>().prop_map(move |(a, p, b, q, noop)| {
            let body = [&a.to_be_bytes()[..], &b.to_be_bytes(), &p.to_be_bytes(), &q.to_be_bytes(), &field(4, &noop)];
            (v6(a, p), v6(b, q), v2(0x21, 0x21, &body.concat()))
        });
        prop_oneof![one, two, bytes]
    }

    proptest! {
        #[test]
        fn what_was_said_is_what_is_read((source, destination, bytes) in headers(), rest: Vec<u8>) {
            let header = ProxyHeader { source: Some(source), destination: Some(destination), ..Default::default() };
            prop_assert_eq!(parse(&[&bytes[..], &rest].concat()), Ok(Some((header, bytes.len()))));
            every_split("made", &bytes);
        }

        #[test]
        fn a_header_with_one_byte_changed_never_panics(row in 0..rows().len(), at: usize, byte: u8) {
            let (row, mut bytes, _) = rows().swap_remove(row);
            let at = at % bytes.len();
            bytes[at] = byte;
            every_split(row, &bytes);
        }
    }
}
