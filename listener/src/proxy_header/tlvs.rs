//! The fields (type, length, value) that may follow the addresses in version 2 of the PROXY protocol.

use super::{ProxyHeaderError, cipher_suite::cipher_suite};
use crate::TlsState;

const ALPN: u8 = 0x01;
const AUTHORITY: u8 = 0x02;
const CRC32C: u8 = 0x03;
const UNIQUE_ID: u8 = 0x05;
const SSL: u8 = 0x20;
const SSL_VERSION: u8 = 0x21;
const SSL_CN: u8 = 0x22;
const SSL_CIPHER: u8 = 0x23;

/// The client spoke TLS; it gave a certificate on this connection; it gave one in this TLS session.
const CLIENT_SSL: u8 = 0x01;
const CLIENT_CERT_CONN: u8 = 0x02;
const CLIENT_CERT_SESS: u8 = 0x04;

/// The longest unique id, in bytes.
const MAX_UNIQUE_ID: usize = 128;

/// The fields that are read; all others are skipped.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tlvs<'a> {
    alpn: Option<&'a [u8]>,
    authority: Option<&'a [u8]>,
    pub(super) unique_id: Option<&'a [u8]>,
    ssl: Option<Ssl<'a>>,
}

/// The field about the client's TLS connection, which has fields of its own.
#[derive(Clone, Copy, Debug, Default)]
struct Ssl<'a> {
    client: u8,
    /// Zero if the client's certificate was verified.
    verify: u32,
    version: Option<&'a [u8]>,
    common_name: Option<&'a [u8]>,
    cipher: Option<&'a [u8]>,
}

/// One field.
struct Field<'a> {
    kind: u8,
    value: &'a [u8],
    at: usize,
}

impl<'a> Tlvs<'a> {
    /// Reads the fields of a whole header, which begin at byte `at`.
    pub(super) fn parse(header: &'a [u8], mut at: usize) -> Result<Self, ProxyHeaderError> {
        let (mut tlvs, mut checked) = (Self::default(), None);
        while let Some(field) = next(header, &mut at)? {
            let malformed = ProxyHeaderError::Tlv { at: field.at };
            match field.kind {
                ALPN => once(&mut tlvs.alpn, field.value, malformed)?,
                AUTHORITY => once(&mut tlvs.authority, field.value, malformed)?,
                UNIQUE_ID if field.value.len() > MAX_UNIQUE_ID => return Err(malformed),
                UNIQUE_ID => once(&mut tlvs.unique_id, field.value, malformed)?,
                SSL => once(&mut tlvs.ssl, Ssl::parse(header, &field)?, malformed)?,
                CRC32C => {
                    let sum = field.value.try_into().map_err(|_| malformed)?;
                    once(&mut checked, (), malformed)?;
                    if crc32c(header, field.at + 3) != u32::from_be_bytes(sum) {
                        return Err(ProxyHeaderError::Checksum { at: field.at });
                    }
                }
                _ => {}
            }
        }
        Ok(tlvs)
    }

    /// What the client's TLS handshake with the proxy agreed on, if there was one.
    pub(super) fn tls(&self) -> Option<TlsState> {
        let ssl = self.ssl.filter(|ssl| ssl.client & CLIENT_SSL != 0)?;
        // A name from a certificate that was not verified is a name that the client chose.
        let verified = ssl.verify == 0 && ssl.client & (CLIENT_CERT_CONN | CLIENT_CERT_SESS) != 0;
        Some(TlsState {
            version: ssl.version.map_or(0, tls_version),
            cipher_suite: ssl.cipher.map_or(0, cipher_suite),
            negotiated_protocol: self.alpn.unwrap_or_default().into(),
            server_name: self.authority.and_then(text).map(|name| name.to_ascii_lowercase().into()),
            peer_certificates: Vec::new(),
            peer_common_name: ssl.common_name.filter(|_| verified).and_then(text).map(Into::into),
            did_resume: ssl.client & (CLIENT_CERT_CONN | CLIENT_CERT_SESS) == CLIENT_CERT_SESS,
        })
    }
}

impl<'a> Ssl<'a> {
    fn parse(header: &'a [u8], field: &Field<'a>) -> Result<Self, ProxyHeaderError> {
        let malformed = ProxyHeaderError::Tlv { at: field.at };
        let Some(([client, verify @ ..], _)) = field.value.split_first_chunk::<5>() else { return Err(malformed) };
        let mut ssl = Self { client: *client, verify: u32::from_be_bytes(*verify), ..Self::default() };
        let inside = &header[..field.at + 3 + field.value.len()];
        let mut at = field.at + 3 + 5;
        while let Some(field) = next(inside, &mut at)? {
            let malformed = ProxyHeaderError::Tlv { at: field.at };
            match field.kind {
                SSL_VERSION => once(&mut ssl.version, field.value, malformed)?,
                SSL_CN => once(&mut ssl.common_name, field.value, malformed)?,
                SSL_CIPHER => once(&mut ssl.cipher, field.value, malformed)?,
                _ => {}
            }
        }
        Ok(ssl)
    }
}

/// The field at byte `at`, which moves behind it; `None` at the end of `bytes`.
fn next<'a>(bytes: &'a [u8], at: &mut usize) -> Result<Option<Field<'a>>, ProxyHeaderError> {
    let rest = &bytes[*at..];
    if rest.is_empty() {
        return Ok(None);
    }
    let malformed = ProxyHeaderError::Tlv { at: *at };
    let ([kind, length @ ..], rest) = rest.split_first_chunk::<3>().ok_or(malformed)?;
    let value = rest.get(..usize::from(u16::from_be_bytes(*length))).ok_or(malformed)?;
    let field = Field { kind: *kind, value, at: *at };
    *at += 3 + value.len();
    Ok(Some(field))
}

/// Of two fields of one kind nothing says which holds.
fn once<T>(place: &mut Option<T>, value: T, twice: ProxyHeaderError) -> Result<(), ProxyHeaderError> {
    if place.replace(value).is_some() { Err(twice) } else { Ok(()) }
}

/// `None` if it is not UTF-8: a certificate may have a name in Latin-1.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// The number on the wire of a version as OpenSSL calls it; 0 for one that is not known here.
fn tls_version(name: &[u8]) -> u16 {
    match name {
        b"TLSv1.3" => 0x0304,
        b"TLSv1.2" => 0x0303,
        b"TLSv1.1" => 0x0302,
        b"TLSv1" | b"TLSv1.0" => 0x0301,
        b"SSLv3" => 0x0300,
        _ => 0,
    }
}

/// The CRC32c of a header whose four bytes at `sum` count as zero. Bit by bit: a header has at most 4 KiB, most have
/// no checksum, and those that have one come once a connection.
fn crc32c(header: &[u8], sum: usize) -> u32 {
    let mut crc = u32::MAX;
    for (at, byte) in header.iter().enumerate() {
        let byte = if (sum..sum + 4).contains(&at) { 0 } else { *byte };
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & 0u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720 §B.4, with the four bytes of the field beyond the end.
    #[test]
    fn crc32c_of_the_examples_of_rfc_3720() {
        let rising: Vec<u8> = (0..32).collect();
        for (bytes, sum) in [(&[0; 32][..], 0x8a91_36aa), (&[0xff; 32], 0x62a8_ab43), (&rising, 0x46dd_794e)] {
            assert_eq!(crc32c(bytes, bytes.len()), sum);
        }
        assert_eq!(crc32c(b"123456789", 9), 0xe306_9283);
    }
}
