//! The bridge to `tower`: any service as a handler, any handler as a service.
//!
//! Both directions build an [`http::Request`] or read one, which costs more than a request otherwise does; it is the price
//! of the ecosystem, paid only by those who cross here.

use std::{
    convert::Infallible,
    error::Error,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::StatusCode;
use quintet_mux::{Handler, Response};
use quintet_request::{Body, Request};
use tower_service::Service;

/// A `tower::Service` (an axum `Router`, say) as a [`Handler`].
///
/// The service is cloned for each request, as `tower` wants it. Its error is answered with 500, and what it says is lost:
/// a service that can fail turns its errors into responses itself.
///
/// The request's [`Arc<Link>`](quintet_conn::Link), which knows the client's address and whether it is still there, is among
/// the extensions. What axum does by means of hyper does not work: `ConnectInfo`, and `WebSocketUpgrade`, for which
/// there is [`Response::upgrade`].
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
#[derive(Clone, Debug)]
pub struct TowerHandler<S>(pub S);

impl<S, B> Handler for TowerHandler<S>
where
    S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    async fn call(&self, request: Request) -> Response {
        let mut service = self.0.clone();
        let Ok(request) = request.into_http() else {
            return Response::text(StatusCode::BAD_REQUEST, "400 Bad Request");
        };
        let answered = async {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            service.call(request).await
        };
        match answered.await {
            Ok(response) => response.into(),
            Err(error) => {
                let _: Box<dyn Error + Send + Sync> = error.into();
                Response::text(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error")
            }
        }
    }
}

/// A [`Handler`] as a `tower::Service`.
#[derive(Debug)]
pub struct HandlerService<H>(Arc<H>);

impl<H: Handler> HandlerService<H> {
    /// A service that asks this handler.
    pub fn new(handler: H) -> Self {
        HandlerService(Arc::new(handler))
    }
}

impl<H> Clone for HandlerService<H> {
    fn clone(&self) -> Self {
        HandlerService(Arc::clone(&self.0))
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
        Box::pin(async move {
            let response = match Request::try_from(request.map(Body::new)) {
                Ok(request) => handler.call(request).await,
                Err(error) => {
                    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
                    Response::text(status, error)
                }
            };
            Ok(response.into())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    #[tokio::test]
    async fn a_handler_is_a_service_and_a_service_is_a_handler() {
        let handler = async |request: Request| (StatusCode::CREATED, format!("hello from {}", request.path()));
        let mut service = HandlerService::new(TowerHandler(HandlerService::new(handler)));
        let request = http::Request::get("http://a.example/x").body(Full::new(Bytes::new())).unwrap();
        let response = service.call(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(response.into_body().collect(100).await.unwrap(), "hello from /x");
    }

    #[tokio::test]
    async fn what_would_be_refused_on_the_wire_is_refused_here() {
        let mut service = HandlerService::new(async |_: Request| "never");
        let request = http::Request::get("/x").body(Full::new(Bytes::new())).unwrap();
        assert_eq!(service.call(request).await.unwrap().status(), StatusCode::BAD_REQUEST);
    }

    /// Go's way to mount, with the slash in the prefix or without, or what is mounted at one path alone.
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
            assert_eq!(reply.take_body().collect(100).await.unwrap(), seen, "{target}");
        }
    }
}
