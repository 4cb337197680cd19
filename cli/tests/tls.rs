//! TLS on the way to PostgreSQL, Redis and RabbitMQ: the programs speak it, and with nobody else.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use support::{Stack, eventually, ready};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A certificate for `localhost`, and a file with it for those who are to trust it.
struct Authority {
    acceptor: TlsAcceptor,
    file: PathBuf,
}

impl Authority {
    fn new() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".into()]).unwrap();
        let file =
            std::env::temp_dir().join(format!("doorbuster-ca-{:x}.pem", rand::random::<u64>()));
        std::fs::write(&file, cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        Self { acceptor: Arc::new(config).into(), file }
    }

    /// A port that speaks TLS and passes on what it hears to the plain server of `url`; that URL, by way
    /// of this port. PostgreSQL's clients ask for TLS in its own language first.
    async fn in_front_of(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (user, server) = rest.split_once('@').unwrap();
        let (addr, path) = server.split_once('/').unwrap();
        let (addr, postgres) = (addr.to_owned(), scheme == "postgres");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = self.acceptor.clone();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (addr, acceptor) = (addr.clone(), acceptor.clone());
                tokio::spawn(async move {
                    if postgres {
                        let mut request = [0; 8];
                        client.read_exact(&mut request).await?;
                        assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47], "an SSLRequest");
                        client.write_all(b"S").await?;
                    }
                    let mut client = acceptor.accept(client).await?;
                    let mut server = TcpStream::connect(addr).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        let (scheme, mark) = match scheme {
            "postgres" if path.contains('?') => ("postgres", "&sslmode=require"),
            "postgres" => ("postgres", "?sslmode=require"),
            "redis" => ("rediss", ""),
            "amqp" if path.contains('?') => ("amqps", ""),
            "amqp" => ("amqps", ""),
            other => panic!("{other}"),
        };
        format!("{scheme}://{user}@localhost:{port}/{path}{mark}")
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

const URLS: [&str; 3] =
    ["DOORBUSTER__POSTGRES__URL", "DOORBUSTER__REDIS__URL", "DOORBUSTER__RABBITMQ__URL"];

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_runs_with_tls_to_all_servers_and_not_with_strangers() {
    let (authority, mut stack) = (Authority::new(), Stack::new().await);
    for name in URLS {
        let tls = authority.in_front_of(&stack.get(name)).await;
        stack.set(name, &tls);
    }
    // Whose certificate nobody vouches for is not spoken with.
    let (_stranger, client) = stack.api_on(support::free_port());
    eventually("a report", async || {
        let answer = client.try_send("GET", "/readyz", &[], None).await?;
        let down = ["postgresql", "redis", "rabbitmq"]
            .iter()
            .all(|name| answer.body["checks"][name]["status"] == "down");
        (answer.status == 503 && down).then_some(())
    })
    .await;

    stack.set("SSL_CERT_FILE", authority.file.to_str().unwrap());
    let (_api, client) = stack.api().await;
    ready(&client).await;
    let _worker = stack.worker();
    let product = client.add_product("TV", 3).await;
    for mode in ["sync", "async"] {
        let bought = client.buy(mode, product, "ann").await;
        assert_eq!(client.outcome(&bought.text("trackingId")).await["status"], "CONFIRMED");
    }
    stack.healthy().await;
}
