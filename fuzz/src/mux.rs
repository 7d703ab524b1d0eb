//! Targets of `quintet-mux`.

/// The targets of this layer.
pub const TARGETS: &[crate::Target] = &[];
