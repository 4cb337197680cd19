//! Which pages may open a WebSocket: browsers let all of them try (RFC 6455, section 10.2).

use axum::http::{HeaderMap, header};
use shared::config::Origins;

use crate::problem::{Problem, kind};

/// Lets in whoever is no page, pages of this host, and those of the configuration.
pub fn check(headers: &HeaderMap, origins: &Origins) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let listed = origins.allowed().unwrap_or_default();
    if listed.iter().any(|known| known == "*" || known == origin) {
        return Ok(());
    }
    let page = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (page, host) {
        (Some((_, page)), Some(host)) if page.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Problem::new(kind::FORBIDDEN, "Pages of this origin may not connect here.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_others_may_not_connect() {
        let origins: Origins = "https://shop.example".to_owned().try_into().unwrap();
        let may = |origin: &str| {
            let headers = [(header::HOST, "api.example:8080"), (header::ORIGIN, origin)];
            let headers = headers.map(|(name, value)| (name, value.parse().unwrap()));
            check(&HeaderMap::from_iter(headers), &origins).is_ok()
        };
        assert!(may("https://shop.example") && may("https://API.example:8080"));
        for other in
            ["https://evil.example", "null", "https://shop.example.evil", "api.example:8080"]
        {
            assert!(!may(other), "{other}");
        }
        assert!(check(&HeaderMap::new(), &Origins::default()).is_ok());
    }
}
