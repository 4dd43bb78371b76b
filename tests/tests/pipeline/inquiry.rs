//! What `tollward limits` asks a running data plane: how a caller's limits stand, without charging anything.

use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tollward_policy::config::SidecarConfig;
use tollward_policy::inquiry::{Answer, LimitState, MAX_QUESTION};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_sidecar::inquiry::ask;
use tollward_tests::client::Wire;
use tollward_tests::mcp::Call;
use tollward_tests::world::{Refusal, World};

/// A limit that is refilled so slowly that no test sees it.
fn limit(name: &str, per: &[&str], burst: u32) -> Value {
    let rate = json!({"requests": burst + 7, "windowSeconds": 3600, "burst": burst});
    json!({"name": name, "match": {}, "per": per, "tiers": {"basic": rate, "gold": rate}})
}

fn set(config: &mut SidecarConfig, limits: &[Value]) {
    let open =
        json!({"name": "open", "counts": "Calls", "match": {}, "per": ["Subject"], "tiers": {"basic": 4, "gold": 4}});
    let policy =
        json!({"policy": "p", "tiers": {"claim": "tier", "default": "basic"}, "limits": limits, "concurrency": [open]});
    config.routes[0].rate_limits = vec![serde_json::from_value(policy).expect("a policy of the right shape")];
}

async fn world(limits: &[Value]) -> (World, PathBuf, TempDir) {
    let mut world = World::with(|config| set(config, limits)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("inquiry.sock");
    world.sidecar.answer_inquiries(&socket);
    (world, socket, folder)
}

async fn asked(socket: &Path, question: Value) -> Answer {
    let (socket, question) = (socket.to_owned(), question.to_string());
    let answer = tokio::task::spawn_blocking(move || ask(&socket, &question)).await.expect("no panic");
    serde_json::from_str(&answer.expect("an answer")).expect("of the right shape")
}

fn find<'a>(answer: &'a Answer, limit: &str, about: Option<&str>) -> &'a LimitState {
    let found = answer.limits.iter().find(|state| state.limit == limit && state.about.as_deref() == about);
    found.unwrap_or_else(|| panic!("no {limit} about {about:?}: {answer:#?}"))
}

#[tokio::test]
async fn asking_shows_what_calls_have_used_and_charges_nothing() {
    let (world, socket, _folder) =
        world(&[limit("calls", &["Subject"], 3), limit("each", &["Subject", "Tool"], 5)]).await;
    let alice = world.issuer.token().subject("alice").mint();
    // A name that the server's lists have shown has a count of its own.
    let bob = world.issuer.token().subject("bob").mint();
    world.passed(Wire::Http1, &Call::rpc(Era::Modern, "tools/list", json!({})).token(&bob)).await;
    let call = Call::tool(Era::Modern, "get_product").token(&alice);
    let question = json!({"subject": "alice", "tools": ["get_product", "search_products"]});
    for used in 0..3 {
        for _ in 0..5 {
            let answer = asked(&socket, question.clone()).await;
            assert_eq!(find(&answer, "p/calls", None).left, Some(3 - used));
            assert_eq!(find(&answer, "p/each", Some("get_product")).left, Some(5 - used));
        }
        world.passed(Wire::Http1, &call).await;
    }
    world.refused(Wire::Http1, &call, &Refusal::new(429, Reason::RateLimited).answering()).await;
    let answer = asked(&socket, question).await;
    let calls = find(&answer, "p/calls", None);
    // 3600 s for 7 refills, and three of them until all is back.
    let (wait, full) = (calls.retry_after_millis.expect("a wait"), calls.full_after_millis);
    assert!((500_000..=515_000).contains(&wait) && (1_500_000..=1_545_000).contains(&full), "{calls:#?}");
    assert_eq!((calls.left, calls.tier.as_str(), calls.most), (Some(0), "basic", 3));
    assert_eq!(find(&answer, "p/each", Some("get_product")).left, Some(2), "a refused call gives back");
    assert_eq!(find(&answer, "p/each", Some("search_products")).left, Some(5));
    assert_eq!(find(&answer, "p/open", None).left, Some(4), "nothing is open");
    // Others, and other tiers, have counts of their own.
    let carol = asked(&socket, json!({"subject": "carol", "tools": ["get_product"]})).await;
    assert_eq!(find(&carol, "p/calls", Some("get_product")).left, Some(3));
    let gold = asked(&socket, json!({"subject": "alice", "claims": {"tier": "gold"}, "tools": ["get_product"]})).await;
    let state = find(&gold, "p/calls", Some("get_product"));
    assert_eq!((state.tier.as_str(), state.left), ("gold", Some(3)));
    assert_eq!(
        (answer.not_given.as_slice(), gold.not_given.as_slice()),
        (&["--claim tier=VALUE".to_owned()][..], &[][..])
    );
    world.end();
}

#[tokio::test]
async fn a_limit_that_depends_on_what_was_not_given_says_so_instead_of_guessing() {
    let (world, socket, _folder) =
        world(&[limit("client", &["Client"], 3), limit("both", &["Subject", "Address"], 3), limit("all", &[], 3)])
            .await;
    world.passed(Wire::Http1, &Call::tool(Era::Modern, "get_product").token(&world.token())).await;
    let answer = asked(&socket, json!({"subject": "alice", "tools": ["get_product"]})).await;
    let about = Some("get_product");
    let client = find(&answer, "p/client", about);
    assert_eq!((client.left, client.needs.as_slice()), (None, &["--client ID".to_owned()][..]));
    assert_eq!(find(&answer, "p/both", about).needs, ["--address ADDRESS"]);
    assert_eq!(find(&answer, "p/all", about).left, Some(2), "it counts everybody");
    let full = json!({"subject": "alice", "client": "client-1", "address": "127.0.0.1", "tools": ["get_product"]});
    let answer = asked(&socket, full).await;
    assert!(answer.limits.iter().all(|state| state.needs.is_empty() && state.left.is_some()), "{answer:#?}");
    world.end();
}

#[tokio::test]
async fn without_a_name_the_limits_of_everything_that_was_used_are_shown() {
    let (world, socket, _folder) =
        world(&[limit("calls", &["Subject"], 9), limit("each", &["Subject", "Tool"], 5)]).await;
    let alice = world.issuer.token().subject("alice").mint();
    let before = asked(&socket, json!({"subject": "alice"})).await;
    assert_eq!(find(&before, "p/each", None).left, Some(5), "nothing is told apart yet");
    let list = Call::rpc(Era::Modern, "tools/list", json!({})).token(&alice);
    world.passed(Wire::Http1, &list).await;
    world.passed(Wire::Http1, &Call::tool(Era::Modern, "get_product").token(&alice)).await;
    let after = asked(&socket, json!({"subject": "alice"})).await;
    assert_eq!(find(&after, "p/calls", None).left, Some(7));
    assert_eq!(find(&after, "p/each", Some("get_product")).left, Some(4));
    world.end();
}

/// What the process writes back to raw bytes.
fn raw(socket: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).expect("the socket is there");
    // It may hang up before it has read all of too much.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_question_is_refused_and_the_next_one_is_answered() {
    let (mut world, socket, _folder) = world(&[limit("calls", &["Subject"], 3)]).await;
    for bytes in [&b"junk"[..], b"", br#"{"subject":"ada","charge":true}"#, &vec![b' '; MAX_QUESTION + 1]] {
        let answer = raw(&socket, bytes);
        assert!(answer.is_empty() || answer.contains("error"), "{answer}");
    }
    assert_eq!(asked(&socket, json!({"subject": "alice", "tools": ["x"]})).await.limits.len(), 2);
    world.sidecar.drain().await;
    assert!(!socket.exists(), "it goes with the process");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_connects_and_says_nothing_keeps_nobody_else_waiting() {
    let (world, socket, _folder) = world(&[limit("calls", &["Subject"], 3)]).await;
    let _silent: Vec<_> = (0..3).map(|_| UnixStream::connect(&socket).expect("the socket is there")).collect();
    let started = std::time::Instant::now();
    asked(&socket, json!({"subject": "alice"})).await;
    assert!(started.elapsed() < std::time::Duration::from_secs(4), "{:?}", started.elapsed());
    world.end();
}

#[tokio::test]
async fn asking_begins_no_count() {
    let (world, socket, _folder) = world(&[limit("calls", &["Subject"], 3)]).await;
    world.passed(Wire::Http1, &Call::tool(Era::Modern, "get_product").token(&world.token())).await;
    let keys = || {
        let metrics = world.sidecar.metrics();
        let of: Vec<_> =
            metrics.lines().filter(|it| it.starts_with("tollward_ratelimit_keys")).map(str::to_owned).collect();
        assert!(!of.is_empty(), "{metrics}");
        of
    };
    let before = keys();
    for number in 0..50 {
        asked(&socket, json!({"subject": format!("nobody-{number}"), "tools": [format!("tool-{number}")]})).await;
    }
    assert_eq!(keys(), before);
    world.end();
}

#[tokio::test]
async fn what_an_address_may_do_before_authentication_is_shown_for_the_address_alone() {
    let before = json!({"policy": "door", "tiers": {"default": "basic"}, "beforeAuthentication": {
        "requests": {"requests": 60, "windowSeconds": 36_000, "burst": 50},
        "failures": {"requests": 9, "windowSeconds": 36_000, "burst": 4}}});
    let mut world = World::with(|config| {
        config.routes[0].rate_limits = vec![serde_json::from_value(before).expect("a policy of the right shape")];
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("inquiry.sock");
    world.sidecar.answer_inquiries(&socket);
    let call = Call::tool(Era::Modern, "get_product");
    world.passed(Wire::Http1, &call.clone().token(&world.token())).await;
    world.send(Wire::Http1, &call.token("not-a-token")).await;
    let answer = asked(&socket, json!({"address": "127.0.0.1"})).await;
    assert_eq!(find(&answer, "door/before-authentication", None).left, Some(48), "{answer:#?}");
    let failures = find(&answer, "door/failed-authentication", None);
    assert_eq!((failures.left, failures.tier.as_str()), (Some(3), ""));
    let other = asked(&socket, json!({"address": "192.0.2.7"})).await;
    assert_eq!(find(&other, "door/failed-authentication", None).left, Some(4));
    let nobody = asked(&socket, json!({"subject": "alice"})).await;
    assert_eq!(find(&nobody, "door/failed-authentication", None).needs, ["--address ADDRESS"]);
    world.end();
}

#[tokio::test]
async fn a_tenant_that_is_a_number_is_another_one_than_the_same_text() {
    let mut world = World::with(|config| {
        let policy = json!({"policy": "p", "tiers": {"default": "basic"}, "tenantClaim": "org", "limits": [limit("org", &["Tenant"], 3)]});
        config.routes[0].rate_limits = vec![serde_json::from_value(policy).expect("a policy of the right shape")];
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("inquiry.sock");
    world.sidecar.answer_inquiries(&socket);
    let token = world.issuer.token().with_claim("org", 7).mint();
    world.passed(Wire::Http1, &Call::tool(Era::Modern, "get_product").token(&token)).await;
    let left = async |claim: Value| {
        let answer =
            asked(&socket, json!({"subject": "alice", "claims": {"org": claim}, "tools": ["get_product"]})).await;
        find(&answer, "p/org", Some("get_product")).left
    };
    assert_eq!((left(json!(7)).await, left(json!("7")).await), (Some(2), Some(3)));
    let unsaid = asked(&socket, json!({"subject": "alice", "tools": ["get_product"]})).await;
    assert_eq!(find(&unsaid, "p/org", Some("get_product")).needs, ["--claim org=VALUE"]);
    world.end();
}
