//! Tests of HTTPS through real sockets.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustix::process::Signal;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;
use tungstenite::Message;

use crate::client::Client;
use crate::demo::{Demo, PATIENCE, run};

/// An authority, and a folder for its certificates: `ca.pem`, `server.pem` and `server.key`,
/// `client.pem` and `client.key`.
pub(crate) struct Certified {
    authority: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

impl Certified {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let certified = Self { authority, folder: tempfile::tempdir().unwrap() };
        fs::write(certified.path("ca.pem"), certified.authority.pem()).unwrap();
        certified.certify("server", &["localhost", "127.0.0.1"]);
        certified.certify("client", &["client.test"]);
        certified
    }

    /// Writes a new certificate and its key.
    pub(crate) fn certify(&self, name: &str, names: &[&str]) {
        let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        // OpenSSL treats a certificate with the name of its authority as self-signed.
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub(crate) fn start(&self, flags: &[&str]) -> Demo {
        let (certificate, key) = (self.text("server.pem"), self.text("server.key"));
        Demo::start(&[&["--tls-cert", &certificate, "--tls-key", &key], flags].concat())
    }

    pub(crate) fn stream(&self, demo: &Demo) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        let session = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
        let stream = TcpStream::connect(demo.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        StreamOwned::new(session, stream)
    }

    fn connect(&self, demo: &Demo) -> TlsClient {
        Client::new(self.stream(demo))
    }
}

#[test]
fn scheme_is_https_over_tls() {
    let certified = Certified::new();
    let demo = certified.start(&[]);
    assert!(demo.urls()[0].starts_with("https://127.0.0.1:"), "{:?}", demo.urls());
    let mut client = certified.connect(&demo);
    let report = client.get("/any?a=b").json();
    assert_eq!((&report["scheme"], &report["full_url"]), (&"https".into(), &"https://demo.test/any?a=b".into()));
    assert_eq!(client.post("/echo", vec![7; 1_000_000]).body, vec![7; 1_000_000]);
    let lines: String = (0..1 << 20).step_by(16).map(|offset| format!("{offset:015}\n")).collect();
    assert!(client.get("/file/1m").body == lines.as_bytes());
    assert_eq!(client.get("/stream?chunks=20&size=10000").body.len(), 200_000);
    client.send("GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(client.response().text(), "Hello, World!");
    assert!(client.is_at_end(), "close_notify is sent: rustls returns an error otherwise");
}

#[test]
fn plain_request_on_a_tls_port_is_400() {
    let certified = Certified::new();
    let demo = certified.start(&[]);
    let mut plain = demo.connect();
    plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = plain.response();
    assert_eq!((response.status, response.header("Connection")), (400, Some("close")));
    assert!(response.text().starts_with("a plain HTTP request was sent to a port that speaks TLS"));
    assert!(plain.is_at_end());
    assert_eq!(certified.connect(&demo).get("/plaintext").text(), "Hello, World!");
    assert_eq!(demo.stderr(), "", "errors of peers are not logged");
}

#[test]
fn aborted_handshake_does_not_affect_others() {
    let certified = Certified::new();
    let demo = certified.start(&[]);
    for sent in [&[][..], &[22], &[22, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]] {
        let mut client = demo.connect();
        client.send(sent);
        client.half_close();
        assert!(client.is_at_end());
    }
    assert_eq!(certified.connect(&demo).get("/plaintext").text(), "Hello, World!");
    assert_eq!(demo.stderr(), "");
}

#[test]
fn websocket_works_over_tls() {
    let certified = Certified::new();
    let demo = certified.start(&[]);
    let url = format!("wss://localhost:{}/ws", demo.address().port());
    let (mut socket, _) = tungstenite::client(url, certified.stream(&demo)).unwrap();
    for message in [Message::text("hello"), Message::binary(vec![1; 300_000])] {
        socket.send(message.clone()).unwrap();
        assert_eq!(socket.read().unwrap(), message);
    }
}

#[test]
fn invalid_certificates_exit_with_1_and_one_line() {
    let certified = Certified::new();
    let (certificate, key, other) =
        (certified.text("server.pem"), certified.text("server.key"), certified.text("client.key"));
    for (certificate, key, said) in [
        ("/no/such.pem", &*key, "/no/such.pem: cannot be read: No such file or directory (os error 2)".into()),
        (&*key, &*key, format!("{key}: contains no certificate")),
        (&*certificate, &*certificate, format!("{certificate}: contains no private key")),
        (&*certificate, &*other, format!("{other}: private key does not match the certificate in {certificate}")),
    ] {
        let output = run(&["--listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), text), (Some(1), format!("demo: --tls-cert and --tls-key: {said}\n")));
    }
}

/// Clients send requests without pause, on new and existing connections, while the certificates are
/// replaced; no request fails.
#[test]
fn certificate_reload_under_load_fails_no_request() {
    let certified = Certified::new();
    let demo = certified.start(&["--workers", "2"]);
    let served = || {
        let mut client = certified.connect(&demo);
        assert_eq!(client.get("/plaintext").status, 200);
        client.stream().conn.peer_certificates().unwrap()[0].to_vec()
    };
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        let load = |requests: usize| {
            let (certified, demo, ends) = (&certified, &demo, &ends);
            scope.spawn(move || {
                while !ends.load(Ordering::Relaxed) {
                    let mut client = certified.connect(demo);
                    for _ in 0..requests {
                        assert_eq!(client.get("/plaintext").text(), "Hello, World!");
                    }
                }
            })
        };
        let clients = [load(1), load(1), load(100)];
        let replaced = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..10 {
                let (before, deadline) = (served(), Instant::now() + PATIENCE);
                certified.certify("server", &["localhost", "127.0.0.1"]);
                demo.signal(Signal::HUP);
                while served() == before {
                    assert!(Instant::now() < deadline, "the certificate is not replaced");
                }
            }
        }));
        ends.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
        replaced.unwrap();
    });
    assert_eq!(demo.stderr(), "");
}

#[test]
fn failed_reload_is_logged_and_keeps_the_certificate() {
    let certified = Certified::new();
    let demo = certified.start(&[]);
    fs::write(certified.path("server.key"), "nothing").unwrap();
    demo.signal(Signal::HUP);
    let deadline = Instant::now() + PATIENCE;
    while demo.stderr().is_empty() {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
    let said = format!("{}: not PEM: no -----BEGIN line found", certified.text("server.key"));
    assert!(
        demo.stderr().contains(&said)
            && demo.stderr().contains("certificate reload failed; keeping the current certificates")
    );
    assert_eq!(certified.connect(&demo).get("/plaintext").text(), "Hello, World!");
}
