//! Where a request comes from: the other end of its connection, or the client that a trusted proxy there names. Nobody
//! else's word counts.
//!
//! Proxies append to what they were sent, so lists are read from their end: the first address that is no trusted proxy's is
//! the client's. What can't be read ends the search: the request counts as the proxy's own then, with all others that it
//! can't tell apart.

use crate::listen::{Peer, Proxies, Proxy};
use crate::thumbprint::Thumbprint;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use std::net::{IpAddr, SocketAddr};
use tollward_policy::config::ForwardedHeader;

/// Most proxies behind one another.
const MAX_HOPS: usize = 16;

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The other end of its connection.
    pub peer: IpAddr,
    /// Who it counts for: the peer, unless a trusted proxy names somebody else.
    pub client: IpAddr,
    /// The certificate of the client. A proxy's own says nothing of its clients.
    pub certificate: Option<Thumbprint>,
}

impl Source {
    /// Of a request that comes over no proxy: its address is that of the connection, whatever it says.
    pub fn direct(peer: SocketAddr) -> Self {
        let address = peer.ip().to_canonical();
        Self { peer: address, client: address, certificate: None }
    }

    /// Of a request on that connection.
    pub fn of(peer: &Peer, headers: &HeaderMap, proxies: &Proxies) -> Self {
        let address = peer.address.ip().to_canonical();
        let Some(proxy) = peer.proxy else {
            return Self { peer: address, client: address, certificate: peer.certificate };
        };
        let Proxy { header, client_certificates } = proxy;
        let client = named(header, headers, proxies).unwrap_or(address);
        let certificate = if client_certificates { certificate(headers) } else { None };
        Self { peer: address, client, certificate }
    }
}

/// The client that the header names.
fn named(header: ForwardedHeader, headers: &HeaderMap, proxies: &Proxies) -> Option<IpAddr> {
    let name = match header {
        ForwardedHeader::XForwardedFor => "x-forwarded-for",
        ForwardedHeader::Forwarded => "forwarded",
    };
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    let mut last = None;
    let mut hops = 0;
    for line in lines.into_iter().rev() {
        // By bytes, so that what a client wrote before it can't spoil what the proxy appended.
        for element in line.as_bytes().rsplit(|byte| *byte == b',') {
            let element = str::from_utf8(element).ok();
            let address = element.and_then(|element| match header {
                ForwardedHeader::XForwardedFor => address(element.trim_matches([' ', '\t'])),
                ForwardedHeader::Forwarded => forwarded(element),
            });
            let Some(address) = address else { return last };
            last = Some(address);
            hops += 1;
            if !proxies.is_hop(address) || hops == MAX_HOPS {
                return last;
            }
        }
    }
    last
}

/// The address of `for` in an element of `Forwarded` (RFC 7239 section 4). An element with a comma within quotes is none of an
/// address, and what stands before it is not looked at.
fn forwarded(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in element.split(';') {
        let (name, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
        if name.eq_ignore_ascii_case("for") {
            if found.is_some() {
                return None;
            }
            let inner = match value.strip_prefix('"') {
                Some(rest) => rest.strip_suffix('"')?,
                None => value,
            };
            found = Some(address(inner)?);
        } else if value.matches('"').count() % 2 == 1 {
            return None;
        }
    }
    found
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    address.or_else(bracketed).map(|address| address.to_canonical())
}

/// The certificate in `Client-Cert` (RFC 9440 section 2.2): one byte sequence, between colons in base64.
fn certificate(headers: &HeaderMap) -> Option<Thumbprint> {
    let mut lines = headers.get_all("client-cert").iter();
    let (first, None) = (lines.next()?, lines.next()) else { return None };
    let text = first.to_str().ok()?.trim_matches(' ');
    let der = STANDARD.decode(text.strip_prefix(':')?.strip_suffix(':')?).ok()?;
    // Something else than a certificate would be a thumbprint that anybody can make.
    let is_certificate = rustls::server::ParsedCertificate::try_from(&der.as_slice().into()).is_ok();
    is_certificate.then(|| Thumbprint::of(&der))
}

#[cfg(test)]
mod tests;
