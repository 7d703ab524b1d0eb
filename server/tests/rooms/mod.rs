//! The rooms: the only folders of the four lower crates in which `.await` may stand. All other code there is functions of
//! bytes, state and the time they are given. (The gate of the fuzz targets reads this list too.)

/// Folders, from the root of the repository.
pub(crate) const ROOMS: [&str; 11] = [
    "listener/src/io",
    "conn/src/io",
    "request/src/body",
    "request/src/connection",
    "request/src/parts",
    "request/src/request",
    "mux/src/events",
    "mux/src/files",
    "mux/src/handler",
    "mux/src/httptest",
    "mux/src/middleware",
];
