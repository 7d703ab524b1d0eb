//! Size limits for parsing.

/// The size limits of the parsers. The defaults are safe; set one with `Limits { target: 16 << 10, ..Limits::default()
/// }`.
///
/// # Spec
/// RFC 9112 §3 (method and target), RFC 9110 §5.4 (fields), RFC 9112 §7.1.1 (chunk extensions). Go has 1 MiB for
/// a head and 500 fields (`DefaultMaxHeaderBytes`, `MaxHeaderValueCount`); its maintainers call the first too high.
#[doc(alias = "MaxHeaderBytes")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a whole head, from the request line to its empty line: 64 KiB. More is refused with 431.
    /// A value past `u32::MAX` counts as `u32::MAX`.
    pub head: usize,
    /// Field lines in a head: 100. More is refused with 431.
    pub fields: usize,
    /// Bytes of one field line without its line end: 32 KiB. More is refused with 431.
    pub field: usize,
    /// Bytes of a request target: 8 KiB, the minimum RFC 9112 §3 recommends. More is refused with 414.
    pub target: usize,
    /// Bytes of a method: 32; the longest registered one has 17. More is refused with 501.
    pub method: usize,
    /// Bytes of the extensions of one chunk: 4 KiB, Go's line limit. More is an error in the body (400).
    pub chunk_extension: usize,
    /// Bytes of chunk framing beyond 16 a chunk and twice its data: 16 KiB, Go's. More is an error in the body (400).
    pub chunk_overhead: usize,
    /// Bytes of the trailer section of a chunked body: 8 KiB. More is an error in the body (431).
    pub trailers: usize,
    /// Field lines in a trailer section: 32. More is an error in the body (431).
    pub trailer_fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: 64 << 10,
            fields: 100,
            field: 32 << 10,
            target: 8 << 10,
            method: 32,
            chunk_extension: 4 << 10,
            chunk_overhead: 16 << 10,
            trailers: 8 << 10,
            trailer_fields: 32,
        }
    }
}
