//! Names, sources, endpoints, sessions and audit of a server.

use crate::judge::{accepts, refuses, with};
use crate::objects::{server, service_server};
use serde_json::json;
use tollward_api::MCPServer;
use tollward_api::mcpserver::SealingMode;

#[test]
fn a_server_of_each_type_is_accepted() {
    accepts::<MCPServer>(
        "MCPServer",
        &server(),
        &[
            ("/metadata/name", json!("a".repeat(52))),
            ("/spec/endpoint", json!({})),
            ("/spec/endpoint/url", json!("https://[2001:db8::1]:8443/mcp")),
            ("/spec/endpoint", json!({"url": "http://mcp.example.com/mcp", "tls": {"mode": "Off"}})),
            ("/spec/endpoint/tls", json!({"mode": "Secret", "secretName": "certificate"})),
            ("/spec/auth", json!({"mode": "None", "rules": [{"name": "open", "match": {"tools": ["x"]}}]})),
            ("/spec/session", json!({"maxAge": "1m"})),
            (
                "/spec/session",
                json!({"maxSessionsPerClient": 1, "maxSessions": 1, "maxStreamsPerClient": 1, "maxStreams": 100_000}),
            ),
            (
                "/spec/source/workload/env",
                json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
            ),
        ],
    );
    accepts::<MCPServer>("MCPServer", &service_server(), &[]);
}

#[test]
fn a_name_from_which_no_service_can_be_named_is_refused() {
    refuses::<MCPServer>(
        "MCPServer",
        &server(),
        &[
            ("/metadata/name", json!("a".repeat(53)), "at most 52 characters"),
            ("/metadata/name", json!("a.b"), "must start with a letter"),
            ("/metadata/name", json!("1a"), "must start with a letter"),
            ("/metadata/name", json!("other-tollward"), "belong to Tollward"),
            ("/metadata/name", json!("tollward-x"), "belong to Tollward"),
        ],
    );
}

#[test]
fn a_source_has_what_its_type_says_and_nothing_else() {
    refuses::<MCPServer>(
        "MCPServer",
        &server(),
        &[
            ("/spec/source/workload", json!(null), "source.workload must be set if source.type is Workload"),
            ("/spec/source/type", json!("Service"), "source.service must be set"),
            (
                "/spec/source/service",
                json!({"name": "x", "port": 1}),
                "source.service must be set if source.type is Service, and only then",
            ),
        ],
    );
    refuses::<MCPServer>(
        "MCPServer",
        &service_server(),
        &[("/spec/source/service/name", json!("catalog-tollward"), "belongs to Tollward")],
    );
}

#[test]
fn an_endpoint_that_could_be_spelled_in_two_ways_is_refused() {
    let form = "absolute URL with a lower-case host";
    refuses::<MCPServer>(
        "MCPServer",
        &server(),
        &[
            ("/spec/endpoint/url", json!("https://a.example"), form),
            ("/spec/endpoint/url", json!("https://a.example/"), form),
            ("/spec/endpoint/url", json!("https://a.example/mcp/"), form),
            ("/spec/endpoint/url", json!("https://A.example/mcp"), form),
            ("/spec/endpoint/url", json!("https://a.example/mcp?x"), form),
            ("/spec/endpoint/url", json!("https://u@a.example/mcp"), form),
            ("/spec/endpoint/url", json!("https://a.example/m%63p"), form),
            ("/spec/endpoint/url", json!("http://a.example/mcp"), "must use https, unless endpoint.tls.mode is Off"),
            ("/spec/endpoint/hosts", json!(["good", "https://bad"]), "`https://bad` is not host or host:port"),
            ("/spec/endpoint/hosts", json!(["*.example.com"]), "`*.example.com`"),
            ("/spec/endpoint/allowedOrigins", json!(["*"]), "there is no wildcard"),
            (
                "/spec/endpoint/allowedOrigins",
                json!(["https://a.example/"]),
                "`https://a.example/` is not scheme://host",
            ),
            ("/spec/endpoint/tls", json!({"mode": "Secret"}), "tls.secretName must be set if tls.mode is Secret"),
            ("/spec/endpoint/tls", json!({"secretName": "x"}), "and only then"),
        ],
    );
}

#[test]
fn durations_and_paths_outside_of_their_bounds_are_refused() {
    refuses::<MCPServer>(
        "MCPServer",
        &server(),
        &[
            ("/spec/session", json!({"maxAge": "59s"}), "from 1m to 720h"),
            ("/spec/session", json!({"maxAge": "721h"}), "from 1m to 720h"),
            ("/spec/audit/redact", json!(["/ok", "email"]), "`email` is not a JSON pointer"),
        ],
    );
}

#[test]
fn sealing_is_required_unless_best_effort_is_written_out() {
    accepts::<MCPServer>("MCPServer", &server(), &[("/spec/sealing", json!({"mode": "BestEffort"}))]);
    let read = |object| serde_json::from_value::<MCPServer>(object).map(|server| server.spec.sealing.mode);
    assert_eq!(read(server()).unwrap(), SealingMode::Required);
    for mode in [json!("Off"), json!(null), json!("besteffort")] {
        read(with(server(), "/spec/sealing", json!({"mode": mode}))).unwrap_err();
    }
}
