//! No resumption where clients are asked for certificates.
//!
//! A resumed session has the certificate of the handshake before, and rustls does not verify that
//! again: it may have expired since, or its authority may no longer be trusted.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, ProducesTickets};

/// The configuration, without resumption where it asks clients for certificates.
pub(super) fn restrict(config: Arc<ServerConfig>) -> Arc<ServerConfig> {
    if !may_ask_for_certificates(&config) {
        return config;
    }
    let mut restricted = Arc::unwrap_or_clone(config);
    disable(&mut restricted);
    Arc::new(restricted)
}

/// Switches session ids, the tickets of TLS 1.2 and those of TLS 1.3 off.
fn disable(config: &mut ServerConfig) {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Arc::new(NoTickets);
    config.send_tls13_tickets = 0;
}

/// rustls shows its verifier only in the debug output. Everything that is not known to ask for
/// nothing counts as asking, which costs resumption at worst.
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
