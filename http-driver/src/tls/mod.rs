//! HTTPS: TLS 1.2 and 1.3 through rustls, for all runtimes.
//!
//! ```text
//! Tls          certificates, keys, client authorities: from files, reloaded in place
//! Handshake    a transport during its handshake, in the task of its connection
//! TlsStream    a Transport over another Transport, which the connection uses
//! TlsSession   the result of the handshake, for requests
//! ```

mod certificates;
mod error;
mod handshake;
mod pem;
mod received;
mod resumption;
mod session;
mod settings;
mod stream;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use error::{TlsError, TlsErrorKind};
pub(crate) use handshake::{Handshake, Outcome};
pub use session::TlsSession;
pub use settings::{ClientCertificates, Tls};
pub(crate) use stream::TlsStream;

#[cfg(feature = "tls-aws-lc")]
use rustls::crypto::aws_lc_rs as cryptography;
#[cfg(not(feature = "tls-aws-lc"))]
use rustls::crypto::ring as cryptography;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(cryptography::default_provider())
}
