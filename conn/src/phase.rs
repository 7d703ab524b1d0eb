//! What a connection is waiting for.

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The first byte of the next request, on a connection that was used before.
    Idle,
    /// A whole head: from the connection's beginning or from the head's first byte.
    Head,
    /// The next bytes of a body.
    Body,
    /// The client reading its reply.
    Reply,
    /// The rest of what a client sends although its answer is final.
    Linger,
    /// A request that may be on its way although the server is shutting down: idle connections are drained.
    Drain,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Phase; 6] = [Phase::Idle, Phase::Head, Phase::Body, Phase::Reply, Phase::Linger, Phase::Drain];
}
