//! The checks behind [`super::BrokerConfig::validate`], each a pure function of what was written.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use super::issuer::{is_bare, is_loopback};
use super::{BrokerConfig, Claims, ConfigError, Issuer, Resource, Settings, SignIn};
use crate::grant::Subject;
use crate::resource::{DescribedScope, ProtectedResource, ResourceId};
use crate::scope::{MAX_SCOPES, ScopeError, ScopeName, ScopeSet};

const MAX_RESOURCES: usize = 64;
const MAX_NAME: usize = 100;
const MAX_DESCRIPTION: usize = 200;
const MAX_SCHEMES: usize = 16;
const MAX_USERS: usize = 1000;
const MAX_CLAIMS_BYTES: usize = 4096;

/// Registered claims of RFC 7519, 8693, 8705, 9068 and OpenID Connect: a user's extra claims may not forge them.
const RESERVED_CLAIMS: [&str; 24] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "scope",
    "scp",
    "auth_time",
    "acr",
    "amr",
    "azp",
    "act",
    "may_act",
    "cnf",
    "nonce",
    "at_hash",
    "c_hash",
    "sid",
    "typ",
    "token_use",
    "events",
];

/// Schemes that browsers and operating systems treat in ways of their own.
const KNOWN_SCHEMES: [&str; 17] = [
    "http",
    "https",
    "javascript",
    "data",
    "vbscript",
    "file",
    "blob",
    "about",
    "ftp",
    "ws",
    "wss",
    "mailto",
    "tel",
    "sms",
    "view-source",
    "filesystem",
    "intent",
];

pub(super) fn check(config: BrokerConfig) -> Result<Settings, ConfigError> {
    let BrokerConfig {
        issuer: issuer_url,
        resources,
        sign_in,
        token_lifetime,
        refresh_lifetime,
        client_idle_lifetime,
        registrations_per_minute,
        private_use_schemes,
    } = config;
    let issuer = Issuer::check(&issuer_url)?;
    check_sign_in(&sign_in, &issuer_url)?;
    let (second, minute, hour, day) = (1, 60, 3600, 86_400);
    check_lifetime("token_lifetime", token_lifetime, second, 5 * minute)?;
    check_lifetime("refresh_lifetime", refresh_lifetime, 5 * minute, 30 * day)?;
    check_lifetime("client_idle_lifetime", client_idle_lifetime, hour, 365 * day)?;
    check_schemes(&private_use_schemes)?;
    Ok(Settings {
        issuer,
        resources: check_resources(resources)?,
        sign_in,
        token_lifetime,
        refresh_lifetime,
        client_idle_lifetime,
        registrations_per_minute,
        private_use_schemes,
    })
}

fn check_lifetime(what: &'static str, value: Duration, least: u64, most: u64) -> Result<(), ConfigError> {
    let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
    // Claims count whole seconds; a fraction would make `expires_in` and `exp` disagree.
    if value < least || value > most || value.subsec_nanos() != 0 {
        return Err(ConfigError::Lifetime { what, value, least, most });
    }
    Ok(())
}

fn check_schemes(schemes: &[String]) -> Result<(), ConfigError> {
    let fits = |scheme: &String| {
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'+');
        let starts = scheme.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        starts && scheme.len() <= 64 && scheme.bytes().all(allowed) && !KNOWN_SCHEMES.contains(&scheme.as_str())
    };
    let wrong = schemes.iter().find(|scheme| !fits(scheme)).or_else(|| schemes.get(MAX_SCHEMES));
    wrong.map_or(Ok(()), |scheme| Err(ConfigError::PrivateUseScheme(scheme.clone())))
}

fn check_sign_in(sign_in: &SignIn, issuer: &Url) -> Result<(), ConfigError> {
    match sign_in {
        SignIn::AnyName { claims, default_claims } => {
            if !is_loopback(issuer) {
                return Err(ConfigError::AnyNameNeedsLoopback(issuer.clone()));
            }
            check_claims(claims, default_claims)
        }
    }
}

fn check_claims(claims: &BTreeMap<String, Claims>, default_claims: &Claims) -> Result<(), ConfigError> {
    if claims.len() > MAX_USERS {
        return Err(ConfigError::ClaimsTooLarge);
    }
    if let Some(name) = claims.keys().find(|name| Subject::parse(name).is_none()) {
        return Err(ConfigError::UserName(name.clone()));
    }
    for set in claims.values().chain([default_claims]) {
        if let Some(name) = set.keys().find(|name| RESERVED_CLAIMS.contains(&name.as_str())) {
            return Err(ConfigError::ReservedClaim(name.clone()));
        }
        let bytes = serde_json::to_vec(set).map_err(|_| ConfigError::ClaimsTooLarge)?;
        if bytes.len() > MAX_CLAIMS_BYTES {
            return Err(ConfigError::ClaimsTooLarge);
        }
    }
    Ok(())
}

fn check_resources(resources: Vec<Resource>) -> Result<Vec<ProtectedResource>, ConfigError> {
    if resources.is_empty() || resources.len() > MAX_RESOURCES {
        return Err(ConfigError::ResourceCount(resources.len()));
    }
    let mut checked: Vec<ProtectedResource> = Vec::with_capacity(resources.len());
    for resource in resources {
        let url = resource.url.clone();
        let resource = check_resource(resource)?;
        if checked.iter().any(|other| other.id == resource.id) {
            return Err(ConfigError::ResourceRepeated(url));
        }
        checked.push(resource);
    }
    Ok(checked)
}

fn check_resource(resource: Resource) -> Result<ProtectedResource, ConfigError> {
    let Resource { url, name, scopes, default_scopes } = resource;
    let id = check_resource_url(&url)?;
    check_text(&url, "name", &name, MAX_NAME)?;
    let too_many = |scope: &str| ConfigError::Scope {
        resource: url.clone(),
        scope: scope.to_owned(),
        source: ScopeError::TooMany,
    };
    let mut described: Vec<DescribedScope> = Vec::with_capacity(scopes.len());
    for scope in scopes {
        let name = ScopeName::try_from(scope.name.clone()).map_err(|source| ConfigError::Scope {
            resource: url.clone(),
            scope: scope.name.clone(),
            source,
        })?;
        check_text(&url, "a scope's description", &scope.description, MAX_DESCRIPTION)?;
        if described.len() == MAX_SCOPES {
            return Err(too_many(&scope.name));
        }
        if described.iter().any(|other| other.name == name) {
            return Err(ConfigError::ScopeRepeated { resource: url, scope: scope.name });
        }
        described.push(DescribedScope { name, description: scope.description });
    }
    let default_scopes = check_default_scopes(&url, &described, default_scopes)?;
    Ok(ProtectedResource { id, name, scopes: described, default_scopes })
}

fn check_default_scopes(url: &Url, all: &[DescribedScope], names: Vec<String>) -> Result<ScopeSet, ConfigError> {
    let find = |name: String| {
        let known = all.iter().find(|scope| scope.name.as_str() == name).map(|scope| scope.name.clone());
        known.ok_or_else(|| ConfigError::DefaultScope { resource: url.clone(), scope: name })
    };
    names.into_iter().map(find).collect()
}

fn check_resource_url(url: &Url) -> Result<ResourceId, ConfigError> {
    let reachable = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    let text = if url.path() == "/" { url.as_str().trim_end_matches('/') } else { url.as_str() };
    if !reachable || !is_bare(url) || text.ends_with('/') {
        return Err(ConfigError::ResourceForm(url.clone()));
    }
    Ok(ResourceId::from_checked(text.to_owned()))
}

fn check_text(resource: &Url, what: &'static str, text: &str, most: usize) -> Result<(), ConfigError> {
    let count = text.chars().count();
    if text.trim().is_empty() || count > most || text.chars().any(char::is_control) {
        return Err(ConfigError::Text { resource: resource.clone(), what, most });
    }
    Ok(())
}
