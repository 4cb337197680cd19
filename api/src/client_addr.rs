//! From which address a client comes, behind proxies or not.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use shared::config::Networks;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone)]
pub struct TrustedProxies(pub Networks);

impl TrustedProxies {
    /// The client that `peer` speaks for. Every proxy adds whom it heard from at the right, so the
    /// right-most address that is no proxy's is the last that anybody trustworthy has seen; what stands
    /// left of it the client may have written.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.0.contains(client) {
            return client;
        }
        let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
        let hops = lines
            .iter()
            .rev()
            .flat_map(|line| line.to_str().unwrap_or_default().rsplit(',').map(address));
        for hop in hops {
            let Some(hop) = hop else { break };
            client = hop.to_canonical();
            if !self.0.contains(client) {
                break;
            }
        }
        client
    }
}

/// An address, as some proxies write it with the port of the connection.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let with_port = || hop.parse::<SocketAddr>().map(|addr| addr.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&'static str]) -> String {
        let proxies = TrustedProxies("10.0.0.0/8, ::1, 192.0.2.7".to_owned().try_into().unwrap());
        let headers = forwarded.iter().map(|line| (X_FORWARDED_FOR, line.parse().unwrap()));
        proxies.client(peer.parse().unwrap(), &headers.collect()).to_string()
    }

    #[test]
    fn only_a_proxy_says_for_whom_it_speaks() {
        assert_eq!(client("203.0.113.5", &["198.51.100.1"]), "203.0.113.5");
        assert_eq!(client("10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("192.0.2.7", &[]), "192.0.2.7");
        assert_eq!(client("10.1.2.3", &["198.51.100.1:50123"]), "198.51.100.1");
        assert_eq!(client("10.1.2.3", &["[2001:db8::1]:50123"]), "2001:db8::1");
        assert_eq!(client("10.1.2.3", &["[2001:db8::1]"]), "2001:db8::1");
    }

    #[test]
    fn what_a_client_writes_in_front_of_a_proxys_word_does_not_count() {
        assert_eq!(client("10.1.2.3", &["1.1.1.1, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.1.2.3", &["1.1.1.1", "198.51.100.1, 10.9.9.9"]), "198.51.100.1");
        assert_eq!(client("10.1.2.3", &["198.51.100.1, nonsense"]), "10.1.2.3");
        assert_eq!(client("10.1.2.3", &["10.0.0.1, 10.0.0.2"]), "10.0.0.1");
    }
}
