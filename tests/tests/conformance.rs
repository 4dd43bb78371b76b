//! The official conformance suite against MCP servers directly, and then through Tollward: nothing may get worse.
//!
//! Each set of scenarios runs three times: directly, through Tollward without authorization, and through Tollward with a
//! token that is added on the way, since the suite's client knows none. The differences are printed.

#[path = "conformance/expected.rs"]
mod expected;

use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write as _;
use tollward_tests::clock::TestClock;
use tollward_tests::issuer::Issuer;
use tollward_tests::real::guarded::Guard;
use tollward_tests::real::passage::Passage;
use tollward_tests::real::server::Server;
use tollward_tests::real::suite::{Difference, Outcomes, Set, Status, run};

/// `aud` of the token: the public URL is not known before the data plane has its port.
const AUDIENCE: &str = "urn:conformance";

/// Extensions that the SDK of the conformance server does not know.
fn is_required(scenario: &str) -> bool {
    !scenario.starts_with("tasks-") && !scenario.starts_with("sep-2640-")
}

/// A guard that lets everything pass that the suite asks for, by rules that say so.
fn guard(issuer: Option<String>, hosts: Vec<String>) -> Guard {
    let scopes = if issuer.is_some() { json!(["mcp:conformance"]) } else { json!([]) };
    let allow = |name: &str, matches: serde_json::Value| json!({"name": name, "match": matches, "action": "Allow", "scopes": scopes, "onMissingScope": "Challenge"});
    let methods = [
        "logging/setLevel",
        "completion/complete",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/get",
        "tasks/update",
        "tasks/cancel",
    ];
    Guard {
        host: "localhost",
        audience: Some(AUDIENCE),
        issuer,
        scopes: json!([{"name": "mcp:conformance", "description": "Use the server"}]),
        initial_scopes: json!(["mcp:conformance"]),
        rules: json!([
            allow("tools", json!({"tools": ["*"]})),
            allow("resources", json!({"resources": ["*"]})),
            allow("prompts", json!({"prompts": ["*"]})),
            allow("methods", json!({"methods": methods})),
        ]),
        hosts,
    }
}

async fn anonymously(server: &Server, set: Set) -> Outcomes {
    let guarded = guard(None, Vec::new()).start(server, |_| ()).await;
    let outcomes = run(&guarded.url, set).await;
    guarded.reached();
    outcomes
}

async fn with_token(server: &Server, set: Set) -> Outcomes {
    let issuer = Issuer::start(TestClock::default()).await;
    let token = issuer.token().scope("mcp:conformance").with_claim("aud", AUDIENCE).mint();
    let passage = Passage::with_token(&token).await;
    let authority = format!("localhost:{}", passage.address().port());
    let guard = guard(Some(issuer.url()), vec![authority.clone()]);
    let guarded = guard.start(server, |_| ()).await;
    passage.lead_to(guarded.sidecar.public);
    let outcomes = run(&format!("http://{authority}/mcp"), set).await;
    guarded.reached();
    let records = guarded.records().await;
    assert!(records.iter().any(|record| record.decision.allowed), "the token should be good: {records:#?}");
    outcomes
}

/// Prints a line even if the test passes: what is better belongs into the log too.
fn say(line: &str) {
    // A closed standard output is nothing that a test is about.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// What the sets of one server came to.
#[derive(Default)]
struct Found {
    worse: Vec<Difference>,
    expected: BTreeSet<usize>,
}

impl Found {
    /// Runs a set in all three ways, prints the differences, and gives the direct outcomes.
    async fn compare(&mut self, name: &str, server: &Server, set: Set) -> Outcomes {
        let direct = run(&server.url("localhost"), set).await;
        say(&format!("{name}, {set:?}, directly: {direct}"));
        let ways = [("anonymously", anonymously(server, set).await), ("with a token", with_token(server, set).await)];
        for (way, outcomes) in ways {
            say(&format!("{name}, {set:?}, through Tollward {way}: {outcomes}"));
            for difference in direct.compare(&outcomes) {
                say(&format!("  {}: {difference}", self.judge(name, &difference)));
            }
        }
        direct
    }

    fn judge(&mut self, name: &str, difference: &Difference) -> &'static str {
        if !difference.is_worse() {
            return "better";
        }
        if let Some(position) = expected::position(name, difference) {
            self.expected.insert(position);
            return "differs by design";
        }
        self.worse.push(difference.clone());
        "WORSE"
    }

    fn assert_none_worse(&self, name: &str) {
        let lines: Vec<_> = self.worse.iter().map(|difference| format!("\n  {difference}")).collect();
        assert!(lines.is_empty(), "worse through Tollward:{}", lines.concat());
        expected::assert_all_seen(name, &self.expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conforming_server_conforms_through_tollward_too() {
    let (name, mut found) = ("the conformance server", Found::default());
    for set in Set::ALL {
        let direct = found.compare(name, Server::conformance(), set).await;
        let failures = direct.of(Status::Failure, is_required);
        let warnings = direct.of(Status::Warning, is_required);
        assert!(failures.is_empty() && warnings.is_empty(), "directly: {failures:#?} {warnings:#?}");
    }
    found.assert_none_worse(name);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_faults_is_no_worse_through_tollward() {
    let (name, mut found) = ("server-everything", Found::default());
    for set in [Set::Legacy, Set::Modern] {
        found.compare(name, Server::everything(), set).await;
    }
    found.assert_none_worse(name);
}

#[tokio::test(flavor = "multi_thread")]
async fn tollward_closes_the_dns_rebinding_hole_of_server_everything() {
    let server = Server::everything();
    let hole = |outcomes: &Outcomes| {
        let rejected = outcomes.get("dns-rebinding-protection", "localhost-host-rebinding-rejected");
        rejected.expect("the suite judges DNS rebinding").status
    };
    assert_eq!(hole(&run(&server.url("localhost"), Set::Legacy).await), Status::Failure);
    assert_eq!(hole(&anonymously(server, Set::Legacy).await), Status::Success);
    assert_eq!(hole(&with_token(server, Set::Legacy).await), Status::Success);
}
