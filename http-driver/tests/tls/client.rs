//! An in-memory TLS client.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use httpants_testkit::memory::{self, Memory};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, Error, SupportedProtocolVersion};

use crate::authority::{Identity, TRUSTED};

pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// Returns a client configuration; it resumes sessions if possible.
pub(crate) fn config(version: &'static SupportedProtocolVersion, identity: Option<&Identity>) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let builder = builder.with_root_certificates(TRUSTED.roots());
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder.with_client_auth_cert(vec![identity.der()], identity.key_der()).unwrap(),
    };
    config.resumption = Resumption::in_memory_sessions(8);
    config
}

pub(crate) struct Client {
    memory: Memory,
    pub(crate) wire: memory::Client,
    pub(crate) session: ClientConnection,
    pub(crate) received: Vec<u8>,
    /// The error that rustls returned for received bytes.
    pub(crate) error: Option<Error>,
    /// True if the peer has sent `close_notify`.
    pub(crate) is_closed: bool,
}

impl Client {
    pub(crate) fn new(memory: &Memory) -> Self {
        Self::with(memory, &Arc::new(config(&TLS13, None)), "a.test")
    }

    pub(crate) fn with(memory: &Memory, config: &Arc<ClientConfig>, name: &'static str) -> Self {
        let session = ClientConnection::new(Arc::clone(config), ServerName::try_from(name).unwrap()).unwrap();
        let (memory, wire) = (memory.clone(), memory.connect());
        Self { memory, wire, session, received: Vec::new(), error: None, is_closed: false }
    }

    /// Returns the encrypted bytes to send.
    pub(crate) fn flight(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.session.wants_write() {
            self.session.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// Decrypts the received bytes.
    pub(crate) fn take(&mut self) {
        let bytes = self.wire.take_received();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() && self.error.is_none() && !self.is_closed {
            if self.session.read_tls(&mut rest).unwrap() == 0 {
                break;
            }
            if let Err(error) = self.session.process_new_packets() {
                self.error = Some(error);
            }
            let mut buffer = [0; 64 << 10];
            loop {
                match self.session.reader().read(&mut buffer) {
                    Ok(0) => break self.is_closed = true,
                    Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    /// Exchanges bytes until neither side has more to send, passing each flight through `send`.
    pub(crate) fn pump_by(&mut self, mut send: impl FnMut(&Memory, &memory::Client, &[u8])) {
        loop {
            let flight = self.flight();
            send(&self.memory, &self.wire, &flight);
            self.memory.run();
            self.take();
            if !self.session.wants_write() {
                return;
            }
        }
    }

    pub(crate) fn pump(&mut self) {
        self.pump_by(|_, wire, flight| wire.send(flight));
    }

    /// Completes the handshake.
    pub(crate) fn complete_handshake(mut self) -> Self {
        self.pump();
        assert_eq!(self.error, None);
        assert!(!self.session.is_handshaking());
        self
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = self.session.writer().write(rest).unwrap();
            rest = &rest[count..];
            self.pump();
        }
    }

    pub(crate) fn get(&mut self, path: &str) -> String {
        self.write(format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n").as_bytes());
        self.text()
    }

    /// Returns the text received since the last call.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.received)).unwrap()
    }

    /// Returns the body of the response for this path.
    pub(crate) fn content(&mut self, path: &str) -> String {
        let response = self.get(path);
        assert!(response.starts_with("HTTP/1.1 200 "), "{response} {:?}", self.error);
        response.split_once("\r\n\r\n").unwrap().1.into()
    }

    pub(crate) fn send_close_notify(&mut self) {
        self.session.send_close_notify();
        self.pump();
    }
}
