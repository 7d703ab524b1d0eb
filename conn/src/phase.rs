//! The phase of a connection: what the server waits for its client to do.

/// The phase of a connection: what the server waits for its client to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Send the first byte of the next request, after an earlier one was answered.
    Idle,
    /// Send a whole head, from its first byte. On a new connection also that first byte.
    Head,
    /// Send the next bytes of a body.
    Body,
    /// Read its reply.
    Reply,
    /// Close the connection after its final reply, or come to the end of a body that no handler will read. What it still
    /// sends is read and discarded.
    Linger,
    /// Send a request that may be on its way while the server shuts down.
    Drain,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 6] = [Self::Idle, Self::Head, Self::Body, Self::Reply, Self::Linger, Self::Drain];
}
