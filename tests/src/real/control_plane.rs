//! A real Kubernetes API server with its etcd, at an address of its own on loopback: objects are judged and stored, nothing
//! runs. Whoever connects by its kubeconfig may do everything.

use super::collector::own_address;
use super::place;
use super::process::{Process, command};
use crate::deadline::eventually_within;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// Far above what it takes, for loaded machines.
const LIMIT: Duration = Duration::from_mins(2);

/// What the administrator shows; it must be in nothing that a program emits.
pub const CREDENTIAL: &str = "the-administrators-canary";

/// A running control plane.
pub struct ControlPlane {
    folder: TempDir,
    programs: Vec<Process>,
}

impl ControlPlane {
    /// Starts one and installs Tollward's definitions and these namespaces.
    pub async fn start(namespaces: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let address = own_address();
        let key = rcgen::KeyPair::generate().expect("a key");
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{"name": "test", "cluster": {"server": format!("https://{address}:6443"), "insecure-skip-tls-verify": true}}],
            "users": [{"name": "test", "user": {"token": CREDENTIAL}}],
        });
        for (name, text) in [
            ("private.pem", key.serialize_pem()),
            ("public.pem", key.public_key_pem()),
            ("tokens.csv", format!("{CREDENTIAL},administrator,administrator,\"system:masters\"\n")),
            ("kubeconfig", kubeconfig.to_string()),
        ] {
            std::fs::write(folder.path().join(name), text).expect("the directory is writable");
        }
        let (clients, peers) = (format!("http://{address}:2379"), format!("http://{address}:2380"));
        let mut etcd = command(place::built("etcd"));
        etcd.arg(format!("--data-dir={}", path("etcd"))).arg("--unsafe-no-fsync").arg("--log-level=error");
        for (name, url) in [("client", &clients), ("peer", &peers)] {
            etcd.arg(format!("--listen-{name}-urls={url}"));
        }
        etcd.arg(format!("--advertise-client-urls={clients}")).arg(format!("--initial-advertise-peer-urls={peers}"));
        etcd.arg(format!("--initial-cluster=default={peers}"));
        let mut server = command(place::built("kube-apiserver"));
        server
            .arg(format!("--etcd-servers={clients}"))
            .arg(format!("--cert-dir={}", path("certificates")))
            .arg(format!("--bind-address={address}"))
            // Nobody connects to it; a loopback address is refused here.
            .arg("--advertise-address=192.0.2.1")
            .arg("--secure-port=6443")
            .arg("--service-cluster-ip-range=10.96.0.0/16")
            .arg(format!("--token-auth-file={}", path("tokens.csv")))
            .arg("--authorization-mode=RBAC")
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(format!("--service-account-key-file={}", path("public.pem")))
            .arg(format!("--service-account-signing-key-file={}", path("private.pem")))
            // Nobody makes the accounts that it would ask for.
            .arg("--disable-admission-plugins=ServiceAccount");
        let programs = vec![Process::start("the API server", server), Process::start("etcd", etcd)];
        let plane = Self { folder, programs };
        plane.install(namespaces).await;
        plane
    }

    async fn install(&self, namespaces: &[&str]) {
        let client = self.client().await;
        eventually_within(LIMIT, "the API server answers", async || client.apiserver_version().await.is_ok()).await;
        let parameters = PatchParams::apply("test").force();
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        for definition in tollward_api::crds().expect("the kinds have schemas") {
            let name = definition.name_any();
            definitions.patch(&name, &parameters, &Patch::Apply(&definition)).await.expect("a definition is taken");
        }
        let all: Api<Namespace> = Api::all(client.clone());
        for name in namespaces {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            all.patch(name, &parameters, &Patch::Apply(&namespace)).await.expect("a namespace is taken");
        }
        let servers: Api<tollward_api::MCPServer> = Api::all(client);
        let served = async || servers.list(&ListParams::default()).await.is_ok();
        eventually_within(LIMIT, "the definitions are served", served).await;
    }

    /// Where programs read how to connect.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// A client with all rights.
    pub async fn client(&self) -> Client {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig()).expect("the file was written");
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("the file is whole");
        config.default_retry = false;
        Client::try_from(config).expect("a client")
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // Nothing of it is kept, so nobody waits for it to end in order.
        for program in self.programs.drain(..) {
            program.kill();
        }
    }
}
