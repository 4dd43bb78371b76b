//! Two verifiers judge the same tokens: Tollward, on its listener, and `jose`. Tollward is never laxer; where it is stricter,
//! the table says so.

use crate::corpus::{Specimen, corpus};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tollward_tests::config::ENDPOINT;
use tollward_tests::key::Key;
use tollward_tests::mcp::Call;
use tollward_tests::real::place;
use tollward_tests::real::process::{Process, command};
use tollward_tests::world::{CELLS, World};

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

fn second_opinion(world: &World, keys: &[Arc<Key>], corpus: &[Specimen]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let question = folder.path().join("question.json");
    let algorithms: Vec<_> = ALGORITHMS.into_iter().chain(["Ed25519"]).collect();
    let asked = json!({
        "issuer": world.issuer.url(), "audience": ENDPOINT, "type": "at+jwt",
        "algorithms": algorithms, "now": world.issuer.now(), "leeway": 0,
        "keys": keys.iter().flat_map(|key| published(key)).collect::<Vec<_>>(),
        "tokens": corpus.iter().map(|specimen| &specimen.token).collect::<Vec<_>>(),
    });
    std::fs::write(&question, asked.to_string()).expect("the directory is writable");
    let mut program = command(place::node());
    program.arg(place::clients().join("judge.mjs")).arg(&question);
    let ended = Process::start("the second judge", program).ended(LIMIT);
    serde_json::from_str(&ended.output)
        .unwrap_or_else(|error| panic!("the second judge says no list ({error}): {ended:?}"))
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
