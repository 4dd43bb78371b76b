//! The chart's Valkey on a real node: two replicas with one count, and what callers and operators see while it is away.

use futures_util::future::join_all;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tollward_api::ratelimitpolicy::RateLimitPolicy;
use tollward_policy::reason::Reason;
use tollward_tests::cluster::{
    Door, LIMIT, Manifests, NAMESPACE, SERVER, STORE, Tenant, kubectl, lives, store, store_url, tell,
};
use tollward_tests::deadline::eventually_within;

/// What a caller may do at once.
const BURST: usize = 20;

/// The example with two replicas, whose one limit is counted in the store.
fn counted(tenant: &Tenant) -> Manifests {
    let mut manifests = tenant.catalog().replicas(2);
    let rate = json!({"tier": "basic", "requests": BURST + 1, "window": "10h", "burst": BURST});
    let spec = &mut manifests.limits["spec"];
    spec["limits"] = json!([{"name": "calls", "per": ["Subject"], "rates": [rate]}]);
    // Long, for a machine under load: what is late is not what this is about.
    spec["store"] = json!({"url": store_url(), "deadline": "1s", "credentialsSecret": {"name": "limits-store"}});
    spec["onStoreFailure"] = json!("Deny");
    manifests
}

/// Waits until the policy's status says so of its target; its message.
async fn exact(tenant: &Tenant, status: &str, reason: &str) -> String {
    let found = |policy: Option<&RateLimitPolicy>| {
        let status = policy?.status.as_ref()?;
        let condition = status.ancestors.first()?.conditions.iter().find(|condition| condition.type_ == "Exact")?;
        Some((condition.status.clone(), condition.reason.clone(), condition.message.clone()))
    };
    let says = |policy: Option<&RateLimitPolicy>| {
        found(policy).is_some_and(|(now, because, _)| (now.as_str(), because.as_str()) == (status, reason))
    };
    let policy = tenant.until(&format!("Exact={status} ({reason})"), "catalog", says).await;
    found(policy.as_ref()).expect("it was there a moment ago").2
}

/// A call of that subject: its status and reason.
async fn call(door: &Door, subject: &str) -> (u16, String) {
    let token = door.token().subject(subject).mint();
    let reply = door.tool(&token, "get_product", json!({"sku": "TEA-001"})).await;
    (reply.status.as_u16(), reply.reason())
}

/// Waits until each replica answers calls like that.
async fn everywhere(doors: &[Door], what: &str, expected: (u16, &str)) {
    for door in doors {
        let mut number = 0;
        eventually_within(LIMIT, what, async || {
            number += 1;
            let (status, reason) = call(door, &format!("{what}-{}-{number}", door.address)).await;
            (status, reason.as_str()) == expected
        })
        .await;
    }
}

async fn one_count(doors: &[Door]) {
    let calls = (0..2 * BURST).map(|number| {
        let replica = number % doors.len();
        async move { (replica, call(&doors[replica], "alice").await) }
    });
    let answers = join_all(calls).await;
    let passed = |replica: usize| answers.iter().filter(|(one, (status, _))| (*one, *status) == (replica, 200)).count();
    assert_eq!(passed(0) + passed(1), BURST, "{answers:?}");
    assert!(passed(0) > 0 && passed(1) > 0, "{answers:?}");
    let refused = answers.iter().filter(|(_, (_, reason))| reason == Reason::RateLimited.code()).count();
    assert_eq!(refused, BURST, "{answers:?}");
}

/// Deletes the pod while both replicas are called without a pause: every call is counted, or refused with the reason.
async fn pod_deleted_in_the_middle(tenant: &Tenant) {
    let stop = Arc::new(AtomicBool::new(false));
    let answers = Arc::new(Mutex::new(Vec::new()));
    let callers = tenant.doors(SERVER).await.into_iter().map(|door| {
        let (stop, answers) = (Arc::clone(&stop), Arc::clone(&answers));
        tokio::spawn(async move {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                let answer = call(&door, &format!("caller-{}-{number}", door.address)).await;
                answers.lock().expect("nobody panics").push(answer);
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    let heard = |expected: u16, after: usize| {
        answers.lock().expect("nobody panics").iter().skip(after).position(|(status, _)| *status == expected)
    };
    eventually_within(LIMIT, "calls pass", async || heard(200, 0).is_some()).await;
    let started = Instant::now();
    kubectl(&["delete", "pod", "--namespace", NAMESPACE, &format!("{STORE}-0")]).expect("the pod may be deleted");
    eventually_within(LIMIT, "calls are refused", async || heard(503, 0).is_some()).await;
    let refused = heard(503, 0).expect("it was heard");
    eventually_within(LIMIT, "calls pass again", async || heard(200, refused).is_some()).await;
    tell(&format!("from a deleted Valkey to the first call counted again: {:.1} s", started.elapsed().as_secs_f64()));
    everywhere(&tenant.doors(SERVER).await, "again", (200, "")).await;
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("a caller does not panic");
    }
    let unavailable = Reason::LimitStoreUnavailable.code();
    let answers = answers.lock().expect("nobody panics");
    let known = |(status, reason): &(u16, String)| [(200, ""), (503, unavailable)].contains(&(*status, reason));
    assert!(answers.iter().all(known), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valkey_of_the_chart_counts_for_all_replicas() {
    let tenant = Tenant::alone("e2e-store").await;
    let began = Instant::now();
    // Where nothing but restricted pods is admitted, as in the servers' own namespaces.
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(&["label", "--overwrite", "namespace", NAMESPACE, restricted]).expect("a namespace may be labelled");
    tenant.installation.upgrade(&store(&tenant.namespace, "catalog"));
    tell(&format!("from helm upgrade to a ready Valkey: {:.1} s", began.elapsed().as_secs_f64()));
    tenant.serve(&counted(&tenant)).await;
    exact(&tenant, "True", "SharedStore").await;
    let (pods, doors) = (lives(&tenant.pods(SERVER).await), tenant.doors(SERVER).await);
    assert_eq!(doors.len(), 2);
    one_count(&doors).await;

    pod_deleted_in_the_middle(&tenant).await;
    // The new pod has no volume, and so no counts; a replica remembers for some seconds that she was exhausted.
    eventually_within(LIMIT, "who was exhausted has a new burst", async || call(&doors[0], "alice").await.0 == 200)
        .await;

    let scale = |count: &str| {
        kubectl(&["scale", "--namespace", NAMESPACE, "statefulset", STORE, "--replicas", count]).expect("it scales");
    };
    scale("0");
    let started = Instant::now();
    everywhere(&doors, "without a store", (503, Reason::LimitStoreUnavailable.code())).await;
    let message = exact(&tenant, "False", "StoreUnavailable").await;
    tell(&format!("from a Valkey that is gone to StoreUnavailable: {:.1} s", started.elapsed().as_secs_f64()));
    assert!(message.contains("refuse limited calls with 503") && message.contains(&store_url()), "{message}");
    tenant.ready(SERVER).await;
    scale("1");
    let started = Instant::now();
    everywhere(&doors, "with a store again", (200, "")).await;
    tell(&format!("from a Valkey that is wanted to both replicas counting: {:.1} s", started.elapsed().as_secs_f64()));
    exact(&tenant, "True", "SharedStore").await;
    assert_eq!(lives(&tenant.pods(SERVER).await), pods, "no replica was restarted or replaced");

    tenant.installation.upgrade(&[]);
    let of_it = "--selector=app.kubernetes.io/component=valkey";
    let kinds = "statefulsets,services,configmaps,secrets,networkpolicies,persistentvolumeclaims";
    for namespace in [NAMESPACE, &tenant.namespace] {
        let left = kubectl(&["get", kinds, "--namespace", namespace, of_it, "--output=name"]);
        assert_eq!(left.expect("they are listed"), "", "an upgrade without it removes all of it");
    }
    tell(&format!("the whole test of the store: {:.1} s", began.elapsed().as_secs_f64()));
    tenant.end().await;
}
