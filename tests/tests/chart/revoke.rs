//! `tollward revoke` against a real API server: what it writes beside others, what it waits for, and who may use it.

use serde_json::{Value, json};
use std::path::PathBuf;
use tollward_tests::cluster::{Typed, tollward};

use super::api_server::{ADMINISTRATOR, SERVER, SHOP, mcp_server};
use super::helm;

/// A member of the group of `examples/revoke`.
const REVOKER: &str = "revoker";
const REVOKERS: &str = "mcp-revokers";

fn provider(name: &str, deny: &Value) -> Value {
    json!({
        "apiVersion": "tollward.dev/v1alpha1", "kind": "IdentityProvider", "metadata": {"name": name, "namespace": SHOP},
        "spec": {"type": "External", "external": {"issuer": "https://idp.example.com"}, "deny": deny},
    })
}

fn make(objects: &[Value]) {
    let apply = ["apply", "--server-side", "--force-conflicts", "--filename=-"];
    SERVER.kubectl(ADMINISTRATOR, &apply, objects).unwrap_or_else(|error| panic!("{error}"));
}

/// Runs `tollward revoke --provider NAME` with more arguments, as administrator.
fn revoke(provider: &str, arguments: &[&str]) -> Typed {
    typed(provider, arguments, &SERVER.kubeconfig())
}

fn typed(provider: &str, arguments: &[&str], kubeconfig: &std::path::Path) -> Typed {
    let all = [&["revoke", "--namespace", SHOP, "--provider", provider][..], arguments].concat();
    tollward(&all, Some(kubeconfig))
}

fn denied(provider: &str) -> Vec<String> {
    let get = ["get", "idp", provider, "--namespace", SHOP, "--output=json"];
    let object = SERVER.kubectl(ADMINISTRATOR, &get, &[]).expect("the provider is there");
    let object: Value = serde_json::from_str(&object).expect("JSON");
    let entries = object["spec"]["deny"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| entry["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn revocations_at_the_same_time_lose_neither_each_other_nor_what_was_there() {
    make(&[provider("crowd", &json!([{"name": "git", "subject": "from-git"}]))]);
    let threads: Vec<_> = (0..8)
        .map(|number| {
            std::thread::spawn(move || {
                let (subject, name) = (format!("user-{number}"), format!("entry-{number}"));
                revoke("crowd", &["--subject", &subject, "--name", &name, "--wait=0s"])
            })
        })
        .collect();
    for thread in threads {
        let typed = thread.join().expect("no panic");
        assert!(typed.success, "{}", typed.text);
    }
    let mut names = denied("crowd");
    names.sort();
    let expected: Vec<_> = (0..8).map(|number| format!("entry-{number}")).chain(["git".to_owned()]).collect();
    assert_eq!(names, expected);
    // Whoever applies the manifest again owns its own entry only.
    make(&[provider("crowd", &json!([{"name": "git", "subject": "from-git"}]))]);
    assert_eq!(denied("crowd").len(), 9);
    let undone = revoke("crowd", &["--undo", "entry-3", "--wait=0s"]);
    assert!(undone.success, "{}", undone.text);
    assert!(!denied("crowd").contains(&"entry-3".to_owned()));
    let again = revoke("crowd", &["--undo", "entry-3"]);
    assert!(!again.success && again.text.contains("there is no entry `entry-3`"), "{}", again.text);
    let taken = revoke("crowd", &["--subject", "x", "--name", "entry-4"]);
    assert!(!taken.success && taken.text.contains("`entry-4` already"), "{}", taken.text);
    let listed = revoke("crowd", &["--list"]);
    assert!(listed.text.contains("entry-4: subject user-4\n"), "{}", listed.text);
}

#[test]
fn what_the_api_server_refuses_is_said_and_revokes_nothing() {
    make(&[provider("strict", &json!([]))]);
    let typed = revoke("strict", &["--subject", " ada"]);
    assert!(!typed.success && typed.text.contains("deny.subject must have no outer spaces"), "{}", typed.text);
    let missing = revoke("missing", &["--subject", "ada"]);
    assert!(!missing.success && missing.text.contains("IdentityProvider shop/missing"), "{}", missing.text);
    assert_eq!(denied("strict"), Vec::<String>::new());
}

/// What an operator says of a server whose only provider is `name`.
fn status(server: &str, provider: &str, generation: i64, replicas: &[Option<&str>], programmed: &str) {
    let replicas: Vec<_> = replicas
        .iter()
        .enumerate()
        .map(|(number, digest)| json!({"pod": format!("pod-{number}"), "policyDigest": digest}))
        .map(|mut replica| {
            let fields = replica.as_object_mut().expect("an object");
            fields.retain(|_, value| !value.is_null());
            replica
        })
        .collect();
    let status = json!({"status": {
        "identityProviders": [{"name": format!("shop/{provider}"), "issuer": "https://idp.example.com", "generation": generation}],
        "policyDigest": "sha256:new", "replicas": replicas,
        "conditions": [{"type": "Programmed", "status": programmed, "reason": "Test", "message": "as the test says",
            "lastTransitionTime": "2026-11-23T12:00:00Z"}],
    }});
    let patch = format!("--patch={status}");
    let arguments = ["patch", "mcps", server, "--namespace", SHOP, "--subresource=status", "--type=merge", &patch];
    SERVER.kubectl(ADMINISTRATOR, &arguments, &[]).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn it_is_done_once_every_replica_reports_the_change_and_says_which_do_not() {
    let mut server = mcp_server(SHOP, "waited-for");
    server["spec"]["auth"]["identityProviders"] = json!([{"name": "waited"}]);
    make(&[provider("waited", &json!([])), server]);
    let typed = revoke("waited", &["--subject", "ada", "--name", "one", "--wait=1s"]);
    assert!(!typed.success, "{}", typed.text);
    assert!(
        typed.text.contains("waiting for the operator") && typed.text.contains("the entry stays"),
        "{}",
        typed.text
    );
    assert_eq!(denied("waited"), ["one"], "an entry that is not enforced everywhere yet still counts");

    status("waited-for", "waited", 1000, &[Some("sha256:new"), Some("sha256:old"), None], "False");
    let typed = revoke("waited", &["--subject", "eve", "--wait=1s"]);
    assert!(!typed.success, "{}", typed.text);
    for expected in ["1 of 3 replicas", "pod-1 has an older configuration", "pod-2 does not say", "as the test says"] {
        assert!(typed.text.contains(expected), "{expected}: {}", typed.text);
    }

    status("waited-for", "waited", 1000, &[Some("sha256:new"), Some("sha256:new")], "True");
    let typed = revoke("waited", &["--client", "app", "--wait=20s"]);
    assert!(typed.success && typed.text.contains("enforced by all 2 replicas of 1 servers"), "{}", typed.text);
}

#[test]
fn a_token_is_revoked_by_its_file_and_never_shown() {
    use base64::Engine as _;
    make(&[provider("filed", &json!([]))]);
    let claims = json!({"iss": "https://idp.example.com", "sub": "ada", "jti": "t-1", "exp": 4_000_000_000_i64});
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let (payload, signature) = (encode(&claims.to_string()), encode("the signature of this very token"));
    let token = format!("{}.{payload}.{signature}", encode(r#"{"alg":"ES256"}"#));
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), &token).expect("the file can be written");
    let path = file.path().display().to_string();
    let typed = revoke("filed", &["--token", &path, "--name", "filed", "--wait=0s"]);
    assert!(typed.success && typed.text.contains("subject ada, token id t-1, until 2096-"), "{}", typed.text);
    assert!(![&payload, &signature].iter().any(|part| typed.text.contains(part.as_str())), "{}", typed.text);
    let get = ["get", "idp", "filed", "--namespace", SHOP, "--output=json", "--show-managed-fields"];
    let object = SERVER.kubectl(ADMINISTRATOR, &get, &[]).expect("the provider is there");
    assert!(object.contains("tollward-revoke") && !object.contains(&signature), "{object}");
}

/// A kubeconfig of somebody else, by the administrator's right to be anybody.
fn impersonating(user: &str, group: &str) -> PathBuf {
    let text = std::fs::read_to_string(SERVER.kubeconfig()).expect("a kubeconfig");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    config["users"][0]["user"]["as"] = user.into();
    config["users"][0]["user"]["as-groups"] = json!([group]);
    let path = SERVER.kubeconfig().with_file_name(format!("kubeconfig-{user}"));
    std::fs::write(&path, config.to_string()).expect("the folder can be written");
    path
}

#[test]
fn a_revoker_may_revoke_and_do_nothing_else() {
    let documents = helm::text("examples/revoke/revokers.yaml");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&documents).expect("YAML");
    assert_eq!(objects.len(), 4);
    make(&objects);
    make(&[provider("guarded", &json!([{"name": "git", "subject": "from-git"}]))]);
    let patch = |change: &Value| {
        let groups = format!("--as-group={REVOKERS}");
        let change = format!("--patch={change}");
        ["patch", "idp", "guarded", "--namespace=shop", "--type=merge", &change, &groups].map(str::to_owned)
    };
    let issuer = json!({"spec": {"external": {"issuer": "https://evil.example.com"}}});
    let refused = |change: &Value, reason: &str| {
        SERVER.refusal(REVOKER, &patch(change).each_ref().map(String::as_str), &[], reason);
    };
    refused(&issuer, "nothing of an IdentityProvider but spec.deny");
    refused(&json!({"spec": {"allowedNamespaces": {"from": "All"}}}), "nothing of an IdentityProvider but spec.deny");
    refused(&json!({"metadata": {"labels": {"a": "b"}}}), "nothing of an IdentityProvider but spec.deny");
    refused(&json!({"spec": {"deny": null}}), "not change or remove them");
    refused(&json!({"spec": {"deny": [{"name": "git", "subject": "somebody-else"}]}}), "not change or remove them");

    let kubeconfig = impersonating(REVOKER, REVOKERS);
    let added = typed("guarded", &["--subject", "ada", "--name", "laptop", "--wait=1s"], &kubeconfig);
    assert!(added.text.contains("enforced by all 0 replicas of 0 servers"), "{}", added.text);
    assert_eq!(denied("guarded"), ["git", "laptop"]);
    let undone = typed("guarded", &["--undo", "git"], &kubeconfig);
    assert!(!undone.success && undone.text.contains("not change or remove them"), "{}", undone.text);
    let stranger = impersonating("stranger", "strangers");
    let refused = typed("guarded", &["--subject", "ada"], &stranger);
    assert!(!refused.success && refused.text.contains("forbidden"), "{}", refused.text);
    assert_eq!(denied("guarded"), ["git", "laptop"]);
}
