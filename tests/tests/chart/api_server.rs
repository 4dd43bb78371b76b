//! A real API server on loopback, with the chart applied. There is no controller and no node: objects are judged and
//! stored, nothing runs.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::helm::{self, NAMESPACE};
use super::process::Process;

/// Far above what it takes, for loaded machines.
const DEADLINE: Duration = Duration::from_mins(2);

/// Who may do everything.
pub(crate) const ADMINISTRATOR: &str = "administrator";
/// Who may write Tollward's resources, and nothing else.
pub(crate) const TENANT: &str = "tenant";
/// Who may also create Deployments.
pub(crate) const DEPLOYER: &str = "deployer";
/// The operator.
pub(crate) const OPERATOR: &str = "system:serviceaccount:tollward-system:tollward-operator";

/// Where the defaults hold.
pub(crate) const SHOP: &str = "shop";
/// Where `auth.mode: None` may be written.
pub(crate) const SANDBOX: &str = "sandbox";
/// Where `endpoint.tls.mode: Off` may be written.
pub(crate) const MESH: &str = "mesh";
/// Where only pods of the restricted profile are admitted.
pub(crate) const RESTRICTED: &str = "restricted";

/// The values that the chart is applied with.
const SETTINGS: &[&str] =
    &[r#"guardrails.anonymous.allowedNamespaces=["sandbox"]"#, r#"guardrails.plaintext.allowedNamespaces=["mesh"]"#];

/// The server that all tests share. It ends with this process.
pub(crate) static SERVER: LazyLock<ApiServer> = LazyLock::new(|| {
    let server = ApiServer::start();
    server.fill();
    server
});

#[derive(Debug)]
pub(crate) struct ApiServer {
    folder: PathBuf,
    etcd: Process,
    server: Process,
}

impl ApiServer {
    fn start() -> Self {
        // The guards of the processes remove it.
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let path = |name: &str| folder.join(name).display().to_string();
        let (clients, peers, port) = (free_port(), free_port(), free_port());
        let (clients, peers) = (format!("http://127.0.0.1:{clients}"), format!("http://127.0.0.1:{peers}"));
        let key = rcgen::KeyPair::generate().expect("a key");
        let (private, public) = (key.serialize_pem(), key.public_key_pem());
        let configuration = kubeconfig(port).to_string();
        let tokens = format!("token,{ADMINISTRATOR},{ADMINISTRATOR},\"system:masters\"\n");
        for (name, text) in [
            ("private.pem", &private),
            ("public.pem", &public),
            ("tokens.csv", &tokens),
            ("kubeconfig", &configuration),
        ] {
            std::fs::write(folder.join(name), text).expect("the folder can be written");
        }
        let etcd = [
            format!("--data-dir={}", path("etcd")),
            format!("--listen-client-urls={clients}"),
            format!("--advertise-client-urls={clients}"),
            format!("--listen-peer-urls={peers}"),
            format!("--initial-advertise-peer-urls={peers}"),
            format!("--initial-cluster=default={peers}"),
            "--unsafe-no-fsync".to_owned(),
        ];
        let api_server = [
            format!("--etcd-servers={clients}"),
            format!("--cert-dir={}", path("certificates")),
            "--bind-address=127.0.0.1".to_owned(),
            // Nobody connects to it; the loopback address is refused here.
            "--advertise-address=192.0.2.1".to_owned(),
            format!("--secure-port={port}"),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            format!("--token-auth-file={}", path("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", path("public.pem")),
            format!("--service-account-signing-key-file={}", path("private.pem")),
            // It wants a default account in each namespace, which a controller would make.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
        ];
        let server = Self {
            etcd: Process::start(&folder, &helm::program("etcd"), &etcd),
            server: Process::start(&folder, &helm::program("kube-apiserver"), &api_server),
            folder,
        };
        server.eventually("the API server is ready", || {
            server.kubectl(ADMINISTRATOR, &["get", "--raw=/readyz"], &[]).map(drop)
        });
        server
    }

    /// What was there before the chart, and the chart.
    fn fill(&self) {
        let namespaces = [SHOP, SANDBOX, MESH, RESTRICTED, NAMESPACE];
        let objects: Vec<Value> = namespaces.iter().map(|name| namespace(name)).chain(roles()).collect();
        self.apply(&objects);
        let (definitions, rest): (Vec<Value>, Vec<Value>) = helm::render(SETTINGS)
            .into_iter()
            .map(|object| object.value)
            .partition(|object| object["kind"] == "CustomResourceDefinition");
        self.apply(&definitions);
        let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
        self.kubectl(ADMINISTRATOR, &established, &[]).expect("the definitions are established");
        // A server from before the guardrails, that breaks all of them.
        let mut old = mcp_server(SHOP, "old");
        old["spec"]["auth"] = json!({"mode": "None"});
        old["spec"]["endpoint"] = json!({"tls": {"mode": "Off"}});
        self.eventually("the definitions are served", || {
            self.kubectl(ADMINISTRATOR, &["apply", "--server-side", "--filename=-"], &[old.clone()]).map(drop)
        });
        self.apply(&rest);
    }

    fn apply(&self, objects: &[Value]) {
        self.kubectl(ADMINISTRATOR, &["apply", "--server-side", "--filename=-"], objects)
            .unwrap_or_else(|error| panic!("the API server refuses: {error}"));
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Runs kubectl as somebody, with objects as its input; returns what it prints, or its complaint.
    pub(crate) fn kubectl(&self, user: &str, arguments: &[&str], objects: &[Value]) -> Result<String, String> {
        let mut command = Command::new(helm::program("kubectl"));
        command.args(arguments).env_clear();
        command.env("HOME", &self.folder).env("KUBECONFIG", self.folder.join("kubeconfig"));
        if user != ADMINISTRATOR {
            command.arg(format!("--as={user}"));
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kubectl runs");
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
        let mut input = child.stdin.take().expect("its input is a pipe");
        if !objects.is_empty() {
            input.write_all(list.as_bytes()).expect("kubectl reads its input");
        }
        drop(input);
        let output = child.wait_with_output().expect("kubectl ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(format!("{}{}", text(&output.stdout), text(&output.stderr)))
        }
    }

    /// Tries until it succeeds. Each try is a request, so nothing spins.
    fn eventually(&self, what: &str, mut attempt: impl FnMut() -> Result<(), String>) {
        let end = Instant::now() + DEADLINE;
        while let Err(error) = attempt() {
            assert!(
                Instant::now() < end,
                "not within {DEADLINE:?}: {what}: {error}\netcd: {}\nAPI server: {}",
                self.etcd.last_words(),
                self.server.last_words()
            );
        }
    }

    /// What the server says when it refuses. A policy takes effect a few seconds after it was written, so this waits
    /// for a refusal that contains `reason`; nothing is stored until then.
    pub(crate) fn refusal(&self, user: &str, arguments: &[&str], objects: &[Value], reason: &str) {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--dry-run=server"]).collect();
        self.eventually("it is refused", || match self.kubectl(user, &arguments, objects) {
            Ok(taken) => Err(format!("{user} may: {taken}")),
            Err(error) if error.contains(reason) => Ok(()),
            Err(error) => Err(format!("refused for another reason than `{reason}`: {error}")),
        });
    }

    /// Fails if the server refuses. Call it after a [`refusal`](Self::refusal) by the same policy.
    pub(crate) fn acceptance(&self, user: &str, arguments: &[&str], objects: &[Value]) {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--dry-run=server"]).collect();
        if let Err(error) = self.kubectl(user, &arguments, objects) {
            panic!("{user} is refused: {error}");
        }
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

fn kubeconfig(port: u16) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": format!("https://127.0.0.1:{port}"), "insecure-skip-tls-verify": true}}],
        "users": [{"name": "test", "user": {"token": "token"}}],
    })
}

fn namespace(name: &str) -> Value {
    let level = if name == RESTRICTED { "restricted" } else { "privileged" };
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": level}},
    })
}

/// The rights of the tenants; and what kubectl reads before it patches, which the operator itself doesn't.
fn roles() -> Vec<Value> {
    let ours = json!({"apiGroups": ["tollward.dev"], "resources": ["mcpservers", "identityproviders"], "verbs": ["get", "create", "update", "patch", "delete"]});
    let deployments = json!({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create"]});
    let read = json!({"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get"]});
    let rules = [
        (TENANT, "tenant", vec![ours.clone()]),
        (DEPLOYER, "deployer", vec![ours, deployments]),
        (OPERATOR, "test-reads-for-kubectl", vec![read]),
    ];
    let group = "rbac.authorization.k8s.io";
    let api = format!("{group}/v1");
    let mut objects = Vec::new();
    for (user, name, rules) in rules {
        objects.push(json!({"apiVersion": api, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}));
        // In some namespaces, so that a right elsewhere can't be mistaken for one here.
        for namespace in [SHOP, SANDBOX, MESH] {
            objects.push(json!({
                "apiVersion": api, "kind": "RoleBinding", "metadata": {"name": name, "namespace": namespace},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
                "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
            }));
        }
    }
    objects
}

/// A server that breaks no guardrail, for somebody who may create Deployments.
pub(crate) fn mcp_server(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "tollward.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "source": {
                "type": "Workload",
                "workload": {"image": "registry.example.com/catalog:1", "transport": {"type": "StreamableHTTP", "port": 3000}},
            },
            "auth": {"mode": "OAuth", "identityProviders": [{"name": "company"}]},
        },
    })
}
