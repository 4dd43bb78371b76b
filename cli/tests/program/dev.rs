//! `tollward dev`: it serves, follows edits, and ends cleanly with all that it started.

use crate::manifests::{GOOD, Manifests};
use crate::session::{Session, get};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::time::{Duration, Instant};

/// An MCP server that nobody reaches: these tests end at Tollward.
const UPSTREAM: [&str; 4] = ["-f", "manifests", "--upstream", "http://127.0.0.1:9/mcp"];

fn start(manifests: &Manifests, more: &[&str]) -> Session {
    let folder = manifests.folder();
    Session::start(folder.parent().unwrap(), &[&UPSTREAM, more].concat())
}

/// A second `tollward dev` as the MCP server: it listens on PORT, and a shell around it starts a process of its own.
fn server_command(pids: &Path) -> String {
    let (program, pids) = (env!("CARGO_BIN_EXE_tollward"), pids.display());
    format!(
        "sleep 1000 & echo $! > {pids}.child; echo $$ > {pids}; \
         exec {program} dev -f manifests --upstream http://127.0.0.1:9/mcp --port $PORT --broker-port 0"
    )
}

fn pid(path: &Path) -> Pid {
    Pid::from_raw(std::fs::read_to_string(path).unwrap().trim().parse().unwrap()).unwrap()
}

/// Waits until no such process runs; one that nobody collected does not.
fn assert_gone(pid: Pid) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = format!("/proc/{}/stat", pid.as_raw_nonzero());
    while std::fs::read_to_string(&status).is_ok_and(|text| !text.contains(") Z ")) {
        assert!(Instant::now() < deadline, "process {pid:?} still runs");
        std::thread::yield_now();
    }
}

#[test]
fn it_asks_for_a_token_and_ends_with_0_on_ctrl_c_and_other_signals() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let manifests = Manifests::of(&[("all.yaml", GOOD)]);
        let mut session = start(&manifests, &[]);
        let authority = session.ready();
        let answer = get(&authority, "/mcp");
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains("/.well-known/oauth-protected-resource/mcp"), "{answer}");
        assert!(session.line_with("credentials_missing").contains("deny   401  GET /mcp  nobody"));
        session.signal(signal);
        assert_eq!(session.ended(), Some(0), "{}", session.printed);
    }
}

#[test]
fn an_invalid_edit_says_what_is_wrong_and_the_last_good_policy_stays() {
    let manifests = Manifests::of(&[("all.yaml", GOOD)]);
    let mut session = start(&manifests, &[]);
    let authority = session.ready();
    manifests.write("all.yaml", &GOOD.replace("catalog:read", "catalog:admin"));
    assert!(session.line_with("OmnibusScope").starts_with("invalid manifests/all.yaml: MCPServer shop/catalog"));
    session.line_with("the last good policy stays in force");
    assert!(get(&authority, "/mcp").contains("scope=\"catalog:read\""));

    manifests.write("all.yaml", &GOOD.replace("catalog:read", "catalog:look"));
    session.line_with("clients have to sign in again");
    session.line_with("the changed policy is valid");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !get(&authority, "/mcp").contains("scope=\"catalog:look\"") {
        assert!(Instant::now() < deadline, "the new policy was not put in force");
    }
}

#[test]
fn the_audit_file_has_one_record_per_request_and_is_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let manifests = Manifests::of(&[("all.yaml", GOOD)]);
    let mut session = start(&manifests, &["--audit", "audit.jsonl"]);
    let authority = session.ready();
    for path in ["/mcp", "/.well-known/oauth-protected-resource/mcp", "/nothing"] {
        get(&authority, path);
    }
    session.signal(Signal::INT);
    assert_eq!(session.ended(), Some(0));
    let path = manifests.path("audit.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let reasons: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["decision"]["reason"].clone())
        .collect();
    assert_eq!(reasons, ["credentials_missing", "allowed", "route_not_found"]);
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn all_processes_of_the_servers_command_end_with_it() {
    let manifests = Manifests::of(&[("all.yaml", GOOD)]);
    let pids = manifests.path("pid");
    let command = server_command(&pids);
    let folder = manifests.folder();
    let mut session =
        Session::start(folder.parent().unwrap(), &["-f", "manifests", "--sandbox", "off", "--", "sh", "-c", &command]);
    session.ready();
    session.signal(Signal::INT);
    assert_eq!(session.ended(), Some(0), "{}", session.printed);
    assert_gone(pid(&pids));
    assert_gone(pid(&pids.with_extension("child")));
}

#[test]
fn ctrl_c_while_the_server_starts_ends_both() {
    let manifests = Manifests::of(&[("all.yaml", GOOD)]);
    let folder = manifests.folder();
    let pids = manifests.path("pid");
    let command = "echo $$ > pid; echo waiting; exec sleep 1000";
    let mut session =
        Session::start(folder.parent().unwrap(), &["-f", "manifests", "--sandbox", "off", "--", "sh", "-c", command]);
    session.line_with("server | waiting");
    session.signal(Signal::INT);
    assert_eq!(session.ended(), Some(0), "{}", session.printed);
    assert_gone(pid(&pids));
}

#[test]
fn the_end_of_the_server_ends_it_with_an_error() {
    let manifests = Manifests::of(&[("all.yaml", GOOD)]);
    let pids = manifests.path("pid");
    let command = server_command(&pids);
    let folder = manifests.folder();
    let mut session =
        Session::start(folder.parent().unwrap(), &["-f", "manifests", "--sandbox", "off", "--", "sh", "-c", &command]);
    session.ready();
    kill_process(pid(&pids), Signal::KILL).unwrap();
    assert_eq!(session.ended(), Some(1), "{}", session.printed);
    assert!(session.printed.contains("error: the MCP server `sh` ended"), "{}", session.printed);
    assert_gone(pid(&pids.with_extension("child")));
}

#[test]
fn a_server_that_does_not_start_is_an_error_with_its_own_words() {
    let manifests = Manifests::of(&[("all.yaml", GOOD)]);
    let arguments = ["dev", "--port", "0", "--broker-port", "0", "-f", "manifests", "--"];
    let (text, code) = manifests.run(&[&arguments[..], &["sh", "-c", "echo no database >&2; exit 3"]].concat());
    assert!(
        text.contains("error: the MCP server `sh` ended before it listened") && text.contains("| no database"),
        "{text}"
    );
    assert!(text.contains("it runs without network") && text.contains("--allow-read"), "{text}");
    assert_eq!(code, Some(1));
    let (text, code) = manifests.run(&[&arguments[..], &["no-such-program"]].concat());
    assert!(text.contains("can't start the MCP server `no-such-program`"), "{text}");
    assert_eq!(code, Some(1));
}

#[test]
fn it_starts_nothing_that_was_not_typed() {
    let manifests =
        Manifests::of(&[("all.yaml", &GOOD.replace("image: catalog", "image: catalog, command: [touch, started]"))]);
    let (text, code) = manifests.run(&["dev", "-f", "manifests"]);
    assert!(text.contains("error: which MCP server?"), "{text}");
    assert_eq!(code, Some(1));
    assert!(!manifests.path("started").exists());
}

#[test]
fn a_port_that_is_taken_is_an_error_that_says_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let manifests = Manifests::of(&[("all.yaml", GOOD)]);
    for (option, other) in [("--port", "--broker-port"), ("--broker-port", "--port")] {
        let (text, code) = manifests.run(&[&["dev", option, &port, other, "0"], &UPSTREAM[..]].concat());
        assert!(text.contains("choose another") && text.contains(option), "{text}");
        assert_eq!(text.matches("Address already in use").count(), 1, "{text}");
        assert_eq!(code, Some(1));
    }
}
