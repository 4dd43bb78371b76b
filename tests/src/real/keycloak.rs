//! Keycloak: fetched once into the cache, prepared there and started once for all tests of this process, with nothing on
//! disk but a temporary directory that it takes along. Each test has a realm of its own.

use crate::client::Reply;
use crate::deadline::eventually_within;
use crate::real::guarded::free_address;
use crate::real::http::{answers, post_form, send_with};
use crate::real::place;
use crate::real::process::{Process, command};
use crate::real::provider::access_token;
use http::Method;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// Its version, on Maven Central.
pub const VERSION: &str = "26.7.3";
const MAVEN_PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack";

/// Time to fetch and to prepare: 180 MB, and half a minute of one core.
const INSTALL: Duration = Duration::from_mins(15);
/// Time to start, on a loaded machine.
const START: Duration = Duration::from_mins(5);

/// Says in the cache that a version was prepared. The number grows with the options of the preparation.
const STAMP: &str = ".tollward-prepared-1";

/// A database in memory and no cluster, which would open ports on every interface.
const BUILD: [&str; 2] = ["build", "--db=dev-mem"];

const ADMINISTRATOR: (&str, &str) = ("administrator", "administrator-password");

/// Runs Keycloak in the directory that is its first argument, and removes that once it ended: a test process ends without
/// dropping what all of its tests share.
const PASSING: &str = r#"
home=$1
shift
trap : TERM
"$@" &
wait $!
wait $!
rm -rf "$home"
"#;

/// A realm as `tests/keycloak/realm.json` describes it, in the Keycloak that all tests of this process share.
pub struct Keycloak {
    /// `iss` of the realm.
    pub issuer: String,
    realm: String,
    base: &'static str,
}

struct Running {
    base: String,
    _process: Process,
}

impl Keycloak {
    /// A new realm, whose tokens are for `audience`.
    pub async fn start(audience: &str) -> Self {
        static RUNNING: OnceCell<Running> = OnceCell::const_new();
        static REALMS: AtomicUsize = AtomicUsize::new(1);
        let base = RUNNING.get_or_init(run).await.base.as_str();
        let realm = format!("shop-{}", REALMS.fetch_add(1, Ordering::Relaxed));
        let text = fs::read_to_string(place::tests().join("keycloak/realm.json")).expect("the realm");
        let text = text.replace("@MCP_URL@", audience).replace("@REALM@", &realm);
        let description = serde_json::from_str(&text).expect("the realm is JSON");
        administer(base, Method::POST, "/admin/realms", Some(description)).await;
        Self { issuer: format!("{base}/realms/{realm}"), realm, base }
    }

    /// Where tokens are issued.
    pub fn token_url(&self) -> String {
        format!("{}/protocol/openid-connect/token", self.issuer)
    }

    /// A token of the client `robot`, by client credentials.
    pub async fn robot_token(&self, scope: &str) -> String {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", "robot"),
            ("client_secret", "robot-secret"),
            ("scope", scope),
        ];
        access_token(&post_form(&self.token_url(), &fields).await)
    }

    /// The token endpoint's answer after a person signed in to that client by the login form, with PKCE.
    pub async fn sign_in(&self, client: &str, scope: &str, person: &str) -> Value {
        let mut node = command(place::node());
        node.arg(place::clients().join("sign-in.mjs")).args(["--issuer", &self.issuer, "--client-id", client]);
        node.args(["--scope", scope, "--user", person, "--password", &password(person)]);
        let ended =
            tokio::task::spawn_blocking(|| Process::start("a person", node).ended(Duration::from_mins(2))).await;
        let ended = ended.expect("the person was seen");
        serde_json::from_str(&ended.output).unwrap_or_else(|_| panic!("{person} should be signed in: {ended:#?}"))
    }

    /// The subject of a person.
    pub async fn subject(&self, person: &str) -> String {
        let users = self.administer(Method::GET, &format!("users?exact=true&username={person}"), None).await.json();
        users.pointer("/0/id").and_then(Value::as_str).map(str::to_owned).expect("the person is known")
    }

    /// Signs by a new key, and withdraws all earlier ones.
    pub async fn rotate(&self) {
        let earlier = self.administer(Method::GET, "components?type=org.keycloak.keys.KeyProvider", None).await.json();
        let realm = self.administer(Method::GET, "", None).await.json();
        let provider = json!({
            "name": "rotated", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
            "parentId": realm.get("id"), "config": {"priority": ["1000"], "algorithm": ["RS256"]},
        });
        self.administer(Method::POST, "components", Some(provider)).await;
        let is_rsa = |key: &&Value| key.get("providerId") == Some(&json!("rsa-generated"));
        for key in earlier.as_array().into_iter().flatten().filter(is_rsa) {
            let id = key.get("id").and_then(Value::as_str).expect("a component has an id");
            self.administer(Method::DELETE, &format!("components/{id}"), None).await;
        }
    }

    async fn administer(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let path = format!("/admin/realms/{}/{path}", self.realm);
        administer(self.base, method, path.trim_end_matches('/'), body).await
    }
}

async fn run() -> Running {
    let distribution = tokio::task::spawn_blocking(install).await.expect("Keycloak is installed");
    let home = home(&distribution).keep();
    let address = free_address();
    let base = format!("http://{address}");
    let mut shell = command("sh");
    shell.args(["-c", PASSING, "sh"]).arg(&home).arg("sh").arg(distribution.join("bin/kc.sh"));
    shell.args(["start", "--optimized", "--cache=local"]).arg(format!("-Dkc.home.dir={}", home.display()));
    shell.args(["--http-enabled=true", "--http-host=127.0.0.1", "--http-port", &address.port().to_string()]);
    shell.args(["--hostname", &base]);
    shell.env("KC_BOOTSTRAP_ADMIN_USERNAME", ADMINISTRATOR.0).env("KC_BOOTSTRAP_ADMIN_PASSWORD", ADMINISTRATOR.1);
    let mut process = Process::start("Keycloak", shell);
    eventually_within(START, "Keycloak serves its first realm", async || {
        assert!(process.is_running(), "Keycloak ended:\n{}", process.errors());
        answers(&format!("{base}/realms/master")).await
    })
    .await;
    Running { base, _process: process }
}

async fn administer(base: &str, method: Method, path: &str, body: Option<Value>) -> Reply {
    let (username, password) = ADMINISTRATOR;
    let fields =
        [("grant_type", "password"), ("client_id", "admin-cli"), ("username", username), ("password", password)];
    let url = format!("{base}/realms/master/protocol/openid-connect/token");
    let token = access_token(&post_form(&url, &fields).await);
    let url = format!("{base}{path}");
    let authorization = format!("Bearer {token}");
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let reply = send_with(method, &url, &headers, body).await;
    assert!(reply.status.is_success(), "{url}: {} {}", reply.status, reply.text());
    reply
}

/// The password of a person of the realm.
pub fn password(person: &str) -> String {
    format!("{person}-password")
}

/// The folder of the prepared distribution.
fn install() -> PathBuf {
    let parent = place::cache().join(format!("keycloak-{VERSION}"));
    fs::create_dir_all(&parent).expect("the cache folder is writable");
    let lock =
        File::create(place::cache().join(format!("keycloak-{VERSION}.lock"))).expect("the cache folder is writable");
    lock.lock().expect("the lock of the cache");
    let distribution = parent.join(format!("keycloak-{VERSION}"));
    let stamp = parent.join(STAMP);
    if !stamp.exists() {
        let mut maven = command("mvn");
        maven.args(["--batch-mode", "--quiet", MAVEN_PLUGIN]);
        maven.arg(format!("-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"));
        maven.arg(format!("-DoutputDirectory={}", parent.display()));
        // The plugin leaves a marker in the folder in which it runs.
        maven.current_dir(&parent);
        finish("mvn (install Maven and Java 17: apt-get install maven)", maven);
        let mut shell = command("sh");
        shell.arg(distribution.join("bin/kc.sh")).args(BUILD);
        finish("Keycloak's build", shell);
        fs::write(&stamp, "").expect("the cache folder is writable");
    }
    distribution
}

fn finish(name: &'static str, command: Command) {
    let ended = Process::start(name, command).ended(INSTALL);
    assert!(ended.status.success(), "{name}: {ended:#?}");
}

/// A home of its own; the programs stay in the cache.
fn home(distribution: &Path) -> TempDir {
    let home = TempDir::new().expect("a temporary directory");
    for folder in ["bin", "lib", "providers", "themes"] {
        symlink(distribution.join(folder), home.path().join(folder)).expect("a link in the temporary directory");
    }
    for folder in ["conf", "data"] {
        fs::create_dir(home.path().join(folder)).expect("a folder in the temporary directory");
    }
    home
}
