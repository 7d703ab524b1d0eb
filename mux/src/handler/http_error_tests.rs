//! Tests of errors of handlers: which errors `?` takes, which status each has, and what the client is told.

use std::io;

use anyhow::Context;
use quintet_request::{BodyError, FormError, PathValueError};

use super::*;
use crate::OrStatus;

/// What a client sees of an error: status, text, and the fields besides those of any text.
fn seen(error: impl IntoResponse) -> (u16, String, Vec<(String, String)>) {
    let mut reply = error.into_response();
    assert_eq!(reply.header("content-type").unwrap(), "text/plain; charset=utf-8");
    assert_eq!(reply.header("x-content-type-options").unwrap(), "nosniff");
    let text = reply.take_body().as_bytes().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
    let mut fields: Vec<_> = reply
        .take_headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    fields.retain(|(name, _)| name != "x-content-type-options");
    (reply.status().as_u16(), text, fields)
}

fn failing<E: Into<Box<dyn Error + Send + Sync>>>(error: E) -> Result<(), HttpError> {
    Err(error)?;
    Ok(())
}

/// An error of an application, with a cause.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the secret file")]
struct Secret(#[source] io::Error);

#[test]
fn any_error_is_a_500_that_tells_the_client_nothing() {
    fn io() -> Result<(), HttpError> {
        std::fs::read("/no/such/secret")?;
        Ok(())
    }
    fn anyhow() -> Result<(), HttpError> {
        Err(io::Error::other("secret")).context("secret, too")?;
        Ok(())
    }
    fn boxed() -> Result<(), HttpError> {
        let failed: Result<(), Box<dyn Error + Send + Sync>> = Err("secret".into());
        Ok(failed?)
    }
    let errors = [
        io(),
        anyhow(),
        boxed(),
        failing(Secret(io::Error::other("secret"))),
        failing("secret"),
        failing(String::from("secret")),
        failing(anyhow::anyhow!("secret")),
        failing(fmt::Error),
    ];
    for error in errors.map(Result::unwrap_err) {
        assert!(error.source().is_some());
        assert_eq!(seen(error), (500, "500 Internal Server Error\n".into(), vec![]));
    }
}

#[test]
fn the_source_of_an_error_is_kept_for_the_log_with_its_causes() {
    let error = failing(Secret(io::Error::other("disk full"))).unwrap_err();
    let reply = error.into_response();
    let source = reply.error_source().unwrap();
    assert_eq!(source.to_string(), "cannot read the secret file");
    assert_eq!(source.source().unwrap().to_string(), "disk full");
    assert!(reply.is_unusual(), "the server looks at it");
    let of_anyhow = failing(anyhow::anyhow!("inner").context("outer")).unwrap_err();
    let source = of_anyhow.source().unwrap();
    assert_eq!((source.to_string(), source.source().unwrap().to_string()), ("outer".into(), "inner".into()));
}

#[test]
fn errors_of_the_workspace_keep_their_status_and_text() {
    let missing = || PathValueError::Missing { name: "id".into() };
    let large = || BodyError::TooLarge { limit: 5 };
    for (error, status, text) in [
        (failing(large()), 413, "the body is larger than 5 bytes\n"),
        (failing(FormError::Escape { at: 3 }), 400, "form has a malformed percent escape at byte 3\n"),
        (failing(missing()), 404, "path has no value id\n"),
        // Boxed, they are the same errors.
        (failing(Box::<dyn Error + Send + Sync>::from(large())), 413, "the body is larger than 5 bytes\n"),
    ] {
        let error = error.unwrap_err();
        assert!(error.source().is_none());
        assert_eq!(seen(error), (status, text.into(), vec![]));
    }
    let broken = failing(BodyError::source("secret")).unwrap_err();
    assert!(broken.source().is_some(), "a 500 is reported");
    assert_eq!(seen(broken), (500, "the body could not be made\n".into(), vec![]));
    // The same replies as without `?`.
    assert_eq!(seen(large()), seen(failing(large()).unwrap_err()));
    assert_eq!(seen(missing()), seen(failing(missing()).unwrap_err()));
}

/// The error of a request to another server may have one of ours as its cause. That says nothing about this request.
#[test]
fn a_cause_among_the_errors_of_the_workspace_gives_no_status() {
    #[derive(Debug, thiserror::Error)]
    #[error("upstream failed")]
    struct Upstream(#[source] BodyError);
    assert_eq!(failing(Upstream(BodyError::TimedOut)).unwrap_err().status(), 500);
}

#[test]
fn or_status_gives_errors_and_none_a_status_and_a_message() {
    let conflict = StatusCode::CONFLICT;
    assert_eq!(Some(1).or_status(conflict, "no").unwrap(), 1);
    assert_eq!(Ok::<_, io::Error>(1).or_status(conflict, "no").unwrap(), 1);
    let none = None::<()>.or_status(conflict, format!("no {}", 7)).unwrap_err();
    assert!(none.source().is_none());
    assert_eq!(seen(none), (409, "no 7\n".into(), vec![]));
    let error = Err::<(), _>(io::Error::other("secret")).or_status(conflict, "no").unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "secret");
    assert_eq!(format!("{error}"), "no");
    assert_eq!(seen(error), (409, "no\n".into(), vec![]));
    // The status that is asked for wins over that of the error.
    let ours = Err::<(), _>(BodyError::TooLarge { limit: 5 }).or_status(conflict, "no").unwrap_err();
    assert_eq!(ours.status(), conflict);
}

#[test]
fn an_http_error_has_the_fields_that_were_added() {
    let retry = HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "busy")
        .with_header(http::header::RETRY_AFTER, HeaderValue::from_static("5"));
    assert_eq!(seen(retry), (503, "busy\n".into(), vec![("retry-after".into(), "5".into())]));
}

#[test]
fn the_source_of_an_error_crosses_to_an_http_response_and_back() {
    let reply = failing("disk full").unwrap_err().into_response();
    let there: http::Response<quintet_request::Body> = reply.into();
    let back = Response::from(there);
    assert_eq!((back.status().as_u16(), back.error_source().unwrap().to_string()), (500, "disk full".into()));
    let plain: http::Response<quintet_request::Body> = "hello".into_response().into();
    assert!(Response::from(plain).error_source().is_none());
}

#[test]
fn a_415_names_what_is_accepted() {
    let coded = || quintet_request::FormReadError::ContentEncoding;
    let identity = vec![("accept-encoding".to_owned(), "identity".to_owned())];
    assert_eq!(seen(coded()), (415, "content coding is not identity\n".into(), identity.clone()));
    assert_eq!(seen(failing(coded()).unwrap_err()), seen(coded()));
    #[cfg(feature = "json")]
    {
        use quintet_request::{FormReadError, JsonError};
        let accept = |value: &str| vec![("accept".to_owned(), value.to_owned())];
        assert_eq!(seen(JsonError::ContentEncoding).2, identity);
        for error in [JsonError::ContentType, JsonError::Charset] {
            let (status, text, fields) = seen(error);
            assert_eq!((status, fields), (415, accept("application/json")), "{text}");
        }
        assert_eq!(seen(FormReadError::NotForm).2, accept("application/x-www-form-urlencoded"));
        assert_eq!(seen(failing(JsonError::ContentType).unwrap_err()), seen(JsonError::ContentType));
        assert_eq!(seen(JsonError::Empty), (400, "body is empty, not json\n".into(), vec![]));
    }
}

#[cfg(feature = "json")]
#[test]
fn a_value_that_is_no_json_is_a_500_with_its_error() {
    let map = std::collections::BTreeMap::from([((1, 2), 3)]);
    let reply = crate::Json(map).into_response();
    assert_eq!(reply.error_source().unwrap().to_string(), "key must be a string");
    assert_eq!(seen(reply), (500, "500 Internal Server Error\n".into(), vec![]));
}
