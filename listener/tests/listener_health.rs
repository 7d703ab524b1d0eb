//! The health of nested listeners: each wrapper passes on those inside, and the outermost of a kind counts.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

#[cfg(feature = "tls")]
mod tls_support;

use quintet_listener::{Limit, Listener, ListenerHealth, Retry, listen};

fn health(listener: &impl Listener) -> ListenerHealth {
    let mut health = ListenerHealth::default();
    listener.add_health(&mut health);
    health
}

#[tokio::test]
async fn the_health_of_a_limit_is_passed_on() {
    let socket = || listen("127.0.0.1:0").unwrap();
    assert!(health(&socket()).limit.is_none());
    assert!(health(&Retry::new(socket())).limit.is_none());
    let limited = health(&Retry::new(Limit::new(socket(), 5)));
    assert_eq!(limited.limit.unwrap().snapshot().available, 5);
    let twice = health(&Limit::new(Limit::new(socket(), 5), 3));
    assert_eq!(twice.limit.unwrap().snapshot().available, 3, "the outer one");
}

#[cfg(feature = "proxy")]
#[tokio::test]
async fn the_health_of_proxied_is_passed_on() {
    use quintet_listener::{Nets, Proxied};
    let proxied = Proxied::new(Limit::new(listen("127.0.0.1:0").unwrap(), 5), Nets::default());
    let health = health(&Retry::new(proxied));
    assert!(health.limit.is_some());
    assert_eq!(health.proxied.unwrap().snapshot(), Default::default());
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn the_health_of_tls_is_passed_on() {
    use quintet_listener::Tls;
    use tls_support::{Authority, options};
    let config = Authority::new("ours").issue("a.example", 1).config(options());
    let tls = Tls::new(Limit::new(listen("127.0.0.1:0").unwrap(), 5), config);
    let health = health(&Retry::new(tls));
    assert!(health.limit.is_some());
    assert_eq!(health.tls.unwrap().snapshot().handshakes, 0);
}
