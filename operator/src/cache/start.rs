//! Starts the watches.

use super::feed::{Events, Feed, Fingerprint, Source};
use super::routes::Routes;
use super::{Caches, Queues, slim};
use crate::child::ChildKind;
use futures_util::stream::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::Lookup;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, OnceLock};
use tokio::task::JoinSet;

/// Selects what the operator made.
const OURS: &str = "app.kubernetes.io/managed-by=tollward-operator";

/// Starts every watch in these namespaces (none means all) and returns the stores and the tasks that keep them.
pub fn start(client: &Client, namespaces: &[String], queues: &Arc<Queues>) -> (Caches, JoinSet<()>) {
    let mut starter =
        Starter { client: client.clone(), sources: sources(namespaces), routes: Arc::default(), tasks: JoinSet::new() };
    let all = watcher::Config::default();
    let ours = all.clone().labels(OURS);
    let servers = starter.kind(&all, slim::unmanaged, Some(slim::specification), Routes::server);
    let policies = starter.kind(&all, slim::unmanaged, Some(slim::specification), Routes::policy);
    let providers = starter.kind(&all, slim::unmanaged, Some(slim::specification), Routes::provider);
    let pods = starter.kind(&ours, slim::pod, Some(slim::pod_state), Routes::pod);
    let slices = starter.kind(&all, slim::unmanaged, Some(slim::targets), Routes::slice);
    let children = ChildKind::ALL.into_iter().map(|kind| (kind, starter.children(kind))).collect::<BTreeMap<_, _>>();
    let caches = Caches {
        servers,
        policies,
        providers,
        namespaces: starter.namespaces(),
        pods,
        slices,
        children: Arc::new(children),
    };
    // The routes need the stores, which come with the feeds. News from before this point is nobody's loss: the queues have
    // no reader yet, and whoever opens them starts with everything.
    let routes = Routes { caches: caches.clone(), queues: queues.clone() };
    drop(starter.routes.set(routes));
    (caches, starter.tasks)
}

impl Caches {
    /// Returns once every kind was listed.
    pub async fn filled(&self) {
        // A store whose writer is gone is never filled; the process ends by the task that ended.
        drop(self.servers.wait_until_ready().await);
        drop(self.policies.wait_until_ready().await);
        drop(self.providers.wait_until_ready().await);
        drop(self.namespaces.wait_until_ready().await);
        drop(self.pods.wait_until_ready().await);
        drop(self.slices.wait_until_ready().await);
        for store in self.children.values() {
            drop(store.wait_until_ready().await);
        }
    }
}

fn sources(namespaces: &[String]) -> Vec<Source> {
    if namespaces.is_empty() {
        vec![None]
    } else {
        let unique: std::collections::BTreeSet<_> = namespaces.iter().cloned().collect();
        unique.into_iter().map(Some).collect()
    }
}

struct Starter {
    client: Client,
    sources: Vec<Source>,
    routes: Arc<OnceLock<Routes>>,
    tasks: JoinSet<()>,
}

impl Starter {
    fn kind<K>(
        &mut self,
        config: &watcher::Config,
        slim: fn(&mut K),
        fingerprint: Fingerprint<K>,
        route: fn(&Routes, &K),
    ) -> kube::runtime::reflector::Store<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + Sync
            + 'static,
    {
        let watches = self
            .sources
            .iter()
            .map(|source| {
                let api: Api<K> = match source {
                    None => Api::all(self.client.clone()),
                    Some(namespace) => Api::namespaced(self.client.clone(), namespace),
                };
                let events = watcher(api, config.clone()).default_backoff().modify(slim);
                (source.clone(), events.boxed())
            })
            .collect();
        self.feed((), fingerprint, route, watches)
    }

    fn children(&mut self, kind: ChildKind) -> kube::runtime::reflector::Store<DynamicObject> {
        let resource = kind.resource();
        let config = match kind {
            // Servers stand in front of Services that others made.
            ChildKind::Service => watcher::Config::default(),
            ChildKind::ServiceAccount
            | ChildKind::ConfigMap
            | ChildKind::NetworkPolicy
            | ChildKind::PodDisruptionBudget
            | ChildKind::Deployment => watcher::Config::default().labels(OURS),
        };
        let watches = self
            .sources
            .iter()
            .map(|source| {
                let api: Api<DynamicObject> = match source {
                    None => Api::all_with(self.client.clone(), &resource),
                    Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
                };
                let events = watcher(api, config.clone()).default_backoff().modify(slim::unmanaged);
                (source.clone(), events.boxed())
            })
            .collect();
        self.feed(resource, None, Routes::child, watches)
    }

    fn namespaces(&mut self) -> kube::runtime::reflector::Store<PartialObjectMeta<Namespace>> {
        let api: Api<PartialObjectMeta<Namespace>> = Api::all(self.client.clone());
        let events = watcher(api, watcher::Config::default()).default_backoff().modify(slim::unmanaged);
        self.feed((), Some(slim::labels), Routes::namespace, vec![(None, events.boxed())])
    }

    fn feed<K>(
        &mut self,
        dyntype: K::DynamicType,
        fingerprint: Fingerprint<K>,
        route: fn(&Routes, &K),
        watches: Vec<(Source, Events<K>)>,
    ) -> kube::runtime::reflector::Store<K>
    where
        K: Lookup + Clone + Debug + Send + Sync + 'static,
        K::DynamicType: std::hash::Hash + Eq + Clone + Debug + Send + Sync + Unpin,
    {
        let routes = self.routes.clone();
        let changed = Arc::new(move |object: &K| {
            if let Some(routes) = routes.get() {
                route(routes, object);
            }
        });
        let feed = Feed::new(dyntype, fingerprint, changed);
        let store = feed.store();
        self.tasks.spawn(feed.run(watches));
        store
    }
}
