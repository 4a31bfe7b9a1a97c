//! The client of a request, as far as it can be known before it is authenticated: its address and what it says of
//! itself.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::USER_AGENT;
use http::request::Parts;
use http::{Extensions, HeaderMap};

/// Characters of `User-Agent` that are kept.
const USER_AGENT_CHARS: usize = 200;
/// Address of a request that did not come over a connection.
const NO_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Number of proxies in front of the program, each of which appends the address of its client to `X-Forwarded-For`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrustedProxies(pub usize);

/// The client of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub address: IpAddr,
    /// `User-Agent`, shortened.
    pub user_agent: Option<String>,
}

#[derive(Clone, Copy)]
struct ClientAddress(IpAddr);

/// Determines the address of the client for the handlers.
pub async fn locate(State(proxies): State<TrustedProxies>, mut request: Request, next: Next) -> Response {
    let address = address(request.extensions(), request.headers(), proxies);
    request.extensions_mut().insert(ClientAddress(address));
    next.run(request).await
}

/// The address that the outermost trusted proxy saw. Whatever stands before it is the client's own claim.
fn address(extensions: &Extensions, headers: &HeaderMap, TrustedProxies(proxies): TrustedProxies) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map_or(NO_ADDRESS, |peer| peer.0.ip());
    // As bytes: a value that is no text must not hide what a proxy has appended to it.
    let forwarded =
        headers.get_all("x-forwarded-for").iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let hops: Vec<&[u8]> = forwarded.collect();
    let hop = proxies.checked_sub(1).and_then(|distance| hops.iter().rev().nth(distance));
    let parsed = hop.and_then(|hop| std::str::from_utf8(hop).ok()?.trim().parse().ok());
    let address: IpAddr = parsed.unwrap_or(peer);
    address.to_canonical()
}

/// The part of an address that one client has: an IPv6 client chooses the last 64 bits itself (RFC 4291, 2.5.1).
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

impl Client {
    pub fn of(parts: &Parts) -> Self {
        let address = parts.extensions.get::<ClientAddress>().map_or(NO_ADDRESS, |located| located.0);
        let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Self { address, user_agent: user_agent.map(|text| text.chars().take(USER_AGENT_CHARS).collect()) }
    }
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn seen(forwarded: Option<&'static str>, proxies: usize) -> String {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 4000))));
        let mut headers = HeaderMap::new();
        if let Some(forwarded) = forwarded {
            headers.insert("x-forwarded-for", HeaderValue::from_static(forwarded));
        }
        address(&extensions, &headers, TrustedProxies(proxies)).to_string()
    }

    #[test]
    fn only_what_trusted_proxies_append_is_believed() {
        let forged = Some("192.0.2.9, 198.51.100.7");
        assert_eq!(seen(forged, 0), "10.0.0.1");
        assert_eq!(seen(forged, 1), "198.51.100.7");
        assert_eq!(seen(forged, 2), "192.0.2.9");
        assert_eq!(seen(Some("192.0.2.9, x, 198.51.100.7"), 1), "198.51.100.7");
        assert_eq!(seen(Some("192.0.2.9, x"), 1), "10.0.0.1");
        assert_eq!(seen(Some("::ffff:198.51.100.7"), 1), "198.51.100.7");
        assert_eq!((seen(None, 1).as_str(), seen(Some("nonsense"), 1).as_str()), ("10.0.0.1", "10.0.0.1"));
    }
}
