//! Targets of `quintet-listener`.

/// The targets of this layer.
pub const TARGETS: &[crate::Target] = &[];
