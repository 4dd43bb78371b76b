//! A namespace with servers in it, for one test.

use super::door::Door;
use super::installation::{Installation, installation};
use super::inventory::{Object, inventory};
use super::manifests::Manifests;
use super::pods::{pod_address, ready_pods};
use super::programs::kubectl;
use super::{LIMIT, SERVER};
use crate::client::Wire;
use crate::deadline::{eventually_within, within_time};
use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use kube::api::{ApiResource, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, GroupVersionKind, NamespaceResourceScope};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use tokio::sync::{RwLockReadGuard, RwLockWriteGuard};
use tollward_api::{MCPServer, ports};

/// Who writes the tests' objects.
const MANAGER: &str = "tests";

/// What `cargo xtask` knows its own namespaces by, to remove them.
const LABEL: &str = "app.kubernetes.io/managed-by";
const OWNER: &str = "cargo-xtask";

/// Whether a test disturbs the others.
enum Turn {
    Calm { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

/// A namespace whose pods must be of the `restricted` profile.
pub struct Tenant {
    /// The API server, as administrator.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
    /// The installation that serves it.
    pub installation: &'static Installation,
    turn: Turn,
}

impl Tenant {
    /// A fresh namespace.
    pub async fn new(namespace: &str) -> Self {
        let turn = Turn::Calm { _guard: installation().calm.read().await };
        Self::start(namespace, turn).await
    }

    /// A fresh namespace while no other test runs, for who disturbs the operator.
    pub async fn alone(namespace: &str) -> Self {
        let turn = Turn::Alone { _guard: installation().calm.write().await };
        Self::start(namespace, turn).await
    }

    async fn start(namespace: &str, turn: Turn) -> Self {
        let client = Client::try_default().await.expect("KUBECONFIG is that of a cluster");
        let namespaces: Api<Namespace> = Api::all(client.clone());
        if let Some(left) = namespaces.get_opt(namespace).await.expect("the API server answers") {
            // An aborted run left it, or else it is somebody's.
            assert_eq!(
                left.labels().get(LABEL).map(String::as_str),
                Some(OWNER),
                "the namespace {namespace} is not one of the tests"
            );
            let _ = namespaces.delete(namespace, &DeleteParams::default()).await;
            let uid = left.uid().unwrap_or_default();
            let gone = await_condition(namespaces.clone(), namespace, conditions::is_deleted(&uid));
            within_time(LIMIT, "an old namespace ends", gone).await.expect("the namespace is watched");
        }
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted", LABEL: OWNER});
        let object = json!({"metadata": {"name": namespace, "labels": labels}});
        let object = serde_json::from_value(object).expect("a namespace");
        namespaces.create(&PostParams::default(), &object).await.expect("a namespace is made");
        let tenant = Self { client, namespace: namespace.to_owned(), installation: installation(), turn };
        // What the control plane puts into every namespace is not what a test finds new in it.
        eventually_within(LIMIT, "the namespace has its defaults", async || {
            let found = tenant.inventory().await;
            found.contains_key("ServiceAccount/default") && found.contains_key("ConfigMap/kube-root-ca.crt")
        })
        .await;
        tenant
    }

    /// The example for this namespace.
    pub fn catalog(&self) -> Manifests {
        Manifests::new(&self.namespace, &self.installation.issuer.url())
    }

    /// An API of this namespace.
    pub fn api<K: Resource<Scope = NamespaceResourceScope>>(&self) -> Api<K>
    where
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Writes an object, as `kubectl apply --server-side` does.
    pub async fn try_apply(&self, object: &Value) -> Result<DynamicObject, String> {
        let object: DynamicObject = serde_json::from_value(object.clone()).expect("a Kubernetes object");
        let types = object.types.clone().expect("an object has a kind");
        let kind = GroupVersionKind::try_from(types).expect("an object has a kind");
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::from_gvk(&kind));
        let parameters = PatchParams::apply(MANAGER).force().validation_strict();
        let written = api.patch(&object.name_any(), &parameters, &Patch::Apply(&object)).await;
        written.map_err(|error| error.to_string())
    }

    /// Writes objects; fails if one is refused.
    pub async fn apply<'a>(&self, objects: impl IntoIterator<Item = &'a Value>) {
        for object in objects {
            self.try_apply(object).await.unwrap_or_else(|error| panic!("{object} is refused: {error}"));
        }
    }

    /// Writes the example, and waits until it is ready.
    pub async fn serve(&self, manifests: &Manifests) -> MCPServer {
        self.apply(manifests.objects()).await;
        self.ready(SERVER).await
    }

    /// Waits until a server is ready as it is specified now.
    pub async fn ready(&self, name: &str) -> MCPServer {
        self.server("the server is ready", name, |server| holds(server, "Ready")).await
    }

    /// Waits for a condition of a server.
    pub async fn server(&self, what: &str, name: &str, condition: impl Fn(&MCPServer) -> bool) -> MCPServer {
        self.until(what, name, |server: Option<&MCPServer>| server.is_some_and(&condition)).await.expect("it is there")
    }

    /// Waits for a condition of an object; fails with all that may explain why it does not hold.
    pub async fn until<K>(&self, what: &str, name: &str, condition: impl Fn(Option<&K>) -> bool) -> Option<K>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + Send + DeserializeOwned + 'static,
        K::DynamicType: Default,
    {
        let last = Mutex::new(None);
        let met = |object: Option<&K>| {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = object.cloned();
            condition(object)
        };
        let waited = tokio::time::timeout(LIMIT, await_condition(self.api::<K>(), name, met)).await;
        let Ok(object) = waited else {
            panic!("not within {LIMIT:?}: {what}: {:#?}\n{}", last.lock(), self.explanation());
        };
        object.unwrap_or_else(|error| panic!("{name} can't be watched: {error}"))
    }

    /// Events and logs.
    pub fn explanation(&self) -> String {
        let namespace = self.namespace.as_str();
        [
            vec!["get", "pods,events", "--namespace", namespace],
            vec![
                "logs",
                "--namespace",
                namespace,
                "--selector=app.kubernetes.io/part-of=tollward",
                "--all-containers",
                "--tail=20",
            ],
            vec!["logs", "--namespace", "tollward-system", "deployment/tollward-operator", "--tail=40"],
        ]
        .map(|arguments| kubectl(&arguments).unwrap_or_else(|error| error))
        .join("\n")
    }

    /// Everything in the namespace.
    pub async fn inventory(&self) -> BTreeMap<String, Object> {
        inventory(&self.client, &self.namespace).await
    }

    /// The ready pods of a server.
    pub async fn pods(&self, server: &str) -> Vec<Pod> {
        let of = ListParams::default()
            .labels(&format!("app.kubernetes.io/instance={server},app.kubernetes.io/name=mcpserver"));
        ready_pods(self.api::<Pod>().list(&of).await.expect("pods are listed").items)
    }

    /// A server's endpoint at its Service, once the node leads there.
    pub async fn door(&self, server: &str) -> Door {
        let name = format!("{server}-tollward");
        let service = self.api::<Service>().get(&name).await.expect("a server has a Service");
        let address = service.spec.and_then(|spec| spec.cluster_ip).and_then(|address| address.parse::<IpAddr>().ok());
        let address = SocketAddr::new(address.expect("a Service has an address"), 443);
        let host = format!("{name}.{}.svc", self.namespace);
        let door = Door { address, url: format!("https://{host}/mcp"), host, installation: self.installation };
        // The node learns of ready pods at the same time as everybody else.
        eventually_within(LIMIT, "the Service leads to a pod", async || door.connect(Wire::Http1).await.is_ok()).await;
        door
    }

    /// A server's endpoint at each of its pods.
    pub async fn doors(&self, server: &str) -> Vec<Door> {
        let door = self.door(server).await;
        let pods = self.pods(server).await;
        pods.iter().map(|pod| door.at(SocketAddr::new(pod_address(pod), ports::PUBLIC))).collect()
    }

    /// Deletes a server and waits until it is gone.
    pub async fn delete(&self, server: &str) {
        let api: Api<MCPServer> = self.api();
        let uid = api.get(server).await.expect("the server is there").uid().unwrap_or_default();
        api.delete(server, &DeleteParams::default()).await.expect("the server may be deleted");
        let gone = await_condition(api, server, conditions::is_deleted(&uid));
        Box::pin(within_time(LIMIT, "the server is gone", gone)).await.expect("the server is watched");
    }

    /// Ends a test: the operator was refused nothing, and the namespace goes.
    pub async fn end(self) {
        let Self { client, namespace, installation, turn } = self;
        installation.nothing_was_forbidden(&client).await;
        let namespaces: Api<Namespace> = Api::all(client);
        namespaces.delete(&namespace, &DeleteParams::default()).await.expect("the namespace may be deleted");
        drop(turn);
    }
}

/// A condition of a server: its status, reason and message, if it is about the specification as it is now.
pub fn condition(server: &MCPServer, kind: &str) -> Option<(String, String, String)> {
    let found = server.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == kind)?;
    let current = found.observed_generation == server.metadata.generation;
    current.then(|| (found.status.clone(), found.reason.clone(), found.message.clone()))
}

/// True if the condition is true of the specification as it is now.
pub fn holds(server: &MCPServer, kind: &str) -> bool {
    condition(server, kind).is_some_and(|(status, _, _)| status == "True")
}

/// The digest that every replica should report, and what each reports.
pub fn digests(server: &MCPServer) -> (String, Vec<Option<String>>) {
    let status = server.status.clone().unwrap_or_default();
    let replicas = status.replicas.into_iter().map(|replica| replica.policy_digest).collect();
    (status.policy_digest.unwrap_or_default(), replicas)
}
