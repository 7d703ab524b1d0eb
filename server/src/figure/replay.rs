//! The source of the two loops, with the line of each step marked, so that the page can go through them with a request.

/// The file of the two loops.
const SOURCE: &str = include_str!("../serve.rs");

/// Each step of the accept loop, and a part of its line.
const SERVE: [(&str, &str); 3] = [
    ("accept", "select(listener.accept(), relief.as_mut())"),
    ("admit", "= connections.admit(stream, peer);"),
    ("spawn", "Go: go c.serve(connCtx)"),
];

/// Each step of the connection loop, and a part of its line.
const SERVE_CONNECTION: [(&str, &str); 11] = [
    ("open", "requests.reclaim().open().await"),
    ("context", "server.observer.conn_context(&connection);"),
    ("protocol", "server.config.protocols.choose("),
    ("next", "match requests.next().await"),
    ("begin", "begin(&mut requests, &mut request);"),
    ("dispatch", "= dispatch(&server, &connection, request, &mut requests).await"),
    ("last", "server.last_reason(&connection, served, requests.is_ahead())"),
    ("write", "match write(&server, &connection, &mut requests, &mut exchange, response)"),
    ("finish", "match exchange.finish()"),
    ("end_request", "connection.end_request();"),
    ("close", "close(&server, &connection, &mut requests, next, reason).await;"),
];

/// One line of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number in the file, from 1.
    pub(super) number: usize,
    pub(super) text: &'static str,
    /// The step that is taken there.
    pub(super) step: Option<&'static str>,
}

/// The accept loop, [`Server::serve`](crate::Server::serve).
pub(super) fn serve() -> Vec<Line> {
    lines("    pub async fn serve<", "    }", &SERVE)
}

/// The connection loop.
pub(super) fn serve_connection() -> Vec<Line> {
    lines("async fn serve_connection<", "}", &SERVE_CONNECTION)
}

/// The lines of a function from the one that begins with `first` to the one that is `last`.
fn lines(first: &str, last: &str, steps: &[(&'static str, &str)]) -> Vec<Line> {
    let indent = first.len() - first.trim_start().len();
    let numbered = SOURCE.lines().enumerate().skip_while(|(_, text)| !text.starts_with(first));
    let mut lines = Vec::new();
    for (at, text) in numbered {
        let step = steps.iter().find(|(_, part)| text.contains(part)).map(|(step, _)| *step);
        lines.push(Line { number: at + 1, text: text.get(indent..).unwrap_or_default(), step });
        if text == last {
            break;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_of_the_replay_has_exactly_one_line() {
        for (lines, steps) in [(serve(), &SERVE[..]), (serve_connection(), &SERVE_CONNECTION[..])] {
            let found: Vec<_> = lines.iter().filter_map(|line| line.step).collect();
            assert_eq!(found, steps.iter().map(|(step, _)| *step).collect::<Vec<_>>(), "in the order of the loop");
            assert!((20..90).contains(&lines.len()), "{} lines", lines.len());
            assert_eq!(lines.last().unwrap().text, "}");
            for line in &lines {
                assert!(SOURCE.lines().nth(line.number - 1).unwrap().ends_with(line.text));
            }
        }
    }
}
