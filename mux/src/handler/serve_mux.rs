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

/// Patterns and their handlers: the most specific pattern that matches a request answers it. Go: `http.ServeMux`.
///
/// A clone is the same mux. Handlers may be added at any time, also while serving; looking one up takes no lock.
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

/// What all clones share.
///
/// A look-up must find whatever was added before it began, without a lock. So the order of writing is the reverse of
/// the order of reading:
///
/// ```text
///  adding, under the lock of `latest`     looking up
///  1. hosts = true                        a. stale?  then 5-6 by this thread, under the lock
///  2. latest.insert(pattern, place)       b. load routes
///  3. entries[place] = handler            c. load hosts
///  4. stale = true                        d. find the place in routes
///  publishing, under the same lock        e. entries[place]
///  5. routes = a copy of latest
///  6. stale = false
/// ```
///
/// A thread that sees `stale` as 6 left it also sees 5, and one that sees 5 also sees 1 to 3 of every pattern in it:
/// the mutex orders 1-3 before 5, and the loads of `stale` and `routes` acquire what their stores released. Copying at
/// the first look-up and not in 2 keeps adding n patterns from costing n copies.
struct Shared {
    /// What is looked up: the places of the handlers in `entries`.
    routes: ArcSwap<Mux<usize>>,
    /// What is added to; copied into `routes` at the first look-up afterwards.
    latest: Mutex<Mux<usize>>,
    stale: AtomicBool,
    /// Whether any pattern names a host; otherwise the request's is not looked at. True too early costs that look.
    hosts: AtomicBool,
    /// By place. No entry moves, so a handler is borrowed from here for as long as its reply takes.
    entries: AppendOnlyVec<Entry>,
    not_found: OnceLock<BoxHandler>,
    method_not_allowed: OnceLock<BoxHandler>,
}

struct Entry {
    handler: BoxHandler,
    route: Arc<MatchedPattern>,
}

impl ServeMux {
    /// A mux without patterns: everything is 404.
    #[must_use]
    pub fn new() -> Self {
        ServeMux(Arc::new(Shared {
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
    /// As Go does: if the pattern is malformed or conflicts with one that was added before. The text says which
    /// requests both would match; [`try_handle`](Self::try_handle) returns it.
    #[doc(alias = "route")]
    #[track_caller]
    pub fn handle(&self, pattern: &str, handler: impl Handler) {
        if let Err(error) = self.try_handle(pattern, handler) {
            panic!("{error}");
        }
    }

    /// [`handle`](Self::handle) under Go's name for functions; here a function is a handler.
    ///
    /// # Panics
    /// As [`handle`](Self::handle).
    #[track_caller]
    pub fn handle_func(&self, pattern: &str, handler: impl Handler) {
        self.handle(pattern, handler);
    }

    /// Adds a handler, if its pattern is one and conflicts with none that was added before.
    ///
    /// # Errors
    /// [`InsertError`]; the mux is then unchanged.
    #[track_caller]
    pub fn try_handle(&self, pattern: &str, handler: impl Handler) -> Result<(), InsertError> {
        let pattern = Pattern::parse(pattern)?;
        let route = Arc::new(MatchedPattern {
            pattern: pattern.to_string().into(),
            names: pattern.names().iter().map(|name| (**name).into()).collect(),
        });
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

    /// Answers what no pattern matches, in place of a plain 404. Only the first call counts.
    pub fn handle_not_found(&self, handler: impl Handler) {
        let _ = self.0.not_found.set(BoxHandler::new(handler));
    }

    /// Answers what a pattern matches but for its method, in place of a plain 405. The methods that would match are in
    /// the request's extension [`Allow`](super::Allow); a 405 without that field is sent with it (RFC 9110 §15.5.6).
    /// Only the first call counts.
    pub fn handle_method_not_allowed(&self, handler: impl Handler) {
        let _ = self.0.method_not_allowed.set(BoxHandler::new(handler));
    }

    /// Looks at the patterns and where they were added.
    pub fn with_routes<R>(&self, look: impl FnOnce(&Mux<usize>) -> R) -> R {
        look(&self.latest())
    }

    /// The handler of a request and the pattern that matched, without serving it; the request is left as it is. No
    /// handler means 404, 405 or a redirect. Go: `ServeMux.Handler`.
    #[must_use]
    pub fn handler(&self, request: &Request) -> Option<(&BoxHandler, &str)> {
        self.refresh();
        let (host, method) = (request.host().unwrap_or(""), request.method());
        let routes = self.0.routes.load();
        let at = routes.find_into(method, host, request.path(), &mut Vec::new()).route()?.value;
        let entry = self.0.entries.get(at)?;
        Some((&entry.handler, &entry.route.pattern))
    }

    fn latest(&self) -> MutexGuard<'_, Mux<usize>> {
        self.0.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes what was added since the last look-up known.
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
            // Only now: a thread that finds nothing stale does not wait, so it must find the routes.
            self.0.stale.store(false, Ordering::Release);
        }
    }

    /// Which handler, or why there is none.
    #[inline]
    fn route(&self, request: &mut Request) -> Result<&BoxHandler, Unrouted> {
        self.refresh();
        let routes = self.0.routes.load();
        // After `routes`, whose patterns for hosts have said so before they were in there.
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
        let Some(entry) = self.0.entries.get(found?) else { return Err(Unrouted::NotFound) };
        route::set(request, Some(&entry.route));
        Ok(&entry.handler)
    }
}

impl Handler for ServeMux {
    #[inline]
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
        ServeMux::new()
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

    /// The copy takes long enough for one thread to look while the other one makes it.
    #[test]
    fn a_handler_that_was_added_is_found_by_all_threads_at_once() {
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
