//! Networks: a list of address ranges, to say which peers are trusted.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use crate::Addr;

/// A list of networks. Written as CIDR ranges and `unix`, separated by commas or blanks: `10.0.0.0/8, fd00::/8, unix`.
///
/// An address without `/length` is that address alone. `unix` stands for every peer of a Unix socket. An empty list
/// contains nothing. IPv4 and IPv6 never contain each other, except that an IPv4 address written as IPv6
/// (`::ffff:192.0.2.1`) is the IPv4 address.
///
/// ```
/// use quintet_listener::{Addr, Nets};
///
/// let trusted: Nets = "10.0.0.0/8, ::1, unix".parse()?;
/// assert!(trusted.contains(&"10.1.2.3:4567".parse()?));
/// assert!(trusted.contains(&"[::1]:4567".parse()?));
/// assert!(trusted.contains(&"unix:".parse()?));
/// assert!(!trusted.contains(&"192.0.2.1:4567".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Spec
/// RFC 4632 §3.1, RFC 4291 §2.3. Go: `netip.ParsePrefix`, `netip.Prefix.Contains`.
#[doc(alias = "CIDR")]
#[doc(alias = "trusted proxies")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nets(Vec<Net>);

/// One entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Net {
    /// The first address and the number of leading bits that count.
    V4(Ipv4Addr, u8),
    V6(Ipv6Addr, u8),
    Unix,
}

impl Nets {
    /// Whether a peer's address is in one of the networks.
    pub fn contains(&self, addr: &Addr) -> bool {
        match addr {
            Addr::Tcp(addr) => self.contains_ip(addr.ip()),
            Addr::Unix(_) => self.0.contains(&Net::Unix),
        }
    }

    /// Whether an IP address is in one of the networks.
    pub fn contains_ip(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|net| net.contains(ip))
    }

    /// Whether the list contains nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Net {
    fn contains(self, ip: IpAddr) -> bool {
        match (self, ip) {
            (Self::V4(first, len), IpAddr::V4(ip)) => first == mask_v4(ip, len),
            (Self::V6(first, len), IpAddr::V6(ip)) => first == mask_v6(ip, len),
            (Self::V4(..) | Self::V6(..) | Self::Unix, _) => false,
        }
    }

    fn parse(text: &str, at: usize) -> Result<Self, NetsError> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let (ip, len) = match text.split_once('/') {
            None => (text, None),
            Some((ip, len)) => (ip, Some(len)),
        };
        let len_at = at + ip.len() + 1;
        let ip: IpAddr = ip.parse().map_err(|_| NetsError::Addr { at })?;
        let bits = if ip.is_ipv4() { 32 } else { 128 };
        let len = match len {
            None => bits,
            // As in Go: no sign and no leading zeros, which some readers take for octal.
            Some(len) if len != "0" && (len.starts_with(['0', '+'])) => return Err(NetsError::Length { at: len_at }),
            Some(len) => len.parse().ok().filter(|len| *len <= bits).ok_or(NetsError::Length { at: len_at })?,
        };
        let net = match ip {
            IpAddr::V4(ip) => Self::V4(mask_v4(ip, len), len),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) if len >= 96 => Self::V4(mask_v4(v4, len - 96), len - 96),
                _ => Self::V6(mask_v6(v6, len), len),
            },
        };
        // What was meant by 10.0.0.1/8: the network, or the one address? The difference is who is trusted.
        if net.first() == Some(ip.to_canonical()) { Ok(net) } else { Err(NetsError::HostBits { at }) }
    }

    fn first(self) -> Option<IpAddr> {
        match self {
            Self::V4(first, _) => Some(first.into()),
            Self::V6(first, _) => Some(IpAddr::from(first).to_canonical()),
            Self::Unix => None,
        }
    }
}

fn mask_v4(ip: Ipv4Addr, len: u8) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
    Ipv4Addr::from_bits(ip.to_bits() & mask)
}

fn mask_v6(ip: Ipv6Addr, len: u8) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
    Ipv6Addr::from_bits(ip.to_bits() & mask)
}

impl FromStr for Nets {
    type Err = NetsError;

    /// # Errors
    /// [`NetsError`] says what is wrong with which entry.
    fn from_str(text: &str) -> Result<Self, NetsError> {
        let (mut nets, mut at) = (Vec::new(), 0);
        for entry in text.split([',', ' ', '\t', '\n', '\r']) {
            if !entry.is_empty() {
                nets.push(Net::parse(entry, at)?);
            }
            at += entry.len() + 1;
        }
        Ok(Self(nets))
    }
}

/// As it is parsed: `10.0.0.0/8, ::1/128, unix`.
impl fmt::Display for Nets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, net) in self.0.iter().enumerate() {
            let comma = if nth == 0 { "" } else { ", " };
            match net {
                Net::V4(first, len) => write!(f, "{comma}{first}/{len}")?,
                Net::V6(first, len) => write!(f, "{comma}{first}/{len}")?,
                Net::Unix => write!(f, "{comma}unix")?,
            }
        }
        Ok(())
    }
}

/// Why a text is no list of networks. The offsets are bytes of that text.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetsError {
    /// Neither an IP address nor `unix`.
    #[error("not an IP address, a network or unix at byte {at}")]
    Addr {
        /// Where the entry begins.
        at: usize,
    },
    /// Not a number from 0 to 32 (IPv4) or 128 (IPv6).
    #[error("the length at byte {at} is not a number of bits of that address")]
    Length {
        /// Where the length begins.
        at: usize,
    },
    /// The address is not the first of its network: `10.0.0.1/8`.
    #[error("the address at byte {at} is not the first of its network: write that, or leave out the length")]
    HostBits {
        /// Where the entry begins.
        at: usize,
    },
}

/// Its text, which is what a `main` that returns it prints.
impl fmt::Debug for NetsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UnixName;
    use proptest::prelude::*;

    fn nets(text: &str) -> Nets {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_network_contains_its_first_and_last_address_and_not_their_neighbours() {
        for (net, inside, outside) in [
            ("10.0.0.0/8", &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"][..], &["9.255.255.255", "11.0.0.0"][..]),
            ("192.0.2.7", &["192.0.2.7"], &["192.0.2.6", "192.0.2.8"]),
            ("192.0.2.6/31", &["192.0.2.6", "192.0.2.7"], &["192.0.2.5", "192.0.2.8"]),
            ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::", "::1"]),
            ("::/0", &["::", "ffff::1"], &["192.0.2.1", "::ffff:192.0.2.1"]),
            ("fd00::/8", &["fd00::", "fdff:ffff::1"], &["fcff::", "fe00::"]),
            ("2001:db8::/33", &["2001:db8:7fff::1"], &["2001:db8:8000::"]),
            ("::1", &["::1"], &["::2", "::"]),
            ("::ffff:10.0.0.0/104", &["10.1.2.3", "::ffff:10.1.2.3"], &["11.0.0.0", "::a00:1"]),
        ] {
            let nets = nets(net);
            assert!(inside.iter().all(|ip| nets.contains_ip(ip.parse().unwrap())), "{net}: {inside:?}");
            assert!(!outside.iter().any(|ip| nets.contains_ip(ip.parse().unwrap())), "{net}: {outside:?}");
        }
    }

    #[test]
    fn unix_stands_for_every_unix_socket_and_for_nothing_else() {
        let unix = [UnixName::Unnamed, UnixName::Path("/a".into()), UnixName::Abstract(b"a".to_vec())].map(Addr::Unix);
        assert!(unix.iter().all(|addr| nets("unix").contains(addr)));
        assert!(!unix.iter().any(|addr| nets("0.0.0.0/0, ::/0").contains(addr)));
        assert!(!nets("unix").contains_ip("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn an_empty_list_contains_nothing() {
        for text in ["", " ", ",", " , "] {
            assert!(nets(text).is_empty());
            assert!(!nets(text).contains_ip("127.0.0.1".parse().unwrap()));
        }
    }

    #[test]
    fn what_is_no_network_is_refused_with_its_place() {
        for (text, error) in [
            ("localhost", NetsError::Addr { at: 0 }),
            ("10.0.0.0/8,  10.0.0/8", NetsError::Addr { at: 13 }),
            ("Unix", NetsError::Addr { at: 0 }),
            ("unix/8", NetsError::Addr { at: 0 }),
            ("010.0.0.0/8", NetsError::Addr { at: 0 }),
            ("10.0.0.0:80", NetsError::Addr { at: 0 }),
            ("[::1]", NetsError::Addr { at: 0 }),
            ("/8", NetsError::Addr { at: 0 }),
            ("10.0.0.0/", NetsError::Length { at: 9 }),
            ("10.0.0.0/33", NetsError::Length { at: 9 }),
            ("10.0.0.0/08", NetsError::Length { at: 9 }),
            ("10.0.0.0/+8", NetsError::Length { at: 9 }),
            ("10.0.0.0/8/8", NetsError::Length { at: 9 }),
            ("::1 ::/129", NetsError::Length { at: 7 }),
            ("10.0.0.1/8", NetsError::HostBits { at: 0 }),
            ("unix ::1/64", NetsError::HostBits { at: 5 }),
            ("::ffff:10.0.0.1/104", NetsError::HostBits { at: 0 }),
        ] {
            assert_eq!(text.parse::<Nets>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_then_parsing_is_the_identity(v4: (u32, u8), v6: (u128, u8), unix: bool) {
            let (v4_len, v6_len) = (v4.1 % 33, v6.1 % 129);
            let mut list = Nets(vec![
                Net::V4(mask_v4(v4.0.into(), v4_len), v4_len),
                Net::V6(mask_v6(v6.0.into(), v6_len), v6_len),
            ]);
            list.0.extend(unix.then_some(Net::Unix));
            prop_assert_eq!(list.to_string().parse(), Ok(list));
        }

        #[test]
        fn no_text_panics(text in "[0-9a-fx:./, unix+]{0,40}") {
            let _ = text.parse::<Nets>();
        }
    }
}
