//! The live figure: a page that draws the running server, and the data that it is fed with.

mod chapters;
mod explain;
mod feed;
#[expect(clippy::module_inception, reason = "a file is named after the function in it")]
mod figure;
mod go_rows;
mod head_spans;
mod json;
mod open_sample;
mod refusals;
mod replay;
mod rule;
mod sample;
mod tick;
mod visitor;
mod watch;

pub use figure::{FigureOptions, figure};
pub(crate) use open_sample::OpenSample;
pub(crate) use watch::Watch;
