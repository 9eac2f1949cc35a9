//! Code that several of the servers share: TLS 1.3 with rustls.

use std::error::Error;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Returns the certificates of a PEM file.
pub fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, Box<dyn Error + Send + Sync>> {
    Ok(CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?)
}

/// Returns a configuration with the defaults of rustls, which are also httpants'.
pub fn server_config(certificate: &str, key: &str) -> Result<Arc<ServerConfig>, Box<dyn Error + Send + Sync>> {
    let key = PrivateKeyDer::from_pem_file(key)?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates(certificate)?, key)?;
    Ok(Arc::new(config))
}
