//! Whom providers deny by now, brought into the configuration of a server whose newer specification is refused: what runs stays
//! as it is then, but a revocation is no part of what the server's author got wrong. Pure.

use crate::configuration::Configuration;
use crate::issuers::issuers_of;
use crate::provider_key::{key_of, resource_of};
use crate::validate::deny_list;
use tollward_api::IdentityProvider;
use tollward_policy::config::{DenyConfig, ProviderConfig, SidecarConfig, check, load};

/// The configuration in force with the lists that its providers have now; `None` if it has them, or can't be read.
///
/// A list counts for a provider of the same name and issuer: entries are about the subjects of one issuer. One that can't be
/// used changes nothing, since a refused list must not become a shorter one.
pub fn denied(in_force: &str, providers: &[IdentityProvider]) -> Option<Configuration> {
    let config = load(in_force.as_bytes()).ok()?;
    let updated: Vec<_> = config.identity_providers.iter().map(|one| update(one, providers)).collect();
    if updated == config.identity_providers {
        return None;
    }
    let next = SidecarConfig { generation: config.generation.saturating_add(1), identity_providers: updated, ..config };
    if check(&next).is_empty() { Configuration::write(next) } else { None }
}

fn update(config: &ProviderConfig, providers: &[IdentityProvider]) -> ProviderConfig {
    match list(config, providers) {
        Some(deny) => ProviderConfig { deny, ..config.clone() },
        None => config.clone(),
    }
}

fn list(config: &ProviderConfig, providers: &[IdentityProvider]) -> Option<Vec<DenyConfig>> {
    let is_it = |provider: &&IdentityProvider| {
        let issuers = provider.spec.external.as_ref().map(issuers_of).unwrap_or_default();
        key_of(provider) == resource_of(&config.name) && issuers.contains(&config.issuer)
    };
    deny_list(&providers.iter().find(is_it)?.spec.deny)
}
