//! The bridge to `tower`: a service as a handler, a handler as a service, and layers around a handler.
//!
//! Both directions convert to or from an [`http::Request`], which allocates for each request. Only handlers behind the
//! bridge pay that cost.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::StatusCode;
use quintet_conn::ActiveRequest;
use quintet_mux::{Handler, Response, Upgrade};
use quintet_request::{Body, Request};
use tower_layer::Layer;
use tower_service::Service;

use crate::select::{Either, select};

/// A `tower::Service` (an axum `Router`, say) as a [`Handler`].
///
/// The service is cloned for each request, as `tower` requires. An error of the service becomes a 500 without its text:
/// turn errors into responses inside the service to keep it.
///
/// The extensions of the [`http::Request`] hold:
/// * the extensions that were [set](Request::set_extension) by outer handlers;
/// * the [`Matched`](quintet_request::route::Matched) pattern, with the values of its wildcards;
/// * the [`Arc<Connection>`](quintet_conn::Connection), with the address of the client;
/// * the [`ActiveRequest`](quintet_conn::ActiveRequest), which knows whether the client is connected, and moves the
///   deadlines of this request.
///
/// The future of the service is dropped when its client has gone: it closed the connection, also half of it (FIN), or reset
/// the request. So services are cancelled under hyper too, and those of gRPC rely on it. Other handlers go on;
/// [`run_to_end`](Self::run_to_end) lets a service go on as well.
///
/// Two things of axum need hyper and do not work: `ConnectInfo` (use the connection) and `WebSocketUpgrade` (use the feature
/// `websocket`, or [`Response::upgrade`], in a handler).
///
/// # Example
/// ```no_run
/// # async fn run(router: impl tower_service::Service<
/// #     http::Request<quintet_server::Body>, Response = http::Response<quintet_server::Body>,
/// #     Error = std::convert::Infallible, Future: Send> + Clone + Send + Sync + 'static,
/// # ) -> Result<(), quintet_server::ServeError> {
/// use quintet_server::{Server, TowerHandler};
///
/// Server::new(TowerHandler(router)).listen_and_serve(":9090").await
/// # }
/// ```
#[doc(alias = "middleware")]
#[doc(alias = "axum")]
#[doc(alias = "layer")]
#[derive(Clone, Debug)]
pub struct TowerHandler<S>(pub S);

impl<S> TowerHandler<S> {
    /// The handler whose service goes on when its client has gone, as other handlers do: for one that must not stop in the
    /// middle. It learns of the client by the [`ActiveRequest`](quintet_conn::ActiveRequest) in the extensions.
    ///
    /// # Example
    /// ```
    /// # fn handler<S>(payments: S) -> impl Sized {
    /// use quintet_server::TowerHandler;
    ///
    /// TowerHandler(payments).run_to_end()
    /// # }
    /// ```
    pub fn run_to_end(self) -> RunToEnd<S> {
        RunToEnd(self.0)
    }
}

/// A `tower::Service` as a [`Handler`] that goes on when its client has gone; see [`TowerHandler::run_to_end`].
#[derive(Clone, Debug)]
pub struct RunToEnd<S>(S);

impl<S, B> Handler for TowerHandler<S>
where
    S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    async fn call(&self, request: Request) -> Response {
        let Some(active) = request.active().cloned() else { return answer(self.0.clone(), request).await };
        // The service is polled first. Only one that has to wait watches the client.
        match select(answer(self.0.clone(), request), active.disconnected()).await {
            Either::First(response) => response,
            Either::Second(()) => Response::abort(),
        }
    }
}

impl<S, B> Handler for RunToEnd<S>
where
    S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    async fn call(&self, request: Request) -> Response {
        answer(self.0.clone(), request).await
    }
}

/// Calls a service when it is ready. An error of it becomes a 500.
async fn answer<S, B>(mut service: S, request: Request) -> Response
where
    S: Service<http::Request<Body>, Response = http::Response<B>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let Ok(request) = request.into_http() else {
        return Response::text(StatusCode::BAD_REQUEST, "400 Bad Request");
    };
    let answered = async {
        poll_fn(|cx| service.poll_ready(cx)).await?;
        service.call(request).await
    };
    match answered.await {
        Ok(mut response) => match response.extensions_mut().remove::<CarriedUpgrade>() {
            Some(upgrade) => upgrade.back_in(response.into()),
            None => response.into(),
        },
        Err(error) => {
            let _: Box<dyn Error + Send + Sync> = error.into();
            Response::text(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error")
        }
    }
}

/// Layers of `tower` around a handler.
pub trait WithTower: Handler + Sized {
    /// Wraps the handler into a layer, such as those of `tower-http`: `TraceLayer`, `CorsLayer`, `TimeoutLayer`. As with
    /// [`with`](Handler::with), the last one is the outermost.
    ///
    /// The handler goes on when its client has gone, as without a layer; a layer that times out drops it. An
    /// [upgrade](Response::upgrade) and an [abort](Response::abort) pass through layers that keep the extensions of a
    /// response, as those of `tower-http` do.
    ///
    /// # Example
    /// ```
    /// use quintet_server::{Request, ServeMux, WithTower};
    /// use tower_http::{timeout::TimeoutLayer, trace::TraceLayer};
    /// # use http::StatusCode;
    /// use std::time::Duration;
    ///
    /// let mux = ServeMux::new();
    /// mux.handle("GET /{$}", async |_: Request| "hello\n");
    /// let limit = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(10));
    /// let handler = mux.with_tower(limit).with_tower(TraceLayer::new_for_http());
    /// # fn check(_: impl quintet_server::Handler) {}
    /// # check(handler);
    /// ```
    #[doc(alias = "layer")]
    #[doc(alias = "tower-http")]
    #[doc(alias = "middleware")]
    fn with_tower<L>(self, layer: L) -> RunToEnd<L::Service>
    where
        L: Layer<HandlerService<Self>>,
    {
        RunToEnd(layer.layer(HandlerService::new(self)))
    }
}

impl<H: Handler> WithTower for H {}

/// The upgrade of a response while that is an `http::Response` between layers: an extension, which must be `Clone`.
#[derive(Clone)]
struct CarriedUpgrade(Arc<Mutex<Option<Upgrade>>>);

impl CarriedUpgrade {
    /// The response with the upgrade again.
    fn back_in(self, mut response: Response) -> Response {
        let Some(upgrade) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() else { return response };
        let mut upgraded = Response::upgrade(response.status(), |connection| upgrade.run(connection));
        *upgraded.headers_mut() = response.take_headers();
        upgraded
    }
}

/// A [`Handler`] as a `tower::Service`.
///
/// The handler finds the extensions of outer layers with [`Request::extension`]. A request that came through a
/// [`TowerHandler`] also has its pattern, its wildcard values, its connection and its target again. A request without a
/// host, as tests make them, gets the host `localhost`.
pub struct HandlerService<H>(Arc<H>);

impl<H: Handler> HandlerService<H> {
    /// A service that calls this handler.
    #[must_use]
    pub fn new(handler: H) -> Self {
        Self(Arc::new(handler))
    }
}

impl<H> Clone for HandlerService<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

// Not derived: that would require a handler that is `Debug`, which a function is not.
impl<H> fmt::Debug for HandlerService<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerService").finish_non_exhaustive()
    }
}

impl<H, B> Service<http::Request<B>> for HandlerService<H>
where
    H: Handler,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let handler = Arc::clone(&self.0);
        // A request of our own server comes back to a `TowerHandler`, which can upgrade. Another server cannot.
        let can_upgrade = request.extensions().get::<ActiveRequest>().is_some();
        Box::pin(async move {
            let mut response = match Request::try_from(request.map(Body::new)) {
                Ok(request) => {
                    let active = request.active().cloned();
                    let mut response = handler.call(request).await;
                    // Now: a layer that wraps the body does not pass it on.
                    if let Some(active) = active {
                        response.body_mut().set_active(&active);
                    }
                    response
                }
                Err(error) => Response::text(error.status(), error),
            };
            let upgrade = if can_upgrade { response.take_upgrade() } else { None };
            let mut response: http::Response<Body> = response.into();
            if let Some(upgrade) = upgrade {
                response.extensions_mut().insert(CarriedUpgrade(Arc::new(Mutex::new(Some(upgrade)))));
            }
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    #[test]
    fn a_service_of_a_function_is_debug() {
        async fn hello(_: Request) -> &'static str {
            "hello\n"
        }
        assert_eq!(format!("{:?}", HandlerService::new(hello)), "HandlerService { .. }");
    }

    #[tokio::test]
    async fn a_handler_is_a_service_and_a_service_is_a_handler() {
        let handler = async |request: Request| (StatusCode::CREATED, format!("hello from {}", request.path()));
        let mut service = HandlerService::new(TowerHandler(HandlerService::new(handler)));
        let request = http::Request::get("http://a.example/x").body(Full::new(Bytes::new())).unwrap();
        let response = service.call(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(response.into_body().to_bytes(100).await.unwrap(), "hello from /x");
    }

    #[tokio::test]
    async fn a_malformed_http_request_is_answered_400() {
        let mut service = HandlerService::new(async |_: Request| "never");
        for (target, host) in [("/%zz", "a"), ("/x", "a b"), ("http://a/", "b")] {
            let request = http::Request::get(target).header("host", host).body(Full::new(Bytes::new())).unwrap();
            assert_eq!(service.call(request).await.unwrap().status(), StatusCode::BAD_REQUEST, "{target} {host}");
        }
    }

    /// What a test of an axum application sends: `oneshot(get("/x"))`.
    #[tokio::test]
    async fn an_http_request_without_a_host_is_for_localhost() {
        let mut service = HandlerService::new(async |request: Request| format!("{:?}", request.host()));
        let request = http::Request::get("/x").body(Full::new(Bytes::new())).unwrap();
        let response = service.call(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.into_body().to_bytes(100).await.unwrap(), "Some(\"localhost\")");
    }

    #[derive(Clone)]
    struct User(&'static str);

    /// A handler inside an axum router inside a mux: it finds the extensions of both.
    #[tokio::test]
    async fn extensions_reach_an_inner_handler_through_axum() {
        let inner = async |request: Request| {
            let user = request.extension::<User>().map_or("nobody", |user| user.0);
            let number = request.extension::<u32>().copied();
            let (pattern, id) = (request.pattern().to_owned(), request.path_value("id").map(|id| id.into_owned()));
            let target = request.target().raw();
            format!("{pattern} {id:?} {user} {number:?} {} {:?} {target}", request.path(), request.query())
        };
        let router = axum::Router::new()
            .nest_service("/nest", HandlerService::new(inner))
            .route_service("/plain/{x}", HandlerService::new(inner))
            .layer(axum::Extension(7_u32));
        let mux = quintet_mux::ServeMux::new();
        let service = TowerHandler(router);
        let attach = move |mut request: Request| {
            let service = service.clone();
            async move {
                request.set_extension(User("ann"));
                service.call(request).await
            }
        };
        mux.handle("/{id}/", quintet_mux::strip_prefix("/7", attach));
        for (target, seen) in [
            ("/7/plain/a?q=100%", "/{id}/ Some(\"7\") ann Some(7) /plain/a Some(\"q=100%\") /7/plain/a?q=100%"),
            ("/7/nest/a%2Fb?q", "/{id}/ Some(\"7\") ann Some(7) /a%2Fb Some(\"q\") /7/nest/a%2Fb?q"),
        ] {
            let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            let mut reply = mux.call(Request::parse(request.as_bytes()).unwrap()).await;
            assert_eq!(reply.take_body().to_bytes(1000).await.unwrap(), seen, "{target}");
        }
    }

    /// An axum router inside a mux: its extractors find the extensions of our handlers.
    #[tokio::test]
    async fn extensions_of_outer_handlers_reach_axum() {
        use quintet_request::route::Matched;
        let router = axum::Router::new().fallback(async |request: axum::extract::Request| {
            let user = request.extensions().get::<User>().map_or("nobody", |user| user.0);
            let matched = request.extensions().get::<Matched>().cloned().unwrap_or_default();
            format!("{} {:?} {user}", matched.pattern(), matched.path_value("rest"))
        });
        let mux = quintet_mux::ServeMux::new();
        let service = TowerHandler(router);
        mux.handle("/files/{rest...}", move |mut request: Request| {
            let service = service.clone();
            async move {
                request.set_extension(User("ann"));
                service.call(request).await
            }
        });
        let request = Request::parse(b"GET /files/a/%C3%A9 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut reply = mux.call(request).await;
        assert_eq!(reply.take_body().to_bytes(100).await.unwrap(), "/files/{rest...} Some(\"a/\u{e9}\") ann");
    }

    /// A service mounted as in Go, with the slash in the prefix or without, or at a single path.
    #[tokio::test]
    async fn a_mounted_service_sees_a_path_and_no_authority() {
        let router = axum::Router::new().fallback(async |request: axum::extract::Request| {
            format!("{} {:?}", request.uri(), request.uri().authority())
        });
        let mux = quintet_mux::ServeMux::new();
        for (pattern, prefix) in [("/mount/", "/mount/"), ("/mountb/", "/mountb"), ("/mountc", "/mountc")] {
            mux.handle(pattern, quintet_mux::strip_prefix(prefix, TowerHandler(router.clone())));
        }
        for (target, seen) in [
            ("/mount/app.js", "/app.js None"),
            ("/mount/a/b", "/a/b None"),
            ("/mount/localhost:6379", "/localhost:6379 None"),
            ("/mount/", "/ None"),
            ("/mount/?q", "/?q None"),
            ("/mount/%2Fevil.example", "/%2Fevil.example None"),
            ("/mountb/app.js", "/app.js None"),
            ("/mountb/", "/ None"),
            ("/mountc", "/ None"),
            ("http://a/mount/app.js?q", "http://a/app.js?q Some(a)"),
        ] {
            let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            let mut reply = mux.call(Request::parse(request.as_bytes()).unwrap()).await;
            assert_eq!(reply.status(), StatusCode::OK, "{target}");
            assert_eq!(reply.take_body().to_bytes(100).await.unwrap(), seen, "{target}");
        }
    }
}
