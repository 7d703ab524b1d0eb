//! The reasons for refusing a handshake of WebSocket.

use http::StatusCode;
use quintet_mux::{CrossOriginError, IntoResponse, Response};

/// The reason for refusing a handshake of WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketRefusal {
    /// The method is not GET (405).
    #[error("the handshake of a WebSocket is a GET")]
    Method,
    /// The request came over HTTP/2 (501). There a WebSocket is an extended CONNECT (RFC 8441), which is not supported.
    #[error("a WebSocket is opened over HTTP/1.1")]
    Http2,
    /// The request is none in HTTP/1.1 that asks for the upgrade to `websocket` (426).
    #[error("this is a WebSocket, and the request asks for no upgrade to it")]
    Unasked,
    /// `Sec-WebSocket-Version` is not 13, or not there once (426 with `Sec-WebSocket-Version: 13`).
    #[error("this is a WebSocket of version 13")]
    Version,
    /// `Sec-WebSocket-Key` is not 16 bytes in base64, or not there once (400).
    #[error("the key of a WebSocket is 16 bytes in base64")]
    Key,
    /// `Sec-WebSocket-Protocol` is no list of different tokens (400).
    #[error("the subprotocols of a WebSocket are a list of different tokens")]
    Protocols,
    /// The page that opens the WebSocket is of another site (403).
    #[error(transparent)]
    Origin(#[from] CrossOriginError),
}

impl WebSocketRefusal {
    /// The status of the reply.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Http2 => StatusCode::NOT_IMPLEMENTED,
            Self::Unasked | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Key | Self::Protocols => StatusCode::BAD_REQUEST,
            Self::Origin(_) => StatusCode::FORBIDDEN,
        }
    }
}

impl IntoResponse for WebSocketRefusal {
    fn into_response(self) -> Response {
        let reply = Response::text(self.status(), self);
        match self {
            Self::Method => reply.with_header("allow", "GET"),
            // RFC 9110 §15.5.22: the field names the protocol. RFC 6455 §4.4: the version that the server speaks.
            Self::Unasked | Self::Version => {
                reply.with_header("upgrade", "websocket").with_header("sec-websocket-version", "13")
            }
            _ => reply,
        }
    }
}
