//! Size limits for `multipart/form-data`.

/// The size limits of `multipart/form-data`. The defaults are safe; set one with `MultipartLimits { parts: 10,
/// ..MultipartLimits::default() }`. More than a limit is refused with 413.
///
/// # Spec
/// RFC 7578 has no limits. Go: 1,000 parts (`multipartMaxParts`), 10,000 header lines in all (`multipartMaxHeaders`),
/// 10 MiB for values, and no limit on the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultipartLimits {
    /// Parts: 1,000.
    pub parts: usize,
    /// Lines in the header of one part: 64.
    pub header_lines: usize,
    /// Bytes of the header of one part: 8 KiB.
    pub header: usize,
    /// Bytes of the name of one part: 1 KiB.
    pub name: usize,
    /// Bytes of all names and values of a form that is parsed into memory, with the headers of its files: 10 MiB. It is
    /// a limit of `Request::parse_multipart_form` only.
    pub values: usize,
    /// Bytes of the whole body: 128 MiB.
    pub total: u64,
}

impl Default for MultipartLimits {
    fn default() -> Self {
        Self { parts: 1_000, header_lines: 64, header: 8 << 10, name: 1 << 10, values: 10 << 20, total: 128 << 20 }
    }
}
