//! The names of the metrics, what they mean, and the values of their labels.
//!
//! Names are OpenTelemetry's (`http.server.request.duration`) as Prometheus writes them, with the unit at the end.

use http::StatusCode;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(super) const REQUESTS: &str = "http_server_requests_total";
pub(super) const DURATION: &str = "http_server_request_duration_seconds";
pub(super) const REQUEST_BODY: &str = "http_server_request_body_size_bytes";
pub(super) const RESPONSE_BODY: &str = "http_server_response_body_size_bytes";
pub(super) const REFUSALS: &str = "http_server_refusals_total";
pub(super) const FAULTS: &str = "http_server_request_faults_total";
pub(super) const CONNECTIONS: &str = "http_server_connections";
pub(super) const ACTIVE_REQUESTS: &str = "http_server_active_requests";
pub(super) const ACCEPTING: &str = "http_server_accepting";
pub(super) const ACCEPT_FAILING: &str = "http_server_accept_failing";
pub(super) const RETIRING: &str = "http_server_retiring";
pub(super) const PERMITS: &str = "http_server_permits_available";
pub(super) const ACCEPTED: &str = "http_server_accepted_total";
pub(super) const ACCEPT_ERRORS: &str = "http_server_accept_errors_total";
pub(super) const PEER_REFUSALS: &str = "http_server_peer_limit_refusals_total";
pub(super) const LOG_LINES: &str = "http_server_access_log_lines_total";
pub(super) const LOG_REOPEN_ERRORS: &str = "http_server_access_log_reopen_errors_total";
pub(super) const HOOK_PANICS: &str = "http_server_hook_panics_total";
pub(super) const LOST_LINES: &str = "http_server_lost_log_lines_total";
#[cfg(feature = "http2")]
pub(super) const STREAMS_REFUSED: &str = "http_server_streams_refused_total";
#[cfg(feature = "tls")]
pub(super) const HANDSHAKES: &str = "http_server_tls_handshakes_total";
#[cfg(feature = "proxy")]
pub(super) const PROXY_HEADERS: &str = "http_server_proxy_headers_total";

/// The pattern of a request that no route matched.
pub(super) const UNMATCHED: &str = "unmatched";
/// The pattern of all requests above the most patterns that have series.
pub(super) const OTHER_PATTERNS: &str = "other";

/// The classes of statuses by their first digit; the first one is that of a request that got no reply.
pub(super) const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// The place of a status in [`CLASSES`].
pub(super) fn class(status: Option<StatusCode>) -> usize {
    status.map_or(0, |status| usize::from(status.as_u16() / 100)).min(CLASSES.len() - 1)
}

/// Tells the recorder what each metric is.
pub(super) fn describe() {
    describe_counter!(REQUESTS, Unit::Count, "Requests that were answered, refused or cut.");
    describe_histogram!(DURATION, Unit::Seconds, "The time from the first byte of a request to the last of its reply.");
    describe_histogram!(REQUEST_BODY, Unit::Bytes, "The sizes of request bodies.");
    describe_histogram!(RESPONSE_BODY, Unit::Bytes, "The sizes of the bodies of replies.");
    describe_counter!(REFUSALS, Unit::Count, "Requests that were refused before their handler was called, by rule.");
    describe_counter!(FAULTS, Unit::Count, "Requests that were not answered whole: cut, reset, broken or panicked.");
    describe_gauge!(CONNECTIONS, Unit::Count, "Connections by state.");
    describe_gauge!(ACTIVE_REQUESTS, Unit::Count, "Requests in progress.");
    describe_gauge!(ACCEPTING, Unit::Count, "Whether an accept loop is open.");
    describe_gauge!(ACCEPT_FAILING, Unit::Count, "Whether an accept loop waits after an error.");
    describe_gauge!(RETIRING, Unit::Count, "Whether the server is about to leave.");
    describe_gauge!(PERMITS, Unit::Count, "Connections that the limits still let in.");
    describe_counter!(ACCEPTED, Unit::Count, "Connections accepted.");
    describe_counter!(ACCEPT_ERRORS, Unit::Count, "Accept errors by kind.");
    describe_counter!(PEER_REFUSALS, Unit::Count, "Connections closed because their peer had as many as it may.");
    describe_counter!(LOG_LINES, Unit::Count, "Lines of the access log by result.");
    describe_counter!(
        LOG_REOPEN_ERRORS,
        Unit::Count,
        "Times that the file of the access log could not be opened again."
    );
    describe_counter!(HOOK_PANICS, Unit::Count, "Calls of hooks that panicked.");
    describe_counter!(LOST_LINES, Unit::Count, "Log lines that could not be written to standard error.");
    #[cfg(feature = "http2")]
    describe_counter!(STREAMS_REFUSED, Unit::Count, "Requests of HTTP/2 for which no handler was free in time.");
    #[cfg(feature = "tls")]
    describe_counter!(HANDSHAKES, Unit::Count, "TLS handshakes by result.");
    #[cfg(feature = "proxy")]
    describe_counter!(PROXY_HEADERS, Unit::Count, "PROXY headers by result.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_labelled_by_its_class() {
        for (status, label) in
            [(101, "1xx"), (200, "2xx"), (299, "2xx"), (304, "3xx"), (404, "4xx"), (503, "5xx"), (999, "5xx")]
        {
            assert_eq!(CLASSES[class(StatusCode::from_u16(status).ok())], label, "{status}");
        }
        assert_eq!(CLASSES[class(None)], "none");
    }
}
