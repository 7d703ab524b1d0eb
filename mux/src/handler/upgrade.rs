//! The other protocol of an upgrade, as a function of the connection.

use std::{fmt, future::Future, pin::Pin};

use super::upgraded::Upgraded;

/// The function that speaks another protocol on the connection once the head of the reply is sent.
pub struct Upgrade(Box<dyn FnOnce(Upgraded) -> Session + Send>);

/// The future of the other protocol, which ends with it.
type Session = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Upgrade {
    /// An upgrade that calls `then` with the connection.
    pub(super) fn new<F>(then: impl FnOnce(Upgraded) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Box::new(|upgraded| Box::pin(then(upgraded))))
    }

    /// Hands the connection over, and completes when the other protocol has ended.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropping the future closes the connection.
    pub async fn run(self, upgraded: Upgraded) {
        (self.0)(upgraded).await;
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgrade")
    }
}
