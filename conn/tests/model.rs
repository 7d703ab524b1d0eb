//! A wire against a model of bytes: whatever the stream and the owner do, no byte is lost, doubled or reordered.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{future::poll_fn, sync::Arc, task::Poll};

use bytes::{Bytes, BytesMut};
use common::{Bell, Peer, Script, Step, limits, poll_once, scripted};
use proptest::{collection::vec, prelude::*};
use quintet_conn::{ConnGuard, Connections, Filled, Phase, State, Wire, WireError};

/// An action of the owner of the wire, the stream or the client.
#[derive(Clone, Debug)]
enum Op {
    // The client and the network.
    Send(usize),
    Read(Step),
    Write(Step),
    Flush(Step),
    // The owner.
    Turn(usize),
    FillInto(usize),
    Watch(usize),
    Flushed,
    Consume(usize),
    Extend(usize),
    Push(usize),
    Enter(Phase),
    Rest,
    Move(State),
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![0..10_usize, 0..5000_usize, 60_000..70_000_usize]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => size().prop_map(Op::Send),
        2 => Just(Op::Read(Step::Later)),
        3 => (1..20_000_usize).prop_map(|n| Op::Write(Step::Take(n))),
        2 => prop_oneof![Just(Step::Later), Just(Step::Never)].prop_map(Op::Write),
        1 => prop_oneof![Just(Step::Later), Just(Step::Never)].prop_map(Op::Flush),
        5 => size().prop_map(Op::Turn),
        2 => size().prop_map(Op::FillInto),
        2 => size().prop_map(Op::Watch),
        2 => Just(Op::Flushed),
        4 => size().prop_map(Op::Consume),
        4 => size().prop_map(Op::Extend),
        2 => size().prop_map(Op::Push),
        2 => (0..6_usize).prop_map(|n| Op::Enter(Phase::ALL[n])),
        1 => Just(Op::Rest),
        1 => (0..4_usize).prop_map(|n| Op::Move(State::ALL[n])),
    ]
}

/// The n-th byte of either direction: neighbours differ, so that a reordering shows.
fn byte(n: usize) -> u8 {
    u8::try_from(n % 251).unwrap()
}

struct Model {
    wire: Wire<Script>,
    peer: Peer,
    connection: Option<ConnGuard>,
    bell: Arc<Bell>,
    /// How many bytes the client sent, the owner consumed, and the owner appended.
    sent: usize,
    consumed: usize,
    appended: usize,
}

impl Model {
    fn new(counted: Option<&Arc<Connections>>, buffers: bool) -> Self {
        let (wire, peer, connection) = match counted {
            Some(connections) => {
                let (connection, wire, peer) = scripted(connections);
                (wire, peer, Some(connection))
            }
            None => {
                let (script, peer) = Script::new();
                (Wire::new(script), peer, None)
            }
        };
        if buffers {
            peer.buffers();
        }
        Self { wire, peer, connection, bell: Bell::new(), sent: 0, consumed: 0, appended: 0 }
    }

    fn next_bytes(&mut self, n: usize) -> Vec<u8> {
        let bytes = (self.appended..self.appended + n).map(byte).collect();
        self.appended += n;
        bytes
    }

    fn filled(&self, before: usize, limit: usize, filled: &Poll<Result<Filled, WireError>>) {
        match filled {
            Poll::Ready(Ok(Filled::Bytes(n))) => {
                assert!(*n > 0 && before < limit && before + n <= limit);
                assert_eq!(self.wire.input.len(), before + n);
            }
            Poll::Ready(Ok(Filled::Full)) => assert!(before >= limit),
            Poll::Pending => {}
            other => panic!("{other:?}"),
        }
    }

    fn apply(&mut self, op: Op) {
        let before = self.wire.input.len();
        match op {
            Op::Send(n) => {
                if n > 0 {
                    self.peer.sends((self.sent..self.sent + n).map(byte).collect::<Vec<_>>());
                    self.sent += n;
                }
            }
            Op::Read(step) => drop(self.peer.reads([step]).clone()),
            Op::Write(step) => drop(self.peer.writes([step]).clone()),
            Op::Flush(step) => drop(self.peer.flushes([step]).clone()),
            Op::Turn(limit) => {
                let polled = poll_once(&self.bell, self.wire.flush_and_fill(limit));
                self.filled(before, limit, &polled);
                if polled.is_ready() {
                    assert!(self.wire.output.is_empty(), "nothing is awaited before everything is sent");
                } else {
                    self.waits_lightly();
                }
            }
            Op::FillInto(limit) => {
                let n = self.wire.input.len();
                self.consume(n);
                let mut into = BytesMut::new();
                let polled = poll_once(&self.bell, poll_fn(|cx| self.wire.poll_fill_into(cx, &mut into, limit)));
                match polled {
                    Poll::Ready(Ok(Filled::Bytes(n))) => assert!(n > 0 && n <= limit && n == into.len()),
                    Poll::Ready(Ok(Filled::Full)) => assert!(limit == 0 && into.is_empty()),
                    Poll::Pending => {
                        assert!(into.is_empty());
                        self.waits_lightly();
                    }
                    other => panic!("{other:?}"),
                }
                self.came(&into);
            }
            Op::Watch(limit) => {
                assert!(poll_once(&self.bell, poll_fn(|cx| self.wire.poll_watch(cx, limit))).is_pending());
                assert!(self.wire.input.len() <= before.max(limit));
                self.waits_lightly();
            }
            Op::Flushed => {
                if poll_once(&self.bell, self.wire.flush()).is_ready() {
                    assert_eq!(self.peer.written().len(), self.appended);
                }
            }
            Op::Consume(n) => self.consume(n.min(before)),
            Op::Extend(n) => {
                let bytes = self.next_bytes(n);
                self.wire.output.extend(&bytes);
            }
            Op::Push(n) => {
                let bytes = self.next_bytes(n);
                self.wire.output.push(Bytes::from(bytes));
            }
            Op::Enter(phase) => self.wire.enter(phase),
            Op::Rest => self.wire.clear_phase(),
            Op::Move(state) => {
                if let Some(connection) = &self.connection {
                    connection.set_state(state);
                }
            }
        }
    }

    /// A wire that waits holds what it must and at most 4 KiB more.
    fn waits_lightly(&self) {
        let (input, output) = (&self.wire.input, &self.wire.output);
        assert!(input.capacity() <= if input.is_empty() { 0 } else { input.len() + 4096 });
        assert!(!output.is_empty() || output.capacity() == 0);
    }

    /// These bytes are the next that the client sent.
    fn came(&mut self, bytes: &[u8]) {
        let expected: Vec<u8> = (self.consumed..self.consumed + bytes.len()).map(byte).collect();
        assert!(bytes == expected, "other bytes than were sent");
        self.consumed += bytes.len();
    }

    fn consume(&mut self, n: usize) {
        let bytes = self.wire.input.filled()[..n].to_vec();
        self.came(&bytes);
        self.wire.input.consume(n);
    }

    /// Makes the stream take and deliver every byte.
    fn finish(mut self) {
        for _ in 0..10_000 {
            let n = self.wire.input.len();
            self.consume(n);
            let polled = poll_once(&self.bell, self.wire.flush_and_fill(usize::MAX));
            assert!(!matches!(polled, Poll::Ready(Err(_))));
            if self.consumed == self.sent && polled.is_pending() && self.wire.output.is_empty() {
                break;
            }
        }
        while poll_once(&self.bell, self.wire.flush()).is_pending() {}
        assert_eq!(self.consumed, self.sent, "everything arrived");
        let expected: Vec<u8> = (0..self.appended).map(byte).collect();
        assert!(self.peer.written() == expected, "everything was sent, in order");
        let _ = poll_once(&self.bell, self.wire.flush_and_fill(usize::MAX));
        assert_eq!((self.wire.input.capacity(), self.wire.output.capacity()), (0, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_wire_loses_and_reorders_no_byte(
        ops in vec(op(), 0..120),
        counted in any::<bool>(),
        buffers in any::<bool>(),
    ) {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let mut model = Model::new(counted.then_some(&connections), buffers);
        ops.into_iter().for_each(|op| model.apply(op));
        model.finish();
        prop_assert_eq!(connections.counts().total(), 0);
    }
}
