//! A page that takes files, and saves them into a folder.
//!
//! You learn: how a form with files is read as it arrives, so that a file of any size passes through constant memory; and
//!           what a program owes to a folder that strangers write to: names of its own making, limits, nothing half done.
//!
//! Run:      `cargo run --release --example 17_upload -- FOLDER`
//! Then:     open <http://localhost:9090>, or in another terminal:
//!           `curl -F 'file=@Cargo.toml' localhost:9090`
//!           `curl -F 'file=@Cargo.toml;filename=../../.bashrc' localhost:9090` (it is saved in the folder, as `bashrc`)
//!           `head -c 200M /dev/zero | curl -F 'file=@-;filename=zeros' localhost:9090` (413: more than 100 MiB)
//! You see:  the names under which the files were saved, in the browser; a line for each of them in this terminal.
//! End:      Ctrl-C. Uploads in progress are given 10 seconds.

use std::{
    fmt::Write,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use quintet_examples::{arguments, outln};
use quintet_server::{
    Handler, Html, IntoResponse, Listener, Request, Response, ServeMux, Server, escape_html, listen,
    mux::{CrossOrigin, CrossOriginProtection, with_state},
    request::{MultipartLimits, MultipartReadError, Part},
};
use tokio::fs::{self, File, OpenOptions};

/// The most bytes of one file, and of one upload.
const MAX_FILE_BYTES: u64 = 100 << 20;
const MAX_UPLOAD_BYTES: u64 = 500 << 20;
/// The most files of one upload.
const MAX_FILES: usize = 50;
/// The most bytes of a file's name.
pub(crate) const MAX_NAME_BYTES: usize = 100;
/// The most files of the folder that have one name, but for the number before it.
const MAX_SAME_NAME: usize = 1_000;

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// The folder into which the files are saved; it is made if it is not there
    #[arg(default_value = "uploads")]
    folder: PathBuf,
    /// Where to listen; `127.0.0.1:9090` serves this machine alone
    #[arg(long, default_value = ":9090")]
    addr: String,
}

/// Saves the files of a form, one after the other as they arrive. If one fails, those before it stay.
async fn upload(folder: Arc<Path>, mut request: Request) -> Result<Response, MultipartReadError> {
    let limits = MultipartLimits { parts: MAX_FILES, total: MAX_UPLOAD_BYTES, ..MultipartLimits::default() };
    request.set_multipart_limits(limits);
    let mut parts = request.multipart_reader()?;
    let mut saved = Vec::new();
    while let Some(part) = parts.next_part().await? {
        // A part without a file name is a value; an empty name is a field in which no file was chosen.
        if part.file_name().is_some_and(|name| !name.is_empty()) {
            let (name, size) = save(&folder, part).await?;
            outln!("saved {name}, {size} bytes");
            saved.push(name);
        }
    }
    Ok(Html(page(&saved)).into_response())
}

/// Saves a file under a name that is free; returns the name and the size.
async fn save(folder: &Path, part: Part<'_>) -> Result<(String, u64), MultipartReadError> {
    let (mut file, name) = create(folder, &safe_name(part.file_name().unwrap_or_default())).await?;
    match part.copy_to(&mut file, MAX_FILE_BYTES).await {
        Ok(size) => Ok((name, size)),
        Err(error) => {
            drop(file);
            let _ = fs::remove_file(folder.join(name)).await;
            Err(error)
        }
    }
}

/// Makes a new file, with a number before its name if there is such a file. It never opens one that is there.
async fn create(folder: &Path, name: &str) -> Result<(File, String), MultipartReadError> {
    for n in 0..MAX_SAME_NAME {
        let name = if n == 0 { name.to_owned() } else { format!("{n}-{name}") };
        match OpenOptions::new().write(true).create_new(true).open(folder.join(&name)).await {
            Ok(file) => return Ok((file, name)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(MultipartReadError::Storage(error)),
        }
    }
    Err(MultipartReadError::Storage(io::ErrorKind::AlreadyExists.into()))
}

/// A name that is safe in any folder: letters, digits, `-`, `_` and dots that are not in front, and not too long.
pub(crate) fn safe_name(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let plain = plain.trim_start_matches('.');
    // The end is kept, because it has the extension.
    let from = (plain.len().saturating_sub(MAX_NAME_BYTES)..).find(|&at| plain.is_char_boundary(at)).unwrap_or(0);
    match plain[from..].trim_start_matches('.') {
        "" => "file".to_owned(),
        name => name.to_owned(),
    }
}

/// The page, with the names of the files that were saved.
fn page(saved: &[String]) -> String {
    let mut list = String::new();
    for name in saved {
        let _ = writeln!(list, "<li>saved {}</li>", escape_html(name));
    }
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\n\
         <title>Upload</title>\n\
         <style>:root{{color-scheme:light dark}}body{{font:1.1em system-ui;max-width:36em;margin:3em auto;padding:0 1em}}\
         input,button{{font:inherit;margin:.5em 0;max-width:100%}}</style>\n\
         <h1>Upload</h1>\n\
         <form method=post enctype=multipart/form-data>\n\
         <label>Files of up to {} MiB each:<br><input type=file name=file multiple required></label><br>\n\
         <button>Upload</button></form>\n<ul aria-live=polite>\n{list}</ul>\n",
        MAX_FILE_BYTES >> 20
    )
}

/// The page, and the uploads into this folder.
pub(crate) fn handler(folder: &Path) -> impl Handler + use<> {
    let mux = ServeMux::new();
    mux.handle("GET /{$}", async |_: Request| Html(page(&[])));
    mux.handle("POST /{$}", with_state(Arc::from(folder), upload));
    // Without this, a page of another site could make a browser upload files here.
    CrossOriginProtection::new(CrossOrigin::new()).handler(mux)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { folder, addr } = arguments(include_str!("17_upload.rs"));
    fs::create_dir_all(&folder).await.with_context(|| format!("cannot make the folder {}", folder.display()))?;

    let listener = listen(&addr).with_context(|| format!("cannot listen on {addr}"))?;
    outln!("saving into {}: http://localhost:9090 ({})", folder.display(), listener.local_addr()?);
    let report = Server::new(handler(&folder)).serve_until_signal(listener, Duration::from_secs(10)).await?;
    outln!("drained {} connections, aborted {}", report.drained, report.aborted);
    Ok(())
}
