//! The caller's address: from the socket, or from a header that a trusted proxy wrote (spec 1.6).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};
use ipnet::IpNet;

use crate::settings::{ForwardedHeader, Proxy};

/// Most hops that are looked at, from the nearest on.
const HOPS_MAX: usize = 32;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Finds the caller behind trusted proxies.
#[derive(Clone, Debug)]
pub struct ClientAddress {
    trusted: Vec<IpNet>,
    header: ForwardedHeader,
}

impl ClientAddress {
    /// With the proxies of the settings.
    pub fn new(settings: &Proxy) -> Self {
        Self {
            trusted: settings.trusted.clone(),
            header: settings.header,
        }
    }

    /// The address of the one who called: the peer, or behind a trusted proxy the right-most hop
    /// that is not trusted itself. What stands left of that hop anybody may have written. A hop
    /// that is no address ends the search at the proxy that reported it.
    pub fn of(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let mut address = peer.ip().to_canonical();
        if !self.is_trusted(address) {
            return address;
        }
        for hop in self.hops(headers).into_iter().take(HOPS_MAX) {
            let Some(hop) = hop else { break };
            address = hop;
            if !self.is_trusted(address) {
                break;
            }
        }
        address
    }

    /// Whether an address is a proxy's that is believed.
    pub(crate) fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }

    /// The hops from the nearest on; `None` is a hop that is no address.
    fn hops(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let simple = self.header != ForwardedHeader::Forwarded
            && (self.header == ForwardedHeader::XForwardedFor
                || headers.contains_key(&X_FORWARDED_FOR));
        if simple {
            elements(headers, &X_FORWARDED_FOR, |element| {
                parse_node(element.trim())
            })
        } else {
            elements(headers, &FORWARDED, forwarded_for)
        }
    }
}

/// Reads the elements of a list header from right to left, over all its lines.
fn elements(
    headers: &HeaderMap,
    name: &HeaderName,
    read: impl Fn(&str) -> Option<IpAddr>,
) -> Vec<Option<IpAddr>> {
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    lines
        .into_iter()
        .rev()
        .flat_map(|line| match line.to_str() {
            Ok(line) => split_unquoted(line, ',')
                .into_iter()
                .rev()
                .map(&read)
                .collect(),
            Err(_) => vec![None],
        })
        .take(HOPS_MAX)
        .collect()
}

/// The `for` parameter of one element of `Forwarded` (RFC 7239, 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    split_unquoted(element, ';').into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("for")
            .then(|| parse_node(value.trim()))?
    })
}

fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
    .collect()
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `"[2001:db8::1]:80"`.
fn parse_node(text: &str) -> Option<IpAddr> {
    let unquoted = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let text = unquoted.unwrap_or(text);
    let bracketed = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = match bracketed {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text
            .parse::<IpAddr>()
            .ok()
            .or_else(|| text.parse::<SocketAddr>().ok().map(|node| node.ip())),
    };
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resolver(header: ForwardedHeader) -> ClientAddress {
        ClientAddress {
            trusted: ["10.0.0.0/8", "fd00::/8"]
                .map(|n| n.parse().unwrap())
                .to_vec(),
            header,
        }
    }

    fn of(peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let peer = SocketAddr::new(peer.parse().unwrap(), 4_000);
        resolver(ForwardedHeader::Auto)
            .of(peer, &headers)
            .to_string()
    }

    #[test]
    fn headers_of_an_untrusted_peer_are_ignored() {
        let lines = [
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.2"),
        ];
        assert_eq!(of("198.51.100.7", &lines), "198.51.100.7");
        let nobody = ClientAddress::new(&Proxy::default());
        let headers = HeaderMap::from_iter([(X_FORWARDED_FOR.clone(), "1.1.1.1".parse().unwrap())]);
        let peer: SocketAddr = "127.0.0.1:1".parse().unwrap();
        assert_eq!(nobody.of(peer, &headers), peer.ip());
    }

    #[test]
    fn the_right_most_untrusted_hop_is_the_caller() {
        for (value, caller) in [
            ("192.0.2.1", "192.0.2.1"),
            ("6.6.6.6, 192.0.2.1", "192.0.2.1"),
            ("6.6.6.6,192.0.2.1 , 10.1.1.1,10.2.2.2", "192.0.2.1"),
            ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
            ("192.0.2.1:1234", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("fd00::1, 192.0.2.9, fd00::2", "192.0.2.9"),
            ("6.6.6.6, unknown", "10.0.0.1"),
            ("6.6.6.6, 999.1.1.1, 10.2.2.2", "10.2.2.2"),
            ("", "10.0.0.1"),
            (",", "10.0.0.1"),
        ] {
            assert_eq!(
                of("10.0.0.1", &[("x-forwarded-for", value)]),
                caller,
                "{value}"
            );
        }
        assert_eq!(
            of("::ffff:10.0.0.1", &[("x-forwarded-for", "192.0.2.1")]),
            "192.0.2.1"
        );
        assert_eq!(of("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn several_lines_of_a_header_are_one_list() {
        let lines = [
            ("x-forwarded-for", "6.6.6.6, 192.0.2.1"),
            ("x-forwarded-for", "10.3.3.3"),
        ];
        assert_eq!(of("10.0.0.1", &lines), "192.0.2.1");
    }

    #[test]
    fn the_standard_header_is_read_with_its_quotes_and_parameters() {
        for (value, caller) in [
            ("for=192.0.2.1", "192.0.2.1"),
            (
                "For=\"192.0.2.1:47011\";proto=https;by=10.0.0.1",
                "192.0.2.1",
            ),
            (
                "for=6.6.6.6, for=\"[2001:db8:cafe::17]:4711\"",
                "2001:db8:cafe::17",
            ),
            ("proto=http;for=192.0.2.1, for=10.9.9.9", "192.0.2.1"),
            ("for=6.6.6.6, for=_hidden", "10.0.0.1"),
            ("for=6.6.6.6, proto=https", "10.0.0.1"),
            ("for=6.6.6.6;host=\"a,for=7.7.7.7\"", "6.6.6.6"),
            ("for=\"", "10.0.0.1"),
        ] {
            assert_eq!(of("10.0.0.1", &[("forwarded", value)]), caller, "{value}");
        }
    }

    #[test]
    fn a_header_the_proxy_does_not_write_cannot_win() {
        let both = [
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=6.6.6.6"),
        ];
        assert_eq!(of("10.0.0.1", &both), "192.0.2.1");
        let headers = HeaderMap::from_iter([
            (X_FORWARDED_FOR.clone(), "6.6.6.6".parse().unwrap()),
            (FORWARDED, "for=192.0.2.1".parse().unwrap()),
        ]);
        let peer: SocketAddr = "10.0.0.1:1".parse().unwrap();
        let caller = resolver(ForwardedHeader::Forwarded).of(peer, &headers);
        assert_eq!(caller.to_string(), "192.0.2.1");
        let only_simple = HeaderMap::from_iter([(FORWARDED, "for=6.6.6.6".parse().unwrap())]);
        let caller = resolver(ForwardedHeader::XForwardedFor).of(peer, &only_simple);
        assert_eq!(caller, peer.ip());
    }

    #[test]
    fn at_most_32_hops_are_looked_at() {
        let chain = |hops: usize| format!("192.0.2.1{}", ", 10.0.0.9".repeat(hops - 1));
        let reached = [("x-forwarded-for", &*chain(HOPS_MAX))];
        assert_eq!(of("10.0.0.1", &reached), "192.0.2.1");
        let beyond = [("x-forwarded-for", &*chain(HOPS_MAX + 1))];
        assert_eq!(of("10.0.0.1", &beyond), "10.0.0.9");
    }

    proptest! {
        #[test]
        fn arbitrary_headers_never_panic_and_an_untrusted_peer_stays_itself(
            simple in prop::collection::vec("[\\x20-\\x7e]{0,40}", 0..4),
            standard in prop::collection::vec("((for|by|proto)?=?[\"\\[]?[0-9a-f:.]{0,20}[\\]\"]?[,;]?){0,6}", 0..4),
            raw in prop::collection::vec(128_u8..=255, 0..20),
            peer: [u8; 4],
        ) {
            let mut headers = HeaderMap::new();
            for line in simple {
                headers.append(&X_FORWARDED_FOR, line.parse().unwrap());
            }
            for line in standard {
                headers.append(FORWARDED, line.parse().unwrap());
            }
            headers.append(FORWARDED, http::HeaderValue::from_bytes(&raw).unwrap());
            let untrusted = IpAddr::from([198, peer[1], peer[2], peer[3]]);
            let trusted = IpAddr::from([10, peer[1], peer[2], peer[3]]);
            for header in [ForwardedHeader::Auto, ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
                let resolver = resolver(header);
                prop_assert_eq!(resolver.of(SocketAddr::new(untrusted, 1), &headers), untrusted);
                let _ = resolver.of(SocketAddr::new(trusted, 1), &headers);
            }
        }
    }
}
