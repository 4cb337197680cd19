//! Where requests go.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Where one instance of the API listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(crate) authority: String,
    pub(crate) base_path: String,
    pub(crate) addr: SocketAddr,
}

/// The URL cannot be used; the text says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--url {url}: {why}")]
pub struct InvalidUrl {
    url: String,
    why: String,
}

impl Target {
    /// Parses and resolves `http://host[:port][/base]`.
    pub async fn resolve(url: &str) -> Result<Self, InvalidUrl> {
        let invalid = |why: String| InvalidUrl { url: url.to_owned(), why };
        let rest = url.strip_prefix("http://").ok_or_else(|| {
            invalid("must begin with http:// (for https, ask the API behind the proxy)".into())
        })?;
        let (authority, base) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.is_empty() || rest.contains(|c: char| c.is_control() || c == ' ') {
            return Err(invalid("must look like http://127.0.0.1:8080".into()));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let host_and_port = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let addr = tokio::net::lookup_host(&host_and_port)
            .await
            .map_err(|error| invalid(error.to_string()))?
            .next()
            .ok_or_else(|| invalid("the name has no address".into()))?;
        let base_path = if base.is_empty() {
            String::new()
        } else {
            format!("/{}", base.trim_end_matches('/'))
        };
        Ok(Self { authority: authority.to_owned(), base_path, addr })
    }
}

/// All of `urls`, in their order.
pub async fn resolve(urls: &[String]) -> Result<Arc<[Target]>, InvalidUrl> {
    let mut targets = Vec::with_capacity(urls.len());
    for url in urls {
        targets.push(Target::resolve(url).await?);
    }
    Ok(targets.into())
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.base_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_may_have_a_port_and_a_base() {
        let target = Target::resolve("http://127.0.0.1:8080/shop/").await.unwrap();
        assert_eq!(target.to_string(), "http://127.0.0.1:8080/shop");
        assert_eq!(target.addr, "127.0.0.1:8080".parse().unwrap());
        let target = Target::resolve("http://[::1]").await.unwrap();
        assert_eq!(target.addr, "[::1]:80".parse().unwrap());
    }

    #[tokio::test]
    async fn another_scheme_or_no_host_is_refused() {
        for url in ["https://localhost", "localhost:8080", "http://", "http:// a", "http://a\r\nb"]
        {
            assert!(Target::resolve(url).await.is_err(), "{url}");
        }
    }
}
