//! The sections. `default.toml` says what each key means.
#![allow(missing_docs)] // The reference is default.toml; saying it twice would let it drift.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use ipnet::IpNet;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

/// Reads a count of milliseconds.
fn ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

/// Reads a count of seconds.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_secs)
}

/// Settings that are one of a few words, which a wrong one is answered with.
macro_rules! words {
    ($($name:ident { $($variant:ident = $word:literal),+ })+) => {
        $(
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
            #[serde(try_from = "String")]
            pub enum $name { $($variant),+ }

            impl TryFrom<String> for $name {
                type Error = String;
                fn try_from(text: String) -> Result<Self, String> {
                    match text.as_str() {
                        $($word => Ok(Self::$variant),)+
                        _ => {
                            let words = [$(concat!("\"", $word, "\"")),+].join(" or ");
                            Err(format!("invalid value {text:?}, expected {words}"))
                        }
                    }
                }
            }
        )+
    };
}

/// Reads an address, or nothing from an empty text.
fn optional_addr<'de, D: Deserializer<'de>>(d: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(d)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        serde::de::Error::custom(format!("invalid address {text:?}, expected IP:PORT or empty"))
    })
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub addr: SocketAddr,
    pub body_bytes_max: usize,
    #[serde(rename = "header_timeout_ms", deserialize_with = "ms")]
    pub header_timeout: Duration,
    #[serde(rename = "body_timeout_ms", deserialize_with = "ms")]
    pub body_timeout: Duration,
    #[serde(rename = "request_timeout_ms", deserialize_with = "ms")]
    pub request_timeout: Duration,
    pub connections_max: NonZeroUsize,
    #[serde(rename = "write_timeout_ms", deserialize_with = "ms")]
    pub write_timeout: Duration,
    pub trusted_proxies: Networks,
    pub tls_certificate: PathBuf,
    pub tls_key: PathBuf,
    pub cors_origins: Origins,
    pub page: bool,
    #[serde(rename = "shutdown_timeout_ms", deserialize_with = "ms")]
    pub shutdown_timeout: Duration,
}

/// Networks of addresses, listed with commas between them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Networks(Vec<IpNet>);

impl Networks {
    pub fn contains(&self, addr: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&addr))
    }
}

impl TryFrom<String> for Networks {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let network = |part: &str| {
            let one = || part.parse::<IpAddr>().map(IpNet::from);
            part.parse().or_else(|_| one()).map_err(|_| {
                format!("invalid network {part:?}, expected such as \"10.0.0.0/8, 192.0.2.7\"")
            })
        };
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }
}

/// Origins of pages that may ask, listed with commas between them; `*` is any.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Origins(Vec<HeaderValue>);

impl Origins {
    /// The origins; `None` where no page may ask.
    pub fn allowed(&self) -> Option<&[HeaderValue]> {
        Some(&self.0[..]).filter(|origins| !origins.is_empty())
    }
}

impl TryFrom<String> for Origins {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let origin = |part: &str| {
            let path = part.split_once("://").is_some_and(|(_, rest)| !rest.contains('/'));
            let value = HeaderValue::from_str(part).ok().filter(|_| part == "*" || path);
            value.ok_or_else(|| {
                format!(
                    "invalid origin {part:?}, expected such as \"https://shop.example\" or \"*\""
                )
            })
        };
        parts.map(origin).collect::<Result<_, _>>().map(Self)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    pub url: SecretString,
    pub pool_size: NonZeroU32,
    #[serde(rename = "connect_timeout_ms", deserialize_with = "ms")]
    pub connect_timeout: Duration,
    pub statement_timeout_ms: u32,
    pub lock_timeout_ms: u32,
    pub idle_in_transaction_timeout_ms: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    pub url: SecretString,
    pub pool_size: NonZeroU32,
    #[serde(rename = "timeout_ms", deserialize_with = "ms")]
    pub timeout: Duration,
    #[serde(rename = "retry_after_ms", deserialize_with = "ms")]
    pub retry_after: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RabbitMq {
    pub url: SecretString,
    pub heartbeat_s: u16,
    #[serde(rename = "confirm_timeout_ms", deserialize_with = "ms")]
    pub confirm_timeout: Duration,
    pub prefetch: u16,
    #[serde(rename = "reconnect_max_ms", deserialize_with = "ms")]
    pub reconnect_max: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admit {
    pub batch_max: NonZeroUsize,
    pub line_max: NonZeroUsize,
    #[serde(rename = "wait_max_ms", deserialize_with = "ms")]
    pub wait_max: Duration,
    pub rounds: NonZeroUsize,
    #[serde(rename = "timeout_ms", deserialize_with = "ms")]
    pub timeout: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    pub batch_max: NonZeroUsize,
    pub line_max: NonZeroUsize,
    #[serde(rename = "wait_max_ms", deserialize_with = "ms")]
    pub wait_max: Duration,
    pub rounds: NonZeroUsize,
    #[serde(rename = "timeout_ms", deserialize_with = "ms")]
    pub timeout: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holds {
    pub seconds: NonZeroU32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payments {
    pub provider: PaymentProvider,
    #[serde(rename = "timeout_ms", deserialize_with = "ms")]
    pub timeout: Duration,
    #[serde(rename = "pay_within_ms", deserialize_with = "ms")]
    pub pay_within: Duration,
    pub refused: RefusedPayment,
    pub late: LatePayment,
    pub webhook_secret: SecretString,
    #[serde(rename = "webhook_tolerance_s", deserialize_with = "seconds")]
    pub webhook_tolerance: Duration,
}

words! {
    PaymentProvider { Simulated = "simulated", Webhook = "webhook" }
    RefusedPayment { Fail = "fail", KeepHold = "keep_hold" }
    LatePayment { Reclaim = "reclaim", Refund = "refund" }
    AuthMode { Open = "open", Jwt = "jwt" }
    TokenAlgorithm { Hs256 = "HS256", EdDsa = "EdDSA" }
    LogFormat { Pretty = "pretty", Json = "json" }
}

impl TokenAlgorithm {
    /// Its name in the header of a token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    #[serde(rename = "heartbeat_ms", deserialize_with = "ms")]
    pub heartbeat: Duration,
    #[serde(rename = "sweep_ms", deserialize_with = "ms")]
    pub sweep: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boards {
    pub outcomes_max: NonZeroUsize,
    #[serde(rename = "fresh_ms", deserialize_with = "ms")]
    pub fresh: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Live {
    pub connections_max: NonZeroUsize,
    pub frames_per_second: NonZeroU32,
    #[serde(rename = "heartbeat_ms", deserialize_with = "ms")]
    pub heartbeat: Duration,
    pub watches_max: NonZeroUsize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    pub enabled: bool,
    pub source: EventSource,
}

/// A URI reference that is not empty.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct EventSource(String);

impl EventSource {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EventSource {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        // What RFC 3986 lets nowhere into a reference.
        let allowed = |b: u8| b.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&b);
        if !text.is_empty() && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(format!("invalid value {text:?}, expected a URI reference such as \"/doorbuster\""))
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    pub mode: AuthMode,
    pub algorithm: TokenAlgorithm,
    pub issuer: String,
    pub audience: String,
    pub access_seconds: NonZeroU32,
    pub session_seconds: NonZeroU32,
    pub passwords_at_once: NonZeroUsize,
    pub jwks: String,
    pub challenge_secret: SecretString,
    #[serde(rename = "challenge_tolerance_s", deserialize_with = "seconds")]
    pub challenge_tolerance: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    pub api_key: SecretString,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tracking {
    pub secret: SecretString,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub quantity_max: NonZeroU32,
    pub per_user_per_second: u32,
    pub unpaid_holds_per_hour: u32,
    pub sign_ins_per_minute: u32,
    pub per_ip_per_second: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    pub level: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    #[serde(deserialize_with = "optional_addr")]
    pub addr: Option<SocketAddr>,
}
