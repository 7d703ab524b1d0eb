//! The methods that the `Allow` field of a 405 lists.

/// The `Allow` field of a 405, for a handler of one's own: [`Request::extension`](quintet_request::Request::extension)
/// of the request it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow(pub String);
