//! Tests of the selection of certificates, and of invalid ones.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use httpants_driver::{ClientCertificates, Tls, TlsErrorKind};
use httpants_testkit::memory::Memory;
use rcgen::date_time_ymd;
use rustls::version::TLS13;

use crate::application::serve;
use crate::authority::{Authority, Identity, TRUSTED, tls};
use crate::client::{Client, config};

#[test]
fn sni_selects_the_certificate() {
    let (first, exact, wild) =
        (TRUSTED.identity(&["a.test"]), TRUSTED.identity(&["x.b.test"]), TRUSTED.identity(&["*.b.test", "*.c.test"]));
    let tls = first.tls();
    let with = |tls: Tls, name, identity: &Identity| {
        tls.sni(name, identity.certificate.as_bytes(), identity.key.as_bytes()).unwrap()
    };
    let tls = with(with(with(tls, "*.b.test", &wild), "X.b.Test", &exact), "*.c.test", &wild);
    let memory = Memory::new();
    serve(&memory, tls);
    for (name, identity) in [
        ("a.test", Some(&first)),
        ("x.b.test", Some(&exact)),
        ("y.b.test", Some(&wild)),
        ("x.c.test", Some(&wild)),
        // Clients with an unknown name get the first certificate and refuse it.
        ("b.test", None),
        ("y.x.b.test", None),
        ("192.0.2.1", None),
    ] {
        let mut client = Client::with(&memory, &Arc::new(config(&TLS13, None)), name);
        client.pump();
        match identity {
            Some(identity) => {
                let content = client.content("/tls");
                assert!(content.contains(&format!(" {name} ")), "{content}");
                assert_eq!(client.session.peer_certificates().unwrap()[0], identity.der());
            }
            None => assert!(client.error.is_some(), "{name}"),
        }
    }
}

/// Returns the kind of the error for these files, and its text without the folder.
fn error(certificate: &[u8], key: &[u8]) -> (Kind, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    fs::write(path("cert.pem"), certificate).unwrap();
    fs::write(path("key.pem"), key).unwrap();
    let from_files = Tls::from_pem_files(path("cert.pem"), path("key.pem")).unwrap_err();
    let from_bytes = Tls::from_pem(certificate, key).unwrap_err();
    let kind = std::mem::discriminant(from_files.kind());
    assert_eq!(kind, std::mem::discriminant(from_bytes.kind()));
    let text = from_files.to_string().replace(&format!("{}/", folder.path().display()), "");
    assert!(
        text.starts_with("cert.pem: ") == from_bytes.to_string().starts_with("certificate passed as bytes: "),
        "{text}"
    );
    (kind, text)
}

type Kind = std::mem::Discriminant<TlsErrorKind>;

#[test]
fn errors_name_the_file_and_the_cause() {
    let identity = TRUSTED.identity(&["a.test"]);
    let other = TRUSTED.identity(&["a.test"]);
    let (certificate, key) = (identity.certificate.as_bytes(), identity.key.as_bytes());
    let pkcs8 = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let pkcs1 = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let (cut, junk) =
        (&certificate[..certificate.len() / 2], "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n");
    let empty = |label| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    for (certificate, key, message) in [
        (key, key, "cert.pem: contains no certificate"),
        (&identity.der()[..], key, "cert.pem: not PEM: no -----BEGIN line found"),
        (b"", key, "cert.pem: not PEM: no -----BEGIN line found"),
        (cut, key, "cert.pem: malformed PEM: missing -----END line"),
        (junk.as_bytes(), key, "cert.pem: malformed PEM: invalid base64 between the -----BEGIN and -----END lines"),
        (empty("CERTIFICATE").as_bytes(), key, "cert.pem: the certificate is malformed: "),
        (certificate, certificate, "key.pem: contains no private key"),
        (certificate, b"nothing", "key.pem: not PEM: no -----BEGIN line found"),
        (
            certificate,
            pkcs8.as_bytes(),
            "key.pem: the private key is encrypted: decrypt it first, for example with openssl pkey",
        ),
        (
            certificate,
            pkcs1.as_bytes(),
            "key.pem: the private key is encrypted: decrypt it first, for example with openssl pkey",
        ),
        (certificate, empty("PRIVATE KEY").as_bytes(), "key.pem: the private key cannot be used: "),
        (certificate, other.key.as_bytes(), "key.pem: private key does not match the certificate in cert.pem"),
    ] {
        let (_, text) = error(certificate, key);
        assert!(if message.ends_with(": ") { text.starts_with(message) } else { text == message }, "{text}");
    }
}

#[test]
fn unreadable_file_is_named() {
    let error = Tls::from_pem_files("/no/such/cert.pem", "/no/such/key.pem").unwrap_err();
    assert!(error.to_string().starts_with("/no/such/cert.pem: cannot be read: No such file"), "{error}");
    let error = std::io::Error::from(error);
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().starts_with("/no/such/cert.pem: "), "{error}");
    let error = tls().client_ca_file("/no/such/ca.pem", ClientCertificates::Required).unwrap_err();
    assert!(error.to_string().starts_with("/no/such/ca.pem: cannot be read: "), "{error}");
    let error = tls().client_ca(b"x", ClientCertificates::Required).unwrap_err();
    assert_eq!(error.to_string(), "client authorities passed as bytes: not PEM: no -----BEGIN line found");
}

#[test]
fn sni_name_must_be_valid_and_match_its_certificate() {
    let identity = TRUSTED.identity(&["b.test"]);
    let sni = |name| tls().sni(name, identity.certificate.as_bytes(), identity.key.as_bytes());
    assert!(sni("b.test").is_ok());
    for name in ["", "*", "*.", "a.*.test", "**.b.test", "b test", "192.0.2.1", "b.test:443"] {
        let error = sni(name).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("SNI: invalid name {name:?}: expected a host name or *. followed by one")
        );
    }
    for name in ["c.test", "*.b.test"] {
        assert!(matches!(sni(name).unwrap_err().kind(), TlsErrorKind::OtherName(_)), "{name}");
    }
}

#[test]
fn expired_certificate_is_used_with_a_warning() {
    use std::sync::Mutex;
    static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());
    struct Log;
    struct Text<'a>(&'a mut String);
    impl tracing::field::Visit for Text<'_> {
        fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
            self.0.push_str(&format!("{field}={value:?} "));
        }
    }
    impl tracing::Subscriber for Log {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            *metadata.level() == tracing::Level::WARN
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            let mut text = String::new();
            event.record(&mut Text(&mut text));
            LOGGED.lock().unwrap().push(text);
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }
    tracing::subscriber::with_default(Log, || {
        for (from, to) in [(2000, 2010), (2200, 2300), (2000, 2300)] {
            let identity = TRUSTED.identity_with(&["a.test"], |params| {
                (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
            });
            let _ = identity.tls();
        }
    });
    let messages = std::mem::take(&mut *LOGGED.lock().unwrap());
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(
        messages[0].contains("the TLS certificate has expired") && messages[0].contains("certificate passed as bytes")
    );
    assert!(messages[1].contains("the TLS certificate is not valid yet"));
}

#[test]
fn debug_shows_no_secrets() {
    let identity = Authority::new().identity(&["a.test"]);
    let tls = identity.tls().client_ca(TRUSTED.pem().as_bytes(), ClientCertificates::Optional).unwrap();
    let printed = format!("{tls:?}");
    assert!(printed.contains("Given") && printed.len() < 200, "{printed}");
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, &identity.certificate).unwrap();
    fs::write(&key, &identity.key).unwrap();
    let printed = format!("{:?}", Tls::from_pem_files(&certificate, &key).unwrap());
    assert!(printed.contains("key.pem") && printed.len() < 200, "{printed}");
}
