//! The settings of a WebSocket.

use std::time::Duration;

use quintet_mux::CrossOrigin;

/// The settings of a WebSocket. Sizes are in bytes.
///
/// Written with `..WebSocketOptions::default()`: a new field is no breaking change.
#[derive(Clone, Debug)]
pub struct WebSocketOptions {
    /// The subprotocols that the server speaks, the preferred one first. None by default.
    pub protocols: Vec<String>,
    /// The origins that may connect besides that of the server itself. A browser lets the pages of every site open a
    /// WebSocket to this server, with the cookies of its user, and only says which site it is (`Origin`,
    /// `Sec-Fetch-Site`). Clients that are no browsers send neither, and may connect.
    pub origins: CrossOrigin,
    /// The longest message that is read, with all its frames. 1 MiB; a longer one closes the connection with 1009.
    pub max_message_bytes: usize,
    /// The longest frame that is read. 256 KiB; a longer one closes the connection with 1009.
    pub max_frame_bytes: usize,
    /// A ping is sent after this time without a frame of the client. 30 seconds; `None`: never.
    pub ping: Option<Duration>,
    /// The connection is closed after this time without a frame of the client, or if the client takes so long to read a
    /// message. 75 seconds; `None`: never. A client answers a ping, so that one which only listens is not idle.
    pub idle: Option<Duration>,
    /// How long a client has to answer a close. 5 seconds.
    pub close: Duration,
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self {
            protocols: Vec::new(),
            origins: CrossOrigin::new(),
            max_message_bytes: 1 << 20,
            max_frame_bytes: 256 << 10,
            ping: Some(Duration::from_secs(30)),
            idle: Some(Duration::from_secs(75)),
            close: Duration::from_secs(5),
        }
    }
}
