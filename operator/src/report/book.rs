//! The latest reports, so that the status of a provider or policy can tell what the servers that use it see. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use tollward_desired::resource_of;
use tollward_policy::report::{LimitStoreReport, ProviderReport, Report};

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

/// What one replica says about the store of a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoreState {
    /// Whether it counts.
    pub up: bool,
    /// Why not, if it does not.
    pub error: Option<String>,
}

/// What one replica says.
#[derive(Debug, Clone, Default)]
struct States {
    providers: BTreeMap<String, ProviderState>,
    /// By the policy as the configuration names it.
    stores: BTreeMap<String, StoreState>,
}

/// Whose state differs from the reports before.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Providers, as `namespace/name`.
    pub providers: BTreeSet<String>,
    /// Names of policies, in the namespace of the server.
    pub policies: BTreeSet<String>,
}

/// What the pods of a server say.
type Pods = BTreeMap<String, States>;

/// The latest reports, by server and pod.
#[derive(Debug, Default)]
pub struct ReportBook(Mutex<HashMap<String, Pods>>);

impl ReportBook {
    /// Keeps a server's reports, by pod. Returns about whom something changed.
    pub fn put<'a>(&self, server: &str, reports: impl Iterator<Item = (&'a str, &'a Report)>) -> Changed {
        let new: BTreeMap<_, _> = reports.map(|(pod, report)| (pod.to_owned(), states(report))).collect();
        let old = {
            let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            book.insert(server.to_owned(), new.clone()).unwrap_or_default()
        };
        differences(&old, &new)
    }

    /// Forgets all but these servers. Returns the providers, as `namespace/name`, of which the others told.
    pub fn retain(&self, live: &HashSet<String>) -> BTreeSet<String> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = book.extract_if(|server, _| !live.contains(server));
        gone.flat_map(|(_, pods)| pods.into_values()).flat_map(|states| states.providers.into_keys()).collect()
    }

    /// What replicas say about a provider: pod and state.
    pub fn about(&self, provider: &str) -> Vec<(String, ProviderState)> {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = book
            .values()
            .flatten()
            .filter_map(|(pod, states)| states.providers.get(provider).map(|state| (pod.clone(), state.clone())))
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
    }

    /// What the replicas of a server, by its unique id, say about the store of a policy as the configuration names it.
    pub fn about_store(&self, server: &str, policy: &str) -> Vec<(String, StoreState)> {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pods = book.get(server).into_iter().flatten();
        pods.filter_map(|(pod, states)| Some((pod.clone(), states.stores.get(policy)?.clone()))).collect()
    }
}

fn states(report: &Report) -> States {
    let store =
        |store: &LimitStoreReport| (store.policy.clone(), StoreState { up: store.up, error: store.error.clone() });
    States { providers: providers(report), stores: report.limit_stores.iter().map(store).collect() }
}

/// By resource: one with several tenants is ready when all of them are.
fn providers(report: &Report) -> BTreeMap<String, ProviderState> {
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

fn differences(old: &Pods, new: &Pods) -> Changed {
    let policies = names(old, new, |states| &states.stores);
    Changed {
        providers: names(old, new, |states| &states.providers),
        // A policy may name several sections of a server.
        policies: policies.iter().map(|policy| policy.split('#').next().unwrap_or_default().to_owned()).collect(),
    }
}

fn names<T: Ord>(old: &Pods, new: &Pods, of: fn(&States) -> &BTreeMap<String, T>) -> BTreeSet<String> {
    let (old, new) = (entries(old, of), entries(new, of));
    old.symmetric_difference(&new).map(|(name, ..)| (*name).to_owned()).collect()
}

fn entries<T: Ord>(pods: &Pods, of: fn(&States) -> &BTreeMap<String, T>) -> BTreeSet<(&str, &str, &T)> {
    let of_pod = |(pod, states)| of(states).iter().map(move |(name, state)| (name.as_str(), pod, state));
    pods.iter().map(|(pod, states)| (pod.as_str(), states)).flat_map(of_pod).collect()
}

#[cfg(test)]
mod tests {
    use super::ReportBook;
    use tollward_policy::report::{LimitStoreReport, ProviderReport, Report};

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
            sealing: None,
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

    #[test]
    fn what_replicas_of_a_server_said_that_is_gone_is_forgotten_and_their_providers_are_named() {
        let book = ReportBook::default();
        for (server, provider) in [("here", "shop/one"), ("gone", "shop/two")] {
            book.put(server, [("pod", &report(&[(provider, None)]))].into_iter());
        }
        assert_eq!(book.retain(&["here".to_owned()].into()), ["shop/two".to_owned()].into());
        assert_eq!((book.about("shop/one").len(), book.about("shop/two").len()), (1, 0));
        assert!(book.retain(&["here".to_owned()].into()).is_empty());
    }

    #[test]
    fn the_policy_whose_store_broke_or_recovered_is_named_and_no_other() {
        let book = ReportBook::default();
        let with = |policies: &[(&str, bool)]| Report {
            limit_stores: policies
                .iter()
                .map(|(policy, up)| LimitStoreReport {
                    server: "shop/catalog".into(),
                    policy: (*policy).to_owned(),
                    up: *up,
                    since: 1,
                    error: (!up).then(|| "connection refused".into()),
                })
                .collect(),
            ..report(&[])
        };
        let put = |policies: &[(&str, bool)]| {
            let changed = book.put("uid", [("pod-1", &with(policies))].into_iter());
            assert!(changed.providers.is_empty());
            changed.policies.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(put(&[("a", true), ("b#cart", true)]), ["a", "b"]);
        assert!(put(&[("a", true), ("b#cart", true)]).is_empty());
        assert_eq!(put(&[("a", true), ("b#cart", false)]), ["b"]);
        assert_eq!(book.about_store("uid", "b#cart")[0].1.error.as_deref(), Some("connection refused"));
        assert!(book.about_store("uid", "b").is_empty() && book.about_store("other", "a").is_empty());
        assert_eq!(put(&[("a", true)]), ["b"], "what a replica no longer says is news too");
    }
}
