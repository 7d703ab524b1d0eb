//! Metrics of a server, through the `metrics` facade.

#[expect(clippy::module_inception, reason = "the type of this name is in it")]
mod metrics;
mod names;
mod series;
mod totals;

pub use metrics::Metrics;
