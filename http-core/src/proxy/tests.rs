use super::*;

fn headers(fields: &[&str]) -> Headers {
    Headers::parse(format!("{}\r\n\r\n", fields.join("\r\n")).as_bytes()).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn policy(xheaders: XHeaders) -> ProxyPolicy {
    ProxyPolicy { xheaders }
}

/// Trusts proxies in 10.0.0.0/8 and fd00::/8.
fn proxies() -> XHeaders {
    XHeaders::trusted(["10.0.0.0/8", "fd00::/8"]).unwrap()
}

/// Returns the address and the scheme that a server with this policy determines for a request from
/// 10.0.0.1.
fn resolve_as(xheaders: &XHeaders, fields: &[&str]) -> (String, Option<Scheme>) {
    let headers = headers(fields);
    let resolved = policy(xheaders.clone()).resolve(Some(ip(PEER)), &headers);
    assert_eq!(resolved.host, None);
    (resolved.remote_ip.unwrap().to_string(), resolved.scheme)
}

/// Returns the same for a policy in which the proxies write the address into the first of these
/// fields, and the scheme.
fn resolve(fields: &[&str]) -> (String, Option<Scheme>) {
    let is = |name: &str| {
        fields.first().is_some_and(|field| field.get(..name.len()).is_some_and(|f| f.eq_ignore_ascii_case(name)))
    };
    let xheaders = match () {
        () if is("X-Real-IP:") => proxies().x_real_ip(),
        () if is("Forwarded:") => proxies().forwarded(),
        () => proxies(),
    };
    resolve_as(&xheaders.proto(), fields)
}

const PEER: &str = "10.0.0.1";

#[test]
fn client_address_is_taken_from_a_trusted_peer() {
    let table: &[(&[&str], &str)] = &[
        (&[], PEER),
        (&["X-Real-IP: 203.0.113.9"], "203.0.113.9"),
        (&["x-real-ip: \"[2001:db8::9]:80\""], "2001:db8::9"),
        (&["X-Real-IP: 203.0.113.9", "X-Forwarded-For: 198.51.100.1"], "203.0.113.9"),
        (&["X-Forwarded-For: 203.0.113.9", "X-Real-IP: 198.51.100.1", "Forwarded: for=198.51.100.2"], "203.0.113.9"),
        (&["Forwarded: for=203.0.113.9", "X-Real-IP: 198.51.100.1", "X-Forwarded-For: 198.51.100.2"], "203.0.113.9"),
        (&["X-Forwarded-For: 203.0.113.9"], "203.0.113.9"),
        (&["X-Forwarded-For: 203.0.113.9:4711"], "203.0.113.9"),
        (&["X-Forwarded-For: 2001:db8::9"], "2001:db8::9"),
        (&["X-Forwarded-For: [2001:db8::9]:4711"], "2001:db8::9"),
        (&["X-Forwarded-For: \"[2001:db8::9]\""], "2001:db8::9"),
        (&["X-Forwarded-For: ::ffff:203.0.113.9"], "203.0.113.9"),
        // The walk goes past trusted addresses, over lines and empty entries.
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
fn entries_left_of_the_trusted_proxies_are_ignored() {
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
fn peer_is_the_client_if_there_is_no_address() {
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
            // In the middle of the trusted part: the entries to its left could be from the client.
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
fn forwarded_scheme_is_used() {
    use Scheme::{Http, Https};
    let table: &[(&[&str], Option<Scheme>)] = &[
        (&[], None),
        (&["X-Forwarded-Proto: https"], Some(Https)),
        (&["X-Forwarded-Proto: HTTP"], Some(Http)),
        (&["X-Forwarded-Proto: "], None),
        (&["X-Forwarded-Proto: ws"], Some(Http)),
        (&["X-Forwarded-Proto: WSS"], Some(Https)),
        (&["X-Forwarded-Proto: wsss"], None),
        (&["X-Forwarded-Proto: httpsx"], None),
        (&["X-Forwarded-Proto: \"https\""], None),
        (&["X-Forwarded-Proto: https://"], None),
        (&["X_Forwarded_Proto: https"], None),
        (&["X-Real-IP: 203.0.113.9", "X-Forwarded-Proto: https"], Some(Https)),
        // A list that corresponds to X-Forwarded-For: the client used the scheme in the entry of
        // the proxy that it was connected to.
        (&["X-Forwarded-For: 203.0.113.9, 10.0.0.2", "X-Forwarded-Proto: https, http"], Some(Https)),
        (&["X-Forwarded-For: 1.1.1.1, 203.0.113.9", "X-Forwarded-Proto: https, http"], Some(Http)),
        (&["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Proto: http"], Some(Http)),
        (&["X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.0.0.2", "X-Forwarded-Proto: http, https,, http"], Some(Https)),
        (&["X-Forwarded-For: 203.0.113.9, unknown, 10.0.0.2", "X-Forwarded-Proto: x, https, http"], Some(Https)),
        // A shorter list was replaced by a proxy.
        (&["X-Forwarded-For: 203.0.113.9, 10.0.0.2", "X-Forwarded-Proto: https"], Some(Https)),
        (&["X-Forwarded-For: 203.0.113.9, 10.0.0.3, 10.0.0.2", "X-Forwarded-Proto: http, https"], Some(Https)),
        // Only one element is used, even if it is neither http nor https.
        (&["X-Forwarded-For: 203.0.113.9, 10.0.0.2", "X-Forwarded-Proto: x, https"], None),
        (&["X-Forwarded-Proto: https, x"], None),
        // Forwarded.
        (&["Forwarded: for=203.0.113.9;proto=https"], Some(Https)),
        (&["Forwarded: proto=\"HTTPS\""], Some(Https)),
        (&["Forwarded: for=203.0.113.9;proto=wss"], Some(Https)),
        (&["Forwarded: for=203.0.113.9;proto=x"], None),
        (&["Forwarded: for=203.0.113.9;proto=https, for=10.0.0.2;proto=http"], Some(Https)),
        (&["Forwarded: for=1.1.1.1;proto=https, for=203.0.113.9;proto=http, for=10.0.0.2;proto=https"], Some(Http)),
        (&["Forwarded: for=1.1.1.1;proto=https, for=203.0.113.9"], None),
        (&["Forwarded: for=1.1.1.1;proto=https, for=_x;proto=http"], Some(Http)),
        (&["Forwarded: for=1.1.1.1;proto=http;proto=https"], None),
        (&["Forwarded: for=1.1.1.1;proto=https", "X-Forwarded-Proto: http"], Some(Https)),
        (&["Forwarded: for=1.1.1.1", "X-Forwarded-Proto: http"], Some(Http)),
        (&["X-Forwarded-For: 1.1.1.1", "Forwarded: for=1.1.1.1;proto=https"], None),
    ];
    for (fields, expected) in table {
        assert_eq!(resolve(fields).1, *expected, "{fields:?}");
    }
}

#[test]
fn forwarded_host_is_used_only_if_enabled() {
    let host = |xheaders: &XHeaders, fields: &[&str]| {
        policy(xheaders.clone()).resolve(Some(ip(PEER)), &headers(fields)).host.map(str::to_owned)
    };
    let table: &[(&[&str], Option<&str>)] = &[
        (&["X-Forwarded-Host: example.com"], Some("example.com")),
        (&["X-Forwarded-Host: example.com:8080"], Some("example.com:8080")),
        (&["X-Forwarded-Host: [2001:db8::1]:80"], Some("[2001:db8::1]:80")),
        (&["X-Forwarded-For: 203.0.113.9, 10.0.0.2", "X-Forwarded-Host: a.example, b.example"], Some("a.example")),
        (&["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: a.example, b.example"], Some("b.example")),
        (&["Forwarded: for=203.0.113.9;host=\"example.com:80\", for=10.0.0.2;host=inner"], Some("example.com:80")),
        (&["Forwarded: host=example.com", "X-Forwarded-Host: other"], Some("example.com")),
        (&["X-Forwarded-Host: example.com", "Forwarded: host=other"], Some("example.com")),
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
        let forwarded = fields[0].starts_with("Forwarded");
        let xheaders = if forwarded { proxies().forwarded() } else { proxies() };
        assert_eq!(host(&xheaders, fields), None, "{fields:?}");
        assert_eq!(host(&xheaders.host(), fields).as_deref(), *expected, "{fields:?}");
    }
}

const EVERYTHING: [&str; 5] = [
    "X-Real-IP: 203.0.113.9",
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: example.com",
    "Forwarded: for=203.0.113.9;proto=https;host=example.com",
];

#[test]
fn fields_of_an_untrusted_peer_are_ignored() {
    let headers = headers(&EVERYTHING);
    let all = |networks: &[&str]| XHeaders::trusted(networks.iter().copied()).unwrap().proto().host();
    let cidrs = all(&["10.0.0.0/8", "fd00::/8", "::1"]);
    let outsiders =
        ["11.0.0.1", "9.255.255.255", "203.0.113.9", "fe00::1", "::2", "::ffff:11.0.0.1", "::10.0.0.1", "::a00:1"];
    for peer in outsiders.into_iter().map(|peer| Some(ip(peer))).chain([None]) {
        let off = XHeaders::Off.proto().host().unix_peers().forwarded();
        for xheaders in [cidrs.clone(), cidrs.clone().x_real_ip(), cidrs.clone().forwarded(), off, all(&[])] {
            let expected = Resolved { remote_ip: peer.map(|ip| ip.to_canonical()), scheme: None, host: None };
            assert_eq!(policy(xheaders).resolve(peer, &headers), expected, "{peer:?}");
        }
    }
    for peer in ["10.0.0.1", "::ffff:10.255.0.1", "fd12::1", "::1"] {
        for xheaders in [cidrs.clone(), cidrs.clone().x_real_ip(), cidrs.clone().forwarded()] {
            let resolved = policy(xheaders).resolve(Some(ip(peer)), &headers);
            let expected =
                Resolved { remote_ip: Some(ip("203.0.113.9")), scheme: Some(Scheme::Https), host: Some("example.com") };
            assert_eq!(resolved, expected, "{peer}");
        }
    }
}

#[test]
fn trust_all_uses_the_leftmost_address() {
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
fn trust_all_has_the_field_order_of_pants() {
    let table: &[(&[&str], &str, Option<Scheme>)] = &[
        (&["X-Forwarded-For: 192.0.2.2", "X-Real-IP: 192.0.2.1", "Forwarded: for=192.0.2.3"], "192.0.2.1", None),
        (&["X-Real-IP: junk", "X-Forwarded-For: 192.0.2.2"], PEER, None),
        (&["Forwarded: for=192.0.2.3;proto=https", "X-Forwarded-For: 192.0.2.2"], "192.0.2.2", None),
        (&["Forwarded: for=192.0.2.3;proto=https;host=h"], "192.0.2.3", Some(Scheme::Https)),
        (&["Forwarded: for=192.0.2.3", "X-Forwarded-Proto: https"], PEER, Some(Scheme::Https)),
        (&["X-Forwarded-Host: h", "Forwarded: for=192.0.2.3"], "192.0.2.3", None),
    ];
    for (fields, remote_ip, scheme) in table {
        let resolved = resolve_as(&XHeaders::TrustAll.host().forwarded(), fields);
        assert_eq!(resolved, ((*remote_ip).to_owned(), *scheme), "{fields:?}");
    }
}

#[test]
fn unix_peers_are_trusted_only_if_enabled() {
    let headers = headers(&EVERYTHING);
    let remote_ip = |xheaders: XHeaders| policy(xheaders).resolve(None, &headers).remote_ip;
    let cidrs = XHeaders::trusted(["0.0.0.0/0", "::/0"]).unwrap();
    assert_eq!(remote_ip(cidrs.clone()), None);
    assert_eq!(remote_ip(cidrs.unix_peers().x_real_ip()), Some(ip("203.0.113.9")));
    assert_eq!(remote_ip(XHeaders::trusted([]).unwrap().unix_peers()), Some(ip("203.0.113.9")));
    assert_eq!(remote_ip(XHeaders::TrustAll), Some(ip("203.0.113.9")));
    let garbage = self::headers(&["X-Forwarded-For: unix:"]);
    let xheaders = XHeaders::trusted([]).unwrap().unix_peers();
    assert_eq!(policy(xheaders).resolve(None, &garbage).remote_ip, None);
}

#[test]
fn only_enabled_fields_are_read() {
    let fields = ["X-Real-IP: 192.0.2.1", "X-Forwarded-For: 192.0.2.2", "Forwarded: for=192.0.2.3;proto=http"];
    let [real_ip, x_forwarded, forwarded] = fields;
    let (proto, host) = ("X-Forwarded-Proto: https", "X-Forwarded-Host: h");
    for (xheaders, fields, remote_ip, scheme) in [
        (proxies(), &[real_ip, x_forwarded, forwarded, proto, host][..], "192.0.2.2", None),
        (proxies(), &[real_ip, forwarded, proto, host], PEER, None),
        (proxies().proto(), &[real_ip, forwarded, proto, host], PEER, Some(Scheme::Https)),
        (proxies().x_real_ip(), &[real_ip, x_forwarded, forwarded, proto, host], "192.0.2.1", None),
        (proxies().x_real_ip(), &[x_forwarded, forwarded, proto, host], PEER, None),
        (proxies().forwarded(), &[real_ip, x_forwarded, forwarded, proto, host], "192.0.2.3", Some(Scheme::Http)),
        (proxies().forwarded(), &[real_ip, x_forwarded, proto, host], PEER, None),
        (proxies().forwarded().proto(), &[proto], PEER, Some(Scheme::Https)),
        // The last call takes effect.
        (proxies().forwarded().x_real_ip(), &[real_ip, forwarded], "192.0.2.1", None),
    ] {
        assert_eq!(resolve_as(&xheaders, fields), (remote_ip.to_owned(), scheme), "{xheaders:?} {fields:?}");
    }
}

/// Fields that the client sends.
const CLAIMS: [&str; 13] = [
    "X-Real-IP: 192.0.2.66",
    "X-Real-IP: 10.0.0.66",
    "X-Forwarded-For: 192.0.2.66",
    "X-Forwarded-For: 192.0.2.66, 10.0.0.66",
    "X-Forwarded-For: \"",
    "X-Forwarded-For:",
    "Forwarded: for=192.0.2.66;proto=https;host=claimed",
    "Forwarded: for=192.0.2.66, for=10.0.0.66;proto=https;host=claimed",
    "Forwarded: for=\"",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: claimed",
    "X_Forwarded_For: 192.0.2.66",
    "X-Forwarded-For-X: 192.0.2.66",
];

/// Returns the fields that the proxies of this policy forward for a client at 203.0.113.9 that sent
/// these fields: fields that they append to are kept, fields that they set are replaced.
fn pass_on(xheaders: &XHeaders, claims: &[&str], same_line: bool) -> Vec<String> {
    let XHeaders::Trusted(named) = xheaders else { unreachable!() };
    let is = |field: &str, name: &str| field.starts_with(&format!("{name}:"));
    let mut fields: Vec<String> = claims.iter().map(|claim| (*claim).to_owned()).collect();
    let mut append = |name: &str, entries: &str| match fields.iter_mut().rev().find(|field| is(field, name)) {
        Some(field) if same_line => field.push_str(&format!(", {entries}")),
        _ => fields.push(format!("{name}: {entries}")),
    };
    match named.address {
        AddressField::XForwardedFor => append("X-Forwarded-For", "203.0.113.9, 10.0.0.2"),
        AddressField::Forwarded => append("Forwarded", "for=203.0.113.9;proto=http;host=real, for=10.0.0.2"),
        AddressField::XRealIp => {}
    }
    for (sets, field) in [
        (named.address == AddressField::XRealIp, "X-Real-IP: 203.0.113.9"),
        (named.proto, "X-Forwarded-Proto: http"),
        (named.host, "X-Forwarded-Host: real"),
    ] {
        if sets {
            let (name, _) = field.split_once(':').unwrap();
            fields.retain(|claim| !is(claim, name));
            fields.push(field.to_owned());
        }
    }
    fields
}

#[test]
fn remote_ip_is_never_an_entry_written_by_the_client() {
    let addresses = [|x: XHeaders| x, XHeaders::x_real_ip, XHeaders::forwarded];
    let others = [|x: XHeaders| x, XHeaders::proto, XHeaders::host, |x: XHeaders| x.proto().host()];
    let ways = addresses.iter().flat_map(|address| others.iter().map(|other| other(address(proxies().unix_peers()))));
    let mut seen = 0;
    for xheaders in ways {
        for (one, other) in CLAIMS.iter().flat_map(|one| CLAIMS.iter().map(move |other| (*one, *other))) {
            for (same_line, peer) in [(true, Some(ip(PEER))), (false, Some(ip(PEER))), (false, None)] {
                let fields = pass_on(&xheaders, &[one, other], same_line);
                let headers = headers(&fields.iter().map(String::as_str).collect::<Vec<_>>());
                let resolved = policy(xheaders.clone()).resolve(peer, &headers);
                assert_eq!(resolved.remote_ip, Some(ip("203.0.113.9")), "{xheaders:?} {fields:?}");
                assert_ne!(resolved.scheme, Some(Scheme::Https), "{xheaders:?} {fields:?}");
                assert_ne!(resolved.host, Some("claimed"), "{xheaders:?} {fields:?}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 12 * 13 * 13 * 3);
}

#[test]
fn invalid_networks_are_errors() {
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
        assert_eq!(XHeaders::trusted(["::1", bad]), Err(ParseNetworkError(bad.to_owned())), "{bad:?}");
    }
    for (network, inside, outside) in [
        ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
        ("192.0.2.7/32", "::ffff:192.0.2.7", "192.0.2.6"),
        ("192.0.2.7/24", "192.0.2.255", "192.0.3.0"),
        ("::ffff:192.0.2.0/120", "192.0.2.1", "192.0.3.1"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.8"),
        // Wider than the mapped addresses, so it contains none of them.
        ("::ffff:192.0.2.0/40", "::1", "192.0.2.1"),
        ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
        ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
        ("::/0", "2001:db8::1", "203.0.113.9"),
    ] {
        let xheaders = XHeaders::trusted([network]).unwrap();
        let XHeaders::Trusted(proxies) = xheaders else { unreachable!() };
        let trusts = |peer| proxies.trusts(Node::Address(ip(peer).to_canonical()));
        assert!(trusts(inside) && !trusts(outside), "{network}");
    }
}

#[test]
fn lists_of_the_maximum_head_size_take_linear_time() {
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
