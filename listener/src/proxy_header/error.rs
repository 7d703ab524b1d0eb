//! Why bytes are no PROXY header.

/// Why bytes are no PROXY header. `at` counts bytes from the beginning of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// It begins neither with `PROXY ` nor with the twelve bytes of version 2: no header at all.
    #[error("no PROXY header: the signature is wrong at byte {at}")]
    Signature {
        /// The first byte that is not of a signature.
        at: usize,
    },
    /// Version 1: not `TCP4`, `TCP6` or `UNKNOWN`. Version 2: a family or a transport that is not assigned.
    #[error("PROXY header: unknown protocol at byte {at}")]
    Protocol {
        /// Where the protocol stands.
        at: usize,
    },
    /// Version 1: not an IP address of the family that was said.
    #[error("PROXY header: not an address of that protocol at byte {at}")]
    Address {
        /// Where the address begins.
        at: usize,
    },
    /// Version 1: not a decimal number from 0 to 65535 without leading zeros.
    #[error("PROXY header: the port at byte {at} is not a number from 0 to 65535")]
    Port {
        /// Where the port begins.
        at: usize,
    },
    /// Version 1: something is missing or left over before the end of the line, or the line does not end with CRLF.
    #[error("PROXY header: the line does not end as it must at byte {at}")]
    LineEnd {
        /// Where it should have gone on differently.
        at: usize,
    },
    /// Version 1: more than 107 bytes. Version 2: a length above 4096.
    #[error("PROXY header: too long, seen at byte {at}")]
    TooLong {
        /// The first byte too many, or where the length stands.
        at: usize,
    },
    /// Version 2: neither version 2 with `LOCAL` nor with `PROXY`.
    #[error("PROXY header: unknown version or command at byte {at}")]
    Command {
        /// Where both stand.
        at: usize,
    },
    /// Version 2: shorter than the addresses of the family that was said.
    #[error("PROXY header: the length at byte {at} does not hold the addresses")]
    Length {
        /// Where the length stands.
        at: usize,
    },
    /// Version 2: a field that is cut off, longer than it may be, or there twice.
    #[error("PROXY header: malformed field (TLV) at byte {at}")]
    Tlv {
        /// Where the field begins.
        at: usize,
    },
    /// Version 2: the CRC32c of the header is another one than it says.
    #[error("PROXY header: the checksum at byte {at} is wrong")]
    Checksum {
        /// Where the field begins.
        at: usize,
    },
}
