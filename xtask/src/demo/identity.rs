//! The demonstration's identity provider: `tests/clients/idp.mjs`, which is the certified `oidc-provider` with a sign-in page
//! that takes two names. Its image is made from this machine's Node.js and the pinned packages.
//!
//! It speaks plain http inside the cluster, which the installer consents to for its one address. Not for anything else:
//! whoever reaches it is whom they like to be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::catalog::URL;
use crate::image::{self, Made, Pack};
use crate::kubernetes::objects::restricted;
use crate::{clients, process};

/// Where it runs.
pub(super) const NAMESPACE: &str = "tollward-demo";
/// Its Deployment and Service.
pub(super) const NAME: &str = "identity";
/// The host in its issuer. In full, since Tollward uses no search domains.
pub(super) const HOST: &str = "identity.tollward-demo.svc.cluster.local";
/// Its issuer.
pub(super) const ISSUER: &str = "http://identity.tollward-demo.svc.cluster.local";
/// The port of its pod.
pub(super) const PORT: u16 = 3000;
/// Another resource, whose tokens are worth nothing at the catalog.
pub(super) const DECOY: &str = "https://elsewhere.example.com/mcp";
/// Who signs in: the walk-through's everyday user, and the one of the better tier.
const USERS: &str = r#"{"Ada": {}, "Grace": {"tier": "production"}}"#;

/// Packs the image.
pub(super) fn pack() -> Result<Made> {
    let folder = clients::node()?;
    let node = process::require("node", "install Node.js 20 or later")?;
    let mut files = vec![("/app/idp.mjs".to_owned(), folder.join("idp.mjs"))];
    for package in packages(&folder.join("node_modules"), "oidc-provider")? {
        add(&package, &format!("/app/node_modules/{}", name_of(&package, &folder)?), &mut files)?;
    }
    image::pack(&Pack {
        name: "identity-provider",
        about: "An identity provider for demonstrations, whose sign-in asks for no proof",
        programs: &[("/usr/bin/node", &node)],
        files: &files,
        root: None,
    })
}

/// The folders of a package and of everything that it needs at run time.
fn packages(modules: &Path, first: &str) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut open = vec![modules.join(first)];
    while let Some(package) = open.pop() {
        if !found.insert(package.clone()) {
            continue;
        }
        let manifest = package.join("package.json");
        let text = fs::read(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
        let manifest: Value = serde_json::from_slice(&text).context("a package.json is not JSON")?;
        for name in manifest.get("dependencies").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
            let own = package.join("node_modules").join(name);
            // What is within the package's folder comes with it, but what that needs may be elsewhere.
            open.push(if own.is_dir() { own } else { modules.join(name) });
        }
    }
    Ok(found)
}

/// The path below `node_modules`.
fn name_of(package: &Path, clients: &Path) -> Result<String> {
    let name = package.strip_prefix(clients.join("node_modules")).ok().and_then(Path::to_str);
    name.map(str::to_owned).with_context(|| format!("{} is not a package", package.display()))
}

fn add(folder: &Path, path: &str, files: &mut Vec<(String, PathBuf)>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().into_string().ok().context("a package's file has an odd name")?;
        let path = format!("{path}/{name}");
        if entry.file_type()?.is_dir() {
            add(&entry.path(), &path, files)?;
        } else {
            files.push((path, entry.path()));
        }
    }
    Ok(())
}

/// Its Service, whose address has to be known before the chart is installed.
pub(super) fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"selector": {"app": NAME}, "ports": [{"port": 80, "targetPort": PORT}]},
    })
}

/// Its Deployment, for an `MCPServer` as it is declared.
pub(super) fn deployment(image: &str, server: &Value) -> Value {
    let labels = json!({"app": NAME});
    let environment = json!([
        {"name": "HOST", "value": "0.0.0.0"},
        {"name": "PORT", "value": PORT.to_string()},
        {"name": "ISSUER", "value": ISSUER},
        {"name": "CONSENT_PAGE", "value": "true"},
        {"name": "USERS", "value": USERS},
        {"name": "CLIENTS", "value": "[]"},
        {"name": "SIGNING_ALG", "value": "ES256"},
        {"name": "RESOURCES", "value": resources(server).to_string()},
    ]);
    let container = json!({
        "name": NAME, "image": image, "command": ["/usr/bin/node", "/app/idp.mjs"], "env": environment,
        "securityContext": restricted(),
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": {
            "httpGet": {"path": "/.well-known/oauth-authorization-server", "port": PORT}, "periodSeconds": 1, "failureThreshold": 60,
        },
    });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            // It keeps clients and sessions in memory.
            "replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "automountServiceAccountToken": false, "enableServiceLinks": false, "terminationGracePeriodSeconds": 2,
                    "containers": [container],
                },
            },
        },
    })
}

/// The server's scopes, as its `MCPServer` declares them, for the server and for the decoy.
fn resources(server: &Value) -> Value {
    let text =
        |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let declared = server.pointer("/spec/auth/scopes").and_then(Value::as_array).cloned().unwrap_or_default();
    let scopes: Vec<String> = declared.iter().map(|scope| text(scope, "/name")).collect();
    let meanings: Map<String, Value> =
        declared.iter().map(|scope| (text(scope, "/name"), text(scope, "/description").into())).collect();
    let resource = |name: String| json!({"name": name, "scopes": scopes, "descriptions": meanings});
    json!({URL: resource(text(server, "/spec/endpoint/displayName")), DECOY: resource("Another server".to_owned())})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_knows_the_scopes_that_the_server_declares() {
        let server = json!({"spec": {
            "endpoint": {"displayName": "Catalog"},
            "auth": {"scopes": [{"name": "mcp:read", "description": "Look"}, {"name": "mcp:write", "description": "Buy"}]},
        }});
        let resources = resources(&server);
        assert_eq!(resources[URL]["name"], "Catalog");
        assert_eq!(resources[URL]["scopes"], json!(["mcp:read", "mcp:write"]));
        assert_eq!(resources[DECOY]["descriptions"]["mcp:write"], "Buy");
    }

    #[test]
    fn what_a_package_needs_comes_with_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let package = |path: &str, dependencies: Value| {
            let folder = folder.path().join(path);
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join("package.json"), json!({"dependencies": dependencies}).to_string()).expect("a file");
        };
        package("one", json!({"two": "1", "three": "1"}));
        package("two", json!({"one": "1"}));
        package("three", json!({}));
        package("one/node_modules/three", json!({"four": "1"}));
        package("four", json!({}));
        package("five", json!({}));
        let found = packages(folder.path(), "one").expect("packages");
        let names: Vec<_> = found.iter().filter_map(|path| path.strip_prefix(folder.path()).ok()?.to_str()).collect();
        assert_eq!(names, ["four", "one", "one/node_modules/three", "two"]);
    }
}
