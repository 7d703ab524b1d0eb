//! The errors that a `main` returns. Rust prints the `Debug` of such an error: it is its text, with the causes.

use std::{collections::BTreeSet, error::Error, fs, io, path::Path};

use quintet_conn::{Phase, WireError};
use quintet_listener::{Addr, AddrError, Endpoint, EndpointError, Nets};
use quintet_mux::{Cors, CrossOrigin, Mux, Pattern};
use quintet_server::ServeError;

/// Errors of addresses, files and patterns, and those that end serving or a connection. An error that is about one
/// request is for a handler or a hook, which print its text; its `Debug` is derived.
const RETURNED: [&str; 11] = [
    "AddrError",
    "CorsError",
    "EndpointError",
    "InheritedError",
    "InsertError",
    "NetsError",
    "OriginError",
    "PatternError",
    "ServeError",
    "TlsError",
    "WireError",
];

/// Types of other crates, whose `Debug` is theirs, and errors of any type.
const OTHERS: [&str; 2] = ["Box<dyn std::error::Error>", "std::io::Error"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the server's folder is in the workspace")
}

/// The texts of the files of a folder whose names end so, and of the folders in it.
fn texts(folder: &Path, end: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            found.extend(texts(&path, end));
        } else if path.to_string_lossy().ends_with(end) {
            found.push(fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        }
    }
    found
}

/// The sources of the five crates, and the READMEs.
fn sources_and_readmes() -> Vec<String> {
    let layers = ["listener", "conn", "request", "mux", "server"].map(|layer| root().join(layer));
    let mut found: Vec<_> = layers.iter().flat_map(|layer| texts(&layer.join("src"), ".rs")).collect();
    let readmes = layers.iter().map(|layer| layer.join("README.md")).chain([root().join("README.md")]);
    found.extend(readmes.map(|readme| fs::read_to_string(readme).expect("a README")));
    found
}

#[test]
fn every_error_that_a_documented_main_returns_is_listed() {
    let mut named = 0;
    for text in sources_and_readmes() {
        for rest in text.split("fn main() -> Result<(), ").skip(1) {
            let error = rest.split(" {").next().unwrap_or_default().trim_end_matches('>');
            let error = if error.starts_with("Box<") { OTHERS[0] } else { error };
            let name = error.rsplit("::").next().unwrap_or(error);
            assert!(RETURNED.contains(&name) || OTHERS.contains(&error), "a main returns {error}: see RETURNED");
            named += usize::from(RETURNED.contains(&name));
        }
    }
    assert!(named >= 6, "{named} programs");
}

/// Neither a derived `Debug` among the listed, nor another one that is not listed.
#[test]
fn the_listed_errors_and_no_others_have_a_debug_of_their_own() {
    let (mut own, mut errors) = (BTreeSet::new(), 0);
    for text in sources_and_readmes() {
        errors += text.matches("thiserror::Error)]").count();
        let after = text.split("impl fmt::Debug for ").skip(1);
        own.extend(
            after.filter_map(|rest| rest.split(' ').next()).filter(|name| name.ends_with("Error")).map(str::to_owned),
        );
    }
    assert_eq!(own.iter().map(String::as_str).collect::<Vec<_>>(), RETURNED);
    assert!(errors > 25, "{errors} errors");
}

/// An error and what it comes from, in one line.
fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}

fn denied() -> io::Error {
    io::Error::from(io::ErrorKind::PermissionDenied)
}

#[test]
fn debug_of_a_returned_error_is_its_text_and_its_causes() {
    let mut mux = Mux::new();
    mux.insert("/{a}", ()).expect("the first one");
    let conflict = mux.insert("/{b}", ()).expect_err("the same requests");
    let endpoint = "::1:80".parse::<Endpoint>().expect_err("no brackets");
    let errors: Vec<(Box<dyn Error>, &str)> = vec![
        (Box::new(AddrError), "not an address: neither ip:port nor unix:name"),
        (Box::new("a".parse::<Addr>().expect_err("no port")), "not an address"),
        (Box::new(endpoint), "too many colons at byte"),
        (Box::new(EndpointError::NoPort), "missing port: write host:port"),
        (Box::new("10.0.0.1/8".parse::<Nets>().expect_err("host bits")), "the address at byte 0 is not the first"),
        (Box::new(Pattern::parse("/{").expect_err("no brace")), "parsing \"/{\": at offset 1: "),
        (Box::new(mux.insert("/{", ()).expect_err("no brace")), "parsing \"/{\": at offset 1: "),
        (Box::new(conflict), "pattern \"/{b}\" (registered at "),
        (
            Box::new(CrossOrigin::default().add_trusted_origin("a").expect_err("no scheme")),
            "an origin begins with a scheme and ://",
        ),
        (Box::new(Cors::of_origins(["a"]).expect_err("no scheme")), "the origin is malformed: an origin begins with"),
        (Box::new(WireError::TimedOut(Phase::Head)), "the client was too slow to send a head"),
        (Box::new(WireError::Io(denied())), "the stream failed: permission denied"),
        (
            Box::new(ServeError::Listen { addr: ":80".to_owned(), source: denied() }),
            "cannot listen on :80: permission denied",
        ),
        (Box::new(ServeError::Accept(io::Error::other(EndpointError::NoPort))), "cannot accept: missing port"),
        (Box::new(ServeError::Closed), "server closed"),
        #[cfg(all(unix, feature = "activation"))]
        (Box::new(quintet_listener::InheritedError::Names { count: 2 }), "LISTEN_FDNAMES does not name each of the 2 "),
    ];
    for (error, begins) in errors {
        let debug = format!("{error:?}");
        assert_eq!(debug, chain(&*error));
        assert!(debug.starts_with(begins), "{debug}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn debug_of_an_error_of_tls_names_the_file_and_why() {
    use quintet_server::{TlsConfig, TlsOptions, listener::TlsProvider};
    let provider = TlsProvider { crypto: rustls::crypto::ring::default_provider().into(), ticketer: None };
    let options = TlsOptions { provider: Some(provider), ..TlsOptions::default() };
    let error = TlsConfig::load_with("/missing.pem", "/missing.pem", options).expect_err("no such file");
    let why = "cannot read /missing.pem: No such file or directory (os error 2)";
    assert_eq!(format!("{error:?}"), why);
    assert_eq!(format!("{:?}", ServeError::from(error)), format!("cannot use TLS: {why}"));
}
