//! The latest reports, so that a provider's status can tell what the servers that use it see. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use tollward_desired::resource_of;
use tollward_policy::report::{ProviderReport, Report};

/// What one replica says about a provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProviderState {
    /// Whether tokens can be verified.
    pub ready: bool,
    /// Why keys could not be fetched, if so.
    pub error: Option<String>,
    /// Why the issuer can't be asked about tokens, if it is to be and can't.
    pub introspection_error: Option<String>,
}

/// What the pods of a server say about each provider.
type Pods = BTreeMap<String, BTreeMap<String, ProviderState>>;

/// The latest reports, by server and pod.
#[derive(Debug, Default)]
pub struct ReportBook(Mutex<HashMap<String, Pods>>);

impl ReportBook {
    /// Keeps a server's reports, by pod. Returns the providers about which something changed.
    pub fn put<'a>(&self, server: &str, reports: impl Iterator<Item = (&'a str, &'a Report)>) -> BTreeSet<String> {
        let new: BTreeMap<_, _> = reports.map(|(pod, report)| (pod.to_owned(), states(report))).collect();
        let old = {
            let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            book.insert(server.to_owned(), new.clone()).unwrap_or_default()
        };
        differences(&old, &new)
    }

    /// Forgets a server that is gone.
    pub fn forget(&self, server: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(server);
    }

    /// What replicas say about a provider: pod and state.
    pub fn about(&self, provider: &str) -> Vec<(String, ProviderState)> {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = book
            .values()
            .flatten()
            .filter_map(|(pod, states)| states.get(provider).map(|state| (pod.clone(), state.clone())))
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
    }
}

/// By resource: one with several tenants is ready when all of them are.
fn states(report: &Report) -> BTreeMap<String, ProviderState> {
    let mut states: BTreeMap<String, ProviderState> = BTreeMap::new();
    for ProviderReport { name, ready, last_error, introspection_error, .. } in &report.providers {
        let state = states.entry(resource_of(name).to_owned()).or_insert_with(|| ProviderState {
            ready: true,
            error: None,
            introspection_error: None,
        });
        state.ready &= ready;
        state.error = state.error.take().or_else(|| last_error.clone());
        state.introspection_error = state.introspection_error.take().or_else(|| introspection_error.clone());
    }
    states
}

fn differences(old: &Pods, new: &Pods) -> BTreeSet<String> {
    let entries = |pods: &Pods| -> BTreeSet<(String, String, ProviderState)> {
        pods.iter()
            .flat_map(|(pod, states)| states.iter().map(|(name, state)| (name.clone(), pod.clone(), state.clone())))
            .collect()
    };
    let (old, new) = (entries(old), entries(new));
    old.symmetric_difference(&new).map(|(name, ..)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::ReportBook;
    use tollward_policy::report::{ProviderReport, Report};

    fn report(providers: &[(&str, Option<&str>)]) -> Report {
        let provider = |(name, error): &(&str, Option<&str>)| ProviderReport {
            name: (*name).to_owned(),
            ready: error.is_none(),
            keys: Vec::new(),
            last_fetch: None,
            last_error: error.map(str::to_owned),
            introspection_error: None,
        };
        Report {
            reader: 1,
            digest: String::new(),
            generation: 1,
            rejected: None,
            restart_required: false,
            unready: Vec::new(),
            routes: Vec::new(),
            providers: providers.iter().map(provider).collect(),
            limit_stores: Vec::new(),
        }
    }

    #[test]
    fn a_provider_with_tenants_is_ready_when_all_of_them_are() {
        let book = ReportBook::default();
        let state = |tenants: &[(&str, Option<&str>)]| {
            book.put("server", [("pod-1", &report(tenants))].into_iter());
            book.about("shop/entra").remove(0).1
        };
        assert!(state(&[("shop/entra/one", None), ("shop/entra/two", None)]).ready);
        let broken = state(&[("shop/entra/one", None), ("shop/entra/two", Some("timeout")), ("shop/other", None)]);
        assert_eq!((broken.ready, broken.error.as_deref()), (false, Some("timeout")));
        assert!(state(&[("shop/entra", None)]).ready);
    }
}
