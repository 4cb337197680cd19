//! Reading the layers, checking them once, and showing the result without secrets.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Environment, File, FileFormat};
use secrecy::ExposeSecret;

use super::{Config, PaymentProvider};

/// The documented defaults; the reference of all keys.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// The configuration cannot be used. The text names the key and what was expected.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(String);

/// The longest that a client may have an answer held back.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The longest that a payment may stay unknown.
const PAY_WITHIN_MAX: Duration = Duration::from_secs(30 * 86_400);

/// Keys whose values are never shown.
const SECRETS: &[(&str, &str)] = &[
    ("admin", "api_key"),
    ("auth", "challenge_secret"),
    ("payments", "webhook_secret"),
    ("tracking", "secret"),
];

/// Keys whose values are shown without the password in them.
const URLS: &[(&str, &str)] = &[("postgres", "url"), ("redis", "url"), ("rabbitmq", "url")];

impl Config {
    /// Reads the layers: defaults, `file` (or `./doorbuster.toml` where it exists), environment.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let layers = layers(file)?;
        let config: Self = layers.try_deserialize().map_err(|e| ConfigError(e.to_string()))?;
        config.check()?;
        Ok(config)
    }

    /// The merged layers as TOML with secrets hidden.
    pub fn print(file: Option<&Path>) -> Result<String, ConfigError> {
        let mut tables: toml::Table =
            layers(file)?.try_deserialize().map_err(|e| ConfigError(e.to_string()))?;
        for (section, values) in &mut tables {
            let Some(values) = values.as_table_mut() else { continue };
            for (key, value) in values {
                if let Some(text) = value.as_str() {
                    *value = toml::Value::String(shown(section, key, text));
                }
            }
        }
        toml::to_string(&tables).map_err(|e| ConfigError(e.to_string()))
    }

    /// What only a program that hears of payments needs: others are not given its secret.
    pub fn check_webhooks(&self) -> Result<(), ConfigError> {
        let silent = self.payments.webhook_secret.expose_secret().is_empty();
        if self.payments.provider == PaymentProvider::Webhook && silent {
            let expected = "payments.webhook_secret: expected a secret, for payments.provider is \
                            \"webhook\", and one that is not signed is not believed";
            return Err(ConfigError(expected.into()));
        }
        Ok(())
    }

    /// What the types alone cannot say.
    fn check(&self) -> Result<(), ConfigError> {
        if self.http.request_timeout <= WAIT_MAX {
            let expected = "http.request_timeout_ms: expected more than 30000, the longest wait";
            return Err(ConfigError(expected.into()));
        }
        if self.live.heartbeat.is_zero() {
            return Err(ConfigError("live.heartbeat_ms: expected more than 0".into()));
        }
        if self.live.connections_max >= self.http.connections_max {
            let expected = "live.connections_max: expected less than http.connections_max, so that \
                            some are left for requests";
            return Err(ConfigError(expected.into()));
        }
        let jwks = self.auth.jwks.as_str();
        let nearby = ["http://127.0.0.1:", "http://[::1]:", "http://localhost:"];
        let safe = jwks.starts_with("https://") || nearby.iter().any(|url| jwks.starts_with(url));
        if jwks.contains("://") && !safe {
            let expected = "auth.jwks: expected a file or an https:// URL: who can change the keys on \
                            the way can make any token";
            return Err(ConfigError(expected.into()));
        }
        if self.payments.pay_within > PAY_WITHIN_MAX {
            let expected = "payments.pay_within_ms: expected at most 2592000000, thirty days";
            return Err(ConfigError(expected.into()));
        }
        Ok(())
    }
}

fn layers(file: Option<&Path>) -> Result<config::Config, ConfigError> {
    let mut builder =
        config::Config::builder().add_source(File::from_str(DEFAULT_TOML, FileFormat::Toml));
    builder = match file {
        Some(path) => builder.add_source(File::new(&text(path)?, FileFormat::Toml)),
        None => builder.add_source(File::new("doorbuster.toml", FileFormat::Toml).required(false)),
    };
    let environment = Environment::with_prefix("DOORBUSTER").prefix_separator("__").separator("__");
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let variables = with_files(variables.filter(|(name, _)| name.starts_with("DOORBUSTER__")))?;
    builder
        .add_source(environment.try_parsing(false).source(Some(variables)))
        .build()
        .map_err(|e| ConfigError(e.to_string()))
}

/// The variables, and in place of `DOORBUSTER__SECTION__KEY_FILE` of a secret what is in the file that it
/// names: that is how containers are given secrets.
fn with_files(
    variables: impl Iterator<Item = (String, String)>,
) -> Result<HashMap<String, String>, ConfigError> {
    let mut variables: HashMap<_, _> = variables.collect();
    for (section, key) in SECRETS.iter().chain(URLS) {
        let name = format!("DOORBUSTER__{section}__{key}").to_ascii_uppercase();
        let Some(path) = variables.remove(&format!("{name}_FILE")) else { continue };
        if variables.contains_key(&name) {
            return Err(ConfigError(format!("{name} and {name}_FILE: expected one of them")));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|error| ConfigError(format!("{name}_FILE: {path}: {error}")))?;
        variables.insert(name, text.trim_end_matches(['\r', '\n']).to_owned());
    }
    Ok(variables)
}

fn text(path: &Path) -> Result<String, ConfigError> {
    let shown = || ConfigError(format!("{}: not a UTF-8 path", PathBuf::from(path).display()));
    path.to_str().map(str::to_owned).ok_or_else(shown)
}

/// A value as it may be shown: secrets hidden, passwords cut out of URLs.
fn shown(section: &str, key: &str, value: &str) -> String {
    if SECRETS.contains(&(section, key)) {
        return if value.is_empty() { String::new() } else { "(hidden)".into() };
    }
    hide_password(value)
}

/// `scheme://user:password@host` without the password; what may hold one elsewhere is not shown.
pub(crate) fn hide_password(url: &str) -> String {
    if url.to_ascii_lowercase().contains("password=") {
        return "(hidden)".into();
    }
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rfind('@') {
        Some(at) => {
            let user = rest[..at].split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:(hidden){}", &rest[at..])
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(toml: &str) -> Result<Config, String> {
        config::Config::builder()
            .add_source(File::from_str(DEFAULT_TOML, FileFormat::Toml))
            .add_source(File::from_str(toml, FileFormat::Toml))
            .build()
            .and_then(config::Config::try_deserialize::<Config>)
            .map_err(|e| e.to_string())
            .and_then(|config| config.check().map(|()| config).map_err(|e| e.to_string()))
    }

    #[test]
    fn the_defaults_are_complete() {
        with("").unwrap();
    }

    #[test]
    fn an_error_names_the_key_and_what_was_expected() {
        let cases = [
            ("[http]\naddr = \"nowhere\"", "http.addr", "socket address"),
            ("[postgres]\npool_size = \"many\"", "postgres.pool_size", "integer"),
            ("[settle]\nbatch_max = 0", "settle.batch_max", "nonzero"),
            ("[http]\nadr = \"0.0.0.0:1\"", "adr", "unknown field"),
            ("[http]\nrequest_timeout_ms = 9", "http.request_timeout_ms", "more than 30000"),
            ("[live]\nconnections_max = 32000", "live.connections_max", "http.connections_max"),
            ("[live]\nheartbeat_ms = 0", "live.heartbeat_ms", "more than 0"),
            ("[events]\nsource = \"two words\"", "events.source", "URI reference"),
            ("[auth]\nmode = \"magic\"", "auth.mode", "open"),
            ("[auth]\njwks = \"http://id.example/keys\"", "auth.jwks", "https"),
        ];
        for (toml, key, expected) in cases {
            let error = with(toml).unwrap_err();
            assert!(error.contains(key) && error.contains(expected), "{toml}: {error}");
        }
    }

    #[test]
    fn webhooks_without_a_secret_are_refused_where_nothing_else_tells_of_payments() {
        let check = |toml: &str| with(toml).unwrap().check_webhooks().map_err(|e| e.to_string());
        let error = check("[payments]\nprovider = \"webhook\"").unwrap_err();
        assert!(error.contains("payments.webhook_secret"), "{error}");
        check("[payments]\nprovider = \"webhook\"\nwebhook_secret = \"s3cret\"").unwrap();
        check("").unwrap();
    }

    #[test]
    fn a_secret_may_be_in_a_file() {
        let file = std::env::temp_dir().join(format!("doorbuster-{:x}", rand::random::<u64>()));
        std::fs::write(&file, "s3cret\n").unwrap();
        let path = file.to_str().unwrap();
        let read = |variables: &[(&str, &str)]| {
            with_files(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
        };
        let (name, in_file) = ("DOORBUSTER__ADMIN__API_KEY", "DOORBUSTER__ADMIN__API_KEY_FILE");
        assert_eq!(
            read(&[(in_file, path)]).unwrap(),
            HashMap::from([(name.into(), "s3cret".into())])
        );
        let both = read(&[(in_file, path), (name, "x")]).unwrap_err().to_string();
        assert!(both.contains("expected one of them"), "{both}");
        std::fs::remove_file(&file).unwrap();
        let gone = read(&[(in_file, path)]).unwrap_err().to_string();
        assert!(gone.contains(in_file) && gone.contains(path), "{gone}");
        // Only secrets: nothing else becomes readable through a variable.
        let other = [("DOORBUSTER__HTTP__ADDR_FILE", path)];
        assert!(read(&other).unwrap().contains_key("DOORBUSTER__HTTP__ADDR_FILE"));
    }

    #[test]
    fn passwords_are_cut_out_of_urls() {
        let shown = hide_password("amqp://shop:p@ss@mq:5672/door");
        assert_eq!(shown, "amqp://shop:(hidden)@mq:5672/door");
        assert_eq!(hide_password("amqp://u:pa/ss@mq"), "amqp://u:(hidden)@mq");
        assert_eq!(hide_password("postgres://db/x?user=u&password=p"), "(hidden)");
        assert_eq!(hide_password("host=db password=p"), "(hidden)");
        assert_eq!(hide_password("redis://127.0.0.1:6379/0"), "redis://127.0.0.1:6379/0");
    }
}
