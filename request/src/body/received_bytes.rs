//! How much of a request's body was received, for the observers of the request.

/// How many bytes of a request's body were received, without their framing. It is left for the observers of the request
/// ([`ActiveRequest::set_value`](quintet_conn::ActiveRequest::set_value)) when the request ends, unless its body was in
/// memory from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedBytes(pub u64);
