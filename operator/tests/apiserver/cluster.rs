//! etcd and an API server on loopback, in a folder of their own. They end with the test process, however it ends: each runs
//! under a shell that waits for its standard input to close.

use crate::rights;
use crate::world::eventually;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client, Config};
use serde_json::Value;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use tokio::sync::OnceCell;

/// Runs the rest of its arguments until its standard input ends, then runs a farewell.
const KEEPER: &str = "farewell=$1; shift; \"$@\" & pid=$!; cat >/dev/null; kill -9 $pid; wait $pid; eval \"$farewell\"";

const ADMIN: &str = "admin-token";
/// The user that the operator is, with no rights but those of [`rights`].
pub(crate) const OPERATOR: &str = "tollward-operator";
const OPERATOR_TOKEN: &str = "operator-token";

/// A running control plane.
pub(crate) struct Cluster {
    folder: PathBuf,
    port: u16,
    etcd_port: u16,
    _etcd: Kept,
    api_server: Mutex<Option<Kept>>,
}

/// A program that ends when this is dropped.
struct Kept {
    child: Child,
    input: Option<ChildStdin>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

static SHARED: OnceCell<Cluster> = OnceCell::const_new();

/// The control plane that tests share.
pub(crate) async fn shared() -> &'static Cluster {
    SHARED.get_or_init(Cluster::start).await
}

impl Cluster {
    /// Starts one and installs definitions and rights.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("tollward-apiserver-").tempdir().unwrap().keep();
        let [port, etcd_port, peer_port] = free_ports();
        let tokens = format!("{ADMIN},admin,admin,\"system:masters\"\n{OPERATOR_TOKEN},{OPERATOR},{OPERATOR},\"\"\n");
        std::fs::write(folder.join("tokens.csv"), tokens).unwrap();
        make_key(&folder.join("service-accounts.key"));
        let etcd = keep(
            &folder,
            "etcd",
            &format!("rm -rf '{}'", folder.display()),
            &[
                format!("--data-dir={}", folder.join("etcd").display()),
                "--unsafe-no-fsync".into(),
                "--log-level=error".into(),
                format!("--listen-client-urls=http://127.0.0.1:{etcd_port}"),
                format!("--advertise-client-urls=http://127.0.0.1:{etcd_port}"),
                format!("--listen-peer-urls=http://127.0.0.1:{peer_port}"),
                format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}"),
                format!("--initial-cluster=default=http://127.0.0.1:{peer_port}"),
            ],
        );
        let cluster = Self { folder, port, etcd_port, _etcd: etcd, api_server: Mutex::new(None) };
        cluster.start_api_server();
        cluster.ready().await;
        cluster.install().await;
        cluster
    }

    /// Stops the API server; its data stay.
    pub(crate) fn stop_api_server(&self) {
        drop(self.api_server.lock().unwrap().take());
    }

    /// Starts the API server at the same port.
    pub(crate) fn start_api_server(&self) {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let key = path("service-accounts.key");
        let arguments = [
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            format!("--cert-dir={}", path("certificates")),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={}", self.port),
            "--service-cluster-ip-range=10.0.0.0/16".into(),
            format!("--token-auth-file={}", path("tokens.csv")),
            "--authorization-mode=RBAC".into(),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={key}"),
            format!("--service-account-signing-key-file={key}"),
            // Nobody makes the accounts that pods would need.
            "--disable-admission-plugins=ServiceAccount".into(),
        ];
        let started = keep(&self.folder, "kube-apiserver", "true", &arguments);
        *self.api_server.lock().unwrap() = Some(started);
    }

    /// Returns once the API server is ready.
    pub(crate) async fn ready(&self) {
        let client = self.admin();
        let log = self.folder.join("kube-apiserver.log");
        eventually(&format!("the API server is ready; its log is {}", log.display()), || async {
            let request = http::Request::get("/readyz").body(Vec::new()).unwrap();
            client.request_text(request).await.ok()
        })
        .await;
    }

    /// A client with all rights.
    pub(crate) fn admin(&self) -> Client {
        Client::try_from(self.config(ADMIN)).unwrap()
    }

    /// How the operator connects.
    pub(crate) fn operator_config(&self) -> Config {
        self.config(OPERATOR_TOKEN)
    }

    fn config(&self, token: &str) -> Config {
        let mut config = Config::new(format!("https://127.0.0.1:{}", self.port).parse().unwrap());
        // The certificate is made by the server itself, and this is loopback.
        config.accept_invalid_certs = true;
        config.auth_info.token = Some(secrecy::SecretString::from(token.to_owned()));
        config.default_retry = false;
        config
    }

    async fn install(&self) {
        let client = self.admin();
        for definition in tollward_api::crds().unwrap() {
            put(&client, &serde_json::to_value(definition).unwrap()).await;
        }
        for object in rights::cluster() {
            put(&client, &object).await;
        }
        for kind in ["mcpservers", "ratelimitpolicies", "identityproviders"] {
            eventually(kind, || async {
                let uri = format!("/apis/tollward.dev/v1alpha1/{kind}");
                client.request_text(http::Request::get(uri).body(Vec::new()).unwrap()).await.ok()
            })
            .await;
        }
    }
}

/// Applies any object.
pub(crate) async fn put(client: &Client, object: &Value) -> DynamicObject {
    let typed: DynamicObject = serde_json::from_value(object.clone()).unwrap();
    let name = typed.metadata.name.clone().unwrap();
    api_of(client, object)
        .patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(object))
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The API of an object's kind and namespace.
pub(crate) fn api_of(client: &Client, object: &Value) -> Api<DynamicObject> {
    let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let kind = kube::core::GroupVersionKind::gvk(group, version, kind);
    let mut resource = kube::core::ApiResource::from_gvk(&kind);
    if kind.kind == "NetworkPolicy" {
        "networkpolicies".clone_into(&mut resource.plural);
    }
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

fn keep(folder: &Path, program: &str, farewell: &str, arguments: &[String]) -> Kept {
    let log = File::options().create(true).append(true).open(folder.join(format!("{program}.log"))).unwrap();
    let mut child = Command::new("sh")
        .args(["-c", KEEPER, program, farewell])
        .arg(binary(program))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        // A signal to the test's group must not keep the shell from cleaning up.
        .process_group(0)
        .spawn()
        .unwrap();
    let input = child.stdin.take();
    Kept { child, input }
}

/// The key that signs service account tokens.
fn make_key(path: &Path) {
    let made = Command::new("openssl")
        .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"])
        .arg(path)
        .output()
        .unwrap_or_else(|error| {
            panic!("openssl can't be run: {error}; install it, for instance by apt-get install openssl")
        });
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn binary(program: &str) -> PathBuf {
    let folder = std::env::var_os("TOLLWARD_CLUSTER_BIN")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/xtask/bin"), PathBuf::from);
    let path = folder.join(program);
    assert!(
        path.exists(),
        "{} is missing: build it by `cargo xtask binaries`, or run the tests by `cargo xtask test`, which does",
        path.display()
    );
    path
}

fn free_ports() -> [u16; 3] {
    // All are held until all are known, so that they differ.
    let held = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}
