//! Targets of `quintet-conn`.

/// The targets of this layer.
pub const TARGETS: &[crate::Target] = &[];
