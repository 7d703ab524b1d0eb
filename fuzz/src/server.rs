//! Targets of `quintet-server`.

/// The targets of this layer.
pub const TARGETS: &[crate::Target] = &[];
