//! The interface for routers, which write the route into a request. Handlers read it with [`Request::pattern`] and
//! [`Request::path_value`], and need nothing here.

use std::sync::Arc;

use super::{inner::Inner, request::Request};
use crate::HeadRef;

pub use super::{matched::Matched, matched_pattern::MatchedPattern};

/// Calls `find` with the head of a request, its path, and a vector for the places of the wildcards' values in that
/// path: offset and length in bytes, in the order of [`MatchedPattern::names`].
///
/// ```
/// use std::sync::Arc;
/// use quintet_request::{Request, route};
///
/// let mut request = Request::parse(b"GET /users/7 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
/// let pattern = Arc::new(route::MatchedPattern { pattern: "/users/{id}".into(), names: ["id".into()].into() });
/// route::find(&mut request, |_, path, spans| {
///     assert_eq!(path, "/users/7");
///     spans.push((7, 1));
/// });
/// route::set(&mut request, Some(&pattern));
/// assert_eq!((request.pattern(), request.path_value("id").as_deref()), ("/users/{id}", Some("7")));
/// ```
// Always: a program that serves two kinds of streams has two connection loops, and a call for each costs more.
#[inline(always)]
pub fn find<R>(request: &mut Request, find: impl FnOnce(HeadRef<'_>, &str, &mut Vec<(u32, u32)>) -> R) -> R {
    let Inner { head, values, rare, .. } = request.inner_mut();
    let head = head.as_ref();
    let path = rare.as_ref().and_then(|rare| rare.path.as_deref()).unwrap_or_else(|| head.path());
    find(head, path, &mut values.spans)
}

/// Stores the route that was found; `None` if there is none. Values that an outer router set under the names of this
/// route's wildcards are removed.
#[inline]
pub fn set(request: &mut Request, route: Option<&Arc<MatchedPattern>>) {
    // The memory of a request keeps its last route. The next request with the same route so need not change a reference
    // count that other threads share.
    let inner = request.inner_mut();
    if inner.values.set_route(route) {
        tell(inner, route);
    }
}

/// Watches the route of a request: from now on [`set`] also leaves it for the observers of the request, as a
/// [`MatchedPattern`] among the values of its [`ActiveRequest`]. Without a connection it does nothing.
///
/// [`ActiveRequest`]: quintet_conn::ActiveRequest
#[inline]
pub fn watch(request: &mut Request) {
    let inner = request.inner_mut();
    if let Some(active) = &inner.active {
        active.keep_values();
        inner.values.watch();
    }
}

/// Leaves the route for the observers. None at all is an empty pattern, and only told if another router found one before.
// Not inlined: most servers have no observer, and a request pays for what stands in its path.
#[inline(never)]
fn tell(inner: &Inner, route: Option<&Arc<MatchedPattern>>) {
    let Some(active) = &inner.active else { return };
    match route {
        Some(route) => active.set_value(Arc::clone(route) as _),
        None if active.value::<MatchedPattern>().is_none() => {}
        None => active.set_value(Arc::new(MatchedPattern { pattern: "".into(), names: [].into() })),
    }
}
