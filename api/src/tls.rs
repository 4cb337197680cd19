//! TLS for the listener. Certificate and key are files, read again when they change, so that a renewal needs
//! no restart.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use shared::config::Http;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

/// How often it is looked whether the files have changed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The files cannot be used. The text names the file and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("http.tls_certificate, http.tls_key: {0}")]
pub struct TlsError(String);

/// What clients are shown.
pub struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    shown: RwLock<Arc<CertifiedKey>>,
}

impl Identity {
    /// The configured identity; `None` where TLS is left to somebody in front.
    pub fn from_config(http: &Http) -> Result<Option<Arc<Self>>, TlsError> {
        if http.tls_certificate.as_os_str().is_empty() && http.tls_key.as_os_str().is_empty() {
            return Ok(None);
        }
        let (certificate, key) = (http.tls_certificate.clone(), http.tls_key.clone());
        let shown = RwLock::new(read(&certificate, &key)?);
        Ok(Some(Arc::new(Self { certificate, key, shown })))
    }

    /// Accepts TLS 1.2 and 1.3 connections for HTTP/1.1.
    pub fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError(error.to_string()))?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::clone(self) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config).into())
    }

    /// Shows what the files hold by then, for as long as the program runs. Files that cannot be used, perhaps
    /// because only one of them was replaced yet, change nothing.
    pub async fn follow(&self) {
        let mut seen = self.changed_at();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.changed_at();
            if now == seen {
                continue;
            }
            match read(&self.certificate, &self.key) {
                Ok(fresh) => {
                    seen = now;
                    *self.shown.write().unwrap_or_else(PoisonError::into_inner) = fresh;
                    info!("another certificate is shown from now on");
                }
                Err(error) => warn!(%error, "the certificate stays as it is"),
            }
        }
    }

    fn changed_at(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.key].map(|file| file.metadata().ok()?.modified().ok())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(certificate: &PathBuf, key: &PathBuf) -> Result<Arc<CertifiedKey>, TlsError> {
    let wrong = |file: &PathBuf, why: String| TlsError(format!("{}: {why}", file.display()));
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "there is no certificate in it".into()));
    }
    let private =
        PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
    let provider = ring::default_provider();
    let identity = CertifiedKey::from_der(chain, private, &provider);
    identity.map(Arc::new).map_err(|error| wrong(key, error.to_string()))
}
