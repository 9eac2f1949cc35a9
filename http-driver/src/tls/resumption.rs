//! Disabling of session resumption with client certificates.
//!
//! A resumed session has the certificate of the earlier handshake, and rustls does not verify it
//! again: it may have expired, or its authority may no longer be trusted.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, ProducesTickets};

/// Returns the configuration, without resumption if it requests client certificates.
pub(super) fn restrict(config: Arc<ServerConfig>) -> Arc<ServerConfig> {
    if !may_ask_for_certificates(&config) {
        return config;
    }
    let mut restricted = Arc::unwrap_or_clone(config);
    disable(&mut restricted);
    Arc::new(restricted)
}

/// Disables session ids and the tickets of TLS 1.2 and 1.3.
fn disable(config: &mut ServerConfig) {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Arc::new(NoTickets);
    config.send_tls13_tickets = 0;
}

/// Returns whether the configuration may request client certificates. rustls exposes its verifier
/// only in debug output. An unknown verifier is treated as one that requests certificates; the only
/// cost is that sessions are not resumed.
fn may_ask_for_certificates(config: &ServerConfig) -> bool {
    !format!("{config:?}").contains(" verifier: NoClientAuth,")
}

#[derive(Debug)]
struct NoTickets;

impl ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _plain: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _cipher: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
