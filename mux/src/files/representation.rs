//! The reply that sends a file, or a part of it, or says that the client's copy is fresh.

use std::{
    io::Write as _,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use quintet_request::{
    Body, BodyError, ByteRange, ETag, HttpDate, Precondition, Ranges, Request, Validators, check_preconditions, sniff,
};

use super::{byteranges_body::ByterangesBody, content::Content, etag, media_type::media_type};
use crate::Response;

/// The bytes from which a content type is guessed.
const SNIFFED_BYTES: u64 = 512;

/// One form of a file, and the fields that describe it.
#[derive(Debug)]
pub(super) struct Representation<'a> {
    /// The name by whose ending the content type is found.
    pub(super) name: &'a [u8],
    /// The content type if the ending says nothing; `None`: it is guessed.
    pub(super) default_type: Option<&'a HeaderValue>,
    pub(super) content: Content,
    pub(super) modified: Option<SystemTime>,
    pub(super) etag: Option<HeaderValue>,
    pub(super) cache_control: Option<HeaderValue>,
    /// The coding of the bytes, if they are coded. Their type is then never guessed.
    pub(super) coding: Option<&'static str>,
    /// Whether the choice of the coding is the client's.
    pub(super) varies: bool,
}

impl Representation<'_> {
    /// Answers a request for it. Go: `serveContent`.
    ///
    /// # Errors
    /// The error of reading the first bytes.
    ///
    /// # Cancel safety
    /// Cancel safe: it changes nothing.
    pub(super) async fn reply(mut self, request: &Request) -> Result<Response, BodyError> {
        let now = SystemTime::now();
        let etag = self.etag.take().map(|etag| etag::at(now, etag, self.modified));
        let known = etag.as_ref().and_then(|etag| ETag::parse(etag.as_bytes()));
        let last_modified = self.modified.and_then(|modified| last_modified(modified, now));
        let verdict = check_preconditions(request.head(), Some(Validators { etag: known, last_modified }));
        // A tag that is none is not sent.
        let etag = if known.is_some() { etag } else { None };
        let range = match verdict {
            Precondition::NotModified => return Ok(self.not_modified(etag, last_modified)),
            Precondition::Failed => return Ok(self.failed(etag, last_modified)),
            Precondition::Proceed { range } => range,
        };
        let size = self.content.len();
        let ranges = match range.map(|range| Ranges::parse(range, size)).transpose() {
            Ok(ranges) => ranges.flatten(),
            Err(error) => {
                let reply = Response::text(error.status(), error);
                return Ok(reply.with_header(header::CONTENT_RANGE, error.content_range()));
            }
        };
        let mut headers = self.fields(etag, last_modified);
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let status = if ranges.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        let mut response = Response::new(()).with_status(status);
        if request.method() == "HEAD" {
            // It has no ranges, and the bytes are not read for it.
            self.insert_type(&mut headers, None).await?;
            headers.insert(header::CONTENT_LENGTH, size.into());
        } else {
            *response.body_mut() = self.body(&mut headers, ranges.as_ref()).await?;
        }
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// The body of these ranges or of the whole, whose fields are added.
    async fn body(&self, headers: &mut HeaderMap, ranges: Option<&Ranges>) -> Result<Body, BodyError> {
        let size = self.content.len();
        let Some(ranges) = ranges else {
            let whole = self.content.body(ByteRange { start: 0, length: size });
            self.insert_type(headers, Some(&whole)).await?;
            return Ok(whole);
        };
        self.insert_type(headers, None).await?;
        if let [range] = *ranges.as_slice() {
            headers.insert(header::CONTENT_RANGE, range.content_range(size));
            return Ok(self.content.body(range));
        }
        let content_type = headers.remove(header::CONTENT_TYPE);
        let (body, multipart) = ByterangesBody::new(self.content.clone(), ranges, content_type.as_ref());
        headers.insert(header::CONTENT_TYPE, multipart);
        Ok(Body::new(body))
    }

    /// The fields of every reply that has the file or says that the client's copy is fresh.
    fn fields(&self, etag: Option<HeaderValue>, last_modified: Option<HttpDate>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        let mut set = |name: HeaderName, value: Option<HeaderValue>| {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        };
        set(header::LAST_MODIFIED, last_modified.and_then(date));
        set(header::ETAG, etag);
        set(header::CACHE_CONTROL, self.cache_control.clone());
        set(header::CONTENT_ENCODING, self.coding.map(HeaderValue::from_static));
        set(header::VARY, self.varies.then(|| HeaderValue::from_static("Accept-Encoding")));
        headers
    }

    /// The client's copy is fresh. The date is sent only if there is no better validator. Go: `writeNotModified`.
    fn not_modified(&self, etag: Option<HeaderValue>, last_modified: Option<HttpDate>) -> Response {
        let mut response = Response::new(()).with_status(StatusCode::NOT_MODIFIED);
        let last_modified = last_modified.filter(|_| etag.is_none());
        let mut headers = self.fields(etag, last_modified);
        headers.remove(header::CONTENT_ENCODING);
        *response.headers_mut() = headers;
        response
    }

    /// A condition of the request is not met. The reply has what the client can compare with.
    fn failed(&self, etag: Option<HeaderValue>, last_modified: Option<HttpDate>) -> Response {
        let mut response = Response::new(()).with_status(StatusCode::PRECONDITION_FAILED);
        let mut headers = self.fields(etag, last_modified);
        for not_of_this_reply in [header::CONTENT_ENCODING, header::CACHE_CONTROL] {
            headers.remove(not_of_this_reply);
        }
        *response.headers_mut() = headers;
        response
    }

    /// Adds the content type: by the ending of the name, else the default one, else guessed from the first 512 bytes. Those are
    /// taken from the body, if it is the whole content and in memory.
    async fn insert_type(&self, headers: &mut HeaderMap, body: Option<&Body>) -> Result<(), BodyError> {
        let content_type = match media_type(self.name).or_else(|| self.default_type.cloned()) {
            Some(known) => known,
            // The first bytes would tell the coding.
            None if self.coding.is_some() => return Ok(()),
            None => match body.and_then(Body::as_bytes) {
                Some(bytes) => HeaderValue::from_static(sniff(bytes)),
                None => {
                    let start = ByteRange { start: 0, length: self.content.len().min(SNIFFED_BYTES) };
                    let first = self.content.body(start).to_bytes(SNIFFED_BYTES).await?;
                    HeaderValue::from_static(sniff(&first))
                }
            },
        };
        headers.insert(header::CONTENT_TYPE, content_type);
        Ok(())
    }
}

/// A date as the value of a field.
fn date(date: HttpDate) -> Option<HeaderValue> {
    let mut text = [0; "Sun, 06 Nov 1994 08:49:37 GMT".len()];
    write!(&mut text[..], "{date}").ok()?;
    HeaderValue::from_bytes(&text).ok()
}

/// The value of `Last-Modified`. It is not later than now (RFC 9110 §8.8.2.1). A file of the second 0 has a date that was
/// never set, for example in an archive whose dates were removed; Go: `isZeroTime`.
fn last_modified(modified: SystemTime, now: SystemTime) -> Option<HttpDate> {
    let is_set = modified.duration_since(SystemTime::UNIX_EPOCH).map_or(true, |age| age >= Duration::from_secs(1));
    HttpDate::of(modified.min(now)).filter(|_| is_set)
}
