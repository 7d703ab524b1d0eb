//! The host of a request as patterns see it: without a port.

/// `host` without a valid `:port`, and without the brackets that only the port made necessary.
///
/// What is not `host:port` is returned unchanged: `h` and `[::1]` have no port, `::1` has too many colons.
/// Go: `stripHostPort` (server.go:2687) on `net.SplitHostPort`.
#[must_use]
pub fn strip_port(host: &str) -> &str {
    let Some((name, _)) = host.rsplit_once(':').filter(|(_, port)| !port.contains(['[', ']'])) else { return host };
    match name.strip_prefix('[') {
        Some(inner) => match inner.strip_suffix(']') {
            Some(inner) if !inner.contains(['[', ']']) => inner,
            _ => host,
        },
        None if name.contains([':', '[', ']']) => host,
        None => name,
    }
}
