//! Version 2 of the PROXY protocol: bytes.

use std::net::{IpAddr, SocketAddr};

use super::{ProxyHeaderError, tlvs::Tlvs};
use crate::{Addr, UnixName};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Where version and command, family and transport, and the length stand, and where the addresses begin.
const COMMAND: usize = 12;
const FAMILY: usize = 13;
const LENGTH: usize = 14;
const ADDRESSES: usize = 16;

/// The most bytes that may follow the first sixteen.
const MAX_LENGTH: usize = 4096;

/// The first sixteen bytes.
enum Command {
    /// `LOCAL`: the connection is the proxy's own.
    Local,
    Proxy(Family),
}

/// Whose addresses follow.
#[derive(Clone, Copy)]
enum Family {
    /// Unknown, or of a transport that no stream has: the addresses are the socket's.
    Unspecified,
    Inet,
    Inet6,
    Unix,
}

/// What a header of version 2 says, and its length in bytes.
pub(super) struct Block<'a> {
    /// Where the client is, and what it connected to.
    pub(super) addresses: Option<(Addr, Addr)>,
    pub(super) tlvs: Tlvs<'a>,
    pub(super) len: usize,
}

/// Reads a header that begins with [`SIGNATURE`], or with as much of it as there is.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Block<'_>>, ProxyHeaderError> {
    let Some(command) = command(bytes)? else { return Ok(None) };
    let Some(length) = bytes.get(LENGTH..ADDRESSES) else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    if length > MAX_LENGTH {
        return Err(ProxyHeaderError::TooLong { at: LENGTH });
    }
    let family = match command {
        Command::Local => Family::Unspecified,
        Command::Proxy(family) => family,
    };
    // Before the bytes are there: for a length that is wrong nobody should wait.
    if length < family.len() {
        return Err(ProxyHeaderError::Length { at: LENGTH });
    }
    let len = ADDRESSES + length;
    let Some(header) = bytes.get(..len) else { return Ok(None) };
    let addresses = family.addresses(&header[ADDRESSES..]);
    // Without addresses nothing says where the fields begin.
    let fields = if addresses.is_some() { ADDRESSES + family.len() } else { len };
    Ok(Some(Block { addresses, tlvs: Tlvs::parse(header, fields)?, len }))
}

/// Version and command, and the family if it matters.
fn command(bytes: &[u8]) -> Result<Option<Command>, ProxyHeaderError> {
    match bytes.get(COMMAND) {
        None => return Ok(None),
        // Everything else in this header is to be ignored.
        Some(0x20) => return Ok(Some(Command::Local)),
        Some(0x21) => {}
        Some(_) => return Err(ProxyHeaderError::Command { at: COMMAND }),
    }
    let Some(family) = bytes.get(FAMILY) else { return Ok(None) };
    let family = match (family >> 4, family & 0x0f) {
        (1, 1) => Family::Inet,
        (2, 1) => Family::Inet6,
        (3, 1) => Family::Unix,
        (0..=3, 0..=2) => Family::Unspecified,
        _ => return Err(ProxyHeaderError::Protocol { at: FAMILY }),
    };
    Ok(Some(Command::Proxy(family)))
}

impl Family {
    /// Both addresses and both ports, in bytes.
    const fn len(self) -> usize {
        match self {
            Self::Unspecified => 0,
            Self::Inet => 2 * (4 + 2),
            Self::Inet6 => 2 * (16 + 2),
            Self::Unix => 2 * 108,
        }
    }

    /// The addresses at the beginning of `bytes`, which are enough.
    fn addresses(self, bytes: &[u8]) -> Option<(Addr, Addr)> {
        let bytes = bytes.get(..self.len())?;
        match self {
            Self::Unspecified => None,
            Self::Inet => pair::<4>(bytes),
            Self::Inet6 => pair::<16>(bytes),
            Self::Unix => bytes.split_at_checked(108).map(|(source, to)| (unix(source), unix(to))),
        }
    }
}

/// Two addresses of `N` bytes and two ports.
fn pair<const N: usize>(bytes: &[u8]) -> Option<(Addr, Addr)>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = bytes.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (source_port, rest) = rest.split_first_chunk::<2>()?;
    let (destination_port, _) = rest.split_first_chunk::<2>()?;
    let addr = |ip: [u8; N], port: [u8; 2]| SocketAddr::new(ip.into(), u16::from_be_bytes(port)).into();
    Some((addr(*source, *source_port), addr(*destination, *destination_port)))
}

/// A `sun_path`: a path up to its NUL; after a NUL, a name without a file up to the padding; all NUL, no name.
fn unix(bytes: &[u8]) -> Addr {
    let name = match bytes.split_first() {
        Some((0, name)) => match name.iter().rposition(|byte| *byte != 0) {
            Some(last) => UnixName::Abstract(name[..=last].to_vec()),
            None => UnixName::Unnamed,
        },
        _ => UnixName::Path(path(bytes.split(|byte| *byte == 0).next().unwrap_or_default())),
    };
    Addr::Unix(name)
}

#[cfg(unix)]
fn path(bytes: &[u8]) -> std::path::PathBuf {
    <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path(bytes: &[u8]) -> std::path::PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}
