//! A mux of handlers that is itself a handler.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;
use quintet_request::{
    Request,
    route::{self, MatchedPattern},
};

use super::{
    append_only_vec::AppendOnlyVec,
    handler::{BoxHandler, Handler},
    response::Response,
    unrouted::Unrouted,
};
use crate::{Found, InsertError, Mux, Pattern};

/// A mux of handlers: a request is answered by the handler of the most specific pattern that matches it. Go:
/// `http.ServeMux`.
///
/// Clones share their handlers. Handlers may be added at any time, also while the server is running. A lookup takes no
/// lock.
///
/// # Example
/// ```
/// use quintet_mux::{Handler, ServeMux};
/// use quintet_request::Request;
///
/// let mux = ServeMux::new();
/// mux.handle("GET /users/{id}", async |request: Request| format!("user {}\n", request.path_value("id").unwrap()));
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let request = Request::parse(b"GET /users/7 HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
/// let mut reply = mux.call(request).await;
/// assert_eq!(reply.take_body().to_bytes(100).await.unwrap(), "user 7\n");
/// # });
/// ```
#[doc(alias = "router")]
#[derive(Clone)]
pub struct ServeMux(Arc<Shared>);

/// The state that all clones share.
///
/// A lookup must find each handler that was added before the lookup began, and must not take a lock. So the order of
/// writing is the reverse of the order of reading:
///
/// ```text
///  adding, 2-4 under the lock of `latest`  lookup
///  1. hosts = true                         a. stale? then 5-6 by this thread, under the lock
///  2. latest.insert(pattern, place)        b. load routes
///  3. entries[place] = handler             c. load hosts
///  4. stale = true                         d. find the place in routes
///  publishing, under the same lock         e. entries[place]
///  5. routes = a copy of latest
///  6. stale = false
/// ```
///
/// A thread that reads `stale` as 6 stored it also reads the routes of 5. A thread that reads the routes of 5 also sees
/// steps 1 to 3 of every pattern in them: the mutex orders 1-3 before 5, and the loads of `stale` and `routes` acquire
/// what their stores released.
///
/// The routes are copied by the first lookup after an addition, and not by each addition: otherwise n patterns would
/// cost n copies.
struct Shared {
    /// The routes of lookups; a value is the place of a handler in `entries`.
    routes: ArcSwap<Mux<usize>>,
    /// The routes of additions. They are copied into `routes` by the first lookup after an addition.
    latest: Mutex<Mux<usize>>,
    /// Whether `latest` has routes that `routes` has not.
    stale: AtomicBool,
    /// Whether some pattern has a host. If not, a lookup does not read the request's host. If the flag is set before
    /// the pattern can be found, a lookup reads the host needlessly, which does no harm.
    hosts: AtomicBool,
    /// The handlers by place. No entry moves, so a handler is borrowed from here for as long as it makes its reply.
    entries: AppendOnlyVec<Entry>,
    not_found: OnceLock<BoxHandler>,
    method_not_allowed: OnceLock<BoxHandler>,
}

/// A handler, and the pattern of its route as requests are told it.
struct Entry {
    handler: BoxHandler,
    route: Arc<MatchedPattern>,
}

impl ServeMux {
    /// A mux without patterns, which answers every request with 404.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            routes: ArcSwap::default(),
            latest: Mutex::default(),
            stale: AtomicBool::new(false),
            hosts: AtomicBool::new(false),
            entries: AppendOnlyVec::new(),
            not_found: OnceLock::new(),
            method_not_allowed: OnceLock::new(),
        }))
    }

    /// Adds a handler. Go: `ServeMux.Handle`, `ServeMux.HandleFunc`.
    ///
    /// # Panics
    /// If the pattern is malformed, or conflicts with one that was added before, as in Go. The text of the panic gives
    /// requests that show the conflict. [`try_handle`](Self::try_handle) returns an error instead.
    #[doc(alias = "route")]
    #[track_caller]
    pub fn handle(&self, pattern: &str, handler: impl Handler) {
        if let Err(error) = self.try_handle(pattern, handler) {
            panic!("{error}");
        }
    }

    /// Adds a handler, as [`handle`](Self::handle) does. The name is Go's for functions; here a function is a handler.
    ///
    /// # Panics
    /// As [`handle`](Self::handle).
    #[track_caller]
    pub fn handle_func(&self, pattern: &str, handler: impl Handler) {
        self.handle(pattern, handler);
    }

    /// Adds a handler, or returns an error where [`handle`](Self::handle) panics.
    ///
    /// # Errors
    /// [`InsertError`] if the pattern is malformed, or conflicts with one that was added before. The mux is unchanged.
    #[track_caller]
    pub fn try_handle(&self, pattern: &str, handler: impl Handler) -> Result<(), InsertError> {
        let pattern = Pattern::parse(pattern)?;
        let route = Arc::new(MatchedPattern {
            pattern: pattern.to_string().into(),
            names: pattern.names().iter().map(|name| (**name).into()).collect(),
        });
        // Steps 1 to 4, in the order that `Shared` explains.
        if pattern.host().is_some() {
            self.0.hosts.store(true, Ordering::Release);
        }
        let mut latest = self.latest();
        let at = latest.len();
        latest.insert(pattern, at)?;
        self.0.entries.set(at, Entry { handler: BoxHandler::new(handler), route });
        self.0.stale.store(true, Ordering::Release);
        Ok(())
    }

    /// Sets the handler of requests that no pattern matches; without it they are answered by a plain 404. Only the
    /// first call has an effect.
    pub fn handle_not_found(&self, handler: impl Handler) {
        let _ = self.0.not_found.set(BoxHandler::new(handler));
    }

    /// Answers what a pattern matches but for its method, in place of a plain 405. The methods that would match are in
    /// the request's extension [`Allow`](super::Allow); a 405 without that field is sent with it (RFC 9110 §15.5.6).
    /// Only the first call counts.
    pub fn handle_method_not_allowed(&self, handler: impl Handler) {
        let _ = self.0.method_not_allowed.set(BoxHandler::new(handler));
    }

    /// Calls a function with the mux of all patterns; a value is the number of its handler, in the order of addition.
    pub fn with_routes<R>(&self, look: impl FnOnce(&Mux<usize>) -> R) -> R {
        look(&self.latest())
    }

    /// The handler and the pattern that match a request; the handler is not called, and the request is not changed.
    /// `None` if the request would be answered by 404, 405 or a redirect. Go: `ServeMux.Handler`.
    #[must_use]
    pub fn handler(&self, request: &Request) -> Option<(&BoxHandler, &str)> {
        self.refresh();
        let (host, method) = (request.host().unwrap_or(""), request.method());
        let routes = self.0.routes.load();
        let at = routes.find_into(method, host, request.path(), &mut Vec::new()).route()?.value;
        let entry = self.0.entries.get(at)?;
        Some((&entry.handler, &entry.route.pattern))
    }

    /// Locks the routes of additions. Only the function given to `with_routes` can panic under the lock, and it only
    /// reads, so a poisoned lock is used like any other.
    fn latest(&self) -> MutexGuard<'_, Mux<usize>> {
        self.0.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes the routes that were added since the last lookup. A lookup costs one load where nothing was added.
    #[inline]
    fn refresh(&self) {
        if self.0.stale.load(Ordering::Acquire) {
            self.publish();
        }
    }

    #[cold]
    fn publish(&self) {
        let latest = self.latest();
        // Another thread may have published while this one waited for the lock.
        if self.0.stale.load(Ordering::Relaxed) {
            self.0.routes.store(Arc::new(latest.clone()));
            // After the routes are stored: a thread that reads `false` takes no lock, so it must find the new routes.
            self.0.stale.store(false, Ordering::Release);
        }
    }

    /// The handler of a request, or the reason why there is none.
    // Always: a program that serves two kinds of streams has two connection loops, and a call for each costs more.
    #[inline(always)]
    fn route(&self, request: &mut Request) -> Result<&BoxHandler, Unrouted> {
        self.refresh();
        let routes = self.0.routes.load();
        // Loaded after `routes`: the flag is set before a pattern with a host can be in there (1 before 5).
        let hosts = self.0.hosts.load(Ordering::Relaxed);
        let found = route::find(request, |head, path, values| {
            let host = if hosts { head.host().unwrap_or("") } else { "" };
            match routes.find_into(head.method(), host, path, values) {
                Found::Match(route) => Ok(route.value),
                Found::Redirect { .. } if path == "*" => Err(Unrouted::Asterisk),
                Found::Redirect { path, .. } => Err(Unrouted::Redirect { path }),
                Found::MethodNotAllowed { allow } => Err(Unrouted::MethodNotAllowed { allow }),
                Found::NotFound => Err(Unrouted::NotFound),
            }
        });
        // The entry is always there: it is set (3) before the routes that lead to it are published (5).
        let Some(entry) = self.0.entries.get(found?) else { return Err(Unrouted::NotFound) };
        route::set(request, Some(&entry.route));
        Ok(&entry.handler)
    }
}

impl Handler for ServeMux {
    // Always: a program that serves two kinds of streams has two connection loops, and a call for each costs more.
    #[inline(always)]
    fn call(&self, mut request: Request) -> impl Future<Output = Response> + Send {
        match self.route(&mut request) {
            Ok(handler) => handler.answer(request),
            Err(unrouted) => {
                route::set(&mut request, None);
                unrouted.answer(request, self.0.not_found.get(), self.0.method_not_allowed.get())
            }
        }
    }
}

impl Default for ServeMux {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ServeMux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.latest().routes().map(|route| route.pattern.to_string())).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    /// The mux is so large that one thread looks up a request while the other one still copies the routes.
    #[test]
    fn an_added_handler_is_found_by_all_threads_at_once() {
        let mux = ServeMux::new();
        for n in 0..2_000 {
            mux.handle(&format!("/filler/{n}/{{name}}"), async |_| "");
        }
        for n in 0..20 {
            let (pattern, start) = (format!("/added/{n}"), Barrier::new(2));
            mux.handle(&pattern, async |_| "");
            let head = format!("GET {pattern} HTTP/1.1\r\nHost: a\r\n\r\n");
            let look = || {
                let request = Request::parse(head.as_bytes()).unwrap();
                start.wait();
                mux.handler(&request).map(|(_, found)| found.to_owned())
            };
            let found = thread::scope(|scope| [scope.spawn(look), scope.spawn(look)].map(|one| one.join().unwrap()));
            assert_eq!(found, [Some(pattern.clone()), Some(pattern)]);
        }
    }
}
