//! The events of a server for `tracing`: what is not about one request.

use std::time::Duration;

use quintet_conn::Connection;
use quintet_listener::AcceptError;
#[cfg(feature = "tls")]
use quintet_listener::{CertificateExpired, HandshakeError, TlsError};
use quintet_mux::FieldError;
use tracing::{Level, event};

use crate::{
    causes::Causes,
    config::{HandlerError, Panicked},
    shutdown_report::ShutdownReport,
};

/// The target of all spans and events of this crate, for filters: `quintet_server=debug`, say.
pub(crate) const TARGET: &str = "quintet_server";

/// In the span of the request, unless the body of its reply panicked.
pub(crate) fn panicked(panicked: &Panicked<'_>) {
    event!(
        target: TARGET,
        Level::ERROR,
        client.address = %panicked.connection.peer_addr(),
        request = panicked.request,
        exception.message = panicked.message,
        "a handler panicked"
    );
}

pub(crate) fn field_error(connection: &Connection, error: &FieldError) {
    let client = connection.peer_addr();
    event!(target: TARGET, Level::ERROR, client.address = %client, error = %error, "the reply is a 500");
}

/// The cause of a 5xx is the server's to repair; that of a 4xx is the client's.
pub(crate) fn handler_error(error: &HandlerError<'_>) {
    let (client, status, causes) = (error.connection.peer_addr(), error.status.as_u16(), Causes(error.source));
    if error.status.is_server_error() {
        event!(target: TARGET, Level::ERROR, client.address = %client, error = %causes, "the reply is a {status}");
    } else {
        event!(target: TARGET, Level::DEBUG, client.address = %client, error = %causes, "the reply is a {status}");
    }
}

pub(crate) fn accept_error(error: &AcceptError<'_>) {
    event!(target: TARGET, Level::WARN, "{error}");
}

#[cfg(feature = "tls")]
pub(crate) fn handshake_error(error: &HandshakeError<'_>) {
    event!(target: TARGET, Level::INFO, "{error}");
}

#[cfg(feature = "tls")]
pub(crate) fn reload_error(error: &TlsError) {
    event!(target: TARGET, Level::ERROR, error = ?error, "the certificate stays as it was");
}

#[cfg(all(unix, feature = "tls"))]
pub(crate) fn reloaded() {
    event!(target: TARGET, Level::INFO, "the certificate was read again");
}

#[cfg(feature = "tls")]
pub(crate) fn certificate_expired(expired: &CertificateExpired<'_>) {
    event!(target: TARGET, Level::WARN, "{expired}");
}

pub(crate) fn retiring(shutdown_delay: Duration) {
    event!(target: TARGET, Level::INFO, ?shutdown_delay, "the server is about to shut down");
}

pub(crate) fn stopping(grace_period: Duration) {
    event!(target: TARGET, Level::INFO, ?grace_period, "the server shuts down");
}

pub(crate) fn stopped(report: ShutdownReport) {
    let ShutdownReport { drained, aborted, .. } = report;
    event!(target: TARGET, Level::INFO, drained, aborted, "the server has shut down");
}
