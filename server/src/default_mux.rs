//! The process-wide mux, and the free functions that add to it and serve it.

#[cfg(feature = "tls")]
use std::path::Path;
use std::sync::LazyLock;

use quintet_mux::{Handler, ServeMux};

use crate::{serve_error::ServeError, server::Server};

/// The process-wide mux: [`handle`] adds to it, and [`listen_and_serve`] serves it by default. Go:
/// `http.DefaultServeMux`.
pub static DEFAULT_SERVE_MUX: LazyLock<ServeMux> = LazyLock::new(ServeMux::new);

/// Adds a handler to the default mux. Go: `http.Handle`.
///
/// # Panics
/// As [`ServeMux::handle`]: if the pattern is malformed or conflicts with another one.
#[track_caller]
pub fn handle(pattern: &str, handler: impl Handler) {
    DEFAULT_SERVE_MUX.handle(pattern, handler);
}

/// Adds a handler to the default mux. Go: `http.HandleFunc`.
///
/// # Panics
/// As [`ServeMux::handle`].
#[track_caller]
pub fn handle_func(pattern: &str, handler: impl Handler) {
    DEFAULT_SERVE_MUX.handle(pattern, handler);
}

/// Listens on an address and serves this mux, or the [default mux](DEFAULT_SERVE_MUX) if it is `None`, with the
/// defaults of [`Config`](crate::Config). Go: `http.ListenAndServe`.
///
/// [`Server::listen_and_serve`] serves any other handler.
///
/// # Errors
/// [`ServeError`]. The function returns only with an error.
///
/// # Cancel safety
/// Dropping the future closes the listener. Its connections are still served.
///
/// # Example
/// ```no_run
/// use quintet_server::{Request, handle_func, listen_and_serve};
///
/// # async fn run() -> Result<(), quintet_server::ServeError> {
/// handle_func("GET /{name}", async |request: Request| format!("hello, {}\n", request.path_value("name").unwrap()));
/// listen_and_serve(":9090", None).await
/// # }
/// ```
#[doc(alias = "listenandserve")]
#[doc(alias = "ListenAndServe")]
pub async fn listen_and_serve(addr: &str, handler: Option<ServeMux>) -> Result<(), ServeError> {
    Server::new(handler.unwrap_or_else(|| DEFAULT_SERVE_MUX.clone())).listen_and_serve(addr).await
}

/// As [`listen_and_serve`], over TLS: with a chain of certificates and its key in files in PEM, which are read again at
/// SIGHUP. Go: `http.ListenAndServeTLS`.
///
/// # Errors
/// [`ServeError`]; it does not return otherwise.
///
/// # Cancel safety
/// Dropping the future closes the listener; connections go on.
///
/// # Example
/// ```no_run
/// use quintet_server::{handle, listen_and_serve_tls};
///
/// # async fn run() -> Result<(), quintet_server::ServeError> {
/// handle("/", async |_| "hello\n");
/// listen_and_serve_tls(":9443", "cert.pem", "key.pem", None).await
/// # }
/// ```
#[cfg(feature = "tls")]
#[doc(alias = "https")]
#[doc(alias = "ListenAndServeTLS")]
pub async fn listen_and_serve_tls(
    addr: &str,
    certificate: impl AsRef<Path>,
    key: impl AsRef<Path>,
    handler: Option<ServeMux>,
) -> Result<(), ServeError> {
    let server = Server::new(handler.unwrap_or_else(|| DEFAULT_SERVE_MUX.clone()));
    server.listen_and_serve_tls(addr, certificate, key).await
}

#[cfg(test)]
mod tests {
    use quintet_request::Request;

    use super::*;

    #[test]
    fn handle_panics_with_the_rule_or_both_places_of_a_conflict() {
        let panic =
            |add: fn()| *std::panic::catch_unwind(add).expect_err("a panic").downcast::<String>().expect("a text");
        let why = panic(|| handle("/{", async |_: Request| ""));
        assert!(why.contains("bad wildcard segment"), "{why}");
        let why = panic(|| handle_func("GET h:80/", async |_: Request| ""));
        assert!(why.contains("only CONNECT asks for one"), "{why}");
        handle("/default/{x}", async |_: Request| "");
        let why = panic(|| handle_func("/default/{y}", async |_: Request| ""));
        assert_eq!(why.matches("default_mux.rs").count(), 2, "{why}");
        assert_eq!(DEFAULT_SERVE_MUX.with_routes(quintet_mux::Mux::len), 1);
    }
}
