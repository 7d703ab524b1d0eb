//! What is to follow a reply's head in place of HTTP.

use std::{fmt, future::Future, pin::Pin};

use super::upgraded::Upgraded;

/// What is to follow a reply's head in place of HTTP.
pub struct Upgrade(Box<dyn FnOnce(Upgraded) -> Session + Send>);

/// The other protocol, as long as it is spoken.
type Session = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Upgrade {
    /// What `then` does with the connection.
    pub(super) fn new<F>(then: impl FnOnce(Upgraded) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Upgrade(Box::new(|upgraded| Box::pin(then(upgraded))))
    }

    /// Hands the connection over, and resolves when the other protocol has ended.
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
