//! The reader of a part's header, line by line.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    disposition::Disposition, multipart_error::MultipartError, multipart_limits::MultipartLimits,
    part_header::PartHeader,
};
use crate::head::field;

/// The header of a part as far as it has arrived.
#[derive(Debug)]
pub(super) struct HeaderReader {
    fields: HeaderMap,
    disposition: Option<Disposition>,
    /// The part of the current line that has arrived.
    line: Vec<u8>,
    /// The bytes so far.
    len: usize,
    lines: usize,
    end: bool,
}

impl HeaderReader {
    pub(super) fn new() -> Self {
        Self { fields: HeaderMap::new(), disposition: None, line: Vec::new(), len: 0, lines: 0, end: false }
    }

    /// Takes bytes up to the end of a line and returns how many; `at` is their offset in the body. No line may begin with
    /// `dashes`, the two dashes and the boundary.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        limits: &MultipartLimits,
        dashes: &[u8],
        at: u64,
    ) -> Result<usize, MultipartError> {
        const EMPTY_LINE: usize = 2;
        let line_end = bytes.iter().position(|&byte| byte == b'\n').map(|last| last + 1);
        let taken = line_end.unwrap_or(bytes.len());
        let room = limits.header.saturating_add(EMPTY_LINE) - self.len;
        if taken > room {
            return Err(MultipartError::HeaderTooLong { at: at + room as u64 });
        }
        self.len += taken;
        self.line.extend_from_slice(&bytes[..taken]);
        if line_end.is_some() {
            let at = at + taken as u64 - self.line.len() as u64;
            // A dash may begin the name of a field. A reader that looks for boundaries first would find one here.
            if self.line.starts_with(dashes) {
                return Err(MultipartError::Delimiter { at });
            }
            self.take_line(limits, at)?;
            self.line.clear();
        }
        Ok(taken)
    }

    /// The header, once its empty line was taken. `at` is the offset after it.
    pub(super) fn finish(&mut self, at: u64) -> Result<Option<PartHeader>, MultipartError> {
        if !self.end {
            return Ok(None);
        }
        let at = at - self.len as u64;
        let disposition = self.disposition.take().ok_or(MultipartError::NoDisposition { at })?;
        Ok(Some(PartHeader::new(disposition, std::mem::take(&mut self.fields), self.len)))
    }

    /// Reads the current line, which ends with LF and starts at the offset `at` of the body.
    fn take_line(&mut self, limits: &MultipartLimits, at: u64) -> Result<(), MultipartError> {
        if self.line == b"\r\n" {
            self.end = true;
            return Ok(());
        }
        if self.lines == limits.header_lines {
            return Err(MultipartError::TooManyHeaderLines { at });
        }
        self.lines += 1;
        let malformed = MultipartError::HeaderLine { at };
        let line = field::read(&self.line, usize::MAX);
        let line = line.map_err(|(_, i)| MultipartError::HeaderLine { at: at + i as u64 })?.ok_or(malformed)?;
        let name = HeaderName::from_bytes(&self.line[..line.name]).map_err(|_| malformed)?;
        let value = HeaderValue::from_bytes(&self.line[line.value]).map_err(|_| malformed)?;
        let once = [header::CONTENT_DISPOSITION, header::CONTENT_TYPE, CONTENT_TRANSFER_ENCODING];
        if once.contains(&name) && self.fields.contains_key(&name) {
            return Err(MultipartError::DuplicateHeader { at });
        }
        if name == header::CONTENT_DISPOSITION {
            self.disposition = Some(Disposition::parse(value.as_bytes(), limits.name, at)?);
        } else if name == CONTENT_TRANSFER_ENCODING && !is_identity(value.as_bytes()) {
            return Err(MultipartError::TransferEncoding { at });
        }
        self.fields.try_append(name, value).map_err(|_| MultipartError::TooManyHeaderLines { at })?;
        Ok(())
    }
}

const CONTENT_TRANSFER_ENCODING: HeaderName = HeaderName::from_static("content-transfer-encoding");

/// Whether a transfer encoding leaves the bytes as they are. Others are of mail, and no client of HTTP may send them
/// (RFC 7578 §4.7).
fn is_identity(encoding: &[u8]) -> bool {
    ["7bit", "8bit", "binary"].iter().any(|known| encoding.eq_ignore_ascii_case(known.as_bytes()))
}
