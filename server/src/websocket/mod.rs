//! WebSocket (RFC 6455): the handshake by its rules, and a connection of messages. The frames are tungstenite's.

mod handshake;
mod message;
mod options;
mod refusal;
mod session;
mod socket;
mod upgrade;
mod websocket_error;

pub use handshake::WebSocketHandshake;
pub use message::Message;
pub use options::WebSocketOptions;
pub use refusal::WebSocketRefusal;
pub use socket::WebSocket;
pub use upgrade::websocket;
pub use websocket_error::WebSocketError;
