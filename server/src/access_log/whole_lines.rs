//! Writing lines so that one that an error cut off does not run into the next.

use std::{
    io::{self, ErrorKind, Write},
    thread,
    time::Duration,
};

/// The time between two tries on a stream that does not block (`O_NONBLOCK`, by a process that shares it).
const STALL_STEP: Duration = Duration::from_millis(10);
/// So many tries such a stream may take nothing: five seconds.
const MAX_STALLED: u32 = 500;

/// Writes whole lines to `W`.
#[derive(Debug)]
pub(super) struct WholeLines<W> {
    to: W,
    /// Only a part of the last line was written.
    is_torn: bool,
}

impl<W: Write> WholeLines<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, is_torn: false }
    }

    /// Writes lines, each with its newline at its end. In as few calls to the system as it takes them: several processes may
    /// append to one file.
    ///
    /// # Errors
    /// How many of the lines could not be written, and why. A line of which only a part was written is one of them. That
    /// part is made a line of its own before anything else is written.
    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        if self.is_torn && !lines.is_empty() {
            self.write_some(b"\n").map_err(|error| (count(lines), error))?;
            self.is_torn = false;
        }
        let mut rest = lines;
        while !rest.is_empty() {
            let written = self.write_some(rest).map_err(|error| (count(rest), error))?;
            self.is_torn = rest[..written].last() != Some(&b'\n');
            rest = &rest[written..];
        }
        Ok(())
    }

    /// Writes at least one byte.
    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut stalled = 0;
        loop {
            match self.to.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => return Ok(written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && stalled < MAX_STALLED => {
                    thread::sleep(STALL_STEP);
                    stalled += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// The lines that end in these bytes.
fn count(lines: &[u8]) -> usize {
    lines.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes what its script says, one step a call: so many bytes, or an error.
    struct Scripted {
        steps: Vec<Result<usize, ErrorKind>>,
        taken: Vec<u8>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let step = if self.steps.is_empty() { Ok(usize::MAX) } else { self.steps.remove(0) };
            let len = step?.min(bytes.len());
            self.taken.extend_from_slice(&bytes[..len]);
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Two batches of two lines each: how many lines of each are lost, and what is written.
    fn written(steps: &[Result<usize, ErrorKind>]) -> (usize, usize, String) {
        let mut lines = WholeLines::new(Scripted { steps: steps.to_vec(), taken: Vec::new() });
        let [first, second] = [b"one\ntwo\n", b"six\nten\n"].map(|batch| match lines.write(batch) {
            Ok(()) => 0,
            Err((lost, _)) => lost,
        });
        (first, second, String::from_utf8(lines.to.taken).expect("text"))
    }

    #[test]
    fn a_torn_line_does_not_run_into_the_next() {
        let full = Err(ErrorKind::StorageFull);
        for (steps, expected) in [
            (&[][..], (0, 0, "one\ntwo\nsix\nten\n")),
            (&[Ok(2), Ok(1), Ok(3)], (0, 0, "one\ntwo\nsix\nten\n")),
            (&[Ok(2), Err(ErrorKind::Interrupted), Err(ErrorKind::WouldBlock)], (0, 0, "one\ntwo\nsix\nten\n")),
            (&[full], (2, 0, "six\nten\n")),
            (&[full, full], (2, 2, "")),
            (&[Ok(0)], (2, 0, "six\nten\n")),
            (&[Ok(4), full], (1, 0, "one\nsix\nten\n")),
            (&[Ok(2), full], (2, 0, "on\nsix\nten\n")),
            (&[Ok(6), full], (1, 0, "one\ntw\nsix\nten\n")),
            (&[Ok(6), full, full], (1, 2, "one\ntw")),
            (&[Ok(7), full], (1, 0, "one\ntwo\nsix\nten\n")),
        ] {
            let (first, second, text) = expected;
            assert_eq!(written(steps), (first, second, text.to_owned()), "{steps:?}");
        }
    }

    #[test]
    fn a_torn_line_is_ended_once() {
        let full = Err(ErrorKind::StorageFull);
        let mut lines = WholeLines::new(Scripted { steps: vec![Ok(2), full, full, Ok(1), full], taken: Vec::new() });
        for (batch, lost) in [(b"one\n", 1), (b"two\n", 1), (b"six\n", 1), (b"ten\n", 0)] {
            assert_eq!(lines.write(batch).err().map_or(0, |(lost, _)| lost), lost);
        }
        assert_eq!(lines.to.taken, b"on\nten\n");
    }
}
