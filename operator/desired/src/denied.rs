//! Whom providers deny by now, brought into the configuration of a server whose newer specification is refused: what runs stays
//! as it is then, but a revocation is no part of what the server's author got wrong. Pure.

use crate::configuration::Configuration;
use crate::issuers::issuers_of;
use crate::provider_key::{key_of, resource_of};
use crate::validate::deny_list;
use tollward_api::IdentityProvider;
use tollward_policy::config::{DenyConfig, ProviderConfig, SidecarConfig, check, load};

/// A configuration in force, beside the lists that its providers have now.
#[derive(Debug, Clone)]
pub struct Denied {
    /// The configuration with these lists; `None` if it has them, or can't be given them.
    pub next: Option<Configuration>,
    /// The providers of that, or else of the configuration in force. One with several tenants is there once.
    pub providers: Vec<DeniedProvider>,
}

/// A provider of a configuration in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeniedProvider {
    /// Namespace and name.
    pub name: String,
    /// Its issuer; of several tenants, the first one's.
    pub issuer: String,
    /// The generation of the object whose list the configuration has; `None` if it is not the list of now.
    pub generation: Option<i64>,
}

/// A list as the configuration should have it.
struct List {
    entries: Vec<DenyConfig>,
    generation: Option<i64>,
}

/// Brings in the lists that its providers have now; `None` if the configuration can't be read.
///
/// A list counts for a provider of the same name and issuer: entries are about the subjects of one issuer. One that can't be
/// used changes nothing, since a refused list must not become a shorter one.
pub fn denied(in_force: &str, providers: &[IdentityProvider]) -> Option<Denied> {
    let config = load(in_force.as_bytes()).ok()?;
    let lists: Vec<_> = config.identity_providers.iter().map(|one| list(one, providers)).collect();
    let updated: Vec<_> =
        config.identity_providers.iter().zip(&lists).map(|(one, list)| update(one, list.as_ref())).collect();
    let next = if updated == config.identity_providers { None } else { write(&config, updated) };
    let providers = by_resource(next.as_ref().map_or(&config, Configuration::config), &lists);
    Some(Denied { next, providers })
}

fn write(config: &SidecarConfig, identity_providers: Vec<ProviderConfig>) -> Option<Configuration> {
    let next = SidecarConfig { generation: config.generation.saturating_add(1), identity_providers, ..config.clone() };
    if check(&next).is_empty() { Configuration::write(next) } else { None }
}

fn update(config: &ProviderConfig, list: Option<&List>) -> ProviderConfig {
    match list {
        Some(List { entries, generation: _ }) => ProviderConfig { deny: entries.clone(), ..config.clone() },
        None => config.clone(),
    }
}

fn list(config: &ProviderConfig, providers: &[IdentityProvider]) -> Option<List> {
    let is_it = |provider: &&IdentityProvider| {
        let issuers = provider.spec.external.as_ref().map(issuers_of).unwrap_or_default();
        key_of(provider) == resource_of(&config.name) && issuers.contains(&config.issuer)
    };
    let provider = providers.iter().find(is_it)?;
    Some(List { entries: deny_list(provider)?, generation: provider.metadata.generation })
}

fn by_resource(config: &SidecarConfig, lists: &[Option<List>]) -> Vec<DeniedProvider> {
    let mut found: Vec<DeniedProvider> = Vec::new();
    for (one, list) in config.identity_providers.iter().zip(lists) {
        let generation = list.as_ref().filter(|list| list.entries == one.deny).and_then(|list| list.generation);
        let name = resource_of(&one.name);
        match found.iter_mut().find(|known| known.name == name) {
            // A provider's list is there once it is there for all of its tenants.
            Some(known) => known.generation = known.generation.and(generation),
            None => found.push(DeniedProvider { name: name.to_owned(), issuer: one.issuer.clone(), generation }),
        }
    }
    found
}
