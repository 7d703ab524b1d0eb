//! Targets of `quintet-request`.

/// The targets of this layer.
pub const TARGETS: &[crate::Target] = &[];
