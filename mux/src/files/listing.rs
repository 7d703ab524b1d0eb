//! The page that lists a directory.

use std::{
    convert::Infallible,
    fmt::Write as _,
    pin::Pin,
    task::{Context, Poll},
    time::SystemTime,
    vec,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};

use super::file_system::{DirEntry, EntryKind};
use crate::escape_html;

/// The bytes of a piece from which the next piece is begun.
const PIECE_BYTES: usize = 16 * 1024;

const STYLE: &str = include_str!("listing.css");

/// The page that lists a directory, in HTML: it is written piece by piece while it is sent. Go: `dirList`.
pub(super) struct ListingBody {
    /// What was written and not sent.
    piece: String,
    entries: vec::IntoIter<DirEntry>,
    /// What follows the entries; `None` after the end.
    foot: Option<String>,
}

/// What a page says besides its entries.
pub(super) struct Page<'a> {
    /// The path that the client asked for, decoded.
    pub(super) path: &'a str,
    /// Whether there is a directory above it.
    pub(super) has_parent: bool,
    /// The number of entries that are shown, if there are more.
    pub(super) cut_at: Option<usize>,
}

impl ListingBody {
    /// The page of these entries, in their order.
    pub(super) fn new(page: &Page<'_>, entries: Vec<DirEntry>) -> Self {
        let title = escape_html(page.path);
        let mut piece = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>Index of {title}</title>\n<style>\n{STYLE}</style>\n<h1>Index of {title}</h1>\n\
             <table>\n<thead><tr><th>Name</th><th>Size</th><th>Changed (UTC)</th></tr></thead>\n<tbody>\n"
        );
        if page.has_parent {
            piece.push_str("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
        }
        let mut foot = "</tbody>\n</table>\n".to_owned();
        if let Some(shown) = page.cut_at {
            let _ = writeln!(foot, "<p>There are more: only {shown} entries are shown.</p>");
        } else if entries.is_empty() {
            foot.push_str("<p>This directory is empty.</p>\n");
        }
        Self { piece, entries: entries.into_iter(), foot: Some(foot) }
    }
}

/// Sorts entries: directories first, then by name without regard to the case of ASCII letters, then by bytes.
pub(super) fn sort(entries: &mut [DirEntry]) {
    entries.sort_by_cached_key(|entry| (entry.kind, entry.name.to_ascii_lowercase(), entry.name.clone()));
}

/// Writes the row of an entry.
fn row(out: &mut String, entry: &DirEntry) {
    let slash = if entry.kind == EntryKind::Directory { "/" } else { "" };
    out.push_str("<tr><td><a href=\"");
    for &byte in &entry.name {
        // A name with a colon would be read as a scheme, and one that begins with two slashes as a host: neither is left.
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => drop(write!(out, "%{byte:02X}")),
        }
    }
    let name = String::from_utf8_lossy(&entry.name);
    let _ = write!(out, "{slash}\">{}{slash}</a></td><td", escape_html(&name));
    match entry.size {
        Some(size) => drop(write!(out, " title=\"{size} bytes\">{}", Size(size))),
        None => out.push('>'),
    }
    out.push_str("</td><td>");
    if let Some(date) = entry.modified.and_then(minutes) {
        out.push_str(&date);
    }
    out.push_str("</td></tr>\n");
}

/// A size as it is shown: `999 B`, `1.0 KB`, `12 MB`; a KB has 1,000 bytes.
struct Size(u64);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 < 1000 {
            return write!(f, "{} B", self.0);
        }
        // In tenths of a unit, rounded down as long as a larger unit is at hand.
        let (mut tenths, mut units) = (self.0 / 100, "KMGTPE".chars());
        let mut unit = units.next();
        while let (true, Some(larger)) = (tenths >= 10_000, units.clone().next()) {
            (tenths, unit) = (tenths / 1000, Some(larger));
            units.next();
        }
        let unit = unit.unwrap_or(' ');
        if tenths < 100 {
            write!(f, "{}.{} {unit}B", tenths / 10, tenths % 10)
        } else {
            write!(f, "{} {unit}B", tenths / 10)
        }
    }
}

/// A time in UTC, to the minute: `2026-11-25 14:03`. `None` before 1970 and after 9999.
fn minutes(time: SystemTime) -> Option<String> {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // The calendar of 400 years, from 1 March of the year 0, so that a leap day is the last day of a year.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year <= 9999).then(|| format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", second / 3600, second % 3600 / 60))
}

impl HttpBody for ListingBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut piece = std::mem::take(&mut self.piece);
        while piece.len() < PIECE_BYTES {
            match self.entries.next() {
                Some(entry) => row(&mut piece, &entry),
                None => match self.foot.take() {
                    Some(foot) => piece.push_str(&foot),
                    None => break,
                },
            }
        }
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece.into()))))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quintet_request::Body;

    use super::*;

    fn entry(name: &[u8], kind: EntryKind) -> DirEntry {
        DirEntry { name: name.to_vec(), kind, size: None, modified: None }
    }

    async fn page(page: &Page<'_>, entries: Vec<DirEntry>) -> String {
        let bytes = Body::new(ListingBody::new(page, entries)).to_bytes(u64::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    const ROOT: Page<'_> = Page { path: "/", has_parent: false, cut_at: None };

    /// Go's `fsRedirectTestData` names (TestFileServerEscapesNames), and names that could leave the directory.
    #[tokio::test]
    async fn a_listing_escapes_names() {
        for (name, link) in [
            (&b"simple_name"[..], "<a href=\"simple_name\">simple_name</a>"),
            (b"\"'<>&", "<a href=\"%22%27%3C%3E%26\">&#34;&#39;&lt;&gt;&amp;</a>"),
            (b"?foo=bar#baz", "<a href=\"%3Ffoo%3Dbar%23baz\">?foo=bar#baz</a>"),
            (b"<combo>?foo", "<a href=\"%3Ccombo%3E%3Ffoo\">&lt;combo&gt;?foo</a>"),
            (b"foo:bar", "<a href=\"foo%3Abar\">foo:bar</a>"),
            (b"javascript:alert(1)", "<a href=\"javascript%3Aalert%281%29\">javascript:alert(1)</a>"),
            (b"a\\b %41", "<a href=\"a%5Cb%20%2541\">a\\b %41</a>"),
            (b"caf\xc3\xa9\xff\n", "<a href=\"caf%C3%A9%FF%0A\">caf\u{e9}\u{fffd}\n</a>"),
        ] {
            let page = page(&ROOT, vec![entry(name, EntryKind::File)]).await;
            assert!(page.contains(link), "{link} in {page}");
        }
        let hostile = Page { path: "/<script>/", has_parent: true, cut_at: None };
        let page = page(&hostile, vec![entry(b"d", EntryKind::Directory)]).await;
        assert!(page.contains("<title>Index of /&lt;script&gt;/</title>") && !page.contains("<script>"));
        assert!(page.contains("<a href=\"../\">") && page.contains("<a href=\"d/\">d/</a>"));
    }

    #[tokio::test]
    async fn a_listing_is_sorted_directories_first() {
        let file = |name: &str| entry(name.as_bytes(), EntryKind::File);
        let directory = |name: &str| entry(name.as_bytes(), EntryKind::Directory);
        let mut entries =
            vec![file("b"), file("B"), file("a10"), directory("z"), file("A"), directory("Y"), file(".x")];
        sort(&mut entries);
        let page = page(&ROOT, entries).await;
        let names: Vec<_> = page.split("<a href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(names, ["Y/", "z/", ".x", "A", "a10", "B", "b"]);
    }

    #[tokio::test]
    async fn a_listing_says_if_entries_are_missing() {
        let cut = Page { cut_at: Some(1), ..ROOT };
        assert!(page(&cut, vec![entry(b"a", EntryKind::File)]).await.contains("only 1 entries are shown"));
        assert!(page(&ROOT, Vec::new()).await.contains("This directory is empty."));
    }

    #[tokio::test]
    async fn a_long_listing_is_written_in_pieces() {
        let entries = (0..10_000).map(|n| entry(format!("file-{n}").as_bytes(), EntryKind::File)).collect();
        let mut body = Body::new(ListingBody::new(&ROOT, entries));
        let (mut pieces, mut longest, mut rows) = (0, 0, 0);
        while let Some(piece) = body.chunk().await.unwrap() {
            (pieces, longest) = (pieces + 1, longest.max(piece.len()));
            rows += String::from_utf8_lossy(&piece).matches("<tr><td>").count();
        }
        assert_eq!(rows, 10_000);
        assert!(pieces > 30 && longest < PIECE_BYTES + 1024, "{pieces} pieces, {longest} bytes");
    }

    #[test]
    fn sizes_are_shown_in_units_of_a_thousand() {
        for (size, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KB"),
            (1099, "1.0 KB"),
            (9_999, "9.9 KB"),
            (10_000, "10 KB"),
            (999_999, "999 KB"),
            (1_000_000, "1.0 MB"),
            (1_234_567_890, "1.2 GB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(Size(size).to_string(), shown, "{size}");
        }
    }

    #[test]
    fn dates_are_shown_in_utc_to_the_minute() {
        for (seconds, shown) in [
            (0, Some("1970-01-01 00:00")),
            (951_782_459, Some("2000-02-29 00:00")),
            (951_868_799, Some("2000-02-29 23:59")),
            (951_868_800, Some("2000-03-01 00:00")),
            (1_704_067_199, Some("2023-12-31 23:59")),
            (4_107_542_400, Some("2100-03-01 00:00")),
            (253_402_300_799, Some("9999-12-31 23:59")),
            (253_402_300_800, None),
        ] {
            assert_eq!(minutes(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).as_deref(), shown);
        }
        assert_eq!(minutes(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), None);
    }
}
