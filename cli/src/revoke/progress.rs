//! Which replicas enforce a change of a provider, as the statuses of its servers say. Pure.

use serde_json::Value;

/// A server that accepts the provider's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// Namespace and name.
    pub(super) name: String,
    /// How far it is.
    pub(super) state: State,
}

/// How far a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Every replica enforces the change.
    Enforced {
        /// How many there are.
        replicas: usize,
    },
    /// Some don't, as far as is known.
    Behind {
        /// How many enforce it.
        done: usize,
        /// How many there are.
        replicas: usize,
        /// Which don't, and what else the status says.
        why: Vec<String>,
    },
    /// The operator has not compiled the change, or can't.
    Waiting(String),
}

impl Server {
    /// Whether nothing is left to wait for.
    pub(super) fn is_done(&self) -> bool {
        match self.state {
            State::Enforced { .. } => true,
            State::Behind { .. } | State::Waiting(_) => false,
        }
    }
}

/// The servers among `list` that accept tokens of the provider, of which this generation is the newest.
pub(super) fn servers(list: &[Value], namespace: &str, provider: &str, generation: i64) -> Vec<Server> {
    let mut servers: Vec<_> = list
        .iter()
        .filter(|server| refers(server, namespace, provider))
        .map(|server| Server {
            name: format!("{}/{}", text(server, "/metadata/namespace"), text(server, "/metadata/name")),
            state: state(server, &format!("{namespace}/{provider}"), generation),
        })
        .collect();
    servers.sort_by(|one, other| one.name.cmp(&other.name));
    servers
}

fn refers(server: &Value, namespace: &str, provider: &str) -> bool {
    let own = text(server, "/metadata/namespace");
    let refers = |reference: &Value| {
        let home = reference.get("namespace").and_then(Value::as_str).unwrap_or(own);
        home == namespace && text(reference, "/name") == provider
    };
    // A specification that is refused may name it no more, while the one in force does.
    let in_force = format!("{namespace}/{provider}");
    list(server, "/spec/auth/identityProviders").iter().any(refers)
        || list(server, "/status/identityProviders").iter().any(|entry| text(entry, "/name") == in_force)
}

fn state(server: &Value, provider: &str, generation: i64) -> State {
    let refusal = refusal(server);
    // What is kept of a server that is refused has the provider's list, and nothing else of a newer generation.
    let about = if refusal.is_some() { "/denyGeneration" } else { "/generation" };
    let has_it = list(server, "/status/identityProviders")
        .iter()
        .any(|entry| text(entry, "/name") == provider && number(entry, about) >= Some(generation));
    let digest = text(server, "/status/policyDigest");
    let replicas = list(server, "/status/replicas");
    match &refusal {
        Some(_) if digest.is_empty() && replicas.is_empty() && is_about_now(server) => {
            return State::Enforced { replicas: 0 };
        }
        Some(refusal) if !has_it => return State::Waiting(refusal.clone()),
        None if !has_it => return State::Waiting("the operator has not compiled it yet".to_owned()),
        Some(_) | None => {}
    }
    let enforces = |replica: &&Value| !digest.is_empty() && text(replica, "/policyDigest") == digest;
    let done = replicas.iter().filter(enforces).count();
    let programmed = condition(server, "Programmed");
    // A specification that is refused is never programmed; of what is kept, the replicas tell all.
    let is_whole = refusal.is_some() || programmed.is_some_and(|condition| text(condition, "/status") == "True");
    if done == replicas.len() && is_whole {
        return State::Enforced { replicas: done };
    }
    let behind = replicas.iter().filter(|replica| !enforces(replica)).map(|replica| {
        let known = !text(replica, "/policyDigest").is_empty();
        let what = if known { "has an older configuration" } else { "does not say what it enforces" };
        format!("{} {what}", text(replica, "/pod"))
    });
    let message = programmed.map(|condition| text(condition, "/message").to_owned());
    State::Behind { done, replicas: replicas.len(), why: behind.chain(message).collect() }
}

/// Whether the status is about the specification as it is.
fn is_about_now(server: &Value) -> bool {
    let observed = number(server, "/status/observedGeneration");
    observed.is_some() && observed == number(server, "/metadata/generation")
}

/// What keeps the operator from compiling the server: its replicas then enforce what was accepted last, with the provider's list.
fn refusal(server: &Value) -> Option<String> {
    let refused = ["Accepted", "ResolvedRefs"].into_iter().find_map(|kind| {
        let condition = condition(server, kind)?;
        (text(condition, "/status") == "False").then_some((kind, condition))
    });
    refused.map(|(kind, condition)| {
        format!(
            "the server is not {kind}, and the configuration that it keeps has not got the entry: {}",
            text(condition, "/message")
        )
    })
}

fn condition<'v>(object: &'v Value, kind: &str) -> Option<&'v Value> {
    list(object, "/status/conditions").iter().find(|condition| text(condition, "/type") == kind)
}

fn list<'v>(object: &'v Value, path: &str) -> &'v [Value] {
    object.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'v>(object: &'v Value, path: &str) -> &'v str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn number(object: &Value, path: &str) -> Option<i64> {
    object.pointer(path).and_then(Value::as_i64)
}

#[cfg(test)]
mod tests {
    use super::{Server, State, servers};
    use serde_json::{Value, json};

    fn server(status: &Value) -> Value {
        json!({"metadata": {"namespace": "shop", "name": "catalog"}, "status": status,
            "spec": {"auth": {"identityProviders": [{"name": "idp", "namespace": "identity"}]}}})
    }

    fn state(status: &Value) -> State {
        let found = servers(&[server(status)], "identity", "idp", 3);
        let [Server { name, state }] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(name, "shop/catalog");
        state.clone()
    }

    fn status(generation: i64, digests: &[Option<&str>], programmed: &str) -> Value {
        let replicas: Vec<_> = digests
            .iter()
            .enumerate()
            .map(|(number, digest)| match digest {
                Some(digest) => json!({"pod": format!("pod-{number}"), "policyDigest": digest}),
                None => json!({"pod": format!("pod-{number}")}),
            })
            .collect();
        json!({"identityProviders": [{"name": "identity/idp", "issuer": "i", "generation": generation}],
            "policyDigest": "new", "replicas": replicas,
            "conditions": [{"type": "Programmed", "status": programmed, "message": "1 of 2 replicas"}]})
    }

    #[test]
    fn only_servers_that_refer_to_the_provider_count() {
        let mut own = server(&json!({}));
        own["metadata"]["namespace"] = "identity".into();
        own["spec"]["auth"]["identityProviders"] = json!([{"name": "idp"}]);
        let mut other = server(&json!({}));
        other["spec"]["auth"]["identityProviders"] =
            json!([{"name": "idp"}, {"name": "other", "namespace": "identity"}]);
        let found = servers(&[server(&json!({})), own, other], "identity", "idp", 1);
        let names: Vec<_> = found.iter().map(|server| server.name.as_str()).collect();
        assert_eq!(names, ["identity/catalog", "shop/catalog"]);
    }

    #[test]
    fn a_digest_proves_something_only_if_it_is_about_the_change() {
        let all = [Some("new"), Some("new")];
        assert_eq!(state(&status(3, &all, "True")), State::Enforced { replicas: 2 });
        assert_eq!(state(&status(4, &all, "True")), State::Enforced { replicas: 2 }, "and of whatever came after");
        assert!(matches!(state(&status(2, &all, "True")), State::Waiting(_)));
        assert!(matches!(state(&json!({})), State::Waiting(_)));
        assert_eq!(state(&status(3, &[], "True")), State::Enforced { replicas: 0 });
    }

    #[test]
    fn replicas_that_are_behind_or_silent_are_named() {
        let State::Behind { done, replicas, why } = state(&status(3, &[Some("new"), Some("old"), None], "False"))
        else {
            panic!("not done");
        };
        assert_eq!((done, replicas), (1, 3));
        let expected = ["pod-1 has an older configuration", "pod-2 does not say what it enforces", "1 of 2 replicas"];
        assert_eq!(why, expected);
        let missing = state(&status(3, &[Some("new")], "False"));
        assert_eq!(missing, State::Behind { done: 1, replicas: 1, why: vec!["1 of 2 replicas".into()] });
    }

    /// Its newer specification is refused, or was not looked at yet.
    #[test]
    fn a_server_that_names_the_provider_no_more_but_has_it_in_force_is_waited_for() {
        let mut refused = server(&status(2, &[Some("old")], "False"));
        refused["spec"]["auth"]["identityProviders"] = json!([]);
        let found = servers(&[refused.clone()], "identity", "idp", 3);
        assert!(matches!(found.as_slice(), [Server { state: State::Waiting(_), .. }]), "{found:?}");
        refused["status"]["identityProviders"] = json!([]);
        assert!(servers(&[refused], "identity", "idp", 3).is_empty());
    }

    /// Its replicas keep what was accepted before, with the list of that generation.
    fn refused(deny_generation: Option<i64>, digests: &[Option<&str>]) -> Value {
        let mut status = status(2, digests, "False");
        status["identityProviders"][0]["denyGeneration"] = json!(deny_generation);
        let refusal = json!({"type": "Accepted", "status": "False", "message": "spec.x is wrong"});
        status["conditions"].as_array_mut().unwrap().push(refusal);
        status
    }

    #[test]
    fn a_server_that_is_refused_is_done_once_its_replicas_have_the_list() {
        assert_eq!(state(&refused(Some(3), &[Some("new"), Some("new")])), State::Enforced { replicas: 2 });
        let State::Behind { done, replicas, why } = state(&refused(Some(3), &[Some("new"), Some("old"), None])) else {
            panic!("not done");
        };
        assert_eq!((done, replicas), (1, 3));
        assert_eq!(why[..2], ["pod-1 has an older configuration", "pod-2 does not say what it enforces"]);
    }

    #[test]
    fn a_server_that_is_refused_and_has_not_got_the_list_says_so() {
        let compiled = status(3, &[Some("new")], "False");
        let mut compiled_once = refused(None, &[Some("new")]);
        compiled_once["identityProviders"] = compiled["identityProviders"].clone();
        for status in [refused(None, &[Some("new")]), refused(Some(2), &[Some("new")]), compiled_once] {
            let State::Waiting(why) = state(&status) else { panic!("it waits: {status}") };
            assert!(why.contains("not Accepted") && why.contains("spec.x is wrong"), "{why}");
        }
    }

    #[test]
    fn a_server_that_never_was_accepted_has_nothing_to_wait_for() {
        let conditions = json!([{"type": "Accepted", "status": "False", "message": "spec.x is wrong"}]);
        let found = |status: Value| {
            let mut server = server(&status);
            server["metadata"]["generation"] = 4.into();
            servers(&[server], "identity", "idp", 3).remove(0).state
        };
        let never = json!({"conditions": conditions, "observedGeneration": 4});
        assert_eq!(found(never.clone()), State::Enforced { replicas: 0 });
        for (field, value) in
            [("observedGeneration", json!(3)), ("replicas", json!([{"pod": "pod-0"}])), ("policyDigest", json!("old"))]
        {
            let mut other = never.clone();
            other[field] = value;
            assert!(matches!(found(other.clone()), State::Waiting(_)), "{other}");
        }
    }
}
