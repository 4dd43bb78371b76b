//! Two verifiers judge the same tokens: Tollward, on its listener, and `jose`. Tollward is never laxer; where it is stricter,
//! the table says so.

use crate::corpus::{Specimen, corpus};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tollward_policy::config::UpstreamIdentity;
use tollward_tests::config::ENDPOINT;
use tollward_tests::key::Key;
use tollward_tests::mcp::Call;
use tollward_tests::real::place;
use tollward_tests::real::process::{Process, command};
use tollward_tests::world::{CELLS, World};

/// Where whoever serves the MCP server finds the keys of assertions.
const ASSERTION_KEYS: &str = "/.well-known/tollward-assertion-keys/shop/mcp";
const ALGORITHMS: [&str; 5] = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];
/// Longest run of the other judge.
const LIMIT: Duration = Duration::from_mins(1);

/// As the issuer publishes it; of an Ed25519 key under its name of RFC 9864 too, which is the same algorithm for such a key and
/// which `jose` takes for another.
fn published(key: &Key) -> Vec<Value> {
    let mut published = vec![key.jwk()];
    if key.algorithm == "EdDSA" {
        let mut renamed = key.jwk();
        renamed.as_object_mut().expect("a key is an object").insert("alg".to_owned(), json!("Ed25519"));
        published.push(renamed);
    }
    published
}

/// What `jose` says to each token.
fn opinion(asked: &Value) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let question = folder.path().join("question.json");
    std::fs::write(&question, asked.to_string()).expect("the directory is writable");
    let mut program = command(place::node());
    program.arg(place::clients().join("judge.mjs")).arg(&question);
    let ended = Process::start("the second judge", program).ended(LIMIT);
    serde_json::from_str(&ended.output)
        .unwrap_or_else(|error| panic!("the second judge says no list ({error}): {ended:?}"))
}

fn second_opinion(world: &World, keys: &[Arc<Key>], corpus: &[Specimen]) -> Vec<String> {
    let algorithms: Vec<_> = ALGORITHMS.into_iter().chain(["Ed25519"]).collect();
    opinion(&json!({
        "issuer": world.issuer.url(), "audience": ENDPOINT, "type": "at+jwt",
        "algorithms": algorithms, "now": world.issuer.now(), "leeway": 0,
        "keys": keys.iter().flat_map(|key| published(key)).collect::<Vec<_>>(),
        "tokens": corpus.iter().map(|specimen| &specimen.token).collect::<Vec<_>>(),
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_that_another_verifier_refuses_is_accepted() {
    let world = World::start().await;
    let keys: Vec<_> = ALGORITHMS.map(|name| Arc::new(Key::new(&format!("key-{name}"), name))).to_vec();
    world.issuer.publish(keys.iter().cloned());
    let corpus = corpus(&world.issuer, &keys, 40);
    let verdicts = second_opinion(&world, &keys, &corpus);
    assert_eq!(verdicts.len(), corpus.len(), "each token has two judges");
    let mut accepted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut stricter = String::new();
    for (index, (specimen, verdict)) in corpus.iter().zip(&verdicts).enumerate() {
        let (wire, era) = CELLS[index % CELLS.len()];
        let reply = world.send(wire, &Call::tool(era, "get_product").token(&specimen.token)).await;
        match (reply.status.is_success(), verdict == "good") {
            (true, true) => *accepted.entry(&specimen.what[..5]).or_default() += 1,
            (true, false) => panic!("`{}` was accepted, and jose says {verdict}", specimen.what),
            (false, true) => writeln!(stricter, "{}: {}", specimen.what, reply.reason()).expect("text grows"),
            (false, false) => {}
        }
    }
    assert_eq!(accepted.len(), ALGORITHMS.len(), "{accepted:?}");
    assert!(accepted.values().all(|count| *count >= 10), "{accepted:?}");
    assert!(corpus.len() >= 500 && verdicts.iter().filter(|verdict| *verdict != "good").count() >= 300);
    let of_one: String = stricter.lines().filter(|line| line.starts_with("ES256") && !line.contains(", ")).fold(
        String::new(),
        |mut text, line| {
            writeln!(text, "{line}").expect("text grows");
            text
        },
    );
    insta::assert_snapshot!(of_one);
    world.end();
}

/// What an MCP server sees of its caller, judged as a server would that uses a library: with the keys of the public address.
#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_for_the_server_convinces_a_library_that_knows_only_its_keys() {
    let identity: UpstreamIdentity =
        serde_json::from_value(json!({"type": "SignedAssertion", "audience": "uid-catalog"})).expect("an identity");
    let world = World::with(|config| config.routes[0].upstream.identity = identity.clone()).await;
    for (wire, era) in CELLS {
        world.passed(wire, &Call::tool(era, "get_product").token(&world.token())).await;
        let assertion = world.upstream.last().header("tollward-assertion").to_owned();
        let keys = world.send(wire, &Call::bare(Method::GET, ASSERTION_KEYS)).await.json()["keys"].clone();
        let (signed, signature) = assertion.rsplit_once('.').expect("a signature");
        let other = if signature.starts_with('A') { 'B' } else { 'A' };
        let forged = format!("{signed}.{other}{}", &signature[1..]);
        let ask = |change: Value| {
            let mut asked = json!({
                "issuer": ENDPOINT, "audience": "uid-catalog", "type": "tollward-assertion+jwt", "algorithms": ["EdDSA"],
                "now": world.issuer.now(), "leeway": 0, "keys": keys, "tokens": [assertion, forged],
            });
            asked.as_object_mut().expect("an object").extend(change.as_object().cloned().expect("an object"));
            opinion(&asked)
        };
        assert_eq!(ask(json!({})), ["good", "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"]);
        for elsewhere in
            [json!({"audience": "uid-other"}), json!({"type": "at+jwt"}), json!({"issuer": world.issuer.url()})]
        {
            assert_eq!(ask(elsewhere)[0], "ERR_JWT_CLAIM_VALIDATION_FAILED");
        }
        assert_eq!(ask(json!({"now": world.issuer.now() + 61}))[0], "ERR_JWT_EXPIRED");
    }
    world.end();
}
