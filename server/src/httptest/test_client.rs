//! A client for tests of an application.

use std::time::Duration;

use bytes::Bytes;
use quintet_mux::httptest::Recorded;

use super::{client_state::ClientState, cookie_jar::CookieJar, sent_request::field, test_request::TestRequest};

/// A client for tests of an application, over HTTP/1.1 or HTTP/2: made by [`TestServer::client`](super::TestServer::client)
/// and [`TestServer::http2_client`](super::TestServer::http2_client). Go: `Server.Client`.
///
/// It reads replies strictly: [`ReplyHead`](super::ReplyHead) has the table. It keeps its connection alive, makes a new one
/// when the server has closed it, and sends one request at a time. It does not follow redirects, and takes no coded body
/// unless the test asks for one. A target is sent as it is given.
///
/// # Panics
/// If there is no whole and well-formed reply; [`TestRequest::try_send`] returns the error.
#[derive(Debug)]
pub struct TestClient(ClientState);

impl TestClient {
    pub(super) fn new(state: ClientState) -> Self {
        Self(state)
    }

    /// Keeps the cookies that replies set, and sends them, as a browser does.
    ///
    /// # Panics
    /// A later request, if a reply sets a cookie that a browser would drop.
    #[must_use]
    pub fn with_cookies(mut self) -> Self {
        self.0.cookies = Some(CookieJar::default());
        self
    }

    /// Sets a field of each request from now on; a request may have another value.
    ///
    /// # Panics
    /// If it cannot be sent.
    #[track_caller]
    pub fn set_header(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let (name, value) = field(name, value);
        self.0.headers.insert(name, value);
    }

    /// Sets the time in which a reply must come: its head, and then each piece of its body. Default: 60 s of the runtime's
    /// clock.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.0.timeout = timeout;
    }

    /// A request, to be filled and sent.
    ///
    /// # Panics
    /// If method or target have a blank or a control, or are empty.
    #[track_caller]
    pub fn request(&mut self, method: &str, target: &str) -> TestRequest<'_> {
        TestRequest::new(&mut self.0, method, target)
    }

    /// Sends GET.
    ///
    /// # Cancel safety
    /// Not cancel safe: the connection is closed.
    pub async fn get(&mut self, target: &str) -> Recorded {
        self.request("GET", target).send().await
    }

    /// Sends HEAD.
    ///
    /// # Cancel safety
    /// Not cancel safe: the connection is closed.
    pub async fn head(&mut self, target: &str) -> Recorded {
        self.request("HEAD", target).send().await
    }

    /// Sends POST with this body and its length, and without a content type.
    ///
    /// # Cancel safety
    /// Not cancel safe: the connection is closed.
    pub async fn post(&mut self, target: &str, body: impl Into<Bytes>) -> Recorded {
        self.request("POST", target).body(body).send().await
    }

    /// Sends PUT with this body and its length, and without a content type.
    ///
    /// # Cancel safety
    /// Not cancel safe: the connection is closed.
    pub async fn put(&mut self, target: &str, body: impl Into<Bytes>) -> Recorded {
        self.request("PUT", target).body(body).send().await
    }

    /// Sends PATCH with this body and its length, and without a content type.
    ///
    /// # Cancel safety
    /// Not cancel safe: the connection is closed.
    pub async fn patch(&mut self, target: &str, body: impl Into<Bytes>) -> Recorded {
        self.request("PATCH", target).body(body).send().await
    }

    /// Sends DELETE.
    ///
    /// # Cancel safety
    /// Not cancel safe: the connection is closed.
    pub async fn delete(&mut self, target: &str) -> Recorded {
        self.request("DELETE", target).send().await
    }
}
