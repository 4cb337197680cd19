//! TLS at the listener.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use shared::adapters::family;
use shared::testing::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::TestApp;

/// A certificate for `localhost` that nobody else has.
struct Issued {
    pem: String,
    key: String,
    der: CertificateDer<'static>,
}

fn issue() -> Issued {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".into()]).unwrap();
    Issued { pem: cert.pem(), key: signing_key.serialize_pem(), der: cert.der().clone() }
}

struct Files {
    folder: PathBuf,
}

impl Files {
    fn new() -> Self {
        let folder =
            std::env::temp_dir().join(format!("doorbuster-tls-{:x}", rand::random::<u64>()));
        std::fs::create_dir(&folder).unwrap();
        Self { folder }
    }

    fn put(&self, issued: &Issued) {
        std::fs::write(self.folder.join("key.pem"), &issued.key).unwrap();
        std::fs::write(self.folder.join("certificate.pem"), &issued.pem).unwrap();
    }

    async fn app(&self) -> TestApp {
        let folder = self.folder.clone();
        TestApp::bare(family::embedded(), move |config| {
            config.http.tls_certificate = folder.join("certificate.pem");
            config.http.tls_key = folder.join("key.pem");
        })
        .await
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// `GET /livez` by somebody who trusts this certificate and no other.
async fn get(app: &TestApp, trusted: &Issued) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(app.addr).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    // Some servers do not say goodbye; ours does.
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn clients_speak_tls_and_are_told_to_go_on_doing_so() {
    let (files, issued) = (Files::new(), issue());
    files.put(&issued);
    let app = files.app().await;
    let answer = get(&app, &issued).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000"), "{answer}");
    get(&app, &issue()).await.unwrap_err();
    // Who speaks plain HTTP hears nothing of it.
    let mut plain = TcpStream::connect(app.addr).await.unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[tokio::test]
async fn another_certificate_is_shown_without_a_restart() {
    let (files, first, second) = (Files::new(), issue(), issue());
    files.put(&first);
    let app = files.app().await;
    get(&app, &first).await.unwrap();
    // A half-written renewal changes nothing.
    std::fs::write(files.folder.join("certificate.pem"), "not yet").unwrap();
    files.put(&second);
    eventually("the second certificate", async || get(&app, &second).await.ok()).await;
    get(&app, &first).await.unwrap_err();
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_at_the_start() {
    let (files, issued, other) = (Files::new(), issue(), issue());
    let refused = |what: &str| {
        let mut config: shared::config::Config =
            toml::from_str(shared::config::DEFAULT_TOML).unwrap();
        config.http.tls_certificate = files.folder.join("certificate.pem");
        config.http.tls_key = files.folder.join("key.pem");
        let error = api::tls::Identity::from_config(&config.http).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    refused("certificate.pem");
    files.put(&issued);
    std::fs::write(files.folder.join("key.pem"), &other.key).unwrap();
    refused("key.pem");
    std::fs::write(files.folder.join("certificate.pem"), "").unwrap();
    refused("certificate.pem");
}

#[tokio::test]
async fn a_handshake_that_never_ends_holds_no_place_for_long() {
    let (files, issued) = (Files::new(), issue());
    files.put(&issued);
    let app = files.app().await;
    let mut silent = TcpStream::connect(app.addr).await.unwrap();
    let closed = async {
        let mut byte = [0];
        silent.read(&mut byte).await.map_or(0, |read| read)
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), closed).await, Ok(0));
}
