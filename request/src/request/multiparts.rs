//! The methods of a request for forms with files (`multipart/form-data`).

use super::request::Request;
use crate::{
    Boundary, MultipartError, MultipartForm, MultipartLimits, MultipartReadError, Parts, head::has_content_coding,
};

impl Request {
    /// The parts of a `multipart/form-data` body as they arrive, for files of any size: nothing of them is stored. It takes
    /// the body out of the request. Go: `Request.MultipartReader`.
    ///
    /// ```
    /// use quintet_request::{Body, MultipartReadError, Request};
    ///
    /// async fn upload(mut request: Request) -> Result<Vec<String>, MultipartReadError> {
    ///     let mut parts = request.multipart_reader()?;
    ///     let mut seen = Vec::new();
    ///     while let Some(mut part) = parts.next_part().await? {
    ///         let (name, mut size) = (part.form_name().to_owned(), 0);
    ///         while let Some(piece) = part.chunk().await? {
    ///             size += piece.len();
    ///         }
    ///         seen.push(format!("{name}: {size} bytes"));
    ///     }
    ///     Ok(seen)
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///
    /// let body = "--b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\n\r\nPNG\r\n--b--\r\n";
    /// let posted = http::Request::post("/").header("content-type", "multipart/form-data; boundary=b");
    /// let request = Request::try_from(posted.body(Body::from(body))?)?;
    /// assert_eq!(upload(request).await?, ["photo: 3 bytes"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`MultipartError`], before a byte of the body is read: [`ContentType`](MultipartError::ContentType) for another
    /// type, [`ContentEncoding`](MultipartError::ContentEncoding) for a compressed body (415); no boundary, two of them, or
    /// a malformed one (400). [`MultipartReadError::Begun`] (400) if an earlier call took the body.
    #[doc(alias = "MultipartReader")]
    #[doc(alias = "upload")]
    pub fn multipart_reader(&mut self) -> Result<Parts, MultipartReadError> {
        let boundary = self.boundary()?;
        let state = &mut self.rare_mut().form;
        let limits = state.multipart;
        if std::mem::replace(&mut state.begun, true) {
            return Err(MultipartReadError::Begun);
        }
        Ok(Parts::new(self.take_body(), &boundary, &limits))
    }

    /// A `multipart/form-data` body as a whole: its values, and its files. Up to `max_memory` bytes of files stay in
    /// memory; [`MultipartForm::DEFAULT_MAX_MEMORY`] is Go's default. Files that do not fit are written to one temporary
    /// file without a name, off the worker. Go: `Request.ParseMultipartForm`.
    ///
    /// The temporary file is in the directory that the variable `TMPDIR` names, else in `/tmp`. That is in memory on some
    /// systems (`tmpfs`): set `TMPDIR` to a directory on disk there.
    ///
    /// Neither the query nor the other form methods have part in it: [`query_form`](Self::query_form) has the pairs of the
    /// query, and [`form`](Self::form) does not read such a body; Go's `FormValue` does.
    ///
    /// ```
    /// use quintet_request::{Body, MultipartForm, Request};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let body = "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nSunset\r\n\
    ///     --b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\n\r\nPNG\r\n--b--\r\n";
    /// let posted = http::Request::post("/").header("content-type", "multipart/form-data; boundary=b");
    /// let mut request = Request::try_from(posted.body(Body::from(body))?)?;
    ///
    /// let form = request.parse_multipart_form(MultipartForm::DEFAULT_MAX_MEMORY).await?;
    /// let photo = form.file("photo").ok_or("no photo")?;
    /// assert_eq!((form.value("title"), photo.file_name(), photo.size()), (Some("Sunset"), "a.png", 3));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`multipart_reader`](Self::multipart_reader); [`MultipartReadError`] if the body is malformed (400), too large
    /// (413), or cannot be stored (507 if the disk is full, else 500). All files are freed then.
    ///
    /// # Cancel safety
    /// Not cancel safe: the body is lost, and the next call returns [`MultipartReadError::Begun`].
    #[doc(alias = "ParseMultipartForm")]
    #[doc(alias = "upload")]
    pub async fn parse_multipart_form(&mut self, max_memory: u64) -> Result<MultipartForm, MultipartReadError> {
        let parts = self.multipart_reader()?;
        let limits = self.rare_mut().form.multipart;
        MultipartForm::read(parts, &limits, max_memory).await
    }

    /// Sets the limits for `multipart/form-data`. The default of the whole body is 128 MiB. It has no effect on parts that
    /// are being read.
    ///
    /// ```
    /// use quintet_request::{Body, MultipartLimits, Request};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let posted = http::Request::post("/").header("content-type", "multipart/form-data; boundary=b");
    /// let mut request = Request::try_from(posted.body(Body::from("--b\r\nContent-Disposition: …"))?)?;
    /// request.set_multipart_limits(MultipartLimits { total: 10, ..MultipartLimits::default() });
    /// assert_eq!(request.parse_multipart_form(0).await.unwrap_err().status(), 413);
    /// # Ok(()) }
    /// ```
    #[doc(alias = "body limit")]
    pub fn set_multipart_limits(&mut self, limits: MultipartLimits) {
        self.rare_mut().form.multipart = limits;
    }

    /// The boundary that the head of the request announces.
    fn boundary(&self) -> Result<Boundary, MultipartError> {
        let mut types = self.headers_named("content-type");
        let boundary = Boundary::parse(types.next().ok_or(MultipartError::ContentType)?)?;
        if types.next().is_some() {
            return Err(MultipartError::TwoBoundaries);
        }
        // Nothing is inflated silently: a small body could fill the memory.
        if has_content_coding(self.head()) {
            return Err(MultipartError::ContentEncoding);
        }
        Ok(boundary)
    }
}

#[cfg(test)]
#[path = "multiparts_tests.rs"]
mod tests;
