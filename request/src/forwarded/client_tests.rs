//! Tests of [`Client`].

use proptest::prelude::*;

use super::*;

const ALL: ForwardedHeader = ForwardedHeader::XForwardedForProtoHost;

/// Trusts 10.0.0.0/8, `fd00::/8` and Unix sockets.
fn trusted(node: &ForwardedNode) -> bool {
    match node {
        ForwardedNode::Ip { ip: IpAddr::V4(ip), .. } => ip.octets()[0] == 10,
        ForwardedNode::Ip { ip: IpAddr::V6(ip), .. } => ip.octets()[0] == 0xfd,
        ForwardedNode::Unix => true,
        ForwardedNode::Unknown | ForwardedNode::Obfuscated(_) => false,
    }
}

fn read(header: ForwardedHeader, peer: &str, fields: &[(&str, &str)]) -> Result<Client, ForwardedError> {
    let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
    Client::read(header, fields, ForwardedNode::parse(peer).expect("a node"), trusted)
}

/// The node, the number of hops, the scheme and the host, `-` for what is not told; or the error.
fn seen(header: ForwardedHeader, peer: &str, fields: &[(&str, &str)]) -> String {
    match read(header, peer, fields) {
        Ok(client) => {
            let (scheme, host) = (client.scheme().unwrap_or("-"), client.host().unwrap_or("-"));
            format!("{client} {} {scheme} {host}", client.hops())
        }
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn x_forwarded_for_is_read_from_the_right() {
    for (peer, value, expected) in [
        ("10.0.0.1", "192.0.2.1", "192.0.2.1 1"),
        ("10.0.0.1", "9.9.9.9, 192.0.2.1", "192.0.2.1 1"),
        ("10.0.0.1", "9.9.9.9, 192.0.2.1, 10.0.0.2,10.0.0.3", "192.0.2.1 3"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3 2"),
        ("10.0.0.1", "192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1 2"),
        ("unix:", "192.0.2.1, unix:", "192.0.2.1 2"),
        ("fd00::1", "2001:db8::1, [fd00::2]:80, fd00::3", "2001:db8::1 3"),
        ("10.0.0.1", "192.0.2.1:4711", "192.0.2.1:4711 1"),
        ("10.0.0.1", "192.0.2.1, unknown", "unknown 1"),
        ("10.0.0.1", "192.0.2.1, _hidden, 10.0.0.2", "_hidden 2"),
        ("10.0.0.1", "<script>, \u{e9}, 192.0.2.1", "192.0.2.1 1"),
        ("10.0.0.1", ", 192.0.2.1,, 10.0.0.2 ,\t,", "192.0.2.1 2"),
        ("10.0.0.1", "", "10.0.0.1 0"),
        ("10.0.0.1", " , ", "10.0.0.1 0"),
    ] {
        let fields = [("X-Forwarded-For", value)];
        assert_eq!(seen(ForwardedHeader::XForwardedFor, peer, &fields), format!("{expected} - -"), "{value}");
    }
}

#[test]
fn a_spoofed_forwarded_field_of_a_stranger_is_not_read() {
    let fields = [
        ("X-Forwarded-For", "10.0.0.9"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "for=10.0.0.9;proto=https;host=evil.example"),
        ("X-Forwarded-For", "no address"),
    ];
    for header in [ALL, ForwardedHeader::Forwarded] {
        for peer in ["192.0.2.9:80", "unknown", "_unix", "fe80::1"] {
            assert_eq!(seen(header, peer, &fields), format!("{} 0 - -", peer.trim()));
        }
    }
}

#[test]
fn a_forwarded_field_that_is_not_named_is_not_read() {
    let x = [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a.example")];
    let rfc = [("Forwarded", "for=192.0.2.2;proto=http;host=b.example")];
    let both = [x[0], rfc[0], x[1], x[2]];
    for (header, fields, expected) in [
        (ForwardedHeader::XForwardedFor, &both[..], "192.0.2.1 1 - -"),
        (ForwardedHeader::XForwardedForProto, &both, "192.0.2.1 1 https -"),
        (ALL, &both, "192.0.2.1 1 https a.example"),
        (ForwardedHeader::Forwarded, &both, "192.0.2.2 1 http b.example"),
        (ForwardedHeader::Forwarded, &x, "10.0.0.1 0 - -"),
        (ALL, &rfc, "10.0.0.1 0 - -"),
    ] {
        assert_eq!(seen(header, "10.0.0.1", fields), expected);
    }
}

#[test]
fn several_forwarded_lines_are_one_list() {
    let for_ = |value| ("x-forwarded-for", value);
    let lines = [for_("9.9.9.9, 192.0.2.1"), ("Via", "x"), for_(""), for_("10.0.0.3"), for_("10.0.0.2")];
    assert_eq!(seen(ForwardedHeader::XForwardedFor, "10.0.0.1", &lines), "192.0.2.1 3 - -");
    let lines = [
        ("Forwarded", "for=\"open"),
        ("forwarded", "for=192.0.2.1;proto=https, for=10.0.0.3"),
        ("Forwarded", "for=10.0.0.2"),
    ];
    assert_eq!(seen(ForwardedHeader::Forwarded, "10.0.0.1", &lines), "192.0.2.1 3 https -");
}

#[test]
fn proto_and_host_belong_to_the_entry_of_the_client() {
    for (addrs, proto, host, expected) in [
        ("192.0.2.1", "https", "a.example:8443", "192.0.2.1 1 https a.example:8443"),
        ("192.0.2.1", "HTTPS", "[::1]:80", "192.0.2.1 1 https [::1]:80"),
        ("192.0.2.1", "wss", "", "192.0.2.1 1 https -"),
        ("192.0.2.1", "ws", "", "192.0.2.1 1 http -"),
        // What the client wrote stands before what the proxy appended.
        ("9.9.9.9, 192.0.2.1", "https, http", "evil.example, a.example", "192.0.2.1 1 http a.example"),
        ("192.0.2.1, 10.0.0.2", "https, http", "a.example, b.example", "192.0.2.1 2 https a.example"),
        ("9.9.9.9, 192.0.2.1, 10.0.0.2", "http, https, http", "", "192.0.2.1 2 https -"),
        ("192.0.2.1, 10.0.0.3, 10.0.0.2", "https, http, http", "", "192.0.2.1 3 https -"),
        // One value is that of all.
        ("192.0.2.1, 10.0.0.3, 10.0.0.2", "https", "a.example", "192.0.2.1 3 https a.example"),
        // Two values for three addresses: whose are they?
        ("192.0.2.1, 10.0.0.3, 10.0.0.2", "https, http", "a.example, b", "192.0.2.1 3 - -"),
        ("", "https", "a.example", "10.0.0.1 0 https a.example"),
        ("", "http, https", "", "10.0.0.1 0 https -"),
        ("192.0.2.1", "", "", "192.0.2.1 1 - -"),
    ] {
        let fields = [("X-Forwarded-For", addrs), ("X-Forwarded-Proto", proto), ("X-Forwarded-Host", host)];
        assert_eq!(seen(ALL, "10.0.0.1", &fields), expected, "{addrs} | {proto} | {host}");
    }
}

#[test]
fn forwarded_is_read_from_the_right() {
    for (value, expected) in [
        ("for=192.0.2.1", "192.0.2.1 1 - -"),
        ("for=9.9.9.9;proto=https, for=192.0.2.1;proto=http", "192.0.2.1 1 http -"),
        ("for=192.0.2.1;host=a.example;proto=https, for=10.0.0.2;host=b", "192.0.2.1 2 https a.example"),
        (r#"for="[2001:db8::1]:4711";host="a.example:80""#, "[2001:db8::1]:4711 1 - a.example:80"),
        ("for=10.0.0.3, for=10.0.0.2", "10.0.0.3 2 - -"),
        ("for=192.0.2.1, for=unknown", "unknown 1 - -"),
        ("for=192.0.2.1, for=_a;proto=https", "_a 1 https -"),
        // Without `for` nothing says that the entry before it is by a trusted proxy.
        ("for=192.0.2.1, proto=https", "unknown 1 https -"),
        ("for=192.0.2.1;proto=gopher", "192.0.2.1 1 - -"),
        ("for=<, for=192.0.2.1", "Syntax { at: 4 }"),
        ("for=x, for=192.0.2.1", "192.0.2.1 1 - -"),
        ("", "10.0.0.1 0 - -"),
    ] {
        assert_eq!(seen(ForwardedHeader::Forwarded, "10.0.0.1", &[("Forwarded", value)]), expected, "{value}");
    }
}

#[test]
fn a_malformed_entry_that_has_to_be_read_is_an_error() {
    for (name, value, expected) in [
        ("X-Forwarded-For", "192.0.2.1, x y", "Node { at: 11 }"),
        ("X-Forwarded-For", "192.0.2.1,\u{e9}", "Node { at: 10 }"),
        ("X-Forwarded-For", "192.0.2.1, localhost, 10.0.0.2", "Node { at: 11 }"),
        ("X-Forwarded-For", "192.0.2.1;192.0.2.2", "Node { at: 0 }"),
        ("X-Forwarded-Proto", "https://", "Scheme { at: 0 }"),
        ("X-Forwarded-Proto", "http, ftp", "Scheme { at: 6 }"),
        ("X-Forwarded-Host", "a b", "Host { at: 0 }"),
        ("X-Forwarded-Host", "a, u@h", "Host { at: 3 }"),
        ("X-Forwarded-Host", "a/b", "Host { at: 0 }"),
        ("X-Forwarded-Host", "a:65536", "Host { at: 0 }"),
    ] {
        assert_eq!(seen(ALL, "10.0.0.1", &[(name, value)]), expected, "{name}: {value}");
    }
    for (value, expected) in [
        ("for=localhost", "Node { at: 4 }"),
        ("for=\"192.0.2.1 \"", "Node { at: 4 }"),
        ("for=192.0.2.1;host=\"a b\"", "Host { at: 19 }"),
        ("for=192.0.2.1;host=\"\"", "Host { at: 19 }"),
        ("for", "Syntax { at: 3 }"),
    ] {
        assert_eq!(seen(ForwardedHeader::Forwarded, "10.0.0.1", &[("Forwarded", value)]), expected, "{value}");
    }
    assert_eq!(ForwardedError::Node { at: 3 }.status(), 400);
}

proptest! {
    /// Whatever a client writes, the entry that the trusted proxy appends says who it is.
    #[test]
    fn no_x_forwarded_for_hides_what_a_proxy_appends(spoof in "[ -~\t]{0,40}", lines in 0..2_u8) {
        let line = if lines == 0 { format!("{spoof}, 192.0.2.1") } else { "192.0.2.1".to_owned() };
        let fields = [("X-Forwarded-For", &*spoof), ("X-Forwarded-For", &*line)];
        prop_assert_eq!(seen(ForwardedHeader::XForwardedFor, "10.0.0.1", &fields), "192.0.2.1 1 - -");
    }

    /// As above, or the line is refused as a whole.
    #[test]
    fn no_forwarded_hides_what_a_proxy_appends(
        spoof in r#"([ -~\t]|for=|proto=|"|\\"|, |;|192.0.2.7){0,20}"#,
        appended in 0..4_usize,
    ) {
        let appended = [
            "for=192.0.2.1",
            "for=\"192.0.2.1\";proto=http",
            "host=\"a.example:80\";for=192.0.2.1",
            "for=\"192.0.2.1\";host=\"a\\.example\"",
        ][appended];
        let line = format!("{spoof}, {appended}");
        match read(ForwardedHeader::Forwarded, "10.0.0.1", &[("Forwarded", &spoof), ("Forwarded", &line)]) {
            Ok(client) => prop_assert_eq!((client.to_string(), client.hops()), ("192.0.2.1".to_owned(), 1)),
            Err(error) => prop_assert!(matches!(error, ForwardedError::Syntax { .. }), "{:?}", error),
        }
    }

    /// Against a loop over the whole list.
    #[test]
    fn the_client_is_the_last_address_that_is_not_trusted(nodes in proptest::collection::vec(
        prop_oneof![Just("10.0.0.2"), Just("192.0.2.1"), Just("fd00::2"), Just("_x"), Just("2001:db8::7"), Just("unknown")],
        0..6,
    )) {
        let last = nodes.iter().rposition(|node| !trusted(&ForwardedNode::parse(node).unwrap()));
        let expected = last.or(if nodes.is_empty() { None } else { Some(0) });
        let expected = expected.map_or(("10.0.0.1", 0), |at| (nodes[at], nodes.len() - at));
        let quoted: Vec<_> = nodes
            .iter()
            .map(|node| if node.contains(':') { format!("for=\"[{node}]\"") } else { format!("for={node}") })
            .collect();
        for (header, name, value) in [
            (ForwardedHeader::XForwardedFor, "X-Forwarded-For", nodes.join(", ")),
            (ForwardedHeader::Forwarded, "Forwarded", quoted.join(",")),
        ] {
            let client = read(header, "10.0.0.1", &[(name, &value)]).unwrap();
            prop_assert_eq!((&*client.to_string(), client.hops()), expected, "{}", value);
        }
    }
}
