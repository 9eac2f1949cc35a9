//! Tests that start each program and send requests to it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod program;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use program::{Program, body, has};

const ANY: &str = "127.0.0.1:0";

#[test]
fn hello_responds_with_the_path() {
    let hello = Program::start(env!("CARGO_BIN_EXE_hello"), &[ANY], 1);
    assert_eq!(body(&hello.get("/a")), "hello, you asked for /a\n");
}

#[test]
fn routes_distinguish_404_and_405() {
    let routes = Program::start(env!("CARGO_BIN_EXE_routes"), &[ANY], 1);
    assert!(has(&routes.get("/"), "Content-Type: text/html"));
    assert_eq!(body(&routes.get("/search?q=a%20b")), "nothing found for a b\n");
    assert!(has(&routes.get("/search"), "HTTP/1.1 400"));
    assert_eq!(body(&routes.get("/users/7/name")), "the name of user 7\n");
    assert!(has(&routes.get("/users/seven/name"), "HTTP/1.1 404"));
    assert!(has(&routes.get("/users/7%2Fname"), "HTTP/1.1 404"));
    assert!(has(&routes.get("/nothing"), "HTTP/1.1 404"));
    let response = routes.send("DELETE", "/users/7/name", "", b"");
    assert!(has(&response, "HTTP/1.1 405") && has(&response, "Allow: GET, HEAD"), "{response}");
}

#[test]
fn json_keeps_notes_and_refuses_others() {
    let json = Program::start(env!("CARGO_BIN_EXE_json"), &[ANY], 1);
    let post =
        |kind: &str, note: &str| json.send("POST", "/notes", &format!("Content-Type: {kind}\r\n"), note.as_bytes());
    assert!(has(&post("application/json", r#"{"text":"milk"}"#), "HTTP/1.1 201"));
    assert!(has(&post("application/json", r#"{"txt":"milk"}"#), "HTTP/1.1 400"));
    assert!(has(&post("text/html", r#"{"text":"milk"}"#), "HTTP/1.1 415"));
    assert!(has(&post("application/json", &"x".repeat(100_000)), "HTTP/1.1 413"));
    assert_eq!(body(&json.get("/notes")), r#"[{"text":"milk"}]"#);
    assert!(has(&json.send("PUT", "/notes", "", b""), "HTTP/1.1 405"));
}

#[test]
fn login_keeps_a_signed_session() {
    let secrets = tempfile::NamedTempFile::new().unwrap();
    fs::write(secrets.path(), "0123456789abcdef0123456789abcdef\n").unwrap();
    let login = Program::start(env!("CARGO_BIN_EXE_login"), &[ANY, secrets.path().to_str().unwrap()], 1);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let response = login.send("POST", "/login", form, b"name=alice");
    assert!(has(&response, "HTTP/1.1 302") && has(&response, "Location: /"), "{response}");
    let cookies = response.lines().filter_map(|line| line.strip_prefix("Set-Cookie: ")?.split(';').next());
    let cookies = cookies.collect::<Vec<_>>().join("; ");
    let page = login.send("GET", "/", &format!("Cookie: {cookies}\r\n"), b"");
    assert_eq!(body(&page), "Welcome! You are alice; POST /logout ends that.\n");
    let forged = login.send("GET", "/", &format!("Cookie: {}\r\n", cookies.replace("user=", "user=0")), b"");
    assert!(body(&forged).contains("Log in") && !forged.contains("alice"), "{forged}");
    assert!(login.send("POST", "/logout", "", b"").contains("Set-Cookie: user=;"));
}

#[test]
fn upload_stores_files_and_refuses_large_ones() {
    let folder = tempfile::tempdir().unwrap();
    let upload = Program::start(env!("CARGO_BIN_EXE_upload"), &[folder.path().to_str().unwrap(), ANY], 1);
    let send = |content: &[u8]| {
        let begin = b"--x\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"../a\"\r\n\r\n";
        let form = [begin, content, b"\r\n--x--\r\n"].concat();
        upload.send("POST", "/", "Content-Type: multipart/form-data; boundary=x\r\n", &form)
    };
    let response = send(&[7; 500_000]);
    assert!(body(&response).starts_with("500000 bytes in "), "{response}");
    assert!(has(&send(&[7; 1_500_000]), "HTTP/1.1 413"));
    assert!(has(&upload.send("POST", "/", "", b""), "HTTP/1.1 400"));
    let stored: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(stored.len(), 1, "{stored:?}");
    assert_eq!(fs::read(&stored[0]).unwrap(), [7; 500_000]);
}

#[test]
fn site_has_a_fallback_and_its_own_404() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("index.html", "shell"), ("404.html", "lost"), ("assets/a.1.js", "code")] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let site = Program::start(env!("CARGO_BIN_EXE_site"), &[folder.path().to_str().unwrap(), ANY], 1);
    let navigate = |path| site.send("GET", path, "Accept: text/html\r\n", b"");
    assert_eq!((body(&navigate("/")), body(&navigate("/cart/7"))), ("shell", "shell"));
    let missing = site.get("/lost.png");
    assert!(has(&missing, "HTTP/1.1 404") && body(&missing) == "lost", "{missing}");
    assert!(has(&site.get("/assets/a.1.js"), "Cache-Control: max-age=31536000, immutable"));
    assert_eq!(body(&site.get("/api/none")), "no such call\n");
}

#[test]
fn streams_send_events_and_rows() {
    let streams = Program::start(env!("CARGO_BIN_EXE_streams"), &[ANY], 1);
    let mut events = streams.begin("GET", "/events", "Last-Event-ID: 41\r\n", b"");
    let mut received = String::new();
    while !received.ends_with("\n\n") {
        let mut byte = [0];
        events.read_exact(&mut byte).unwrap();
        received.push(byte[0].into());
    }
    assert!(has(&received, "Content-Type: text/event-stream"), "{received}");
    assert!(received.contains("id: 42\n") && received.contains("event: time\n"), "{received}");
    let rows = streams.get("/squares.csv");
    assert!(has(&rows, "Transfer-Encoding: chunked") && rows.ends_with("\r\n0\r\n\r\n"));
    assert!(rows.contains("99999,9999800001\r\n"));
}

#[test]
fn error_pages_come_from_the_application_and_are_counted() {
    let pages = Program::start(env!("CARGO_BIN_EXE_error_pages"), &[ANY, ANY], 2);
    let missing = pages.get("/nothing");
    assert!(has(&missing, "HTTP/1.1 404") && has(&missing, "Content-Type: application/problem+json"), "{missing}");
    let html = pages.send("GET", "/nothing", "Accept: text/html\r\n", b"");
    assert!(has(&html, "HTTP/1.1 404") && body(&html).contains("<h1>404"), "{html}");
    let mut bad = TcpStream::connect(&pages.addresses[0]).unwrap();
    bad.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(body(&program::rest(&mut bad)).contains("\"status\":400"));
    let metrics = program::exchange(&pages.addresses[1], "GET", "/metrics", "", b"");
    assert!(body(&metrics).starts_with("requests_total 2\n"), "{metrics}");
    assert!(metrics.contains("refusals_total{reason=\"missing-host\"} 1\n"), "{metrics}");
}

#[test]
fn axum_works_on_tokio_and_smol() {
    for runtime in ["tokio", "smol"] {
        let mut axum = Program::start(env!("CARGO_BIN_EXE_axum"), &[runtime, ANY], 1);
        // There are several workers, so each connection may be on another thread.
        for _ in 0..8 {
            assert!(body(&axum.get("/hello/pants")).starts_with("hello pants\n"));
            let (mut socket, _) = tungstenite::connect(format!("ws://{}/echo", axum.addresses[0])).unwrap();
            socket.send("pants".into()).unwrap();
            assert_eq!(socket.read().unwrap().to_text().unwrap(), "pants");
        }
        let mut stream = axum.begin("GET", "/hello/pants", "Accept-Encoding: gzip\r\nConnection: close\r\n", b"");
        let mut coded = vec![];
        stream.read_to_end(&mut coded).unwrap();
        assert!(has(&String::from_utf8_lossy(&coded), "Content-Encoding: gzip"));
        assert!(has(&axum.get("/slow"), "HTTP/1.1 503"));
        assert!(axum.stop().contains("finished processing request"), "it is traced");
    }
}

#[test]
fn hash_reads_chunks() {
    let hash = Program::start(env!("CARGO_BIN_EXE_hash"), &[ANY], 1);
    let mut stream = TcpStream::connect(&hash.addresses[0]).unwrap();
    stream.write_all(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n").unwrap();
    let chunk = [b"10000\r\n", [0_u8; 0x10000].as_slice(), b"\r\n"].concat();
    for _ in 0..256 {
        stream.write_all(&chunk).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let response = program::rest(&mut stream);
    // head -c 16M /dev/zero | sha256sum
    assert_eq!(body(&response), "080acf35a507ac9849cfcba47dc2ad83e01b75663a516279c8b9d243b719643e\n");
    assert!(has(&hash.get("/"), "HTTP/1.1 405"));
}

#[test]
fn proxied_trusts_the_proxy_on_its_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let _proxied = Program::start(env!("CARGO_BIN_EXE_proxied"), &[socket.to_str().unwrap()], 1);
    let get = |fields: &str| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        write!(stream, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n").unwrap();
        program::rest(&mut stream)
    };
    let response = get("X-Forwarded-For: 127.0.0.1, 192.0.2.7\r\nX-Forwarded-Proto: https\r\n");
    assert_eq!(body(&response), "hello 192.0.2.7, by https\n");
    assert!(has(&get(""), "HTTP/1.1 400"));
}

#[test]
fn https_redirects_reloads_and_drains() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    let certify = || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        made.cert.der().clone()
    };
    let first = certify();
    let arguments = [certificate.to_str().unwrap(), key.to_str().unwrap(), ANY, ANY];
    let mut https = Program::start(env!("CARGO_BIN_EXE_https"), &arguments, 2);
    for (host, location) in [("a.example:80", "https://a.example/b?c"), ("[::1]", "https://[::1]/b?c")] {
        let mut stream = TcpStream::connect(&https.addresses[0]).unwrap();
        write!(stream, "GET /b?c HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let response = program::rest(&mut stream);
        assert!(has(&response, "HTTP/1.1 308") && has(&response, &format!("Location: {location}")), "{response}");
    }
    assert_eq!(body(&over_tls(&https.addresses[1], first)), "hello over TLS\n");

    let second = certify();
    https.signal("HUP");
    assert_eq!(https.line(), "reloaded");
    assert_eq!(body(&over_tls(&https.addresses[1], second)), "hello over TLS\n");

    let mut busy = TcpStream::connect(&https.addresses[0]).unwrap();
    busy.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n").unwrap();
    let mut interim = [0; 25];
    busy.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    https.signal("TERM");
    assert_eq!(https.line(), "draining");
    busy.write_all(b"ok").unwrap();
    let response = program::rest(&mut busy);
    assert!(has(&response, "HTTP/1.1 308") && has(&response, "Connection: close"), "{response}");
    assert!(https.wait().success());
}

/// Sends a request to a server that has this certificate.
fn over_tls(address: &str, certificate: rustls::pki_types::CertificateDer<'static>) -> String {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let session = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = rustls::StreamOwned::new(session, TcpStream::connect(address).unwrap());
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    program::rest(&mut stream)
}
