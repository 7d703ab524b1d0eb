//! The observer of a server: it calls the hooks, and writes log lines where a hook is not set.
//!
//! A hook may panic, and standard error may be a closed pipe or a full disk. Neither ends an accept loop, a connection
//! or a reply. A failure is caught and counted in [`HookFailures`], and the server goes on as if the hook were not set.

use std::{
    any::Any,
    fmt,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use quintet_conn::{ConnGuard, Connection, Connections, StateHook};
use quintet_listener::AcceptError;
#[cfg(feature = "tls")]
use quintet_listener::{CertificateExpired, HandshakeError, TlsError};
use quintet_mux::{FieldError, Response};

use crate::{
    access_log::AccessLog,
    causes::Causes,
    config::{Config, HandlerError, Hooks, Panicked, Refused},
    served::{BoxedNotes, Keep, Note, Served},
};
#[cfg(feature = "tracing")]
use crate::{request_span, trace_events};

/// How often hooks and log lines of a server failed since it was made. From
/// [`Server::hook_failures`](crate::Server::hook_failures).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HookFailures {
    /// Calls of a [hook](Hooks) that panicked.
    pub panics: u64,
    /// Log lines that could not be written to standard error.
    pub lost_lines: u64,
}

/// The hooks of a server, with the default action of each.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    hooks: Hooks,
    /// See [`Config::access_log`].
    access_log: Option<AccessLog>,
    panics: AtomicU64,
    lost_lines: AtomicU64,
    /// See [`Config::tracing`].
    #[cfg(feature = "tracing")]
    is_traced: bool,
    /// Whether something but the access log looks at a request that is over.
    has_hooks: bool,
}

impl Observer {
    pub(crate) fn new(config: &Config) -> Arc<Self> {
        Arc::new(Self {
            hooks: config.hooks.clone(),
            access_log: config.access_log.clone(),
            #[cfg(feature = "tracing")]
            is_traced: config.tracing,
            has_hooks: config.hooks.served.is_some()
                || config.access_log.as_ref().is_some_and(AccessLog::has_filter)
                || is_traced(config),
            ..Self::default()
        })
    }

    /// See [`Config::tracing`].
    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn is_traced(&self) -> bool {
        self.is_traced
    }

    /// Emits an event. A subscriber that panics ends nothing.
    #[cfg(feature = "tracing")]
    pub(crate) fn trace(&self, emit: impl FnOnce()) {
        if self.is_traced {
            self.call(emit);
        }
    }

    /// The state hook, wrapped so that its panics are caught; `None` if it is not set, which costs a connection nothing.
    pub(crate) fn state_hook(self: &Arc<Self>) -> Option<StateHook> {
        // Each registry owns its hook, so the closure holds the observer too, to count panics.
        let hook = self.hooks.state.clone()?;
        let observer = Arc::clone(self);
        Some(Box::new(move |connection, from, to| {
            observer.call(|| hook(connection, from, to));
        }))
    }

    /// Sets the value for all connections of an accept loop, if `base_context` is set.
    pub(crate) fn base_context(&self, connections: &Connections) {
        let Some(hook) = &self.hooks.base_context else { return };
        if let Some(value) = self.call(|| hook(connections.local_addr())) {
            // Cannot fail: called once, before the first connection is admitted.
            let _ = connections.set_value(value);
        }
    }

    /// Sets the value of a connection, if `conn_context` is set.
    #[inline]
    pub(crate) fn conn_context(&self, connection: &ConnGuard) {
        let Some(hook) = &self.hooks.conn_context else { return };
        if let Some(value) = self.call(|| hook(connection)) {
            // Cannot fail: called once, before the first request is read.
            let _ = connection.set_value(value);
        }
    }

    /// The reply of the `refused` hook; `None` for the plain one.
    pub(crate) fn refused(&self, refused: &Refused<'_>) -> Option<Response> {
        let hook = self.hooks.refused.as_ref()?;
        self.call(|| hook(refused)).flatten()
    }

    /// Whether requests are observed.
    #[inline]
    pub(crate) fn observes(&self) -> bool {
        #[cfg(feature = "tracing")]
        if self.is_traced {
            return true;
        }
        self.hooks.served.is_some() || self.access_log.is_some()
    }

    /// How much of a head is to be noted.
    #[inline]
    pub(crate) fn keep(&self) -> Keep {
        if self.has_hooks { Keep::Whole } else { Keep::Parts }
    }

    /// Memory for notes, of lines that were written.
    pub(crate) fn spare_notes(&self) -> BoxedNotes {
        self.access_log.as_ref().map_or_else(Vec::new, AccessLog::spare_notes)
    }

    /// Reports what became of a request: to `tracing`, to the hook and to the access log, which keeps its note.
    #[inline]
    pub(crate) fn served(&self, note: Box<Note>, connection: &Connection) {
        let is_logged = !self.has_hooks || self.call_hooks(&Served::new(&note, connection));
        match &self.access_log {
            Some(log) if is_logged => log.push(note, connection),
            _ => note.give(),
        }
    }

    /// Calls what looks at a request that is over, and returns whether it has a line in the access log. Each is called by
    /// itself, so that a filter of the log or a subscriber that panics takes the event from itself alone.
    fn call_hooks(&self, served: &Served<'_>) -> bool {
        let is_logged = self.access_log.as_ref().and_then(|log| self.call(|| log.passes(served)));
        #[cfg(feature = "tracing")]
        if self.is_traced {
            let span = self.call(|| request_span::take(served)).flatten();
            self.call(|| request_span::finish(span.as_ref(), served));
            self.call(|| drop(span));
        }
        if let Some(hook) = &self.hooks.served {
            self.call(|| hook(served));
        }
        is_logged == Some(true)
    }

    /// Reports a panic to its hook, or logs it.
    pub(crate) fn panicked(&self, panicked: &Panicked<'_>) {
        #[cfg(feature = "tracing")]
        self.trace(|| trace_events::panicked(panicked));
        match &self.hooks.panicked {
            Some(hook) => drop(self.call(|| hook(panicked))),
            None => self.log(format_args!(
                "panic serving {} ({}): {}",
                panicked.connection.peer_addr(),
                panicked.request.unwrap_or("request dropped"),
                panicked.message
            )),
        }
    }

    /// Reports a field that cannot be sent to its hook, or logs it.
    #[cold]
    pub(crate) fn field_error(&self, connection: &Connection, error: &FieldError) {
        #[cfg(feature = "tracing")]
        self.trace(|| trace_events::field_error(connection, error));
        match &self.hooks.field_error {
            Some(hook) => drop(self.call(|| hook(connection, error))),
            None => self.log(format_args!("reply to {} is a 500: {error}", connection.peer_addr())),
        }
    }

    /// Reports the cause of a reply to its hook; or logs it, if the reply is a 5xx. That of a 4xx is the client's doing.
    #[cold]
    pub(crate) fn handler_error(&self, error: &HandlerError<'_>) {
        #[cfg(feature = "tracing")]
        self.trace(|| trace_events::handler_error(error));
        match &self.hooks.handler_error {
            Some(hook) => drop(self.call(|| hook(error))),
            None if error.status.is_server_error() => self.log(format_args!(
                "reply to {} is a {}: {}",
                error.connection.peer_addr(),
                error.status.as_u16(),
                Causes(error.source)
            )),
            None => {}
        }
    }

    /// Reports an accept error to its hook, or logs it.
    pub(crate) fn accept_error(&self, error: &AcceptError<'_>) {
        #[cfg(feature = "tracing")]
        self.trace(|| trace_events::accept_error(error));
        match &self.hooks.accept_error {
            Some(hook) => drop(self.call(|| hook(error))),
            None => self.log(format_args!("{error}")),
        }
    }

    #[cfg(feature = "tls")]
    pub(crate) fn handshake_error(&self, error: &HandshakeError<'_>) {
        #[cfg(feature = "tracing")]
        self.trace(|| trace_events::handshake_error(error));
        match &self.hooks.handshake_error {
            Some(hook) => drop(self.call(|| hook(error))),
            None => self.log(format_args!("{error}")),
        }
    }

    /// An event for `tracing`, and nothing else.
    #[cfg(all(unix, feature = "tls"))]
    pub(crate) fn reloaded(&self) {
        #[cfg(feature = "tracing")]
        self.trace(trace_events::reloaded);
    }

    #[cfg(feature = "tls")]
    pub(crate) fn reload_error(&self, error: &TlsError) {
        #[cfg(feature = "tracing")]
        self.trace(|| trace_events::reload_error(error));
        match &self.hooks.reload_error {
            Some(hook) => drop(self.call(|| hook(error))),
            // With its causes.
            None => self.log(format_args!("the certificate stays as it was: {error:?}")),
        }
    }

    #[cfg(feature = "tls")]
    pub(crate) fn certificate_expired(&self, expired: &CertificateExpired<'_>) {
        #[cfg(feature = "tracing")]
        self.trace(|| trace_events::certificate_expired(expired));
        match &self.hooks.certificate_expired {
            Some(hook) => drop(self.call(|| hook(expired))),
            None => self.log(format_args!("{expired}")),
        }
    }

    /// The failures counted so far.
    pub(crate) fn failures(&self) -> HookFailures {
        HookFailures { panics: self.panics.load(Relaxed), lost_lines: self.lost_lines.load(Relaxed) }
    }

    /// Calls a hook; `None` if it panicked.
    #[inline]
    pub(crate) fn call<T>(&self, hook: impl FnOnce() -> T) -> Option<T> {
        // Unwind safe: a hook is called again after a panic, but the server reads none of its state.
        let called = catch_unwind(AssertUnwindSafe(hook));
        called
            .map_err(|payload| {
                self.panics.fetch_add(1, Relaxed);
                discard(payload);
            })
            .ok()
    }

    /// Writes one line to standard error, or counts it as lost. No other place of the library writes to a standard
    /// stream, and none uses `eprintln!`, which panics if the stream cannot be written.
    #[cold]
    fn log(&self, line: fmt::Arguments<'_>) {
        // It was an event, and there is a subscriber that takes events.
        #[cfg(feature = "tracing")]
        if self.is_traced && tracing::dispatcher::has_been_set() {
            return;
        }
        // The whole line is formatted first, so that it is one write. `Display` of an accept error may be the code of a
        // foreign listener: it can panic too.
        let written = catch_unwind(AssertUnwindSafe(|| {
            let line = format!("http: {line}\n");
            io::stderr().write_all(line.as_bytes())
        }));
        match written {
            Ok(Ok(())) => return,
            Ok(Err(_)) => {}
            Err(payload) => discard(payload),
        }
        self.lost_lines.fetch_add(1, Relaxed);
    }
}

fn is_traced(config: &Config) -> bool {
    #[cfg(feature = "tracing")]
    return config.tracing;
    #[cfg(not(feature = "tracing"))]
    {
        let _ = config;
        false
    }
}

/// Drops the payload of a panic. Its destructor may panic again; that second payload is leaked, as its destructor could
/// go on like that for ever.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(another);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics when it is dropped, with a payload that does it again.
    struct Bomb(u8);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                std::panic::panic_any(Self(self.0 - 1));
            }
        }
    }

    #[test]
    fn a_hook_panic_is_caught_for_any_payload() {
        let observer = Observer::new(&Config::default());
        assert_eq!(observer.call(|| 7), Some(7));
        assert_eq!(observer.call(|| -> u8 { panic!("text") }), None);
        for bombs in 0..4 {
            assert_eq!(observer.call(|| -> u8 { std::panic::panic_any(Bomb(bombs)) }), None);
        }
        assert_eq!(observer.failures(), HookFailures { panics: 5, lost_lines: 0 });
    }

    #[test]
    fn a_log_line_whose_text_panics_is_counted_as_lost() {
        struct Silent;
        impl fmt::Display for Silent {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("no text")
            }
        }
        struct Failing;
        impl fmt::Display for Failing {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                Err(fmt::Error)
            }
        }
        let observer = Observer::new(&Config::default());
        observer.log(format_args!("{Silent}"));
        observer.log(format_args!("{Failing}"));
        assert_eq!(observer.failures(), HookFailures { panics: 0, lost_lines: 2 });
    }
}
