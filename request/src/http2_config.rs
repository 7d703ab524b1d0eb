//! The settings of HTTP/2 connections.

use std::time::Duration;

/// The settings of HTTP/2 connections, each with a safe default. Go: `http.HTTP2Config`.
///
/// Written with `..Http2Config::default()`: a new field is no breaking change.
///
/// # Example
/// ```
/// use quintet_request::Http2Config;
///
/// let config = Http2Config { max_concurrent_streams: 250, ..Http2Config::default() };
/// assert_eq!(config.max_read_frame_size, 16 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http2Config {
    /// The most requests in progress on one connection: 100. The client is told
    /// (`SETTINGS_MAX_CONCURRENT_STREAMS`). A request is in progress until its handler is done, also if the client has
    /// reset it: a client that opens and resets requests does not get more of them at work. Go:
    /// `MaxConcurrentStreams`, by default 250. Zero is one.
    pub max_concurrent_streams: u32,
    /// The most bytes of a head, uncompressed, and with 32 more for each field: 16 KiB. The client is told
    /// (`SETTINGS_MAX_HEADER_LIST_SIZE`). A longer head is answered 431.
    pub max_header_list_size: u32,
    /// The most bytes of a frame that the client sends: 16 KiB, the least that a client may expect. At most
    /// 16,777,215. Go: `MaxReadFrameSize`.
    pub max_read_frame_size: u32,
    /// The most bytes of bodies that a connection holds for handlers that have not read them yet: 1 MiB. It is the
    /// window of the connection; at least 65,535. Go: `MaxReceiveBufferPerConnection`.
    pub max_receive_buffer_per_connection: u32,
    /// The most bytes of one body that a connection holds for its handler: 1 MiB. It is the initial window of a
    /// stream. Go: `MaxReceiveBufferPerStream`.
    pub max_receive_buffer_per_stream: u32,
    /// The most bytes of one reply that wait for the client, beside those that wait for its connection: 64 KiB.
    pub max_send_buffer_per_stream: usize,
    /// How many requests a client may reset in a burst: 1000. Together with
    /// [`resets_per_second`](Self::resets_per_second) it is a rate, and not a count for the life of a connection. The
    /// connection of a client that resets more ends.
    pub max_resets: u32,
    /// How many resets are forgotten in a second: 33.
    pub resets_per_second: u32,
    /// The most requests that the client has reset before they were taken: 20. The connection of a client that resets
    /// more ends.
    pub max_pending_accept_resets: usize,
    /// The most requests that the server has to reset because the client broke a rule: 256. The connection then ends.
    pub max_local_resets: usize,
    /// How long a client may send nothing, and take nothing that waits for it, while requests are in progress before a
    /// PING is sent: 15 s. [`Duration::MAX`] turns it off. Go: `SendPingTimeout`, by default off.
    pub send_ping_timeout: Duration,
    /// How long the client may send and take nothing after that PING before the connection ends: 15 s. [`Duration::MAX`] is
    /// never. Go: `PingTimeout`.
    pub ping_timeout: Duration,
}

impl Default for Http2Config {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 100,
            max_header_list_size: 16 << 10,
            max_read_frame_size: 16 << 10,
            max_receive_buffer_per_connection: 1 << 20,
            max_receive_buffer_per_stream: 1 << 20,
            max_send_buffer_per_stream: 64 << 10,
            max_resets: 1000,
            resets_per_second: 33,
            max_pending_accept_resets: 20,
            max_local_resets: 256,
            send_ping_timeout: Duration::from_secs(15),
            ping_timeout: Duration::from_secs(15),
        }
    }
}
