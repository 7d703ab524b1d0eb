//! A certificate of the server's that clients refuse for its time, as a line for the log.

use std::{error::Error, fmt, path::Path, time::SystemTime};

use super::{Validity, validity::utc};

/// A certificate of the server's that has expired, or is not valid yet, as a line for the log. Clients refuse it; the
/// server uses it all the same, since its own clock may be the one that is wrong.
///
/// Prints as `the certificate in cert.pem expired at 2026-11-24 23:59:59 UTC`, or as `the certificate in cert.pem is not
/// valid before 2026-11-24 00:00:00 UTC`.
///
/// # Spec
/// RFC 8446 §6.2, `certificate_expired`: "A certificate has expired or is not currently valid."
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateExpired<'a> {
    /// The file that it was loaded from.
    pub path: &'a Path,
    /// In which time it is valid.
    pub validity: Validity,
    /// When this was noticed, by the clock of this machine.
    pub now: SystemTime,
}

impl<'a> CertificateExpired<'a> {
    /// `None` if it is valid.
    pub(super) fn new(path: &'a Path, validity: Validity, now: SystemTime) -> Option<Self> {
        let is_outside = validity.is_expired(now) || validity.is_not_yet_valid(now);
        is_outside.then_some(Self { path, validity, now })
    }

    /// Whether its time has not begun; else it is over.
    pub fn is_not_yet_valid(&self) -> bool {
        self.validity.is_not_yet_valid(self.now)
    }
}

impl fmt::Display for CertificateExpired<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, time) = if self.is_not_yet_valid() {
            ("is not valid before", self.validity.not_before)
        } else {
            ("expired at", self.validity.not_after)
        };
        write!(f, "the certificate in {} {what} {}", self.path.display(), utc(time))
    }
}

impl Error for CertificateExpired<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_line_names_the_file_and_the_time() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let validity = Validity { not_before: at(1_709_164_800), not_after: at(1_795_564_799) };
        let line = |now| CertificateExpired::new(Path::new("cert.pem"), validity, at(now)).map(|line| line.to_string());
        for (now, expected) in [
            (1_709_164_799, Some("is not valid before 2024-02-29 00:00:00 UTC")),
            (1_709_164_800, None),
            (1_795_564_799, None),
            (1_795_564_800, Some("expired at 2026-11-24 23:59:59 UTC")),
        ] {
            let expected = expected.map(|what| format!("the certificate in cert.pem {what}"));
            assert_eq!(line(now), expected);
        }
    }
}
