//! The live figure: a page that draws the running server, and the data that it is fed with.

mod feed;
#[expect(clippy::module_inception, reason = "a file is named after the function in it")]
mod figure;
mod json;
mod method;
mod open_sample;
mod refusals;
mod rule;
mod sample;
mod tick;
mod visitor;
mod watch;

pub use figure::{FigureOptions, figure};
pub(crate) use open_sample::OpenSample;
pub(crate) use watch::Watch;
