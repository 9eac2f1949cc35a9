use super::*;

fn headers(fields: &[&str]) -> Headers {
    Headers::parse(format!("{}\r\n\r\n", fields.join("\r\n")).as_bytes()).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn policy(xheaders: XHeaders) -> ProxyPolicy {
    ProxyPolicy { xheaders, ..ProxyPolicy::default() }
}

fn trusting(networks: &[&str]) -> ProxyPolicy {
    policy(XHeaders::trusted(networks.iter().copied()).unwrap())
}

/// A server behind proxies in 10.0.0.0/8 and fd00::/8, asked by 10.0.0.1.
fn resolve(fields: &[&str]) -> (String, Option<Scheme>) {
    let headers = headers(fields);
    let resolved = trusting(&["10.0.0.0/8", "fd00::/8"]).resolve(Some(ip("10.0.0.1")), &headers);
    assert_eq!(resolved.host, None);
    (resolved.remote_ip.unwrap().to_string(), resolved.scheme)
}

const PEER: &str = "10.0.0.1";

#[test]
fn addresses_behind_a_trusted_peer() {
    let table: &[(&[&str], &str)] = &[
        (&[], PEER),
        (&["X-Real-IP: 203.0.113.9"], "203.0.113.9"),
        (&["x-real-ip: \"[2001:db8::9]:80\""], "2001:db8::9"),
        (&["X-Real-IP: 203.0.113.9", "X-Forwarded-For: 198.51.100.1"], "203.0.113.9"),
        (&["X-Forwarded-For: 203.0.113.9"], "203.0.113.9"),
        (&["X-Forwarded-For: 203.0.113.9:4711"], "203.0.113.9"),
        (&["X-Forwarded-For: 2001:db8::9"], "2001:db8::9"),
        (&["X-Forwarded-For: [2001:db8::9]:4711"], "2001:db8::9"),
        (&["X-Forwarded-For: \"[2001:db8::9]\""], "2001:db8::9"),
        (&["X-Forwarded-For: ::ffff:203.0.113.9"], "203.0.113.9"),
        // Past trusted addresses, over lines and empty entries.
        (&["X-Forwarded-For: 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        (&["X-Forwarded-For: 203.0.113.9,fd00::1 ,\t10.0.0.2:80, ,"], "203.0.113.9"),
        (&["X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: ::ffff:10.9.9.9"], "203.0.113.9"),
        (&["X-Forwarded-For: 10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (&["X-Forwarded-For:"], PEER),
        (&["X-Forwarded-For: , ,"], PEER),
        // Forwarded.
        (&["Forwarded: for=203.0.113.9"], "203.0.113.9"),
        (&["Forwarded: For=\"[2001:db8::9]:4711\";proto=http;by=203.0.113.43"], "2001:db8::9"),
        (&["Forwarded: for=203.0.113.9, for=10.0.0.2;by=10.0.0.3"], "203.0.113.9"),
        (&["Forwarded: for=203.0.113.9", "Forwarded: for=10.0.0.2", "Forwarded: , for=\"[fd00::1]\" ,"], "203.0.113.9"),
        (&["Forwarded: for=10.0.0.3, for=10.0.0.2"], "10.0.0.3"),
        (&["Forwarded: "], PEER),
        // The X- fields come first, and then Forwarded is not read at all.
        (&["Forwarded: for=198.51.100.1", "X-Forwarded-For: 203.0.113.9"], "203.0.113.9"),
        (&["Forwarded: for=198.51.100.1", "X-Real-IP: 203.0.113.9"], "203.0.113.9"),
        (&["Forwarded: for=198.51.100.1", "X-Forwarded-Proto: https"], PEER),
        // Names with `_` are other fields.
        (&["X_Real_IP: 203.0.113.9", "X_Forwarded_For: 203.0.113.9", "X-Forwarded_For: 203.0.113.9"], PEER),
        (&["X_Forwarded_For: 198.51.100.1", "X-Forwarded-For: 203.0.113.9"], "203.0.113.9"),
        (&["XForwardedFor: 203.0.113.9", "X-Forwarded-For-X: 203.0.113.9"], PEER),
    ];
    for (fields, expected) in table {
        assert_eq!(resolve(fields).0, *expected, "{fields:?}");
    }
}

#[test]
fn what_a_client_claims_is_left_of_what_proxies_saw() {
    let table: &[(&[&str], &str)] = &[
        (&["X-Forwarded-For: 127.0.0.1, 203.0.113.9"], "203.0.113.9"),
        (&["X-Forwarded-For: 10.0.0.7, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        (&["X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 203.0.113.9"], "203.0.113.9"),
        (&["X-Forwarded-For: 127.0.0.1", "A: b", "x-forwarded-for: 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        (&["X-Forwarded-For: junk, , ", "X-Forwarded-For: 203.0.113.9"], "203.0.113.9"),
        (&["X-Forwarded-For: \", 203.0.113.9"], "203.0.113.9"),
        (&["X-Forwarded-For: \"127.0.0.1, 203.0.113.9"], "203.0.113.9"),
        (&["X-Forwarded-For: \\, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        (&["Forwarded: for=127.0.0.1, for=203.0.113.9"], "203.0.113.9"),
        (&["Forwarded: for=\", for=203.0.113.9"], "203.0.113.9"),
        (&["Forwarded: for=\"127.0.0.1;x=\\\", for=203.0.113.9;by=\"a,b\", for=10.0.0.2"], "203.0.113.9"),
        (&["Forwarded: for=127.0.0.1;x=\"", "Forwarded: for=203.0.113.9"], "203.0.113.9"),
        // One line or two, X-Real-IP is one address.
        (&["X-Real-IP: 127.0.0.1", "X-Real-IP: 203.0.113.9"], PEER),
        (&["X-Real-IP: 127.0.0.1, 203.0.113.9"], PEER),
    ];
    for (fields, expected) in table {
        assert_eq!(resolve(fields).0, *expected, "{fields:?}");
    }
}

#[test]
fn where_no_address_is_told_the_peer_stands_for_the_client() {
    for entry in [
        "junk",
        "unknown",
        "_hidden",
        "unknown:80",
        "203.0.113.9:",
        "203.0.113.9:x",
        "203.0.113.999",
        "[2001:db8::9",
        "2001:db8::9]",
        "\"203.0.113.9",
        "203.0.113.9\"",
        "\"203.0.113\\.9\"",
        "203.0.113.9 10.0.0.2",
        "0x7f000001",
        "127.1",
        "localhost",
        "203.0.113.9/32",
        "\u{e9}",
        "\"\"",
        "for=203.0.113.9",
    ] {
        for line in [
            format!("X-Real-IP: {entry}"),
            format!("X-Forwarded-For: {entry}"),
            format!("X-Forwarded-For: 203.0.113.9, {entry}"),
            // In the middle of the trusted part: what is left of it could be anybody's.
            format!("X-Forwarded-For: 203.0.113.9, 10.0.0.3, {entry}, 10.0.0.2"),
            format!("Forwarded: for={entry}"),
            format!("Forwarded: for=203.0.113.9, for={entry}, for=10.0.0.2"),
        ] {
            assert_eq!(resolve(&[&line]).0, PEER, "{line}");
        }
    }
    for element in
        ["for", "by=10.0.0.2", "proto=https", "for=10.0.0.2;for=10.0.0.3", ";", "for=10.0.0.2;x", "for 10.0.0.2"]
    {
        let line = format!("Forwarded: for=203.0.113.9, {element}, for=10.0.0.2");
        assert_eq!(resolve(&[&line]).0, PEER, "{line}");
    }
    assert_eq!(resolve(&["X-Real-IP:", "X-Forwarded-For: 203.0.113.9"]).0, PEER);
}

#[test]
fn schemes() {
    use Scheme::{Http, Https};
    let table: &[(&[&str], Option<Scheme>)] = &[
        (&[], None),
        (&["X-Forwarded-Proto: https"], Some(Https)),
        (&["X-Forwarded-Proto: HTTP"], Some(Http)),
        (&["X-Forwarded-Proto: "], None),
        (&["X-Forwarded-Proto: ws"], None),
        (&["X-Forwarded-Proto: httpsx"], None),
        (&["X-Forwarded-Proto: \"https\""], None),
        (&["X-Forwarded-Proto: https://"], None),
        (&["X_Forwarded_Proto: https"], None),
        (&["X-Real-IP: 203.0.113.9", "X-Forwarded-Proto: https"], Some(Https)),
        // A list that goes with X-Forwarded-For: the client spoke to the proxy that wrote its entry.
        (&["X-Forwarded-For: 203.0.113.9, 10.0.0.2", "X-Forwarded-Proto: https, http"], Some(Https)),
        (&["X-Forwarded-For: 1.1.1.1, 203.0.113.9", "X-Forwarded-Proto: https, http"], Some(Http)),
        (&["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Proto: http"], Some(Http)),
        (&["X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.0.0.2", "X-Forwarded-Proto: http, https,, http"], Some(Https)),
        (&["X-Forwarded-For: 203.0.113.9, unknown, 10.0.0.2", "X-Forwarded-Proto: ws, https, http"], Some(Https)),
        // A shorter list was replaced on the way.
        (&["X-Forwarded-For: 203.0.113.9, 10.0.0.2", "X-Forwarded-Proto: https"], Some(Https)),
        (&["X-Forwarded-For: 203.0.113.9, 10.0.0.3, 10.0.0.2", "X-Forwarded-Proto: http, https"], Some(Https)),
        // The element that counts is the only one, also when it is none of the two.
        (&["X-Forwarded-For: 203.0.113.9, 10.0.0.2", "X-Forwarded-Proto: ws, https"], None),
        (&["X-Forwarded-Proto: https, ws"], None),
        // Forwarded.
        (&["Forwarded: for=203.0.113.9;proto=https"], Some(Https)),
        (&["Forwarded: proto=\"HTTPS\""], Some(Https)),
        (&["Forwarded: for=203.0.113.9;proto=ws"], None),
        (&["Forwarded: for=203.0.113.9;proto=https, for=10.0.0.2;proto=http"], Some(Https)),
        (&["Forwarded: for=1.1.1.1;proto=https, for=203.0.113.9;proto=http, for=10.0.0.2;proto=https"], Some(Http)),
        (&["Forwarded: for=1.1.1.1;proto=https, for=203.0.113.9"], None),
        (&["Forwarded: for=1.1.1.1;proto=https, for=_x;proto=http"], Some(Http)),
        (&["Forwarded: for=1.1.1.1;proto=http;proto=https"], None),
        (&["Forwarded: proto=https", "X-Forwarded-For: 203.0.113.9"], None),
        (&["Forwarded: proto=https", "X-Forwarded-Proto: http"], Some(Http)),
    ];
    for (fields, expected) in table {
        assert_eq!(resolve(fields).1, *expected, "{fields:?}");
    }
}

#[test]
fn hosts_only_where_they_are_switched_on() {
    let mut policy = trusting(&["10.0.0.0/8"]);
    let host = |policy: &ProxyPolicy, fields: &[&str]| {
        policy.resolve(Some(ip(PEER)), &headers(fields)).host.map(str::to_owned)
    };
    let table: &[(&[&str], Option<&str>)] = &[
        (&["X-Forwarded-Host: example.com"], Some("example.com")),
        (&["X-Forwarded-Host: example.com:8080"], Some("example.com:8080")),
        (&["X-Forwarded-Host: [2001:db8::1]:80"], Some("[2001:db8::1]:80")),
        (&["X-Forwarded-For: 203.0.113.9, 10.0.0.2", "X-Forwarded-Host: a.example, b.example"], Some("a.example")),
        (&["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: a.example, b.example"], Some("b.example")),
        (&["Forwarded: for=203.0.113.9;host=\"example.com:80\", for=10.0.0.2;host=inner"], Some("example.com:80")),
        (&["Forwarded: host=outer", "X-Forwarded-Host: example.com"], Some("example.com")),
        (&["X_Forwarded_Host: example.com"], None),
        (&["X-Forwarded-Host: "], None),
        (&["X-Forwarded-Host: a/b"], None),
        (&["X-Forwarded-Host: user@example.com"], None),
        (&["X-Forwarded-Host: example.com:"], Some("example.com:")),
        (&["X-Forwarded-Host: a%zz"], None),
        (&["Forwarded: host=\"a,b\""], None),
        (&["X-Forwarded-Host: example.com:8x"], None),
        (&["X-Forwarded-Host: example.com:80:80"], None),
        (&["X-Forwarded-Host: :80"], None),
        (&["X-Forwarded-Host: [::1"], None),
        (&["X-Forwarded-Host: [::1]x"], None),
        (&["X-Forwarded-Host: ::1"], None),
        (&["X-Forwarded-Host: a b"], None),
        (&["X-Forwarded-Host: \u{e9}"], None),
        (&["Forwarded: host=\"a<b\""], None),
    ];
    for (fields, expected) in table {
        policy.forwarded_host = false;
        assert_eq!(host(&policy, fields), None, "{fields:?}");
        policy.forwarded_host = true;
        assert_eq!(host(&policy, fields).as_deref(), *expected, "{fields:?}");
    }
    // Switched off, the field does not keep Forwarded from being read.
    assert_eq!(resolve(&["X-Forwarded-Host: a", "Forwarded: for=203.0.113.9"]).0, "203.0.113.9");
}

const EVERYTHING: [&str; 5] = [
    "X-Real-IP: 203.0.113.9",
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: example.com",
    "Forwarded: for=203.0.113.9;proto=https;host=example.com",
];

#[test]
fn an_untrusted_peer_is_never_believed() {
    let headers = headers(&EVERYTHING);
    let mut cidrs = trusting(&["10.0.0.0/8", "fd00::/8", "::1"]);
    cidrs.forwarded_host = true;
    let off = ProxyPolicy { forwarded_host: true, unix_peers: true, ..ProxyPolicy::default() };
    let outsiders =
        ["11.0.0.1", "9.255.255.255", "203.0.113.9", "fe00::1", "::2", "::ffff:11.0.0.1", "::10.0.0.1", "::a00:1"];
    for peer in outsiders.into_iter().map(|peer| Some(ip(peer))).chain([None]) {
        for policy in [&cidrs, &off, &trusting(&[])] {
            let expected = Resolved { remote_ip: peer.map(|ip| ip.to_canonical()), scheme: None, host: None };
            assert_eq!(policy.resolve(peer, &headers), expected, "{peer:?}");
        }
    }
    assert_eq!(off.resolve(Some(ip("10.0.0.1")), &headers).scheme, None);
    for peer in ["10.0.0.1", "::ffff:10.255.0.1", "fd12::1", "::1"] {
        let resolved = cidrs.resolve(Some(ip(peer)), &headers);
        let expected =
            Resolved { remote_ip: Some(ip("203.0.113.9")), scheme: Some(Scheme::Https), host: Some("example.com") };
        assert_eq!(resolved, expected, "{peer}");
    }
}

#[test]
fn trust_all_takes_the_leftmost() {
    let all = policy(XHeaders::TrustAll);
    let resolve =
        |fields: &[&str]| all.resolve(Some(ip("198.51.100.1")), &headers(fields)).remote_ip.unwrap().to_string();
    assert_eq!(resolve(&["X-Forwarded-For: 203.0.113.9, 192.0.2.1"]), "203.0.113.9");
    assert_eq!(resolve(&["X-Forwarded-For: 203.0.113.9, unknown, _x, 192.0.2.1"]), "203.0.113.9");
    assert_eq!(resolve(&["X-Forwarded-For: unknown, 192.0.2.1"]), "198.51.100.1");
    assert_eq!(resolve(&["X-Forwarded-For: 203.0.113.9, junk, 192.0.2.1"]), "198.51.100.1");
    assert_eq!(resolve(&["Forwarded: for=203.0.113.9, for=_x"]), "203.0.113.9");
    assert_eq!(resolve(&["X-Real-IP: 203.0.113.9"]), "203.0.113.9");
}

#[test]
fn unix_peers_are_trusted_where_the_policy_says_so() {
    let headers = headers(&EVERYTHING);
    let remote_ip = |policy: &ProxyPolicy| policy.resolve(None, &headers).remote_ip;
    let mut cidrs = trusting(&["0.0.0.0/0", "::/0"]);
    assert_eq!(remote_ip(&cidrs), None);
    cidrs.unix_peers = true;
    assert_eq!(remote_ip(&cidrs), Some(ip("203.0.113.9")));
    assert_eq!(remote_ip(&policy(XHeaders::TrustAll)), Some(ip("203.0.113.9")));
    let garbage = self::headers(&["X-Forwarded-For: unix:"]);
    assert_eq!(cidrs.resolve(None, &garbage).remote_ip, None);
}

#[test]
fn fields_that_no_proxy_writes_can_be_switched_off() {
    let fields = ["X-Real-IP: 192.0.2.1", "X-Forwarded-For: 192.0.2.2", "Forwarded: for=192.0.2.3"];
    let mut policy = trusting(&["10.0.0.0/8"]);
    let mut expect = |real: bool, x: bool, forwarded: bool, expected: &str| {
        (policy.x_real_ip, policy.x_forwarded, policy.forwarded) = (real, x, forwarded);
        assert_eq!(policy.resolve(Some(ip(PEER)), &headers(&fields)).remote_ip, Some(ip(expected)));
    };
    expect(true, true, true, "192.0.2.1");
    expect(true, false, true, "192.0.2.1");
    expect(false, true, true, "192.0.2.2");
    expect(false, false, true, "192.0.2.3");
    expect(false, false, false, PEER);
}

#[test]
fn networks() {
    for bad in [
        "",
        "10.0.0.0/33",
        "10.0.0/8",
        "::/129",
        "all",
        "10.0.0.0/",
        "/8",
        "10.0.0.0/-1",
        "10.0.0.0/255.0.0.0",
        " 10.0.0.0/8",
    ] {
        assert_eq!(XHeaders::trusted(["::1", bad]), Err(BadNetwork(bad.to_owned())), "{bad:?}");
    }
    for (network, inside, outside) in [
        ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
        ("192.0.2.7/32", "::ffff:192.0.2.7", "192.0.2.6"),
        ("192.0.2.7/24", "192.0.2.255", "192.0.3.0"),
        ("::ffff:192.0.2.0/120", "192.0.2.1", "192.0.3.1"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.8"),
        // Wider than the mapped addresses, so it names none of them.
        ("::ffff:192.0.2.0/40", "::1", "192.0.2.1"),
        ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
        ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
        ("::/0", "2001:db8::1", "203.0.113.9"),
    ] {
        let xheaders = XHeaders::trusted([network]).unwrap();
        let trusts = |peer| xheaders.trusts(Node::Address(ip(peer).to_canonical()));
        assert!(trusts(inside) && !trusts(outside), "{network}");
    }
}

#[test]
fn lists_as_large_as_a_head_can_be() {
    let many = |entry: &str| vec![entry; 60_000 / (entry.len() + 1)].join(",");
    for entry in ["10.0.0.2", "10.0.0.2\"", "_x", "\"", "\\\"", "for=10.0.0.2", "for=\"\\\"\"", "for=\"a", ";", "="] {
        for name in ["X-Forwarded-For", "Forwarded", "X-Real-IP"] {
            let fields = [format!("{name}: 203.0.113.9"), format!("{name}: {}", many(entry))];
            let (remote_ip, _) = resolve(&[&fields[0], &fields[1]]);
            assert!([PEER, "203.0.113.9", "10.0.0.2"].contains(&remote_ip.as_str()), "{name} {entry} {remote_ip}");
        }
    }
    let long = many("10.0.0.2");
    assert_eq!(resolve(&[&format!("X-Forwarded-For: 203.0.113.9, {long}")]).0, "203.0.113.9");
    assert_eq!(resolve(&[&format!("Forwarded: for=203.0.113.9, {}", many("for=10.0.0.2"))]).0, "203.0.113.9");
}
