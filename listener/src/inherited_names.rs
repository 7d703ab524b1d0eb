//! The names of the sockets that this process was given by the one that started it, as its environment says them.

use std::fmt;

/// Why a process has no inherited sockets, or not this one.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InheritedError {
    /// There is no `LISTEN_FDS`: whatever started this process gave it no sockets.
    #[error("no sockets were given to this process: LISTEN_FDS is not set")]
    NoSockets,
    /// `LISTEN_PID` is not there or names another process: the sockets were given to a parent of this one.
    #[error("no sockets were given to this process: LISTEN_PID is not its number")]
    Pid,
    /// `LISTEN_FDS` is not a number of descriptors.
    #[error("LISTEN_FDS is not a number from 0 to 65536")]
    Count,
    /// `LISTEN_FDS_FIRST_FD` is there and not the number of a descriptor with all others behind it.
    #[error("LISTEN_FDS_FIRST_FD is not the number of a descriptor")]
    First,
    /// `LISTEN_FDNAMES` has more or fewer names than there are sockets.
    #[error("LISTEN_FDNAMES does not name each of the {count} sockets of LISTEN_FDS")]
    Names {
        /// The number in `LISTEN_FDS`.
        count: usize,
    },
    /// No inherited socket has the name that was asked for, or each has been taken.
    #[error("LISTEN_FDNAMES has no socket of that name, or it has been taken before")]
    NotFound,
    /// The descriptor is something else than a TCP or Unix socket that listens.
    #[error("descriptor {fd} is not a TCP or Unix socket that listens")]
    Socket {
        /// Its number.
        fd: usize,
    },
}

/// Its text, which is what a `main` that returns it prints.
impl fmt::Debug for InheritedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The number of the first inherited descriptor, unless said otherwise: standard input, output and error come before.
const FIRST_FD: usize = 3;

/// More descriptors than any system gives a process unasked.
const MAX_FDS: usize = 65536;

/// What the environment of a process says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Environment<'a> {
    /// `LISTEN_FDS`
    pub(crate) fds: Option<&'a str>,
    /// `LISTEN_PID`
    pub(crate) pid: Option<&'a str>,
    /// `LISTEN_FDNAMES`
    pub(crate) names: Option<&'a str>,
}

/// The names of the descriptors from [`first_fd`] on that process `pid` has inherited.
///
/// # Spec
/// sd_listen_fds_with_names(3): without `LISTEN_FDNAMES` each is named `unknown`.
pub(crate) fn inherited_names(environment: Environment<'_>, pid: u32) -> Result<Vec<String>, InheritedError> {
    let fds = environment.fds.ok_or(InheritedError::NoSockets)?;
    if environment.pid.and_then(number) != Some(u64::from(pid)) {
        return Err(InheritedError::Pid);
    }
    let count = number(fds).and_then(|count| usize::try_from(count).ok()).filter(|count| *count <= MAX_FDS);
    let count = count.ok_or(InheritedError::Count)?;
    let names: Vec<String> = match environment.names {
        None => vec!["unknown".to_owned(); count],
        Some("") if count == 0 => Vec::new(),
        Some(names) => names.split(':').map(str::to_owned).collect(),
    };
    if names.len() == count { Ok(names) } else { Err(InheritedError::Names { count }) }
}

/// The number of the first of `count` inherited descriptors, by `LISTEN_FDS_FIRST_FD`: an addition of the tool systemfd to
/// what systemd sets. listenfd, which takes the descriptors, overflows where it is too large.
pub(crate) fn first_fd(first: Option<&str>, count: usize) -> Result<usize, InheritedError> {
    let Some(first) = first else { return Ok(FIRST_FD) };
    let first = number(first).and_then(|first| usize::try_from(first).ok());
    let is_fd = |first: &usize| first.checked_add(count).is_some_and(|end| i32::try_from(end).is_ok());
    first.filter(is_fd).ok_or(InheritedError::First)
}

/// Digits and nothing else: Rust would read `+3`.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_descriptor_is_3_or_what_is_said() {
        for (first, count, expected) in [
            (None, 2, Ok(3)),
            (Some("3"), 2, Ok(3)),
            (Some("7"), 65536, Ok(7)),
            (Some("2147483645"), 2, Ok(2_147_483_645)),
            (Some("2147483646"), 2, Err(InheritedError::First)),
            (Some("18446744073709551615"), 2, Err(InheritedError::First)),
            (Some(""), 2, Err(InheritedError::First)),
            (Some("-1"), 2, Err(InheritedError::First)),
            (Some("three"), 2, Err(InheritedError::First)),
        ] {
            assert_eq!(first_fd(first, count), expected, "{first:?}");
        }
    }

    #[test]
    fn names_are_those_of_sd_listen_fds_with_names() {
        let names = |fds, pid, names| inherited_names(Environment { fds, pid, names }, 7);
        for (fds, pid, said, expected) in [
            (Some("2"), Some("7"), Some("http:admin"), Ok(vec!["http", "admin"])),
            (Some("2"), Some("7"), Some("http:http"), Ok(vec!["http", "http"])),
            (Some("2"), Some("7"), None, Ok(vec!["unknown", "unknown"])),
            (Some("1"), Some("7"), Some(""), Ok(vec![""])),
            (Some("0"), Some("7"), Some(""), Ok(vec![])),
            (Some("0"), Some("7"), None, Ok(vec![])),
            (None, Some("7"), Some("http"), Err(InheritedError::NoSockets)),
            (Some("1"), None, Some("http"), Err(InheritedError::Pid)),
            (Some("1"), Some(""), Some("http"), Err(InheritedError::Pid)),
            (Some("1"), Some("8"), Some("http"), Err(InheritedError::Pid)),
            (Some("1"), Some("+7"), Some("http"), Err(InheritedError::Pid)),
            (Some(""), Some("7"), None, Err(InheritedError::Count)),
            (Some("-1"), Some("7"), None, Err(InheritedError::Count)),
            (Some("65537"), Some("7"), None, Err(InheritedError::Count)),
            (Some("99999999999999999999"), Some("7"), None, Err(InheritedError::Count)),
            (Some("2"), Some("7"), Some("http"), Err(InheritedError::Names { count: 2 })),
            (Some("1"), Some("7"), Some("http:"), Err(InheritedError::Names { count: 1 })),
        ] {
            let expected = expected.map(|names| names.into_iter().map(str::to_owned).collect());
            assert_eq!(names(fds, pid, said), expected, "{fds:?} {pid:?} {said:?}");
        }
    }
}
