//! A virtual host of a real RabbitMQ for each test, made and deleted through the management API.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used)] // A panic is how a test fails.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{eventually, service};
use crate::config;

const BROKER_URL: &str = "DOORBUSTER__RABBITMQ__URL";
const MANAGEMENT_URL: &str = "DOORBUSTER_RABBITMQ_MANAGEMENT_URL";

/// A virtual host of its own for one test; deleted when dropped, connections and queues with it.
pub struct Vhost {
    name: String,
    management: Management,
}

impl Vhost {
    /// Makes one that nobody else uses.
    pub async fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{}-{number}-{:08x}", std::process::id(), rand::random::<u32>());
        let vhost = Self { name, management: Management::from_env() };
        vhost.make().await;
        vhost
    }

    async fn make(&self) {
        let Self { name, management } = self;
        management.put(&format!("/api/vhosts/{name}"), &json!({})).await;
        let user = &management.user;
        let everything = json!({ "configure": ".*", "write": ".*", "read": ".*" });
        management.put(&format!("/api/permissions/{name}/{user}"), &everything).await;
    }

    /// Loses everything in it, connections too, and comes back empty, as a broker whose disk was lost.
    pub async fn lose(&self) {
        let Self { name, management } = self;
        // Or programs that come back at once would declare queues in a vhost that is being deleted.
        management.delete(&format!("/api/permissions/{name}/{}", management.user)).await;
        management.delete(&format!("/api/vhosts/{name}")).await;
        self.make().await;
    }

    /// Gives the programs' own users what `rabbitmq/permissions.json` gives them.
    pub async fn permit_programs(&self) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../rabbitmq/permissions.json");
        let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for given in all["permissions"].as_array().unwrap() {
            let user = given["user"].as_str().unwrap();
            let path = format!("/api/permissions/{}/{user}", self.name);
            let part = |name| &given[name];
            let (configure, write, read) = (part("configure"), part("write"), part("read"));
            let rights = json!({ "configure": configure, "write": write, "read": read });
            self.management.put(&path, &rights).await;
        }
    }

    /// Its name; safe in URLs as it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The AMQP URL of it.
    pub fn url(&self) -> String {
        let url = service(BROKER_URL);
        let (server, _vhost) = url.rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }

    /// The section of a configuration that uses it. The confirm time-out is long, so that a busy
    /// machine fails no test that is not about it.
    pub fn config(&self) -> config::RabbitMq {
        config(self.url())
    }

    /// The management API of the broker.
    pub fn management(&self) -> &Management {
        &self.management
    }

    /// Puts any bytes on an exchange, as an operator could.
    pub async fn publish(&self, exchange: &str, routing_key: &str, body: &[u8]) {
        let path = format!("/api/exchanges/{}/{exchange}/publish", self.name);
        let message = json!({ "routing_key": routing_key, "payload_encoding": "base64",
            "payload": STANDARD.encode(body), "properties": {} });
        let answer = self.management.post(&path, &message).await;
        assert_eq!(answer["routed"], true, "nothing is bound to {exchange}");
    }

    /// Limits a queue to so many messages. More are not always let in when a limit is taken away,
    /// but when it is raised (rabbitmq/rabbitmq-server#12206).
    pub async fn limit(&self, queue: &str, messages: u32) {
        let path = format!("/api/policies/{}/limit-{queue}", self.name);
        let pattern = format!("^{}$", queue.replace('.', "\\."));
        let policy = json!({ "pattern": pattern, "apply-to": "queues", "priority": 9,
            "definition": { "max-length": messages } });
        self.management.put(&path, &policy).await;
        eventually("the policy is applied", async || {
            let path = format!("/api/queues/{}/{queue}", self.name);
            let shown = self.management.get(&path).await?;
            (shown["effective_policy_definition"]["max-length"] == messages).then_some(())
        })
        .await;
    }

    /// Has the broker close every connection whose name contains `purpose`; waits until there is
    /// one. Answers how many.
    pub async fn close_connections(&self, purpose: &str) -> usize {
        let names = eventually("the connection is listed", async || {
            let names = self.connections(purpose).await;
            (!names.is_empty()).then_some(names)
        })
        .await;
        for name in &names {
            self.management.delete(&format!("/api/connections/{}", escaped(name))).await;
        }
        names.len()
    }

    /// The broker's names of the connections whose own name contains `purpose`.
    pub async fn connections(&self, purpose: &str) -> Vec<String> {
        let path = format!("/api/vhosts/{}/connections", self.name);
        let all = self.management.get(&path).await.unwrap_or_default();
        let ours = all.as_array().into_iter().flatten().filter(|connection| {
            let name = connection["client_properties"]["connection_name"].as_str();
            name.is_some_and(|name| name.contains(purpose))
        });
        ours.filter_map(|connection| connection["name"].as_str()).map(str::to_owned).collect()
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        let (management, path) = (self.management.clone(), format!("/api/vhosts/{}", self.name));
        // Waits for it, on a thread with a runtime of its own: a test's runtime ends right after.
        let deletion = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(management.delete(&path));
        });
        let deleted = deletion.join();
        assert!(deleted.is_ok() || std::thread::panicking(), "the test's vhost stays behind");
    }
}

/// The section of a configuration for the broker at `url`.
pub fn config(url: String) -> config::RabbitMq {
    config::RabbitMq {
        url: url.into(),
        heartbeat_s: 10,
        confirm_timeout: Duration::from_secs(10),
        prefetch: 64,
        reconnect_max: Duration::from_millis(200),
    }
}

/// The broker's HTTP API.
#[derive(Clone)]
pub struct Management {
    host: String,
    user: String,
    authorization: String,
}

impl Management {
    fn from_env() -> Self {
        let url: Uri = service(MANAGEMENT_URL).parse().unwrap();
        let (credentials, host) = url.authority().unwrap().as_str().rsplit_once('@').unwrap();
        let (user, _password) = credentials.split_once(':').unwrap();
        Self {
            host: host.to_owned(),
            user: user.to_owned(),
            authorization: format!("Basic {}", STANDARD.encode(credentials)),
        }
    }

    /// What is at `path`; `None` where there is nothing (yet).
    pub async fn get(&self, path: &str) -> Option<Value> {
        let (status, body) = self.call(Method::GET, path, None).await;
        (status != StatusCode::NOT_FOUND).then_some(body)
    }

    /// Makes or changes what is at `path`.
    pub async fn put(&self, path: &str, value: &Value) -> Value {
        self.call(Method::PUT, path, Some(value)).await.1
    }

    /// Posts to `path`.
    pub async fn post(&self, path: &str, value: &Value) -> Value {
        self.call(Method::POST, path, Some(value)).await.1
    }

    /// Deletes what is at `path`; fine if there is nothing.
    pub async fn delete(&self, path: &str) {
        self.call(Method::DELETE, path, None).await;
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let stream = TcpStream::connect(&self.host).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("host", &self.host)
            .header("authorization", &self.authorization)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        connection.abort();
        let text = String::from_utf8_lossy(&bytes);
        let missing = status == StatusCode::NOT_FOUND;
        assert!(status.is_success() || missing, "{method} {path}: {status} {text}");
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

/// Percent-encoded for use as one segment of a path.
fn escaped(segment: &str) -> String {
    segment
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
