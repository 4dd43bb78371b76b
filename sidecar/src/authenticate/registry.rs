//! The running providers of the process. A reload with an unchanged provider keeps its keys and its task, a changed one its keys
//! if they come from the same place; a provider that no route holds any more ends.

use super::fetch::Fetch;
use super::provider::{Provider, ProviderStatus};
use crate::clock::Clock;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tollward_policy::config::ProviderConfig;

/// All providers, by name. It keeps none alive: routes do.
pub struct Providers {
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    generations: Arc<AtomicU64>,
    running: Mutex<BTreeMap<String, Weak<Provider>>>,
}

impl Providers {
    /// No provider yet.
    pub fn new(fetch: Arc<dyn Fetch>, clock: Arc<dyn Clock>) -> Self {
        Self { fetch, clock, generations: Arc::new(AtomicU64::new(0)), running: Mutex::new(BTreeMap::new()) }
    }

    /// The running provider of exactly this configuration, or a new one. A tokio runtime must be entered. Who is denied is no
    /// part of it: a revocation must cost neither a fetch of keys nor the proofs of everybody else.
    pub fn get_or_start(&self, config: &ProviderConfig) -> Arc<Provider> {
        let config = &ProviderConfig { deny: Vec::new(), ..config.clone() };
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, provider| provider.strong_count() > 0);
        let former = running.get(&config.name).and_then(Weak::upgrade);
        if let Some(provider) = &former
            && provider.config() == config
        {
            return Arc::clone(provider);
        }
        let provider = Arc::new(Provider::start(
            config.clone(),
            Arc::clone(&self.fetch),
            Arc::clone(&self.clock),
            Arc::clone(&self.generations),
            former.as_deref(),
        ));
        running.insert(config.name.clone(), Arc::downgrade(&provider));
        provider
    }

    /// What is known about each running provider, by name.
    pub fn statuses(&self) -> Vec<ProviderStatus> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let providers: Vec<_> = running.values().filter_map(Weak::upgrade).collect();
        drop(running);
        providers.iter().map(|provider| provider.status()).collect()
    }
}
