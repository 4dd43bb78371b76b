//! Names, paths and labels of what is made for a server.

use crate::identity::Identity;
use std::collections::BTreeMap;
use tollward_api::owned::child_name;

/// Name of the data plane's container.
pub const SIDECAR_CONTAINER: &str = "tollward";
/// Name of the server's container.
pub const SERVER_CONTAINER: &str = "server";
/// Key of the configuration in its ConfigMap: one per schema version, so that pods of two versions live side by side.
pub const CONFIG_KEY: &str = "config-v1.json";
/// Longest key of a Secret, which is a file's name.
pub(crate) const MAX_SECRET_KEY: usize = 253;
/// Folder of the configuration in the data plane's container.
pub const CONFIG_FOLDER: &str = "/etc/tollward/config";
/// Folder of the keys in the data plane's container.
pub const KEYS_FOLDER: &str = "/etc/tollward/keys";
/// Folder of a certificate from a user's Secret.
pub const CERTIFICATE_FOLDER: &str = "/etc/tollward/certificate";
/// Folder with one folder for each provider's certificate authority.
pub const AUTHORITIES_FOLDER: &str = "/etc/tollward/authorities";
/// Folder with one folder for each Secret that says as whom the server is called.
pub const UPSTREAM_FOLDER: &str = "/etc/tollward/upstream";
/// File with the private key of signed assertions.
pub const ASSERTION_KEY: &str = "assertion.key";
/// Files with the public keys of the epochs before and after.
pub const ASSERTION_NEIGHBOURS: [&str; 2] = ["assertion-earlier.pub", "assertion-later.pub"];
/// Folder with one folder for each provider's introspection client.
pub const CLIENT_SECRETS_FOLDER: &str = "/etc/tollward/introspection";
/// Folder with one folder for each Secret of a store of limits.
pub const STORES_FOLDER: &str = "/etc/tollward/stores";
/// Folder of the data plane's own, in which it is asked about limits: no other container has it.
pub const INQUIRY_FOLDER: &str = "/run/tollward";
/// The socket in it.
pub const INQUIRY_SOCKET: &str = "/run/tollward/inquiry.sock";
/// Annotation of pods with the digest of what only a new process takes up.
pub const PROCESS_DIGEST: &str = "tollward.dev/process-digest";
/// Annotation of the ConfigMap with the digest of the configuration.
pub const POLICY_DIGEST: &str = "tollward.dev/policy-digest";
/// Label with the unique id of the server that an object is made for.
pub const SERVER_UID: &str = "tollward.dev/server-uid";

/// File of a session key.
pub fn session_key_file(id: u8) -> String {
    format!("session-{id}.key")
}

/// Labels that never change for a server, so that selectors can be made of them. The unique id keeps pods that a user
/// labelled alike out of the Service.
pub fn selector(identity: &Identity) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/name", "mcpserver"),
        ("app.kubernetes.io/instance", identity.name()),
        (SERVER_UID, identity.uid()),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// Labels of everything that is made for a server.
pub fn labels(identity: &Identity, component: &str) -> BTreeMap<String, String> {
    let mut labels = selector(identity);
    for (key, value) in [
        ("app.kubernetes.io/component", component),
        ("app.kubernetes.io/part-of", "tollward"),
        ("app.kubernetes.io/managed-by", "tollward-operator"),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    labels
}

/// The name in the certificate of a server's report listener: the operator connects to pods by address, and expects this name.
pub fn report_name(namespace: &str, server: &str) -> String {
    format!("{}.{namespace}.svc", child_name(server))
}

/// Host names of the Service that is made for a server, the one for its URL first.
pub fn service_hosts(namespace: &str, server: &str, cluster_domain: &str) -> Vec<String> {
    let name = child_name(server);
    vec![
        format!("{name}.{namespace}.svc"),
        format!("{name}.{namespace}.svc.{cluster_domain}"),
        format!("{name}.{namespace}"),
        name,
    ]
}
