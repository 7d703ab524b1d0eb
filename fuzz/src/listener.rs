//! Targets of `quintet-listener`.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use quintet_listener::{
    AcceptErrorKind, Addr, Backoff, Endpoint, EndpointError, Nets, NetsError, RetryDecision, RetryPolicy, Throttle,
    UnixName, classify,
};

mod naive_proxy;

pub use naive_proxy::proxy_header;

/// The targets of this layer.
pub const TARGETS: &[crate::Target] = &[("addr", addr), ("backoff", backoff), ("proxy_header", proxy_header)];

/// What parses prints as something that parses to the same; what does not says where.
pub fn addr(data: &[u8]) {
    made_addr(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(addr) = text.parse::<Addr>() {
        let printed = addr.to_string();
        assert!(!printed.contains(char::is_control), "{printed:?} could break a log line");
        if printable(text) {
            assert_eq!(printed.parse(), Ok(addr), "printed as {printed:?}");
        }
    }
    nets(text);
    match text.parse::<Endpoint>() {
        Ok(endpoint) => {
            let printed = endpoint.to_string();
            assert!(!printed.contains(char::is_control), "{printed:?} could break a log line");
            if printable(text) {
                assert_eq!(printed.parse(), Ok(endpoint), "printed as {printed:?}");
            }
        }
        Err(
            EndpointError::Port { at }
            | EndpointError::Colons { at }
            | EndpointError::Host { at }
            | EndpointError::Inherited { at },
        ) => {
            assert!(text.is_char_boundary(at) && at <= text.len(), "no byte {at}");
        }
        Err(_) => {}
    }
}

/// A list of networks that parses prints as the same list, and contains the first address of each network.
fn nets(text: &str) {
    match text.parse::<Nets>() {
        Ok(nets) => {
            let printed = nets.to_string();
            assert_eq!(printed.parse(), Ok(nets.clone()), "printed as {printed:?}");
            for net in printed.split(", ").filter(|net| !net.is_empty()) {
                match net.split_once('/') {
                    Some((first, _)) => assert!(nets.contains_ip(first.parse().expect("an address")), "{net}"),
                    None => assert_eq!(net, "unix"),
                }
            }
            assert_eq!(nets.contains(&Addr::Unix(UnixName::Unnamed)), printed.contains("unix"));
        }
        Err(NetsError::Addr { at } | NetsError::Length { at } | NetsError::HostBits { at }) => {
            assert!(text.is_char_boundary(at) && at <= text.len(), "no byte {at}");
        }
        Err(_) => {}
    }
}

/// Control characters in a name are escaped when it is printed, and escapes are not read.
fn printable(text: &str) -> bool {
    !text.contains(char::is_control)
}

/// An address made of these bytes is what it was after it was printed and parsed.
fn made_addr(data: &[u8]) {
    let Some((ip, rest)) = data.split_first_chunk::<16>() else { return };
    let Some((port, name)) = rest.split_first_chunk::<2>() else { return };
    let port = u16::from_be_bytes(*port);
    let v4 = IpAddr::from([ip[0], ip[1], ip[2], ip[3]]);
    for ip in [v4, IpAddr::from(*ip)] {
        let addr = Addr::Tcp(SocketAddr::new(ip, port));
        assert_eq!(addr.to_string().parse(), Ok(addr.clone()));
        assert_eq!(addr.to_string().parse(), Ok(Endpoint::from(addr)));
        let peer = Addr::from(SocketAddr::new(ip, port));
        assert_eq!(peer.ip().map(|ip| ip.to_canonical()), Some(ip.to_canonical()));
        assert_eq!(Addr::from(SocketAddr::new(peer.ip().expect("an IP address"), port)), peer);
    }
    let name = UnixName::Abstract(name.to_vec()).to_string();
    assert!(!name.contains(char::is_control), "{name:?} could break a log line");
}

/// Errors, successes and time in any order, against models that remember everything and compute it anew.
///
/// A byte is an event: its lowest two bits say which, the others how many steps of 40 ms passed before it.
pub fn backoff(data: &[u8]) {
    let (mut backoff, mut policy) = (Backoff::new(), RetryPolicy::new());
    let (mut since, mut throttle) = (Vec::new(), Throttle::new(SECOND));
    let start = Instant::now();
    let (mut now, mut quiet, mut said) = (start, 0_u64, None);
    for byte in data {
        now += Duration::from_millis(40) * u32::from(byte >> 2);
        let kind = match byte & 3 {
            0 => {
                backoff.reset();
                policy.succeeded();
                since.clear();
                assert_eq!((backoff, policy), (Backoff::new(), RetryPolicy::new()));
                continue;
            }
            1 => AcceptErrorKind::Transient,
            2 => AcceptErrorKind::Exhausted,
            _ => AcceptErrorKind::Fatal,
        };
        let decision = policy.failed(kind);
        since.push(kind);
        assert_eq!(decision, model(&since), "after {since:?}");
        if let RetryDecision::After(delay) = decision {
            assert_eq!(backoff.next(), delay);
            match throttle.admit(now) {
                None => {
                    assert!(now - said.expect("the first is said") < SECOND);
                    quiet += 1;
                }
                Some(suppressed) => {
                    assert!(said.is_none_or(|said| now - said >= SECOND));
                    assert_eq!(suppressed, quiet);
                    (quiet, said) = (0, Some(now));
                }
            }
        }
        assert_eq!(backoff.delay(), policy.delay());
    }
    if let Some((errno, _)) = data.split_first_chunk::<4>() {
        // Whatever a system may answer has a kind.
        let _ = classify(&std::io::Error::from_raw_os_error(i32::from_le_bytes(*errno)));
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// What follows from the last of these errors, which are all since the last success.
fn model(since: &[AcceptErrorKind]) -> RetryDecision {
    let last = since.last().expect("an error");
    let transient = since.iter().filter(|kind| **kind == AcceptErrorKind::Transient).count();
    let exhausted = since.iter().filter(|kind| **kind == AcceptErrorKind::Exhausted).count();
    match last {
        AcceptErrorKind::Fatal => RetryDecision::GiveUp,
        AcceptErrorKind::Transient if transient <= 64 => RetryDecision::Now,
        AcceptErrorKind::Transient | AcceptErrorKind::Exhausted => {
            let waits = exhausted + transient.saturating_sub(64);
            let millis = (1..waits).fold(5_u64, |millis, _| (millis * 2).min(1000));
            RetryDecision::After(Duration::from_millis(millis))
        }
    }
}
