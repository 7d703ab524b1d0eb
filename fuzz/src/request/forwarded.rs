//! Who the client is, against a reader that first makes a list of all entries, and against clients that lie.

use quintet_request::{Client, ForwardedError, ForwardedHeader, ForwardedNode, HopByHop, RequestId};

/// The lines of a forwarding field: the first byte says which.
///
/// The client is the last node that is not trusted, and whatever a client writes, the entry that a proxy appends says who
/// it is.
pub fn forwarded(data: &[u8]) {
    let (seed, data) = super::split_first(data);
    let header = if seed % 2 == 0 { ForwardedHeader::Forwarded } else { ForwardedHeader::XForwardedForProtoHost };
    let lines: Vec<&[u8]> = data.split(|&byte| byte == b'\n').collect();
    let name = header.names()[0];
    for id in lines.iter().filter_map(|line| std::str::from_utf8(line).ok()?.parse::<RequestId>().ok()) {
        let text = id.as_str();
        assert!(
            text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'\\,;<>%".contains(&byte))
        );
    }
    let mut fields: Vec<(&str, &[u8])> = lines.iter().map(|line| (name, *line)).collect();
    if seed % 2 == 1 {
        for (at, name) in header.names().iter().enumerate().skip(1) {
            fields.extend(lines.get(at).map(|line| (*name, *line)));
        }
    }
    let peer = ForwardedNode::parse("10.0.0.1:80").expect("a node");
    for (name, _) in &fields {
        assert!(header.removes(name, false) && !header.removes(name, true), "{name}");
    }
    hop_by_hop(&lines);
    let read = Client::read(header, fields.iter().copied(), peer.clone(), is_trusted);
    if let Ok(client) = &read {
        assert_eq!(
            ForwardedNode::parse(&client.to_string()).as_ref(),
            Some(client.node()),
            "a node is printed as it is read"
        );
        assert!(client.hops() == 0 || client.hops() <= data.len(), "each hop has an entry");
        assert!(client.host().is_none_or(|host| !host.is_empty() && host.is_ascii()));
    }
    if seed % 2 == 1 {
        x_forwarded_for(&lines, &read);
    }

    // A stranger is the client, whatever it sends.
    let stranger = ForwardedNode::parse("192.0.2.9:80").expect("a node");
    let of_stranger = Client::read(header, fields.iter().copied(), stranger.clone(), is_trusted);
    let of_stranger = of_stranger.expect("nothing of a stranger is read");
    assert_eq!((of_stranger.node(), of_stranger.scheme(), of_stranger.host()), (&stranger, None, None));

    // A proxy appends to the last line, or adds a line of its own.
    let own: &[u8] = if seed % 2 == 0 { b"for=\"192.0.2.7\";proto=http" } else { b"192.0.2.7" };
    let last = [lines.last().copied().unwrap_or_default(), own].join(&b", "[..]);
    for honest in [&last[..], own] {
        let fields = lines.iter().copied().chain([honest]).map(|line| (name, line));
        match Client::read(header, fields, peer.clone(), is_trusted) {
            Ok(client) => assert_eq!((client.to_string().as_str(), client.hops()), ("192.0.2.7", 1)),
            Err(error) => {
                assert!(matches!(error, ForwardedError::Syntax { .. }) && honest != own && seed % 2 == 0, "{error}");
            }
        }
    }
}

fn is_trusted(node: &ForwardedNode) -> bool {
    *node == ForwardedNode::Unix || node.ip().is_some_and(|ip| ip.to_string().starts_with("10."))
}

/// The list as a whole, from the left.
fn x_forwarded_for(lines: &[&[u8]], read: &Result<Client, ForwardedError>) {
    let whole: Vec<&[u8]> = lines.iter().flat_map(|line| line.split(|&byte| byte == b',')).collect();
    let trimmed = whole.iter().map(|entry| trim(entry)).filter(|entry| !entry.is_empty());
    let nodes: Vec<Option<ForwardedNode>> =
        trimmed.map(|entry| std::str::from_utf8(entry).ok().and_then(ForwardedNode::parse)).collect();
    let ends = |node: &Option<ForwardedNode>| node.as_ref().is_none_or(|node| !is_trusted(node));
    let expected = match nodes.iter().rposition(ends) {
        Some(at) => nodes[at].clone(),
        None => nodes.first().cloned().unwrap_or_else(|| ForwardedNode::parse("10.0.0.1:80")),
    };
    match (expected, read) {
        (None, read) => assert!(matches!(read, Err(ForwardedError::Node { .. })), "{read:?}"),
        (Some(node), Ok(client)) => assert_eq!(client.node(), &node),
        (Some(_), Err(error)) => {
            assert!(matches!(error, ForwardedError::Scheme { .. } | ForwardedError::Host { .. }), "{error}");
        }
    }
}

/// Without blanks and tabs at both ends.
fn trim(mut entry: &[u8]) -> &[u8] {
    while let Some((b' ' | b'\t', rest)) = entry.split_first() {
        entry = rest;
    }
    while let Some((b' ' | b'\t', rest)) = entry.split_last() {
        entry = rest;
    }
    entry
}

/// The lines as `Connection` fields: what they name goes, and no other field.
fn hop_by_hop(lines: &[&[u8]]) {
    let hop = HopByHop::of(lines.iter().map(|line| ("Connection", *line)));
    for name in ["x-own", "host", "te", "a"] {
        let is_named = lines
            .iter()
            .flat_map(|line| line.split(|&byte| byte == b','))
            .any(|option| trim(option).eq_ignore_ascii_case(name.as_bytes()));
        let expected = name == "te" || (is_named && name != "host");
        assert_eq!(hop.contains(name), expected, "{name}");
    }
    assert_eq!((hop.accepts_trailers(), hop.upgrade()), (false, None));
}
