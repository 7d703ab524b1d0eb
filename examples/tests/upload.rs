//! The example `17_upload`: the names under which it saves files, and what it does with those that are broken.

use std::{fs, path::PathBuf};

use example::{MAX_NAME_BYTES, handler, safe_name};
use quintet_server::{Handler, Request};

#[path = "../17_upload.rs"]
#[allow(dead_code, reason = "its `main` is not called")]
mod example;

/// A folder of this test, which is removed at its end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_safe_name_stays_in_the_folder_and_is_not_hidden() {
    for (name, safe) in [
        ("photo.jpg", "photo.jpg"),
        ("Ferien in Köln.jpg", "Ferien_in_Köln.jpg"),
        (".bashrc", "bashrc"),
        ("...", "file"),
        ("", "file"),
        ("a/../b\\c:d", "a_.._b_c_d"),
        ("x\r\n\0\u{202e}y", "x____y"),
        ("\"quoted\" <b>", "_quoted___b_"),
    ] {
        assert_eq!(safe_name(name), safe, "{name:?}");
    }
    let long = safe_name(&format!("{}.png", "é".repeat(1_000)));
    assert!(long.len() <= MAX_NAME_BYTES && long.ends_with("é.png"), "{long}");
    assert_eq!(safe_name(&format!("x{}", ".".repeat(200))), "file");
}

/// Posts a file of this name; returns the status.
async fn post(handler: &impl Handler, name: &str, data: &str) -> u16 {
    let body = format!("--b\r\nContent-Disposition: form-data; name=a; filename=\"{name}\"\r\n\r\n{data}\r\n--b--");
    let posted = http::Request::post("/").header("content-type", "multipart/form-data; boundary=b").body(body);
    let request = Request::try_from(posted.expect("a request")).expect("a request");
    handler.call(request).await.status().as_u16()
}

#[tokio::test]
async fn an_upload_replaces_no_file_and_leaves_no_half_one() {
    let folder = Folder(std::env::temp_dir().join(format!("quintet-upload-{}", std::process::id())));
    fs::create_dir_all(&folder.0).expect("a folder");
    let handler = handler(&folder.0);
    for (data, saved) in [("one", "x.txt"), ("two", "1-x.txt"), ("three", "2-x.txt")] {
        assert_eq!(post(&handler, "../x.txt", data).await, 200);
        assert_eq!(fs::read_to_string(folder.0.join(saved)).expect("the file"), data);
    }
    // A boundary within the data: the part is broken, and what was written of it is removed.
    assert_eq!(post(&handler, "broken", "data\r\n--bad").await, 400);
    assert_eq!(post(&handler, "", "").await, 200, "no file was chosen");
    assert_eq!(fs::read_dir(&folder.0).expect("the folder").count(), 3);
}
