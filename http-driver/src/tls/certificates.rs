//! Certificates with their keys, and which of them a client gets.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};

use super::error::{TlsError, TlsErrorKind};
use super::pem::Pem;

/// A certificate chain and its key.
pub(super) fn certified(chain: &Pem, key: &Pem, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
    let certificates = chain.certificates()?;
    let key_der = key.key()?;
    // Looked at apart from the certificate, so that the error names the right one.
    provider
        .key_provider
        .load_private_key(key_der.clone_key())
        .map_err(|error| key.error(TlsErrorKind::BadKey(error)))?;
    match CertifiedKey::from_der(certificates, key_der, provider) {
        Ok(certified) => {
            warn_of_dates(&certified, chain)?;
            Ok(Arc::new(certified))
        }
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(key.error(TlsErrorKind::KeyMismatch(chain.place().into())))
        }
        Err(error) => Err(chain.error(TlsErrorKind::BadCertificate(error))),
    }
}

/// The server's own certificate; an error where it does not parse.
fn own(certified: &CertifiedKey) -> Result<ParsedCertificate<'_>, Error> {
    certified.end_entity_cert().and_then(ParsedCertificate::try_from)
}

/// Clients refuse a certificate out of its time. It is served all the same, so that a server
/// whose renewal is late still starts.
fn warn_of_dates(certified: &CertifiedKey, chain: &Pem) -> Result<(), TlsError> {
    let certificate = own(certified).map_err(|error| chain.error(TlsErrorKind::BadCertificate(error)))?;
    // Dates are looked at before anybody is asked to trust it, and nobody is.
    let nobody = RootCertStore::empty();
    let verdict = verify_server_cert_signed_by_trust_anchor(&certificate, &nobody, &[], UnixTime::now(), &[]);
    let why = match verdict {
        Err(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            "has expired"
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. })) => {
            "is not valid yet"
        }
        _ => return Ok(()),
    };
    tracing::warn!(place = chain.place(), "the TLS certificate {why}");
    Ok(())
}

/// A name that clients ask for: a host name, or `*.` and one for every name directly below it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name(String);

impl Name {
    pub(super) fn new(text: &str) -> Option<Self> {
        let name = text.to_ascii_lowercase();
        let host = name.strip_prefix("*.").unwrap_or(&name);
        let is_host = matches!(ServerName::try_from(host), Ok(ServerName::DnsName(_)));
        is_host.then_some(Self(name))
    }

    /// A host name that it stands for.
    fn example(&self) -> String {
        match self.0.strip_prefix('*') {
            Some(rest) => format!("any{rest}"),
            None => self.0.clone(),
        }
    }

    /// Whether clients will take this certificate for it.
    pub(super) fn is_covered_by(&self, certified: &CertifiedKey) -> bool {
        let name = self.example();
        let Ok(name) = ServerName::try_from(name.as_str()) else { return false };
        own(certified).is_ok_and(|certificate| verify_server_name(&certificate, &name).is_ok())
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Chooses by the name that the client asks for (SNI).
#[derive(Debug)]
pub(super) struct Certificates {
    /// For clients that ask for no name, or for one that is not known.
    pub(super) default: Arc<CertifiedKey>,
    pub(super) by_name: HashMap<Name, Arc<CertifiedKey>>,
}

impl Certificates {
    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = Name(name.to_ascii_lowercase());
        self.by_name.get(&name).or_else(|| {
            let (_, parent) = name.0.split_once('.')?;
            self.by_name.get(&Name(format!("*.{parent}")))
        })
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().filter(|_| !self.by_name.is_empty()).and_then(|name| self.find(name));
        Some(Arc::clone(named.unwrap_or(&self.default)))
    }
}
