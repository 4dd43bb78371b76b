//! The walk-through against the manifests of the example.

use crate::manifests::{Manifests, example};
use crate::session::{Session, get};
use crate::shop::Shop;
use rustix::process::Signal;

const TOOLS: &[&str] = &["add_to_cart", "checkout", "get_product", "search_products"];

fn play(tools: &'static [&'static str], more: &[&str]) -> (Session, Shop, Manifests) {
    let (shop, folder) = (Shop::with(tools), Manifests::of(&[]));
    let example = example();
    let arguments = ["-f", example.to_str().unwrap(), "--upstream", &shop.url, "--walkthrough"];
    let session = Session::start(&folder.path("."), &[&arguments[..], more].concat());
    (session, shop, folder)
}

#[test]
fn all_steps_go_as_described_and_no_token_is_printed() {
    let (mut session, _shop, _folder) = play(TOOLS, &[]);
    assert_eq!(session.ended(), Some(0), "{}", session.printed);
    let text = &session.printed;
    assert!(text.contains("All 13 steps went as described."), "{text}");
    for step in 1..=13 {
        assert!(text.lines().any(|line| line.starts_with(&format!("{step:2}. "))), "step {step}: {text}");
    }
    assert!(text.contains("hidden  checkout"), "{text}");
    for (position, _) in text.match_indices("eyJ") {
        assert!(text[position..].starts_with("eyJ…(signed)"), "{text}");
    }
    for secret in ["code=", "code_verifier: ", "state="] {
        for (position, _) in text.match_indices(secret) {
            assert!(text[position + secret.len()..].starts_with('…'), "{secret}: {text}");
        }
    }
    assert!(!text.contains('\u{1b}'), "no colors without a terminal");
    let long: Vec<_> = text.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn a_step_that_does_not_go_as_described_is_named_and_fails() {
    let (mut session, _shop, _folder) = play(&["add_to_cart", "checkout"], &[]);
    assert_eq!(session.ended(), Some(1), "{}", session.printed);
    assert!(session.printed.contains("step 6 (Which tools are there?) did not go as described"), "{}", session.printed);
    assert!(!session.printed.contains(" 7. "), "{}", session.printed);
}

#[test]
fn it_keeps_running_afterwards_if_asked_to() {
    let (mut session, _shop, _folder) = play(TOOLS, &["--stay"]);
    session.line_with("All 13 steps went as described.");
    let authority = session.ready();
    assert!(get(&authority, "/mcp").starts_with("HTTP/1.1 401 "));
    session.line_with("credentials_missing");
    session.signal(Signal::INT);
    assert_eq!(session.ended(), Some(0));
}

#[test]
fn it_needs_a_limit_with_tiers_and_says_so() {
    let manifests = Manifests::of(&[("all.yaml", crate::manifests::GOOD)]);
    let arguments = [
        "dev",
        "-f",
        "manifests",
        "--port",
        "0",
        "--broker-port",
        "0",
        "--upstream",
        "http://127.0.0.1:9/mcp",
        "--walkthrough",
    ];
    let (text, code) = manifests.run(&arguments);
    assert!(text.contains("error: the walk-through needs a RateLimitPolicy"), "{text}");
    assert_eq!(code, Some(1));
}

#[test]
fn against_a_cluster_it_trusts_only_what_it_was_given() {
    let manifests = Manifests::of(&[("nothing.pem", "no certificate")]);
    let example = example();
    let run = |authorities: &str| {
        manifests.run(&[
            "walkthrough",
            "-f",
            example.to_str().unwrap(),
            "--connect",
            "catalog-tollward.shop.svc=127.0.0.1:9",
            "--authorities",
            authorities,
            "--behind",
            "http://127.0.0.1:9/mcp",
            "--decoy",
            "https://elsewhere.example.com/mcp",
        ])
    };
    for (file, complaint) in
        [("missing.pem", "can't read missing.pem"), ("manifests/nothing.pem", "holds no certificate")]
    {
        let (text, code) = run(file);
        assert!(text.contains(complaint), "{text}");
        assert_eq!(code, Some(1));
    }
}
