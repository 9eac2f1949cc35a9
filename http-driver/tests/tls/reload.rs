//! Tests of certificates that change while the server runs.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use httpants_driver::{Request, Server, Tls, TlsErrorKind};
use httpants_testkit::memory::Memory;
use rustls::version::TLS13;

use crate::application::serve;
use crate::authority::{Identity, TRUSTED, tls};
use crate::client::{Client, config};

fn write(folder: &Path, identity: &Identity) {
    fs::write(folder.join("cert.pem"), &identity.certificate).unwrap();
    fs::write(folder.join("key.pem"), &identity.key).unwrap();
}

fn from_files(folder: &Path) -> Tls {
    Tls::from_pem_files(folder.join("cert.pem"), folder.join("key.pem")).unwrap()
}

/// Returns the certificate that a new client gets.
fn served(memory: &Memory) -> Vec<u8> {
    let mut client = Client::with(memory, &Arc::new(config(&TLS13, None)), "a.test").complete_handshake();
    assert_eq!(client.content("/new"), "/new");
    client.session.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn reload_affects_new_connections_only() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (TRUSTED.identity(&["a.test"]), TRUSTED.identity(&["a.test"]));
    write(folder.path(), &old);
    let tls = from_files(folder.path());
    let memory = Memory::new();
    serve(&memory, tls.clone());
    let mut open = Client::new(&memory).complete_handshake();
    let mut begun = Client::new(&memory);
    let flight = begun.flight();
    begun.wire.send(&flight[..40]);
    memory.run();
    assert_eq!(served(&memory), old.der().to_vec());

    write(folder.path(), &new);
    assert_eq!(served(&memory), old.der().to_vec(), "not before the reload");
    tls.reload().unwrap();
    assert_eq!(served(&memory), new.der().to_vec());
    assert_eq!(open.content("/open"), "/open");
    begun.wire.send(&flight[40..]);
    memory.run();
    begun.take();
    begun.pump();
    assert_eq!(begun.content("/begun"), "/begun");

    let given = TRUSTED.identity(&["a.test"]);
    tls.replace(given.certificate.as_bytes(), given.key.as_bytes()).unwrap();
    assert_eq!(served(&memory), given.der().to_vec());
    tls.reload().unwrap();
    assert_eq!(served(&memory), given.der().to_vec(), "the certificate is no longer from the files");
}

#[test]
fn failed_reload_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (old, other) = (TRUSTED.identity(&["a.test"]), TRUSTED.identity(&["a.test"]));
    write(folder.path(), &old);
    let tls = from_files(folder.path());
    let memory = Memory::new();
    serve(&memory, tls.clone());

    fs::write(folder.path().join("cert.pem"), &other.certificate).unwrap();
    let error = tls.reload().unwrap_err();
    assert!(matches!(error.kind(), TlsErrorKind::KeyMismatch(_)), "{error}");
    assert_eq!(served(&memory), old.der().to_vec());

    fs::remove_file(folder.path().join("key.pem")).unwrap();
    let error = tls.reload().unwrap_err();
    assert!(error.to_string().contains("key.pem: cannot be read: "), "{error}");
    assert!(tls.replace(b"", b"").is_err());
    assert_eq!(served(&memory), old.der().to_vec());
}

#[test]
fn rustls_configuration_is_used_unchanged() {
    let identity = TRUSTED.identity(&["a.test"]);
    let own = |identity: &Identity| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]).unwrap();
        builder.with_no_client_auth().with_single_cert(vec![identity.der()], identity.key_der()).unwrap()
    };
    let tls = Tls::from_config(Arc::new(own(&identity))).unwrap();
    let memory = Memory::new();
    serve(&memory, tls.clone());
    assert_eq!(served(&memory), identity.der().to_vec());
    tls.reload().unwrap();
    let another = TRUSTED.identity(&["a.test"]);
    tls.replace_config(Arc::new(own(&another))).unwrap();
    assert_eq!(served(&memory), another.der().to_vec());

    let taken = tls.clone().sni("b.test", identity.certificate.as_bytes(), identity.key.as_bytes());
    assert!(matches!(taken.unwrap_err().kind(), TlsErrorKind::OwnConfig));
    let mut impossible = own(&identity);
    impossible.max_fragment_size = Some(1);
    let impossible = Arc::new(impossible);
    assert!(matches!(Tls::from_config(Arc::clone(&impossible)).unwrap_err().kind(), TlsErrorKind::Config(_)));
    assert!(tls.replace_config(impossible).is_err());
    assert_eq!(served(&memory), another.der().to_vec());
}

#[test]
fn calling_tls_twice_is_an_error() {
    let server = Server::with_runtime(Memory::new(), async |_: Request| "").listen("127.0.0.1:0");
    let error = server.tls(tls()).tls(tls()).bind().unwrap_err();
    assert_eq!(error.to_string(), "Server::tls was called more than once");
}

#[test]
fn tls_may_be_set_per_address() {
    let server = Server::with_runtime(Memory::new(), async |_: Request| "");
    let bound = server.listen("127.0.0.1:0").listen_tls("127.0.0.1:0", tls()).bind().unwrap();
    assert_eq!(bound.local_addresses().len(), 2);
}
