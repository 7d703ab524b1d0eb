//! The chapters of the figure's boxes, as JSON: first paragraphs, Go's functions beside ours, and the source of the loops.

use super::{
    go_rows::go_rows,
    json::{Object, object},
    replay::{Line, serve, serve_connection},
};

/// The crates in the order of the boxes, the title of each, and paragraphs of its README, separated by empty lines. They are
/// copies, as a package cannot have files of another one; a test compares them.
const CHAPTERS: [(&str, &str, &str); 5] = [
    ("listener", "Listening and accepting", include_str!("chapters/listener.txt")),
    ("conn", "One connection and its time limits", include_str!("chapters/conn.txt")),
    ("request", "Reading a request", include_str!("chapters/request.txt")),
    ("mux", "Which handler", include_str!("chapters/mux.txt")),
    ("server", "The loops, and the reply", include_str!("chapters/server.txt")),
];

/// The chapters. `base` is the address below which the READMEs are served, if they are.
pub(super) fn chapters(base: Option<&str>) -> String {
    let rows = go_rows();
    object(|out| {
        out.array("chapters", |array| {
            for (name, title, text) in CHAPTERS {
                array.object(|out| {
                    out.text("crate", name);
                    out.text("title", title);
                    out.array("paragraphs", |array| {
                        text.split("\n\n").for_each(|paragraph| array.text(paragraph.trim_end()));
                    });
                    match base {
                        Some(base) => out.text("link", format_args!("{base}{name}/README.md")),
                        None => out.text("link", ""),
                    }
                    out.array("go", |array| {
                        for row in rows.iter().filter(|row| row.owner == name) {
                            array.object(|out| {
                                out.text("step", row.step);
                                out.text("ours", &row.ours);
                                out.text("go", &row.go);
                                out.text("says", &row.says);
                                out.text("link", row.link.as_deref().unwrap_or_default());
                            });
                        }
                    });
                });
            }
        });
        out.object("replay", |out| {
            put_lines(out, "serve", &serve());
            put_lines(out, "serve_connection", &serve_connection());
        });
    })
}

fn put_lines(out: &mut Object<'_>, key: &str, lines: &[Line]) {
    out.array(key, |array| {
        for line in lines {
            array.object(|out| {
                out.count("line", line.number);
                out.text("text", line.text);
                out.maybe_text("step", line.step);
            });
        }
    });
}
