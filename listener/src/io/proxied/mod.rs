//! Connections whose client a proxy names: the half of the PROXY protocol that waits.

mod health;
mod opening;
#[expect(clippy::module_inception, reason = "a file is named after the type in it")]
mod proxied;
mod proxied_stream;
mod untrusted_policy;

pub use health::{ProxiedError, ProxiedHealth, ProxiedHealthSnapshot};
pub use proxied::Proxied;
pub use proxied_stream::ProxiedStream;
pub use untrusted_policy::UntrustedPolicy;
