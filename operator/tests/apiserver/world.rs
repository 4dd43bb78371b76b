//! A namespace, an operator that looks after it alone, and what it asks of the API server.

use crate::cluster::{Cluster, api_of, put, shared};
use crate::rights;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response};
use jiff::{SignedDuration, Timestamp};
use kube::client::{Body, ClientBuilder};
use kube::core::DynamicObject;
use kube::{Api, Client};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tollward_api::identityprovider::IssuerStatus;
use tollward_desired::InstallSettings;
use tollward_operator::clock::Clock;
use tollward_operator::discovery::{DiscoverySource, Question};
use tollward_operator::install::Install;
use tollward_operator::leadership::{Alone, Leadership};
use tollward_operator::report::{ReportError, ReportSource, ReportTarget};
use tollward_operator::run::{RunError, Setup, start};
use tollward_policy::report::Report;
use tollward_telemetry::Telemetry;
use tower::{Layer, Service};

/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(80);

/// Between two looks at a condition: nothing of an operator or an API server tells when any condition comes true.
const LOOK: Duration = Duration::from_millis(50);

/// Waits for a condition, a look that never ends included.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let found = async {
        loop {
            looks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    timeout(DEADLINE, found).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// Makes a namespace.
pub(crate) async fn namespace(client: &Client, name: &str) {
    put(client, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await;
}

/// What the operator asked of the API server, watches and lists left out.
#[derive(Clone, Default)]
pub(crate) struct Requests(Arc<Mutex<Vec<String>>>);

impl Requests {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn note(&self, method: &Method, path: &str, query: &str) {
        let names = ["watch=", "limit=", "sendInitialEvents"];
        let reads =
            *method == Method::GET && (names.iter().any(|name| query.contains(name)) || path.contains("/leases/"));
        if !reads && !path.contains("/leases") {
            let short = path.rsplit('/').take(2).collect::<Vec<_>>();
            let short: Vec<_> = short.into_iter().rev().collect();
            self.0.lock().unwrap().push(format!("{method} {}", short.join("/")));
        }
    }
}

/// Notes every request.
#[derive(Clone)]
pub(crate) struct Noting<S> {
    inner: S,
    requests: Requests,
}

impl<S> Layer<S> for Requests {
    type Service = Noting<S>;

    fn layer(&self, inner: S) -> Noting<S> {
        Noting { inner, requests: self.clone() }
    }
}

impl<S: Service<Request<Body>, Response = Response<B>>, B> Service<Request<Body>> for Noting<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        let uri = request.uri();
        self.requests.note(request.method(), uri.path(), uri.query().unwrap_or_default());
        self.inner.call(request)
    }
}

/// Sidecars that say what a test wants, by address.
#[derive(Default)]
pub(crate) struct Sidecars(pub(crate) Mutex<HashMap<String, Report>>);

impl ReportSource for Sidecars {
    fn fetch<'a>(&'a self, target: &'a ReportTarget) -> BoxFuture<'a, Result<Report, ReportError>> {
        let found = self.0.lock().unwrap().get(&target.address.to_string()).cloned();
        Box::pin(std::future::ready(found.ok_or_else(|| ReportError::Silent("connection refused".into()))))
    }
}

/// Issuers that answer what a test wants, by name.
#[derive(Default)]
pub(crate) struct Issuers(pub(crate) Mutex<HashMap<String, IssuerStatus>>);

impl DiscoverySource for Issuers {
    fn discover(&self, question: Question) -> BoxFuture<'_, Result<Vec<IssuerStatus>, String>> {
        let known = self.0.lock().unwrap();
        let found: Option<Vec<_>> = question.issuers.iter().map(|issuer| known.get(issuer).cloned()).collect();
        Box::pin(std::future::ready(found.ok_or_else(|| "the URL could not be fetched".to_owned())))
    }
}

/// A namespace of a test.
pub(crate) struct World<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) admin: Client,
    pub(crate) namespace: String,
    pub(crate) sidecars: Arc<Sidecars>,
    pub(crate) issuers: Arc<Issuers>,
    pub(crate) clock: Arc<ShiftedClock>,
}

/// The system's clock, some seconds ahead.
#[derive(Default)]
pub(crate) struct ShiftedClock(AtomicI64);

impl ShiftedClock {
    /// Goes ahead by so many seconds.
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

impl World<'static> {
    /// In the shared cluster.
    pub(crate) async fn shared(name: &str) -> Self {
        World::new(shared().await, name).await
    }
}

impl<'a> World<'a> {
    pub(crate) async fn new(cluster: &'a Cluster, name: &str) -> Self {
        let admin = cluster.admin();
        namespace(&admin, name).await;
        let system = format!("{name}-system");
        namespace(&admin, &system).await;
        for object in rights::own(&system) {
            put(&admin, &object).await;
        }
        let (sidecars, issuers, clock) = Default::default();
        Self { cluster, admin, namespace: name.to_owned(), sidecars, issuers, clock }
    }

    /// Starts an operator and waits until it leads.
    pub(crate) async fn operator(&self) -> Operator {
        let operator = self.operator_led(Box::new(Alone)).await;
        operator.ready().await;
        operator
    }

    /// A client with the operator's rights.
    pub(crate) fn operator_client(&self, requests: &Requests) -> Client {
        ClientBuilder::try_from(self.cluster.operator_config()).unwrap().with_layer(requests).build()
    }

    pub(crate) async fn operator_led(&self, leadership: Box<dyn Leadership>) -> Operator {
        let requests = Requests::default();
        let (telemetry, _memory) = Telemetry::in_memory().unwrap();
        let telemetry = Arc::new(telemetry);
        let namespace = format!("{}-system", self.namespace);
        let settings = InstallSettings::plain("registry.example/sidecar:1", &namespace);
        let setup = Setup {
            client: self.operator_client(&requests),
            install: Install { watch_namespaces: vec![self.namespace.clone()], settings },
            namespace,
            instance: Some("test".into()),
            observe: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            leadership,
            discovery: self.issuers.clone(),
            reports: Some(self.sidecars.clone()),
            telemetry: telemetry.clone(),
            clock: self.clock.clone(),
        };
        let running = start(setup).await.unwrap();
        let observe = running.observe;
        let ending = CancellationToken::new();
        let task = tokio::spawn(running.until(ending.clone()));
        Operator { requests, telemetry, observe, ending, task }
    }

    /// Applies an object of this namespace.
    pub(crate) async fn put(&self, object: &Value) -> DynamicObject {
        put(&self.admin, &self.placed(object)).await
    }

    /// Removes an object of this namespace.
    pub(crate) async fn remove(&self, api_version: &str, kind: &str, name: &str) {
        self.api(api_version, kind).delete(name, &kube::api::DeleteParams::default()).await.unwrap();
    }

    pub(crate) fn api(&self, api_version: &str, kind: &str) -> Api<DynamicObject> {
        let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}});
        api_of(&self.admin, &self.placed(&object))
    }

    pub(crate) async fn get(&self, api_version: &str, kind: &str, name: &str) -> Option<Value> {
        let found = self.api(api_version, kind).get_opt(name).await.unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    /// Waits until a condition of one of our objects is as wanted and about its newest generation.
    pub(crate) async fn condition(&self, kind: &str, name: &str, condition: &str, status: &str, reason: &str) -> Value {
        let what = format!("{kind} {name}: {condition}={status}, {reason}");
        let last = Mutex::new(Value::Null);
        let look = || async {
            let object = self.get("tollward.dev/v1alpha1", kind, name).await?;
            let found = conditions(&object).into_iter().find(|found| found["type"] == condition)?;
            let same = found["status"] == status
                && found["reason"] == reason
                && found["observedGeneration"] == object["metadata"]["generation"];
            *last.lock().unwrap() = found.clone();
            same.then_some(found)
        };
        let guarded = timeout(DEADLINE / 2, eventually(&what, look)).await;
        guarded.unwrap_or_else(|_| panic!("waited in vain: {what}; last seen {}", last.lock().unwrap()))
    }

    fn placed(&self, object: &Value) -> Value {
        let mut object = object.clone();
        object["metadata"]["namespace"] = json!(self.namespace);
        object
    }
}

/// Conditions of any of our objects.
fn conditions(object: &Value) -> Vec<Value> {
    let status = &object["status"];
    let own = status["conditions"].as_array().cloned().unwrap_or_default();
    let ancestors = status["ancestors"].as_array().cloned().unwrap_or_default();
    own.into_iter()
        .chain(ancestors.iter().flat_map(|it| it["conditions"].as_array().cloned().unwrap_or_default()))
        .collect()
}

/// A running operator.
pub(crate) struct Operator {
    pub(crate) requests: Requests,
    telemetry: Arc<Telemetry>,
    pub(crate) observe: SocketAddr,
    ending: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), RunError>>,
}

impl Operator {
    pub(crate) async fn stop(self) {
        self.ending.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// How many reconciles of a kind have ended.
    pub(crate) fn reconciles(&self, kind: &str) -> u64 {
        let text = self.telemetry.prometheus_text();
        let ours = |line: &&str| {
            line.starts_with("tollward_reconcile_duration_seconds_count") && line.contains(&format!("\"{kind}\""))
        };
        text.lines().filter(ours).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Waits until this many more reconciles of a kind have ended.
    pub(crate) async fn more(&self, kind: &str, count: u64) {
        let goal = self.reconciles(kind) + count;
        eventually("reconciles", || async { (self.reconciles(kind) >= goal).then_some(()) }).await;
    }

    /// Waits until its caches are filled.
    pub(crate) async fn ready(&self) {
        eventually("the operator is ready", || async {
            let mut stream = tokio::net::TcpStream::connect(self.observe).await.ok()?;
            let head = "GET /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.ok()?;
            let mut answer = String::new();
            tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.ok()?;
            answer.starts_with("HTTP/1.1 200").then_some(())
        })
        .await;
    }
}

/// A server without authorization, which needs nothing else.
pub(crate) fn server(name: &str) -> Value {
    json!({
        "apiVersion": "tollward.dev/v1alpha1", "kind": "MCPServer", "metadata": {"name": name},
        "spec": {
            "source": {"type": "Workload", "workload": {"image": "registry.example/catalog:1", "transport": {"port": 3000},
                "resources": {"limits": {"cpu": "0.5", "memory": "1.5Gi"}}}},
            "auth": {"mode": "None", "rules": [{"name": "read", "match": {"tools": ["get_*"]}}]},
        }
    })
}

/// A policy for a server.
pub(crate) fn policy(name: &str, server: &str, requests: u32) -> Value {
    json!({
        "apiVersion": "tollward.dev/v1alpha1", "kind": "RateLimitPolicy", "metadata": {"name": name},
        "spec": {"targetRefs": [{"name": server}], "limits": [{"name": "all", "rates": [{"requests": requests, "window": "1h"}]}]}
    })
}
