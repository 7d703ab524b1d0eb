//! Targets of `quintet-conn`.

mod wait_state;
mod wire;

pub use wait_state::wait_state;
pub use wire::wire;

use std::{sync::LazyLock, time::Duration};

use quintet_conn::{Buffer, Connections, MinRate, Output, Phase, State, Tick, Timeouts};
use quintet_listener::testing::ScriptedStream;

/// The targets of this layer.
pub const TARGETS: &[crate::Target] = &[
    ("buffer", buffer),
    ("output", output),
    ("state", state),
    ("timeouts", timeouts),
    ("wait_state", wait_state),
    ("wire", wire),
];

/// Sizes at which something changes.
const SIZES: [usize; 16] = [0, 1, 2, 5, 100, 1000, 4095, 4096, 4097, 8191, 8192, 8193, 20_000, 65_535, 65_536, 65_537];

fn size(byte: u8) -> usize {
    SIZES[usize::from(byte & 15)]
}

/// Two bytes are an order and its size.
fn orders(data: &[u8]) -> impl Iterator<Item = (u8, u8)> {
    data.chunks_exact(2).take(100).map(|pair| (pair[0], pair[1]))
}

/// Bytes that differ from their neighbours, beginning with the n-th.
fn bytes(from: usize, len: usize) -> Vec<u8> {
    static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| (0..=250).cycle().take(251 * 300).collect());
    let (mut bytes, mut from) = (Vec::with_capacity(len), from % 251);
    while bytes.len() < len {
        let n = (len - bytes.len()).min(251 * 299);
        bytes.extend_from_slice(&PATTERN[from..from + n]);
        from = (from + n) % 251;
    }
    bytes
}

/// A buffer behaves as a vector, and holds no more memory than it says.
pub fn buffer(data: &[u8]) {
    let (mut buffer, mut model, mut sent) = (Buffer::new(), Vec::new(), 0);
    let mut taken = Vec::new(); // what somebody keeps stays as it was
    for (order, arg) in orders(data) {
        // More than a few blocks only takes time.
        let n = if model.len() < 150_000 { size(arg) } else { 1 };
        match order % 6 {
            _ if order >= 200 => {
                let n = n.min(model.len());
                let piece: Vec<u8> = model.drain(..n).collect();
                taken.push((buffer.split_to(n), piece));
                if taken.len() > 3 {
                    let (taken, piece) = taken.remove(0);
                    assert!(taken == piece);
                }
            }
            0 => {
                buffer.extend(&bytes(sent, n));
                model.extend(bytes(sent, n));
                sent += n;
            }
            1 => {
                // A read that comes short: room for `n` bytes more, of which some arrive.
                let limit = model.len() + n;
                let spare = buffer.spare(limit);
                assert!(spare.len() <= n && (n == 0 || !spare.is_empty()));
                let came = spare.len().min(usize::from(arg >> 4) * 1000 + 1);
                spare[..came].copy_from_slice(&bytes(sent, came));
                buffer.commit(came);
                model.extend(bytes(sent, came));
                sent += came;
            }
            2 => {
                let n = n.min(model.len());
                buffer.consume(n);
                model.drain(..n);
            }
            3 => {
                assert_eq!(buffer.spare(n.min(model.len())).len(), 0, "room past the limit");
            }
            4 => {
                buffer.release_memory();
                let most = if model.is_empty() { 0 } else { model.len() + 4096 };
                assert!(buffer.capacity() <= most, "{} for {} bytes", buffer.capacity(), model.len());
            }
            _ => {
                assert!(buffer.take() == std::mem::take(&mut model));
                assert_eq!(buffer.capacity(), 0);
            }
        }
        assert!(buffer.filled() == model);
        assert_eq!((buffer.len(), buffer.is_empty()), (model.len(), model.is_empty()));
        assert!(buffer.capacity() >= buffer.len());
    }
    assert!(taken.iter().all(|(taken, piece)| taken == piece));
}

/// An output behaves as a vector of which the first bytes are taken, however they are named.
pub fn output(data: &[u8]) {
    let (mut output, mut model, mut appended, mut peak) = (Output::new(), Vec::new(), 0, 0);
    for (order, arg) in orders(data) {
        let n = if model.len() < 150_000 || order % 6 > 2 { size(arg) } else { 1 };
        let piece = bytes(appended, if order % 6 < 3 { n } else { 0 });
        match order % 6 {
            0 => output.extend(&piece),
            1 => output.tail().extend_from_slice(&piece),
            2 => output.push(piece.clone().into()),
            3 => {
                let n = (n + usize::from(arg >> 4)).min(model.len());
                output.advance(n);
                model.drain(..n);
            }
            4 => {
                let n = gathered(&output).len().saturating_sub(n);
                output.advance(n);
                model.drain(..n);
            }
            _ => {
                output.release_memory();
                let most = if model.is_empty() { 0 } else { 2 * model.len() + 4096 };
                assert!(output.capacity() <= most, "{} for {} bytes", output.capacity(), model.len());
            }
        }
        if order % 6 < 3 {
            model.extend(piece);
            appended += n;
        }
        peak = peak.max(model.len());
        assert_eq!((output.len(), output.is_empty()), (model.len(), model.is_empty()));
        assert!(model.starts_with(output.first()) && output.first().is_empty() == model.is_empty());
        let gathered = gathered(&output);
        assert!(model.starts_with(&gathered) && gathered.is_empty() == model.is_empty());
        assert!(!output.is_plain() || output.first().len() == model.len());
        assert!(output.capacity() <= 4 * peak + 128 * 1024, "{} for {peak} bytes", output.capacity());
    }
}

fn gathered(output: &Output) -> Vec<u8> {
    output.gather(|slices| {
        assert!(slices.len() <= 16 && slices.iter().all(|slice| !slice.is_empty()));
        slices.iter().map(|slice| &**slice).collect::<Vec<_>>().concat()
    })
}

/// Whatever is ordered, a connection goes only where Go's can, and the hook sees each move once.
pub fn state(data: &[u8]) {
    use State::{Active, Closed, Hijacked, Idle, New};
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let hook = std::sync::Arc::clone(&seen);
    let (connections, _sweeper) = Connections::new(
        Timeouts::default(),
        None,
        Some(Box::new(move |_, from, to| hook.lock().expect("no panic in here").push((from, to)))),
    );
    let (connection, wire) = connections.admit(ScriptedStream::new().0, "192.0.2.1:1".parse().expect("an address"));
    let (mut at, mut expected) = (New, vec![(New, New)]);
    for order in data.iter().take(500) {
        let to = State::ALL[usize::from(order % 5)];
        let legal = match at {
            New => matches!(to, Active | Closed),
            Active => matches!(to, Idle | Hijacked | Closed),
            Idle => matches!(to, Active | Closed),
            Hijacked | Closed => false,
        };
        assert_eq!((at.go(to).is_ok(), at.moves().contains(&to)), (legal, legal), "{at} to {to}");
        connection.set_state(to);
        if legal {
            expected.push((at, to));
            at = to;
        }
        assert_eq!(connection.state(), at);
        assert_eq!(connections.counts().total(), usize::from(at != Closed));
        assert_eq!(at.is_final(), matches!(at, Hijacked | Closed));
    }
    drop((connection, wire));
    if !at.is_final() {
        expected.push((at, Closed));
    }
    assert_eq!(*seen.lock().expect("no panic in here"), expected);
}

/// A deadline is the first moment that is late by the definition, with what moved and what was waited for in any order.
///
/// The first five bytes are the limits; then two bytes are an event and how long after the last.
pub fn timeouts(data: &[u8]) {
    let Some((head, events)) = data.split_first_chunk::<5>() else { return };
    let limits = Timeouts {
        min_rate_grace: Duration::from_micros(u64::from(head[0]) * 40_700),
        stall: Duration::from_micros(u64::from(head[1]) * 201_300),
        reply_stall: Duration::from_micros(u64::from(head[1]) * 301_300),
        min_rate: u32::from(head[2]) * u32::from(head[3]),
        idle: Duration::from_micros(u64::from(head[4]) * 300_100),
        ..Timeouts::default()
    };
    for phase in Phase::ALL {
        // Nobody waits shorter than was said, or longer than the next millisecond.
        let end = limits.end(phase, Tick::from_millis(1_000)).expect("no limit is off").as_millis();
        let end = Duration::from_millis(end - 1_000);
        let said = match phase {
            Phase::Idle => limits.idle,
            Phase::Body => limits.stall,
            Phase::Reply => limits.reply_stall,
            Phase::Head => limits.read_header,
            Phase::Linger => limits.linger,
            Phase::Drain => limits.drain,
        };
        assert!(end >= said && end < said + Duration::from_millis(1));
    }
    let mut meter = MinRate::default();
    // The model keeps every wait and every byte, and has microseconds.
    let (mut now, mut waits, mut moved, mut since) = (0_u64, Vec::new(), 0_u64, None);
    for (event, after) in orders(events) {
        now += u64::from(after) * 37;
        match event % 4 {
            0 => {
                let deadline =
                    meter.wait(Tick::from_millis(now), Phase::Body, &limits).expect("no limit is off").as_millis();
                let since = *since.get_or_insert(now);
                let late = |at: u64| {
                    let at = at.max(since);
                    let waited: u64 = waits.iter().sum::<u64>() + (at - since);
                    let still = u128::from(at - since) * 1000 >= limits.stall.as_micros();
                    // waited ≥ grace + moved / rate, without a division; the grace counts in whole milliseconds.
                    let grace = limits.min_rate_grace.as_micros().div_ceil(1000);
                    let behind = limits.min_rate > 0
                        && u128::from(waited) * u128::from(limits.min_rate)
                            >= grace * u128::from(limits.min_rate) + u128::from(moved) * 1000;
                    still || behind
                };
                assert!(late(deadline), "not late at its deadline {deadline}, since {since}");
                assert!(deadline <= since || !late(deadline - 1), "late before its deadline {deadline}");
            }
            1 | 2 => {
                let n = size(event >> 2);
                meter.moved(n, Tick::from_millis(now));
                moved += n as u64;
                waits.extend(since.take().map(|since| now - since));
            }
            _ => {
                meter.pause(Tick::from_millis(now));
                waits.extend(since.take().map(|since| now - since));
            }
        }
        assert_eq!(meter.is_waiting(), since.is_some());
    }
}
