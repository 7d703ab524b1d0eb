//! A limit of connections for each peer, so that no single one has them all.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{Addr, Nets};

/// How many connections a peer may have, and how many each has. A clone counts together with its original.
///
/// A peer is an IPv4 address, the first 64 bits of an IPv6 address (what a home or a machine is given: RFC 6177), or
/// all Unix sockets together.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerLimit {
    /// At most so many connections of one peer. `None`: nothing is counted.
    most: Option<usize>,
    /// Whether Unix sockets are limited, together as one peer.
    pub(super) unix: bool,
    /// Those that are not counted.
    pub(super) except: Nets,
    pub(super) counts: PeerCounts,
}

/// The connections of each peer. Clones are the same counts.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Only peers that are connected have an entry, so this is bounded by the number of connections.
    connected: Mutex<HashMap<Peer, usize>>,
    refused: AtomicU64,
}

/// What is one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Peer {
    V4(u32),
    V6(u64),
    Unix,
}

/// A connection that is counted; when dropped it no longer is.
#[derive(Debug)]
pub(super) struct PeerPlace(Option<(PeerCounts, Peer)>);

impl PeerLimit {
    /// The same with at most `n` connections of a peer, at least 1.
    pub(super) fn at_most(self, n: usize) -> Self {
        Self { most: Some(n.max(1)), ..self }
    }

    /// Counts one more connection of a peer; `None` if it has as many as it may.
    pub(super) fn admit(&self, addr: &Addr) -> Option<PeerPlace> {
        let Some(most) = self.most else { return Some(PeerPlace(None)) };
        let peer = Peer::of(addr);
        if (peer == Peer::Unix && !self.unix) || self.except.contains(addr) {
            return Some(PeerPlace(None));
        }
        let counts = &*self.counts.0;
        match counts.lock().entry(peer) {
            Entry::Vacant(first) => {
                first.insert(1);
            }
            Entry::Occupied(more) if *more.get() >= most => {
                counts.refused.fetch_add(1, Relaxed);
                return None;
            }
            Entry::Occupied(mut more) => *more.get_mut() += 1,
        }
        Some(PeerPlace(Some((self.counts.clone(), peer))))
    }
}

impl PeerPlace {
    /// Whether anything is counted.
    pub(super) fn is_counted(&self) -> bool {
        self.0.is_some()
    }
}

impl PeerCounts {
    /// How many connections were not admitted.
    pub(super) fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }

    /// How many peers are connected that are counted.
    pub(super) fn peers(&self) -> usize {
        self.0.lock().len()
    }
}

impl Counts {
    /// Nothing can panic while it is held, but for memory that ran out.
    fn lock(&self) -> MutexGuard<'_, HashMap<Peer, usize>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    fn of(addr: &Addr) -> Self {
        match addr.ip().map(|ip| ip.to_canonical()) {
            Some(IpAddr::V4(ip)) => Self::V4(ip.to_bits()),
            Some(IpAddr::V6(ip)) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
            None => Self::Unix,
        }
    }
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let Some((counts, peer)) = self.0.take() else { return };
        let mut connected = counts.0.lock();
        if let Entry::Occupied(mut count) = connected.entry(peer) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        // A flood from many addresses leaves no memory behind.
        if connected.capacity() > SPARE && connected.len() < connected.capacity() / 8 {
            connected.shrink_to(SPARE);
        }
    }
}

/// Room for so many peers is kept.
const SPARE: usize = 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn addr(text: &str) -> Addr {
        text.parse().unwrap()
    }

    #[test]
    fn a_peer_is_an_ipv4_address_or_64_bits_of_ipv6() {
        for (one, other, same) in [
            ("192.0.2.1:1", "192.0.2.1:2", true),
            ("192.0.2.1:1", "192.0.2.2:1", false),
            ("192.0.2.1:1", "[::ffff:192.0.2.1]:1", true),
            ("[2001:db8::1]:1", "[2001:db8::ffff:ffff:ffff:ffff]:2", true),
            ("[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false),
            ("[::1]:1", "127.0.0.1:1", false),
            ("[::c000:201]:1", "192.0.2.1:1", false),
        ] {
            let limit = PeerLimit::default().at_most(1);
            let _held = limit.admit(&addr(one)).unwrap();
            assert_eq!(limit.admit(&addr(other)).is_none(), same, "{one} and {other}");
            assert_eq!(limit.counts.refused(), u64::from(same));
        }
    }

    #[test]
    fn unix_sockets_are_one_peer_and_limited_only_if_told() {
        let limit = PeerLimit::default().at_most(1);
        let _places = [limit.admit(&addr("unix:")).unwrap(), limit.admit(&addr("unix:/a")).unwrap()];
        assert_eq!(limit.counts.peers(), 0);
        let limit = PeerLimit { unix: true, ..limit };
        let _place = limit.admit(&addr("unix:")).unwrap();
        assert!(limit.admit(&addr("unix:/a")).is_none());
    }

    #[test]
    fn the_excepted_are_not_counted() {
        let limit =
            PeerLimit { unix: true, except: "10.0.0.0/8, unix".parse().unwrap(), ..PeerLimit::default().at_most(1) };
        for peer in ["10.1.2.3:4", "unix:"] {
            let _places = [limit.admit(&addr(peer)).unwrap(), limit.admit(&addr(peer)).unwrap()];
            assert_eq!(limit.counts.peers(), 0);
        }
        let _place = limit.admit(&addr("11.0.0.0:1")).unwrap();
        assert!(limit.admit(&addr("11.0.0.0:1")).is_none());
    }

    #[test]
    fn only_connected_peers_have_an_entry_and_memory_is_given_back() {
        let limit = PeerLimit::default().at_most(3);
        let peers = (0..100_000_u32).map(|ip| Addr::from(std::net::SocketAddr::from((ip.to_be_bytes(), 1))));
        let places: Vec<_> = peers.map(|peer| limit.admit(&peer).unwrap()).collect();
        assert_eq!(limit.counts.peers(), 100_000);
        drop(places);
        assert_eq!(limit.counts.peers(), 0);
        assert!(limit.counts.0.lock().capacity() <= 2 * SPARE, "{} entries", limit.counts.0.lock().capacity());
    }

    proptest! {
        /// Against a list of the peers of all connections.
        #[test]
        fn a_peer_has_never_more_than_it_may(most in 1..4_usize, events in prop::collection::vec((0..4_u8, any::<bool>()), 0..60)) {
            let limit = PeerLimit::default().at_most(most);
            let mut held: Vec<(u8, PeerPlace)> = Vec::new();
            for (peer, leaves) in events {
                if leaves {
                    if let Some(at) = held.iter().position(|(of, _)| *of == peer) {
                        held.swap_remove(at);
                    }
                    continue;
                }
                let before = held.iter().filter(|(of, _)| *of == peer).count();
                let place = limit.admit(&Addr::from(std::net::SocketAddr::from(([192, 0, 2, peer], 1))));
                prop_assert_eq!(place.is_some(), before < most);
                held.extend(place.map(|place| (peer, place)));
            }
            drop(held);
            prop_assert_eq!(limit.counts.peers(), 0);
        }
    }
}
