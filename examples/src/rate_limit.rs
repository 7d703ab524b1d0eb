//! A limit for the requests of each client in a time, by the crate `governor`.

use std::{
    future::Future,
    net::{IpAddr, Ipv6Addr},
    sync::Mutex,
    time::{Duration, Instant},
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::keyed::HashMapStateStore,
};
use http::StatusCode;
use quintet_mux::{Handler, Response};
use quintet_request::Request;

/// The most clients that are remembered, with some 100 bytes each.
const MAX_CLIENTS: usize = 100_000;
/// How often clients whose time is over are forgotten at most, which takes as long as there are clients.
const CLEANED_EVERY: Duration = Duration::from_secs(1);

/// Answers the requests of clients that send too many of them by 429 with `Retry-After`, and gives all others to `handler`.
///
/// A client is an IPv4 address, or the first 64 bits of an IPv6 address, as
/// [`forwarded`](quintet_mux::forwarded) in front of it found out. Clients without an address (of a Unix socket, or hidden by
/// a proxy) count as one. While 100,000 clients are remembered, those and all new ones are answered by 503.
pub fn rate_limit(quota: Quota, handler: impl Handler) -> impl Handler {
    Limited {
        limiter: RateLimiter::hashmap(quota),
        clock: DefaultClock::default(),
        cleaned: Mutex::new(Instant::now()),
        handler,
    }
}

struct Limited<H> {
    limiter: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>,
    clock: DefaultClock,
    cleaned: Mutex<Instant>,
    handler: H,
}

impl<H> Limited<H> {
    /// Counts a request, or refuses it.
    fn count(&self, request: &Request) -> Result<(), Response> {
        if self.limiter.len() >= MAX_CLIENTS && !self.clean() {
            return Err(refusal(StatusCode::SERVICE_UNAVAILABLE, CLEANED_EVERY));
        }
        self.limiter
            .check_key(&key(request))
            .map_err(|until| refusal(StatusCode::TOO_MANY_REQUESTS, until.wait_time_from(self.clock.now())))
    }

    /// Forgets the clients that have been quiet for so long that they may send as much as new ones. Returns whether there is
    /// room.
    fn clean(&self) -> bool {
        let Ok(mut cleaned) = self.cleaned.try_lock() else { return false };
        if cleaned.elapsed() >= CLEANED_EVERY {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
            *cleaned = Instant::now();
        }
        self.limiter.len() < MAX_CLIENTS
    }
}

impl<H: Handler> Handler for Limited<H> {
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send {
        let counted = self.count(&request);
        async move {
            match counted {
                Ok(()) => self.handler.call(request).await,
                Err(refused) => refused,
            }
        }
    }
}

fn refusal(status: StatusCode, wait: Duration) -> Response {
    // Rounded up: a client that comes back in time is not refused again.
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Response::text(status, status).with_header("retry-after", seconds.max(1))
}

/// The address of a client; a customer of a provider has 64 bits of IPv6 addresses, or more.
fn key(request: &Request) -> IpAddr {
    match request.client_ip() {
        Some(IpAddr::V6(ip)) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        Some(ip) => ip,
        None => Ipv6Addr::UNSPECIFIED.into(),
    }
}
