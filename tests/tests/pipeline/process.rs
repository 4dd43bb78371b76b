//! The binary itself: its commands, its signals, its exit codes.

use serde_json::{Value, json};
use tollward_policy::operation::Era;
use tollward_tests::client::{Connection, Wire};
use tollward_tests::clock::TestClock;
use tollward_tests::config::{ConfigFile, standard, text};
use tollward_tests::deadline::{eventually, within};
use tollward_tests::issuer::Issuer;
use tollward_tests::mcp::Call;
use tollward_tests::program::{Program, check_config};
use tollward_tests::upstream::{Answer, Upstream};

fn file() -> ConfigFile {
    ConfigFile::new(standard("https://idp.example.test", "http://127.0.0.1:3000/mcp"))
}

#[test]
fn a_good_configuration_is_said_to_be_valid() {
    let file = file();
    let output = check_config(file.path());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("is valid: 1 server(s), sha256:"), "{said}");
}

#[test]
fn a_bad_configuration_fails_with_everything_that_is_wrong() {
    let file = file();
    let good: Value = serde_json::from_slice(&text(file.current())).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut config = good.clone();
        *config.pointer_mut(pointer).expect("the place is there") = value;
        config
    };
    let mut two = with("/routes/0/auth/audiences", json!([]));
    two["routes"][0]["upstream"]["url"] = json!("https://elsewhere.example/mcp");
    let cases: [(String, &[&str]); 6] = [
        ("{".to_owned(), &["EOF"]),
        (with("/routes", json!([])).to_string(), &["at least one server"]),
        (two.to_string(), &["audiences", "must use http", "loopback"]),
        (with("/minReader", json!(99)).to_string(), &["upgrade the data plane"]),
        (
            with("/identityProviders/0/algorithms", json!(["HS256"])).to_string(),
            &["identityProviders[0].algorithms", "HS256"],
        ),
        (format!("{good} {{}}"), &["trailing"]),
    ];
    for (content, expected) in cases {
        file.write(content.as_bytes());
        let output = check_config(file.path());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        for part in expected {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(said.contains("config.json"), "it names the file: {said}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let output = check_config(std::path::Path::new("/nowhere/config.json"));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nowhere/config.json"));
}

#[tokio::test]
async fn sigterm_lets_a_call_in_flight_finish_and_ends_with_success() {
    let (issuer, upstream) = (Issuer::start(TestClock::default()).await, Upstream::start().await);
    let file = ConfigFile::new(standard(&issuer.url(), &upstream.url()));
    let program = Program::start(file.path());
    let call = Call::tool(Era::Modern, "get_product").token(&issuer.token().mint());
    let public = program.public;
    let send = |call: Call| async move {
        let connection = Connection::plain(Wire::Http1, public).await;
        connection.send_only(call.request(Wire::Http1)).await.expect("an answer").whole().await.expect("a whole answer")
    };
    eventually("it serves", async || send(call.clone()).await.status.is_success()).await;
    let before = upstream.count();
    let (answer, decision) = Answer::later();
    upstream.next(answer);
    let waiting = tokio::spawn(send(call.clone()));
    upstream.received(before + 1).await;
    program.terminate();
    eventually("no new connection is accepted", async || tokio::net::TcpStream::connect(public).await.is_err()).await;
    decision.give(Answer::json(&json!({"jsonrpc": "2.0", "id": 1, "result": {"late": true}})));
    let reply = within("the answer comes", waiting).await.unwrap();
    assert_eq!(reply.json()["result"]["late"], true);
    let (status, log) = within("the process ends", tokio::task::spawn_blocking(|| program.wait())).await.unwrap();
    assert_eq!(status.code(), Some(0), "{log:#?}");
    assert!(log.iter().any(|line| line.contains("draining")), "{log:#?}");
    for token in issuer.minted() {
        assert!(!log.iter().any(|line| line.contains(&token)), "no token in the log");
    }
}

#[test]
fn a_configuration_that_is_refused_at_the_start_ends_the_process() {
    let file = file();
    file.write(b"{}");
    let failed = std::panic::catch_unwind(|| Program::start(file.path()));
    let message = failed.err().and_then(|panic| panic.downcast::<String>().ok()).expect("it does not serve");
    assert!(message.contains("minReader"), "{message}");
}
