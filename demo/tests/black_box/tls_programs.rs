//! Tests of HTTPS with other programs.

use std::process::{Command, Stdio};

use crate::demo::Demo;
use crate::programs::{curl, output};
use crate::tls::Certified;

/// Returns both output streams of `openssl s_client`, which connects to the demo and sends `sent`.
fn s_client(certified: &Certified, demo: &Demo, arguments: &[&str], sent: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    std::fs::write(&input, sent).unwrap();
    let address = demo.address().to_string();
    let authority = certified.text("ca.pem");
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address, "-servername", "localhost", "-verify_return_error", "-ign_eof"]);
    command.args(["-CAfile", &authority]).args(arguments).stdin(Stdio::from(std::fs::File::open(input).unwrap()));
    let output = command.output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

const LAST: &str = "GET /plaintext HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
#[ignore = "needs curl (Debian: curl)"]
fn curl_connects_with_tls_1_2_and_1_3() {
    let certified = Certified::new();
    let (demo, authority) = (certified.start(&[]), certified.text("ca.pem"));
    let trusting = |arguments: &[&str], input: &[u8]| curl(&[&["--cacert", &authority], arguments].concat(), input);
    let content = vec![b'x'; 2_000_000];
    for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        let with = |arguments: &[&str], input: &[u8]| trusting(&[version, arguments].concat(), input);
        assert_eq!(with(&[&demo.url("/plaintext")], b""), "Hello, World!");
        assert_eq!(with(&["--data-binary", "@-", &demo.url("/echo-len")], &content), "2000000");
        assert_eq!(with(&["--data-binary", "@-", &demo.url("/echo")], &content).len(), 2_000_000);
        assert_eq!(with(&["--form", "a=b", "--form", "c=@-", &demo.url("/upload")], &content), "2 2000001");
        assert_eq!(with(&["--range", "1000-1999", &demo.url("/file/1m")], b"").len(), 1000);
        assert_eq!(with(&[&demo.url("/file/1m")], b"").len(), 1 << 20);
        // The response is delimited by the end of the stream, which curl checks.
        assert_eq!(with(&["--http1.0", &demo.url("/stream?chunks=20&size=10000")], b"").len(), 200_000);
    }
    let (one, two) = (demo.url("/status/200"), demo.url("/status/204"));
    let connections = trusting(&["--write-out", "%{http_code} %{num_connects}\n", &one, &two], b"");
    assert_eq!(connections, "200 1\n204 0\n");
    let plain = demo.url("/").replace("https:", "http:");
    assert!(curl(&[&plain], b"").starts_with("a plain HTTP request was sent to a port that speaks TLS"));
}

#[test]
#[ignore = "needs openssl (Debian: openssl)"]
fn openssl_connects_and_resumes_with_tls_1_2_and_1_3() {
    let certified = Certified::new();
    let demo = certified.start(&[]);
    let session = certified.text("session");
    for (flag, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        for (keeps, begins) in [("-sess_out", "New"), ("-sess_in", "Reused")] {
            let said = s_client(&certified, &demo, &[flag, keeps, &session], LAST);
            assert!(said.contains(&format!("{begins}, {version}, Cipher is ")), "{said}");
            assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
            assert!(said.contains("\r\n\r\nHello, World!") && !said.contains("unexpected eof"), "{said}");
        }
        // Without tickets the server keeps sessions of TLS 1.2.
        let said = s_client(&certified, &demo, &[flag, "-no_ticket", "-sess_out", &session], LAST);
        assert!(said.contains(&format!("New, {version}")), "{said}");
        let said = s_client(&certified, &demo, &[flag, "-no_ticket", "-sess_in", &session], LAST);
        assert!(said.contains("\r\n\r\nHello, World!"), "{said}");
        assert!(version != "TLSv1.2" || said.contains("Reused, TLSv1.2"), "{said}");
    }
    let said = s_client(&certified, &demo, &["-alpn", "h2,http/1.1"], LAST);
    assert!(said.contains("ALPN protocol: http/1.1"), "{said}");
    let said = s_client(&certified, &demo, &["-alpn", "h2"], LAST);
    assert!(said.contains("alert no application protocol") && !said.contains("Hello"), "{said}");
    let said = s_client(&certified, &demo, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], LAST);
    assert!(said.contains("SSL alert number") && !said.contains("Hello"), "{said}");
}

#[test]
#[ignore = "needs openssl (Debian: openssl)"]
fn openssl_needs_a_client_certificate() {
    let certified = Certified::new();
    let demo = certified.start(&["--client-ca", &certified.text("ca.pem")]);
    let (certificate, key) = (certified.text("client.pem"), certified.text("client.key"));
    for version in ["-tls1_2", "-tls1_3"] {
        let said = s_client(&certified, &demo, &[version, "-cert", &certificate, "-key", &key], LAST);
        assert!(said.contains("\r\n\r\nHello, World!"), "{said}");
        let said = s_client(&certified, &demo, &[version], LAST);
        assert!(said.contains("alert certificate required") || said.contains("alert handshake failure"), "{said}");
        assert!(!said.contains("Hello"), "{said}");
        let stranger = Certified::new();
        let (certificate, key) = (stranger.text("client.pem"), stranger.text("client.key"));
        let said = s_client(&certified, &demo, &[version, "-cert", &certificate, "-key", &key], LAST);
        assert!(said.contains("alert") && !said.contains("Hello"), "{said}");
    }
    assert_eq!(demo.stderr(), "");
}

#[test]
#[ignore = "needs python3 and the packages of demo/tests/requirements.txt"]
fn requests_verifies_uploads_and_keeps_alive() {
    let certified = Certified::new();
    let demo = certified.start(&["--client-ca", &certified.text("ca.pem")]);
    let program = "
import sys, requests
url, authority, certificate, key = sys.argv[1:]
with requests.Session() as session:
    # Its environment may name other authorities.
    session.trust_env = False
    session.verify, session.cert = authority, (certificate, key)
    for number in range(20):
        report = session.get(f'{url}n/{number}').json()
        assert report['full_url'] == f'{url}n/{number}', report
    content = bytes(range(256)) * 10000
    assert session.post(url + 'echo', data=content).content == content
    assert session.post(url + 'echo', data=(content[:1000] for _ in range(100))).content == content[:1000] * 100
    assert session.post(url + 'upload', files={'f': content}).text == '1 2560000'
    part = session.get(url + 'file/1m', headers={'Range': 'bytes=5-9'})
    assert part.status_code == 206 and len(part.content) == 5
try:
    requests.get(url, verify=authority)
    raise SystemExit('let in without a certificate')
except requests.exceptions.ConnectionError:
    pass
print('done')
";
    let [authority, certificate, key] = ["ca.pem", "client.pem", "client.key"].map(|name| certified.text(name));
    let url = demo.url("/");
    assert_eq!(output("python3", &["-c", program, &url, &authority, &certificate, &key], b""), "done\n");
}
