//! What types can't say about a configuration: references, uniqueness, and that rules and limits compile.

mod deny;
mod introspection;
mod upstream_identity;

use super::egress_relay::relay_problems;
use super::{
    AuthConfig, ListenerTls, ProcessConfig, ProviderConfig, Role, RouteConfig, SESSION_BOUND, SenderConstraintConfig,
    SidecarConfig, trusted_proxy_problems,
};
use crate::clients::is_host;
use crate::endpoint::Endpoint;
use crate::limits::LimitSet;
use crate::rules::RuleSet;
use crate::scope::{Catalogue, is_scope_text};
use deny::check_deny;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use url::{Host, Url};

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The part of the configuration.
    pub place: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)
    }
}

/// Everything that is wrong with a configuration of the right shape.
pub fn check(config: &SidecarConfig) -> Vec<Problem> {
    let mut problems = Problems::default();
    check_process(&config.process, &mut problems);
    let mut names = BTreeMap::new();
    for provider in &config.identity_providers {
        let place = format!("identityProviders[{}]", provider.name);
        let earlier = names.insert(provider.name.as_str(), provider.issuer.as_str());
        problems.unless(earlier.is_none(), &place, "is declared twice");
        check_provider(provider, &place, &mut problems);
    }
    if config.routes.is_empty() {
        problems.push("routes", "must name at least one server");
    }
    let mut urls = BTreeSet::new();
    for route in &config.routes {
        let place = format!("routes[{}/{}]", route.server.namespace, route.server.name);
        problems.unless(urls.insert(route.endpoint.url.as_str()), &place, "shares its endpoint with another route");
        check_route(route, &config.process, &names, &place, &mut problems);
        let trusted = config.identity_providers.iter().filter(|provider| route.auth.trusts(&provider.name));
        introspection::check_route(trusted, &place, &mut problems);
    }
    problems.0
}

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn push(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { place: place.into(), message: message.into() });
    }

    fn unless(&mut self, holds: bool, place: &str, message: &str) {
        if !holds {
            self.push(place, message);
        }
    }

    /// The bounds of the JSON Schema, which a writer may not have looked at.
    fn within(&mut self, place: &str, name: &str, value: u32, bounds: RangeInclusive<u32>) {
        if !bounds.contains(&value) {
            self.push(place, format!("{name} must be {} to {}, not {value}", bounds.start(), bounds.end()));
        }
    }

    fn check<T, E: fmt::Display>(&mut self, place: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.push(place, error.to_string())).ok()
    }
}

fn check_process(process: &ProcessConfig, problems: &mut Problems) {
    let http = &process.http;
    let mut within = |name, value, bounds| problems.within("process", name, value, bounds);
    within("http.maxBodyBytes", http.max_body_bytes, 1024..=67_108_864);
    within("http.maxHeaderBytes", http.max_header_bytes, 4096..=262_144);
    within("http.maxHeaders", http.max_headers.into(), 16..=1000);
    within("http.headerTimeoutSeconds", http.header_timeout_seconds, 1..=300);
    within("http.bodyTimeoutSeconds", http.body_timeout_seconds, 1..=300);
    within("http.maxConnections", http.max_connections, 1..=1_000_000);
    within("http.maxInFlight", http.max_in_flight, 1..=1_000_000);
    within("http.maxStreamsPerConnection", http.max_streams_per_connection, 1..=10_000);
    within("drainSeconds", process.drain_seconds, 0..=3600);
    for problem in trusted_proxy_problems(&process.trusted_proxies) {
        problems.push("process", problem);
    }
    for problem in process.egress.iter().flat_map(relay_problems) {
        problems.push("process", problem);
    }
}

fn check_provider(provider: &ProviderConfig, place: &str, problems: &mut Problems) {
    problems.unless(
        is_url(&provider.issuer),
        place,
        "issuer must be an absolute http(s) URL without query or fragment",
    );
    if let Some(url) = &provider.jwks_url {
        problems.unless(Url::parse(url).is_ok(), place, "jwksUrl must be an absolute URL");
    }
    if let Some(url) = &provider.token_url {
        upstream_identity::check_token_url(url, place, problems);
    }
    problems.unless(!provider.algorithms.is_empty(), place, "algorithms must name at least one");
    problems.unless(!provider.token_types.is_empty(), place, "tokenTypes must name at least one");
    problems.unless(!provider.claims.scopes.is_empty(), place, "claims.scopes must name at least one claim");
    problems.unless(!provider.claims.client.is_empty(), place, "claims.client must name at least one claim");
    problems.unless(!provider.profile.audience.is_empty(), place, "profile.audience must name at least one claim");
    problems.within(place, "leewaySeconds", provider.leeway_seconds, 0..=60);
    let refresh = &provider.refresh;
    problems.within(place, "refresh.intervalSeconds", refresh.interval_seconds, 10..=86_400);
    problems.within(place, "refresh.cooldownSeconds", refresh.cooldown_seconds, 1..=3600);
    problems.within(place, "refresh.maxStaleSeconds", refresh.max_stale_seconds, 60..=604_800);
    let ordered = refresh.interval_seconds >= refresh.cooldown_seconds;
    problems.unless(ordered, place, "refresh.intervalSeconds must not be below refresh.cooldownSeconds");
    problems.unless(provider.max_lifetime_seconds != Some(0), place, "maxLifetimeSeconds must be at least 1");
    check_deny(&provider.deny, place, problems);
    if let Some(config) = &provider.introspection {
        introspection::check_introspection(config, place, problems);
    }
}

fn is_scope_prefix(text: &str) -> bool {
    text.len() <= 512 && is_scope_text(text)
}

fn is_url(text: &str) -> bool {
    Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none())
}

fn check_route(
    route: &RouteConfig,
    process: &ProcessConfig,
    providers: &BTreeMap<&str, &str>,
    place: &str,
    problems: &mut Problems,
) {
    problems.check(place, Endpoint::parse(&route.endpoint.url));
    check_upstream(route, process.role, place, problems);
    upstream_identity::check(route, place, problems);
    check_auth(&route.auth, providers, place, problems);
    check_sender(&route.auth, &process.public.tls, place, problems);
    if let Some(catalogue) = problems.check(place, Catalogue::compile(&route.scopes)) {
        problems.check(place, catalogue.require(&route.initial_scopes));
        problems.check(place, RuleSet::compile(&route.rules, &catalogue));
    }
    problems.check(place, LimitSet::compile(&route.rate_limits));
    problems.within(place, "session.maxAgeSeconds", route.session.max_age_seconds, 60..=2_592_000);
    for (name, bound) in route.session.bounds.named() {
        problems.within(place, &format!("session.bounds.{name}"), bound, SESSION_BOUND);
    }
    problems.within(place, "audit.maxArgumentBytes", route.audit.max_argument_bytes, 0..=65_536);
    let mut ids = BTreeSet::new();
    for key in &route.session.keys {
        problems.unless(ids.insert(key.id), place, "session.keys must have different ids");
    }
    for pointer in &route.audit.redact {
        problems.unless(pointer.starts_with('/'), place, "audit.redact entries are JSON pointers and start with /");
    }
}

fn check_upstream(route: &RouteConfig, role: Role, place: &str, problems: &mut Problems) {
    let upstream = &route.upstream;
    problems.within(place, "upstream.connectTimeoutSeconds", upstream.connect_timeout_seconds, 1..=60);
    problems.within(place, "upstream.responseTimeoutSeconds", upstream.response_timeout_seconds, 1..=3600);
    problems.within(place, "upstream.idleTimeoutSeconds", upstream.idle_timeout_seconds, 1..=86_400);
    if let Some(socket) = &upstream.socket {
        let text = socket.as_os_str().as_encoded_bytes();
        // Longer ones have no address (unix(7)).
        let fine = socket.is_absolute() && text.len() <= 100 && !text.contains(&0);
        problems.unless(fine, place, "upstream.socket must be an absolute path of at most 100 bytes");
        problems.unless(
            role == Role::Sidecar,
            place,
            "upstream.socket is for a sidecar: a relay has no server in its pod",
        );
    }
    let Ok(url) = Url::parse(&route.upstream.url) else {
        problems.push(place, "upstream.url must be an absolute URL");
        return;
    };
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    problems.unless(
        url.scheme() == "http",
        place,
        "upstream.url must use http: the server is in this pod or network policy",
    );
    problems.unless(role != Role::Sidecar || loopback, place, "upstream.url of a sidecar must be a loopback address");
}

fn check_auth(auth: &AuthConfig, providers: &BTreeMap<&str, &str>, place: &str, problems: &mut Problems) {
    match auth {
        AuthConfig::None {} => {}
        AuthConfig::OAuth {
            providers: wanted,
            audiences,
            allowed_clients: _,
            allowed_client_hosts,
            scope_prefixes,
            auth_server_metadata: _,
            sender_constraint: _,
        } => {
            for host in allowed_client_hosts {
                problems.unless(is_host(host), place, "auth.allowedClientHosts must be hosts in lower case");
            }
            for (name, prefix) in scope_prefixes {
                let known = wanted.contains(name);
                problems.unless(known, place, "auth.scopePrefixes names a provider that auth.providers does not");
                problems.unless(is_scope_prefix(prefix), place, "auth.scopePrefixes must be parts of scope names");
            }
            problems.unless(!wanted.is_empty(), place, "auth.providers must name at least one");
            problems.unless(!audiences.is_empty(), place, "auth.audiences must name at least one");
            problems.unless(
                audiences.iter().all(|audience| !audience.is_empty()),
                place,
                "auth.audiences must not be empty texts",
            );
            let mut issuers = BTreeSet::new();
            for name in wanted {
                match providers.get(name.as_str()) {
                    None => problems.push(place, format!("auth.providers names `{name}`, which is not configured")),
                    Some(issuer) if !issuers.insert(issuer) => {
                        problems.push(place, format!("auth.providers names two providers of the issuer `{issuer}`"));
                    }
                    Some(_) => {}
                }
            }
        }
    }
}

fn check_sender(auth: &AuthConfig, tls: &ListenerTls, place: &str, problems: &mut Problems) {
    let AuthConfig::OAuth { sender_constraint: Some(constraint), .. } = auth else {
        return;
    };
    let SenderConstraintConfig { mode: _, dpop, mutual_tls } = constraint;
    problems.unless(dpop.is_some() || *mutual_tls, place, "auth.senderConstraint must have dpop or mutualTls");
    if let Some(dpop) = dpop {
        problems.within(place, "auth.senderConstraint.dpop.proofMaxAgeSeconds", dpop.proof_max_age_seconds, 5..=300);
    }
    let sees_certificates = match tls {
        ListenerTls::Off {} => false,
        ListenerTls::Files { .. } => true,
    };
    problems.unless(
        !mutual_tls || sees_certificates,
        place,
        "auth.senderConstraint.mutualTls needs TLS on the public listener: without it no certificate is ever seen",
    );
}

#[cfg(test)]
mod tests;
