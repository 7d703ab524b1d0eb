//! The pictures of the notes: uploads, and what is sent of them.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use quintet_server::{
    Bytes, Request, StatusCode,
    mux::{HttpError, Json, OrStatus},
    request::{MultipartLimits, sniff},
};
use serde::Serialize;

use super::{App, notes::Note};

/// The most bytes of a picture. The page makes large ones smaller.
const MAX_PICTURE_BYTES: u64 = 2 << 20;
/// What browsers show and never run; an SVG may have a script.
const KINDS: [&str; 4] = ["image/gif", "image/jpeg", "image/png", "image/webp"];

/// A picture in memory. A clone shares the bytes. The pages get its address.
#[derive(Clone, Serialize)]
pub(crate) struct Picture {
    address: String,
    #[serde(skip)]
    kind: &'static str,
    #[serde(skip)]
    bytes: Bytes,
}

/// Takes the picture of a note: the one file of a form.
pub(crate) async fn upload(app: Arc<App>, mut request: Request) -> Result<Json<Note>, HttpError> {
    let id = request.path_value_as("id")?;
    request.set_multipart_limits(MultipartLimits { parts: 1, ..MultipartLimits::default() });
    let mut parts = request.multipart_reader()?;
    let file = parts.next_part().await?.or_status(StatusCode::UNPROCESSABLE_ENTITY, "picture: expected a file")?;
    let bytes = file.collect(MAX_PICTURE_BYTES).await?;
    parts.next_part().await?; // the end, or the form is broken
    // The client's word for the type counts for nothing, and neither does the name of the file.
    let kind = KINDS.into_iter().find(|kind| *kind == sniff(&bytes));
    let kind = kind.or_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, "picture: expected GIF, JPEG, PNG or WebP")?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let address = format!("/api/notes/{id}/picture?{:x}", hasher.finish());
    app.change(id, |note| note.picture = Some(Picture { address, kind, bytes }))
}

pub(crate) async fn show(
    app: Arc<App>,
    request: Request,
) -> Result<([(&'static str, &'static str); 2], Bytes), HttpError> {
    let picture = app.notes().find(request.path_value_as("id")?)?.picture.clone();
    let Picture { kind, bytes, .. } = picture.or_status(StatusCode::NOT_FOUND, "this note has no picture")?;
    // Another picture has another address: a browser that has this one never asks again.
    Ok(([("content-type", kind), ("cache-control", "private, max-age=31536000, immutable")], bytes))
}
