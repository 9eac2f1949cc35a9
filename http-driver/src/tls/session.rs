//! The session of a handshake.

use rustls::pki_types::CertificateDer;
use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};

/// The TLS session of a connection, from [`Request::tls`](crate::Request::tls).
///
/// ```
/// use httpants_driver::{Request, Response};
///
/// async fn whoami(request: Request) -> Response {
///     let certificate = request.tls().and_then(|tls| tls.peer_certificates().first());
///     match certificate {
///         Some(der) => Response::text(format!("a certificate of {} bytes\n", der.len())),
///         None => Response::text("unknown client\n"),
///     }
/// }
/// # let _ = whoami;
/// ```
#[derive(Clone, Debug)]
pub struct TlsSession {
    version: &'static str,
    cipher_suite: &'static str,
    server_name: Option<Box<str>>,
    alpn: Option<Box<[u8]>>,
    is_resumed: bool,
    peer_certificates: Box<[CertificateDer<'static>]>,
}

impl TlsSession {
    pub(super) fn of(session: &ServerConnection) -> Self {
        Self {
            version: match session.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLSv1.3",
            },
            cipher_suite: session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or(""),
            server_name: session.server_name().map(Into::into),
            alpn: session.alpn_protocol().map(Into::into),
            is_resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
            peer_certificates: session.peer_certificates().unwrap_or_default().into(),
        }
    }

    /// Returns `"TLSv1.3"` or `"TLSv1.2"`.
    #[must_use]
    pub fn protocol_version(&self) -> &'static str {
        self.version
    }

    /// Returns the cipher suite by its rustls name, such as `TLS13_AES_256_GCM_SHA384`: the
    /// registered name, with `TLS13` instead of `TLS` in TLS 1.3.
    #[must_use]
    pub fn cipher_suite(&self) -> &'static str {
        self.cipher_suite
    }

    /// Returns the name that the client requested (SNI, RFC 6066 section 3) in lower case. It may
    /// differ from the Host field.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Returns the negotiated protocol (ALPN, RFC 7301), `http/1.1` or `http/1.0`; `None` if the
    /// client offered none.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// Returns whether the client resumed an earlier session. The certificates are then those of
    /// the earlier one.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// Returns the client's certificate in DER, followed by the chain that it sent; empty if it
    /// sent none. They were verified against the authorities of
    /// [`Tls::client_ca_file`](crate::Tls::client_ca_file).
    #[must_use]
    pub fn peer_certificates(&self) -> &[CertificateDer<'static>] {
        &self.peer_certificates
    }
}
