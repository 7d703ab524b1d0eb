//! How many connections each peer has, so that no single one has them all.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::Addr;

/// Counts connections by peer: an IPv4 address, the first 64 bits of an IPv6 address (what a home or a machine is
/// given: RFC 6177). Unix sockets are not counted. Clones are the same counts.
#[derive(Clone, Debug)]
pub(super) struct PeerCounts(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    /// At most so many connections of one peer.
    most: usize,
    /// Only peers that are connected have an entry, so this is bounded by the number of connections.
    connected: Mutex<HashMap<Peer, usize>>,
}

/// What is one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Peer {
    V4(u32),
    V6(u64),
}

/// A connection that is counted; when dropped it no longer is.
#[derive(Debug)]
pub(super) struct PeerPlace(Option<(PeerCounts, Peer)>);

impl PeerCounts {
    /// At most `most` connections of a peer, at least 1.
    pub(super) fn new(most: usize) -> Self {
        PeerCounts(Arc::new(Counts { most: most.max(1), connected: Mutex::default() }))
    }

    /// Counts one more connection of a peer; `None` if it has as many as it may.
    pub(super) fn admit(&self, addr: &Addr) -> Option<PeerPlace> {
        let counts = &*self.0;
        let Some(peer) = Peer::of(addr) else { return Some(PeerPlace(None)) };
        match counts.lock().entry(peer) {
            Entry::Vacant(first) => {
                first.insert(1);
            }
            Entry::Occupied(more) if *more.get() >= counts.most => {
                return None;
            }
            Entry::Occupied(mut more) => *more.get_mut() += 1,
        }
        Some(PeerPlace(Some((self.clone(), peer))))
    }

    /// How many peers are connected that are counted.
    #[cfg(test)]
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
    /// `None` for a Unix socket.
    fn of(addr: &Addr) -> Option<Self> {
        Some(match addr.ip()?.to_canonical() {
            IpAddr::V4(ip) => Peer::V4(ip.to_bits()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Peer::V6(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
        })
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
    use super::*;
    use proptest::prelude::*;

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
            let counts = PeerCounts::new(1);
            let _held = counts.admit(&addr(one)).unwrap();
            assert_eq!(counts.admit(&addr(other)).is_none(), same, "{one} and {other}");
        }
    }

    #[test]
    fn unix_sockets_are_not_counted() {
        let counts = PeerCounts::new(1);
        let _places = [counts.admit(&addr("unix:")).unwrap(), counts.admit(&addr("unix:")).unwrap()];
        assert_eq!(counts.peers(), 0);
    }

    #[test]
    fn only_connected_peers_have_an_entry_and_memory_is_given_back() {
        let counts = PeerCounts::new(3);
        let peers = (0..100_000_u32).map(|ip| Addr::from(std::net::SocketAddr::from((ip.to_be_bytes(), 1))));
        let places: Vec<_> = peers.map(|peer| counts.admit(&peer).unwrap()).collect();
        assert_eq!(counts.peers(), 100_000);
        drop(places);
        assert_eq!(counts.peers(), 0);
        assert!(counts.0.lock().capacity() <= 2 * SPARE, "{} entries", counts.0.lock().capacity());
    }

    proptest! {
        /// Against a list of the peers of all connections.
        #[test]
        fn a_peer_has_never_more_than_it_may(most in 1..4_usize, events in prop::collection::vec((0..4_u8, any::<bool>()), 0..60)) {
            let counts = PeerCounts::new(most);
            let mut held: Vec<(u8, PeerPlace)> = Vec::new();
            for (peer, leaves) in events {
                if leaves {
                    if let Some(at) = held.iter().position(|(of, _)| *of == peer) {
                        held.swap_remove(at);
                    }
                    continue;
                }
                let before = held.iter().filter(|(of, _)| *of == peer).count();
                let place = counts.admit(&Addr::from(std::net::SocketAddr::from(([192, 0, 2, peer], 1))));
                prop_assert_eq!(place.is_some(), before < most);
                held.extend(place.map(|place| (peer, place)));
            }
            drop(held);
            prop_assert_eq!(counts.peers(), 0);
        }
    }
}
