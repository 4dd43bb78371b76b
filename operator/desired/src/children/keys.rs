//! Which keys a server needs. Only described: whoever holds the root keys makes the bytes.

use super::{component, owner};
use crate::configuration::SESSION_KEYS;
use crate::names::{ASSERTION_KEY, ASSERTION_NEIGHBOURS, labels, report_name, session_key_file};
use crate::validate::{TlsPlan, UpstreamAuthPlan, Validated};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use std::collections::BTreeMap;
use tollward_api::owned::child_name;

/// A Secret to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct KeysSecret {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The server that it goes with.
    pub owner: OwnerReference,
    /// What it must hold.
    pub entries: Vec<KeyEntry>,
}

/// Something that a Secret must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyEntry {
    /// 32 bytes for sealing session ids, derived for this server alone.
    Session {
        /// Key of the Secret.
        file: String,
        /// Id within the configuration.
        id: u8,
        /// How many epochs after the current one it belongs to.
        after: i64,
    },
    /// A certificate from the installation's authority, with its private key, both in PEM.
    Certificate {
        /// Key of the Secret with the chain, leaf first.
        certificate: String,
        /// Key of the Secret with the private key.
        private_key: String,
        /// DNS names and addresses that it must cover.
        names: Vec<String>,
    },
    /// An Ed25519 key for signing assertions to the server, derived for this server alone, and the public keys of the epochs
    /// before and after it, 32 raw bytes each.
    Assertion {
        /// Key of the Secret with the private key.
        private_key: String,
        /// Key of the Secret with the public key of the epoch before.
        earlier: String,
        /// Key of the Secret with the public key of the epoch after.
        later: String,
    },
    /// The authority in PEM that signs the operator's client certificate.
    ClientAuthority {
        /// Key of the Secret.
        file: String,
    },
}

pub(super) fn secret(server: &Validated) -> KeysSecret {
    let identity = &server.identity;
    let session = |(id, after)| KeyEntry::Session { file: session_key_file(id), id, after };
    let mut entries: Vec<_> = SESSION_KEYS.into_iter().map(session).collect();
    match server.endpoint.tls() {
        TlsPlan::Issued => entries.push(certificate("tls", serving_names(server))),
        TlsPlan::Secret(_) | TlsPlan::Off => {}
    }
    entries.push(certificate("report", vec![report_name(identity.namespace(), identity.name())]));
    entries.extend(assertion(&server.upstream_auth));
    entries.push(KeyEntry::ClientAuthority { file: "report-ca.crt".into() });
    KeysSecret {
        name: child_name(identity.name()),
        namespace: identity.namespace().to_owned(),
        labels: labels(identity, component(server)),
        owner: owner(server),
        entries,
    }
}

fn assertion(plan: &UpstreamAuthPlan) -> Option<KeyEntry> {
    let [earlier, later] = ASSERTION_NEIGHBOURS.map(str::to_owned);
    match plan {
        UpstreamAuthPlan::SignedAssertion { audience: _ } => {
            Some(KeyEntry::Assertion { private_key: ASSERTION_KEY.to_owned(), earlier, later })
        }
        UpstreamAuthPlan::None | UpstreamAuthPlan::TokenExchange { .. } | UpstreamAuthPlan::Credential { .. } => None,
    }
}

fn certificate(file: &str, names: Vec<String>) -> KeyEntry {
    KeyEntry::Certificate { certificate: format!("{file}.crt"), private_key: format!("{file}.key"), names }
}

/// Every host under which clients may connect, without ports.
fn serving_names(server: &Validated) -> Vec<String> {
    let endpoint = &server.endpoint;
    let mut names: Vec<String> = Vec::new();
    let all = [endpoint.url.authority()].into_iter();
    for host in all.chain(endpoint.service_hosts.iter().chain(&endpoint.hosts).map(String::as_str)) {
        let name = without_port(host);
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            name.trim_start_matches('[').trim_end_matches(']')
        }
        Some(_) | None => host.trim_start_matches('[').trim_end_matches(']'),
    }
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_certificate_names_hosts_without_ports_and_brackets() {
        for (host, name) in [
            ("a.example", "a.example"),
            ("a.example:8443", "a.example"),
            ("[2001:db8::1]:8443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }
}
