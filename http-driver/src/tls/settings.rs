//! TLS settings of a server, which can be reloaded.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

use super::certificates::{Certificates, Name, certified};
use super::error::{TlsError, TlsErrorKind};
use super::pem::Pem;
use super::{cryptography, provider, resumption};

/// Number of resumable sessions kept for TLS 1.2 clients without tickets; about 300 bytes each.
const SESSIONS: usize = 1024;

/// Certificates, keys and settings of TLS, for [`Server::tls`](crate::Server::tls) and
/// [`Server::listen_tls`](crate::Server::listen_tls) (`ssl_options` in Pants).
///
/// Supports TLS 1.2 and 1.3, ALPN `http/1.1` and `http/1.0`, and session resumption by tickets or
/// an in-memory cache; no 0-RTT data, because it can be replayed. With client certificates,
/// sessions are not resumed, so that the certificate of each connection is verified.
/// [`from_config`](Self::from_config) gives access to the other options of rustls.
///
/// ```no_run
/// use httpants_driver::{ClientCertificates, Tls};
///
/// # fn main() -> std::io::Result<()> {
/// let tls = Tls::from_pem_files("example.com.pem", "example.com.key")?
///     .sni_files("*.example.org", "example.org.pem", "example.org.key")?
///     .client_ca_file("staff-ca.pem", ClientCertificates::Optional)?;
/// let renewed = tls.clone();
/// // server.tls(tls); after the files have changed:
/// renewed.reload()?;
/// # Ok(()) }
/// ```
///
/// Clones share the settings: a reload of one affects new connections of all.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    sources: Mutex<Sources>,
    current: RwLock<Arc<ServerConfig>>,
}

/// The requirement of client certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientCertificates {
    /// Clients without a certificate get an alert.
    Required,
    /// Clients without a certificate are served; those with an invalid one get an alert.
    Optional,
}

/// The locations of certificates and keys, for reloading.
#[derive(Clone, Debug)]
enum Sources {
    Pem(PemSources),
    Config,
}

#[derive(Clone, Debug)]
struct PemSources {
    identity: Identity,
    names: Vec<(Name, Identity)>,
    clients: Option<(Authorities, ClientCertificates)>,
}

#[derive(Clone)]
enum Identity {
    Files { chain: PathBuf, key: PathBuf },
    Given(Arc<CertifiedKey>),
}

#[derive(Clone)]
enum Authorities {
    File(PathBuf),
    Given(Arc<RootCertStore>),
}

impl Tls {
    /// Reads a certificate followed by its intermediate certificates, and its private key (PKCS #8,
    /// PKCS #1 or SEC1), all in PEM. They may be in one file.
    ///
    /// An expired certificate is used, with a warning through `tracing`.
    ///
    /// # Errors
    /// Returns [`TlsError`] with the file and the cause.
    pub fn from_pem_files(certificates: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::from_identity(Identity::files(certificates, key))
    }

    /// Creates the settings of [`from_pem_files`](Self::from_pem_files) from bytes in PEM.
    ///
    /// # Errors
    /// Returns [`TlsError`] with the argument and the cause.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Self::from_identity(Identity::given(certificates, key)?)
    }

    /// Uses a rustls configuration unchanged; its `alpn_protocols` should include `http/1.1` or be
    /// empty. If it requests client certificates, resumption is disabled, because rustls does not
    /// verify the certificate of a resumed session again.
    ///
    /// # Errors
    /// Returns [`TlsErrorKind::Config`] if rustls cannot use it for a server.
    pub fn from_config(config: Arc<ServerConfig>) -> Result<Self, TlsError> {
        check(&config)?;
        Ok(Self::new(Sources::Config, resumption::restrict(config)))
    }

    fn from_identity(identity: Identity) -> Result<Self, TlsError> {
        let sources = PemSources { identity, names: Vec::new(), clients: None };
        let config = sources.read()?;
        Ok(Self::new(Sources::Pem(sources), config))
    }

    fn new(sources: Sources, config: Arc<ServerConfig>) -> Self {
        Self(Arc::new(Shared { sources: Mutex::new(sources), current: RwLock::new(config) }))
    }

    /// Adds a certificate for clients that request this name (SNI): a host name, or `*.example.com`
    /// for each name one label below `example.com`. Exact names take precedence. Clients without a
    /// name, or with another one, get the first certificate.
    ///
    /// # Errors
    /// Returns [`TlsError`] for files as in [`from_pem_files`](Self::from_pem_files), for an
    /// invalid name, and for a certificate that is not valid for the name.
    pub fn sni_files(
        self,
        name: &str,
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        self.with_name(name, Identity::files(certificates, key))
    }

    /// Adds a certificate like [`sni_files`](Self::sni_files), from bytes in PEM.
    ///
    /// # Errors
    /// Returns the same errors as [`sni_files`](Self::sni_files).
    pub fn sni(self, name: &str, certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        self.with_name(name, Identity::given(certificates, key)?)
    }

    fn with_name(self, name: &str, identity: Identity) -> Result<Self, TlsError> {
        let known = Name::new(name).ok_or_else(|| TlsError::new("SNI", TlsErrorKind::BadName(name.into())))?;
        self.with(|sources| sources.names.push((known, identity)))
    }

    /// Requests a certificate from clients that is signed by one of the authorities in this PEM
    /// file; [`TlsSession::peer_certificates`](crate::TlsSession::peer_certificates) returns it.
    ///
    /// # Errors
    /// Returns [`TlsError`] with the file and the cause.
    pub fn client_ca_file(self, path: impl AsRef<Path>, certificates: ClientCertificates) -> Result<Self, TlsError> {
        let authorities = Authorities::File(path.as_ref().into());
        self.with(|sources| sources.clients = Some((authorities, certificates)))
    }

    /// Does the same as [`client_ca_file`](Self::client_ca_file), with bytes in PEM.
    ///
    /// # Errors
    /// Returns the same errors as [`client_ca_file`](Self::client_ca_file).
    pub fn client_ca(self, pem: &[u8], certificates: ClientCertificates) -> Result<Self, TlsError> {
        let authorities = Authorities::Given(roots(&Pem::given("client authorities", pem))?);
        self.with(|sources| sources.clients = Some((authorities, certificates)))
    }

    /// Returns new settings with changed sources.
    fn with(self, change: impl FnOnce(&mut PemSources)) -> Result<Self, TlsError> {
        let (sources, config) = self.sources().changed(change)?;
        Ok(Self::new(sources, config))
    }

    /// Reads all files again; certificates given as bytes are kept. New connections use the result;
    /// open ones are not affected. Older sessions are not resumed, because they may belong to
    /// clients that are no longer trusted.
    ///
    /// Blocks while it reads the files.
    ///
    /// # Errors
    /// Returns [`TlsError`]; the settings are then unchanged.
    pub fn reload(&self) -> Result<(), TlsError> {
        let sources = self.sources();
        if let Sources::Pem(sources) = &*sources {
            self.replace_current(sources.read()?);
        }
        Ok(())
    }

    /// Replaces the first certificate and its key by these bytes in PEM, and reloads like
    /// [`reload`](Self::reload).
    ///
    /// # Errors
    /// Returns [`TlsError`]; the settings are then unchanged.
    pub fn replace(&self, certificates: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let given = Identity::given(certificates, key)?;
        let mut sources = self.sources();
        let (changed, config) = sources.changed(|sources| sources.identity = given)?;
        self.replace_current(config);
        *sources = changed;
        Ok(())
    }

    /// Replaces all settings by a rustls configuration, for new connections.
    ///
    /// # Errors
    /// Returns [`TlsErrorKind::Config`] if rustls cannot use it for a server; the settings are then
    /// unchanged.
    pub fn replace_config(&self, config: Arc<ServerConfig>) -> Result<(), TlsError> {
        check(&config)?;
        let mut sources = self.sources();
        self.replace_current(resumption::restrict(config));
        *sources = Sources::Config;
        Ok(())
    }

    fn sources(&self) -> MutexGuard<'_, Sources> {
        self.0.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the configuration for new connections. Must be called with the sources locked, so
    /// that the later of two reloads takes effect.
    fn replace_current(&self, config: Arc<ServerConfig>) {
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// Returns the configuration for a connection that is accepted now.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&*self.sources()).finish()
    }
}

impl Sources {
    /// Returns the changed sources and the configuration made from them.
    fn changed(&self, change: impl FnOnce(&mut PemSources)) -> Result<(Self, Arc<ServerConfig>), TlsError> {
        let Self::Pem(sources) = self else {
            return Err(TlsError::new("TLS", TlsErrorKind::OwnConfig));
        };
        let mut sources = sources.clone();
        change(&mut sources);
        let config = sources.read()?;
        Ok((Self::Pem(sources), config))
    }
}

impl PemSources {
    fn read(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = provider();
        let default = self.identity.read()?;
        let mut by_name = HashMap::new();
        for (name, identity) in &self.names {
            let certified = identity.read()?;
            if !name.is_covered_by(&certified) {
                return Err(TlsError::new(identity.place(), TlsErrorKind::OtherName(name.to_string())));
            }
            by_name.insert(name.clone(), certified);
        }
        let config = |error| TlsError::new("TLS", TlsErrorKind::Config(error));
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(config)?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some((authorities, certificates)) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(authorities.read()?, provider);
                let verifier = match certificates {
                    ClientCertificates::Required => verifier,
                    ClientCertificates::Optional => verifier.allow_unauthenticated(),
                };
                let verifier = verifier.build().map_err(|error| config(rustls::Error::General(error.to_string())))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut server = builder.with_cert_resolver(Arc::new(Certificates { default, by_name }));
        // `curl --http1.0` offers only `http/1.0`.
        server.alpn_protocols = vec![b"http/1.1".to_vec(), b"http/1.0".to_vec()];
        server.ticketer = cryptography::Ticketer::new().map_err(config)?;
        server.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        Ok(resumption::restrict(Arc::new(server)))
    }
}

/// Checks that rustls can use the configuration for a server.
fn check(config: &Arc<ServerConfig>) -> Result<(), TlsError> {
    let made = ServerConnection::new(Arc::clone(config));
    made.map(drop).map_err(|error| TlsError::new("TLS", TlsErrorKind::Config(error)))
}

impl Identity {
    fn files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        Self::Files { chain: chain.as_ref().into(), key: key.as_ref().into() }
    }

    fn given(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let (chain, key) = (Pem::given("certificate", chain), Pem::given("key", key));
        certified(&chain, &key, &provider()).map(Self::Given)
    }

    fn read(&self) -> Result<Arc<CertifiedKey>, TlsError> {
        match self {
            Self::Files { chain, key } => certified(&Pem::read(chain)?, &Pem::read(key)?, &provider()),
            Self::Given(certified) => Ok(Arc::clone(certified)),
        }
    }

    fn place(&self) -> String {
        match self {
            Self::Files { chain, .. } => chain.display().to_string(),
            Self::Given(_) => "certificate passed as bytes".into(),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files { chain, key } => f.debug_struct("Files").field("chain", chain).field("key", key).finish(),
            Self::Given(_) => f.write_str("Given"),
        }
    }
}

impl Authorities {
    fn read(&self) -> Result<Arc<RootCertStore>, TlsError> {
        match self {
            Self::File(path) => roots(&Pem::read(path)?),
            Self::Given(roots) => Ok(Arc::clone(roots)),
        }
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Given(roots) => f.debug_tuple("Given").field(&roots.len()).finish(),
        }
    }
}

fn roots(pem: &Pem) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in pem.certificates()? {
        roots.add(certificate).map_err(|error| pem.error(TlsErrorKind::BadCertificate(error)))?;
    }
    Ok(Arc::new(roots))
}
