//! What few connections have, in one box that is made when it is first needed: an idle connection pays for a
//! pointer to it.

use std::{
    any::Any,
    sync::{Arc, OnceLock},
};

use tokio::sync::Notify;

/// What few connections have.
#[derive(Default)]
pub(super) struct Rare {
    /// Waited for by those who asked whether the client has gone.
    pub(super) gone_notify: Notify,
    /// See [`ConnGuard::set_value`](super::ConnGuard::set_value).
    pub(super) value: OnceLock<Arc<dyn Any + Send + Sync>>,
}
