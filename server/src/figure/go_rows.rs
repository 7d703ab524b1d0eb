//! Go's functions beside ours: the rows of the tables in GO.md.

/// The tables, step by step: the function of Go, ours, and what differs.
const TABLES: &str = include_str!("../../GO.md");
/// The version of Go whose line numbers the tables have.
const VERSION: &str = "go1.27.3";

/// One row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GoRow {
    /// The crate that has our function.
    pub(super) owner: &'static str,
    pub(super) step: &'static str,
    pub(super) go: String,
    pub(super) ours: String,
    pub(super) says: String,
    /// The line of Go's source, if the table names one.
    pub(super) link: Option<String>,
}

/// All rows, in the order of the page.
pub(super) fn go_rows() -> Vec<GoRow> {
    let mut owner = "";
    let mut rows = Vec::new();
    for line in TABLES.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            owner = match title.split('`').nth(1) {
                Some("Server.Serve") => "listener",
                Some("conn.serve") => "server",
                Some("ServeMux") => "mux",
                _ => "request",
            };
        } else if let Some(row) = row(owner, line) {
            rows.push(row);
        }
    }
    rows
}

fn row(owner: &'static str, line: &'static str) -> Option<GoRow> {
    let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
    let [step, go, ours] = [cells.next()?, cells.next()?, cells.next()?];
    let says = cells.next().unwrap_or_default();
    if matches!(step, "step" | "rule") {
        return None;
    }
    Some(GoRow {
        owner: ["listener", "conn", "request", "mux"]
            .into_iter()
            .find(|one| ours.contains(&format!("](../{one}/")))
            .unwrap_or(if ours.contains("](src/") { "server" } else { owner }),
        step,
        go: plain(go),
        ours: plain(ours),
        says: plain(says),
        link: link(go),
    })
}

/// Markdown without its links and marks of code.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        match link.split_once("](").and_then(|(text, target)| Some((text, target.split_once(')')?.1))) {
            Some((text, after)) => {
                plain.push_str(text);
                rest = after;
            }
            None => {
                plain.push('[');
                rest = link;
            }
        }
    }
    plain.push_str(rest);
    plain.replace('`', "")
}

/// The address of a line that is named as `(server.go:3570)` or `(server.go:3579-3589)`.
fn link(go: &str) -> Option<String> {
    let (_, place) = go.rsplit_once('(')?;
    let (file, line) = place.split_once(')')?.0.split_once(".go:")?;
    let line = line.split('-').next()?;
    let is_name = file.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (is_name && line.parse::<u32>().is_ok())
        .then(|| format!("https://github.com/golang/go/blob/{VERSION}/src/net/http/{file}.go#L{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_go_md_has_a_crate_and_plain_text() {
        let rows = go_rows();
        for owner in ["listener", "conn", "request", "mux", "server"] {
            assert!(rows.iter().any(|row| row.owner == owner), "{owner} has no row");
        }
        let lines = TABLES.lines().filter(|line| line.starts_with("| ")).count();
        let headings = TABLES.lines().filter(|line| line.starts_with("|---")).count();
        assert_eq!(rows.len(), lines - headings);
        for row in &rows {
            assert!(!row.step.is_empty() && !row.go.is_empty() && !row.ours.is_empty(), "{row:?}");
            assert!(
                ![&row.go, &row.ours, &row.says].iter().any(|text| text.contains("](") || text.contains('`')),
                "{row:?}"
            );
        }
        assert!(TABLES.contains(&VERSION.replace("go", "Go ")), "the version of the line numbers");
    }

    #[test]
    fn a_row_of_go_md_links_the_line_of_go() {
        let rows = go_rows();
        let of = |step| rows.iter().find(|row| row.step == step).unwrap();
        let delay = of("the delay");
        assert_eq!((delay.owner, &*delay.ours), ("listener", "Backoff, RetryPolicy"));
        let link = "https://github.com/golang/go/blob/go1.27.3/src/net/http/server.go#L3579";
        assert_eq!(delay.link.as_deref(), Some(link));
        assert_eq!((of("the connection").owner, of("the handler").owner), ("conn", "server"));
        assert_eq!((of("which pattern it was").owner, &of("which pattern it was").link), ("mux", &None));
    }
}
