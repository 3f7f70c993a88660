//! Whose request it is when it comes through proxies.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

use crate::config::Network;

/// Which proxies are believed, and what they write the client's address into.
#[derive(Clone)]
pub struct Forwarded {
    pub trusted: Vec<Network>,
    pub header: HeaderName,
}

impl Forwarded {
    /// The client's address: the connection's own, unless that is a trusted proxy's. Then the header is read from its end, where
    /// the nearest proxy wrote, up to the first address that no trusted proxy has: what stands before it anyone may have written.
    pub fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.ip().to_canonical();
        let values: Vec<&str> =
            headers.get_all(&self.header).iter().filter_map(|value| value.to_str().ok()).collect();
        let mut hops = values.iter().rev().flat_map(|value| value.rsplit(','));
        while self.trusted.iter().any(|network| network.contains(client)) {
            match hops.next().and_then(address) {
                Some(hop) => client = hop,
                None => break,
            }
        }
        client
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let parsed = bare.unwrap_or(hop).parse().ok();
    parsed.or_else(|| hop.parse().ok().map(|socket: SocketAddr| socket.ip())).map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, headers: &[&str]) -> String {
        let forwarded = Forwarded {
            trusted: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
            header: HeaderName::from_static("x-forwarded-for"),
        };
        let mut map = HeaderMap::new();
        for value in headers {
            map.append("x-forwarded-for", value.parse().unwrap());
        }
        forwarded.client(SocketAddr::new(peer.parse().unwrap(), 4000), &map).to_string()
    }

    #[test]
    fn a_client_that_is_no_proxy_is_not_believed() {
        assert_eq!(client("192.0.2.9", &["203.0.113.7"]), "192.0.2.9");
    }

    #[test]
    fn a_trusted_proxy_names_the_client_and_what_the_client_wrote_does_not_count() {
        assert_eq!(client("10.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &["1.2.3.4, 203.0.113.7, 10.0.0.2"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &["1.2.3.4", "203.0.113.7:5555"]), "203.0.113.7");
        assert_eq!(client("fd00::1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(client("::ffff:10.0.0.1", &["2001:db8::7"]), "2001:db8::7");
    }

    #[test]
    fn without_a_name_that_can_be_read_it_is_the_proxy_itself() {
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["203.0.113.7, unknown"]), "10.0.0.1");
    }
}
