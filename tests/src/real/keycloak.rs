//! Keycloak: fetched once into the cache, prepared there and started once for all tests of this process, with nothing on
//! disk but a temporary directory that it takes along. Each test has a realm of its own.
//!
//! What it has by default and what is experimental are two preparations of one distribution, and two that run: one of the
//! experimental features refuses what realms without it are set up for.

use crate::client::Reply;
use crate::deadline::eventually_within;
use crate::real::document;
use crate::real::guarded::free_address;
use crate::real::http::{answers, post_form, send, send_with};
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
/// Clients that are known by a document, and tokens for the resource that was asked for.
const EXPERIMENTAL: &str = "--features=cimd,resource-indicators";

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

/// A realm as a file of `tests/keycloak` describes it, in a Keycloak that all tests of this process share.
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
        Self::create(RUNNING.get_or_init(|| run(stock)).await, "realm.json", audience).await
    }

    /// A new realm where the experimental features are on: clients may be known by a document of [`document`], and tokens
    /// are for `audience` if that is the resource that was asked for.
    pub async fn start_experimental(audience: &str) -> Self {
        static RUNNING: OnceCell<Running> = OnceCell::const_new();
        Self::create(RUNNING.get_or_init(|| run(experimental)).await, "experimental.json", audience).await
    }

    async fn create(running: &'static Running, file: &str, audience: &str) -> Self {
        static REALMS: AtomicUsize = AtomicUsize::new(1);
        let base = running.base.as_str();
        let realm = format!("shop-{}", REALMS.fetch_add(1, Ordering::Relaxed));
        let text = fs::read_to_string(place::tests().join("keycloak").join(file)).expect("the realm");
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
        access_token(&self.program("robot", &[("scope", scope)]).await)
    }

    /// What a client like `robot` gets by client credentials and further parameters.
    pub async fn program(&self, client: &str, more: &[(&str, &str)]) -> Reply {
        self.token_of(client, "robot-secret", more).await
    }

    /// What Keycloak answers to somebody without any credentials who registers a client in Keycloak's own form.
    pub async fn register(&self, client: &Value) -> Reply {
        let url = format!("{}/clients-registrations/default", self.issuer);
        send(Method::POST, &url, "application/json", client.to_string()).await
    }

    /// What a client gets by client credentials and further parameters.
    pub async fn token_of(&self, client: &str, secret: &str, more: &[(&str, &str)]) -> Reply {
        let own = [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret)];
        post_form(&self.token_url(), &[&own, more].concat()).await
    }

    /// Removes a policy of anonymous registration.
    pub async fn forget(&self, policy: &str) {
        let kind = "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy";
        let policies = self.administer(Method::GET, &format!("components?type={kind}"), None).await.json();
        let is_it = |found: &&Value| {
            found.get("name") == Some(&json!(policy)) && found.get("subType") == Some(&json!("anonymous"))
        };
        let found = policies.as_array().into_iter().flatten().find(is_it).expect("the policy is there");
        let id = found.get("id").and_then(Value::as_str).expect("a component has an id");
        self.administer(Method::DELETE, &format!("components/{id}"), None).await;
    }

    /// Gives a client scope to people with a new role only, and the role to these.
    pub async fn demand_role(&self, scope: &str, role: &str, people: &[&str]) {
        self.administer(Method::POST, "roles", Some(json!({"name": role}))).await;
        let role = self.administer(Method::GET, &format!("roles/{role}"), None).await.json();
        let scopes = self.administer(Method::GET, "client-scopes", None).await.json();
        let found = scopes.as_array().into_iter().flatten().find(|found| found.get("name") == Some(&json!(scope)));
        let id = found.and_then(|scope| scope.get("id")).and_then(Value::as_str).expect("the scope is there");
        self.administer(Method::POST, &format!("client-scopes/{id}/scope-mappings/realm"), Some(json!([role]))).await;
        for person in people {
            let path = format!("users/{}/role-mappings/realm", self.subject(person).await);
            self.administer(Method::POST, &path, Some(json!([role]))).await;
        }
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

async fn run(install: fn() -> PathBuf) -> Running {
    let distribution = tokio::task::spawn_blocking(install).await.expect("Keycloak is installed");
    let home = home(&distribution).keep();
    let trusted = home.join("conf/clients.pem");
    fs::write(&trusted, document::authority().certificate()).expect("the temporary directory is writable");
    let address = free_address();
    let base = format!("http://{address}");
    let mut shell = command("sh");
    shell.args(["-c", PASSING, "sh"]).arg(&home).arg("sh").arg(distribution.join("bin/kc.sh"));
    shell.args(["start", "--optimized", "--cache=local"]).arg(format!("-Dkc.home.dir={}", home.display()));
    shell.args(["--http-enabled=true", "--http-host=127.0.0.1", "--http-port", &address.port().to_string()]);
    shell.args(["--hostname", &base, "--truststore-paths"]).arg(&trusted);
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

/// The folder of the distribution with its default features.
fn stock() -> PathBuf {
    prepared(&format!("keycloak-{VERSION}"), &BUILD, |parent| {
        let mut maven = command("mvn");
        maven.args(["--batch-mode", "--quiet", MAVEN_PLUGIN]);
        maven.arg(format!("-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"));
        maven.arg(format!("-DoutputDirectory={}", parent.display()));
        // The plugin leaves a marker in the folder in which it runs.
        maven.current_dir(parent);
        finish("mvn (install Maven and Java 17: apt-get install maven)", maven);
    })
}

/// The folder of the distribution with the experimental features. The libraries are those of the other, by hard links; what
/// the build writes is its own.
fn experimental() -> PathBuf {
    let stock = stock();
    let [build, database] = BUILD;
    prepared(&format!("keycloak-{VERSION}-experimental"), &[build, database, EXPERIMENTAL], |parent| {
        let own = distribution(parent);
        // What an aborted preparation left.
        let _ = fs::remove_dir_all(&own);
        let mut links = command("cp");
        links.args(["--archive", "--link"]).args([&stock, &own]);
        finish("cp", links);
        let written = Path::new("lib/quarkus");
        fs::remove_dir_all(own.join(written)).expect("the cache folder is writable");
        let mut copies = command("cp");
        copies.arg("--archive").args([stock.join(written), own.join(written)]);
        finish("cp", copies);
    })
}

fn distribution(parent: &Path) -> PathBuf {
    parent.join(format!("keycloak-{VERSION}"))
}

/// The distribution in that folder of the cache, which is filled and built the first time.
fn prepared(name: &str, build: &[&str], fill: impl FnOnce(&Path)) -> PathBuf {
    let parent = place::cache().join(name);
    fs::create_dir_all(&parent).expect("the cache folder is writable");
    let lock = File::create(place::cache().join(format!("{name}.lock"))).expect("the cache folder is writable");
    lock.lock().expect("the lock of the cache");
    let distribution = distribution(&parent);
    let stamp = parent.join(STAMP);
    if !stamp.exists() {
        fill(&parent);
        let mut shell = command("sh");
        shell.arg(distribution.join("bin/kc.sh")).args(build);
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
