//! Every span, attribute, metric and event name that Tollward emits, each under the convention it comes from.
//!
//! Names are an interface: dashboards, alerts and auditors' queries are written against them. They stand in one file so
//! that a rename is one visible line, and so that nobody invents a second name for the same thing. The crate
//! `opentelemetry-semantic-conventions` is not used: the MCP and `gen_ai` names left it for the repository
//! `open-telemetry/semantic-conventions-genai`, and a dozen stable HTTP names do not justify a dependency.
//!
//! This file holds names only. It must not hold values that come from a request: what may become a metric label, and
//! with which cardinality, is decided where the label is recorded.

/// Names of attributes, on spans, metrics, log records and the resource.
pub mod attribute {
    // MCP conventions, Development stability: semantic-conventions-genai, `docs/gen-ai/mcp.md`.

    /// JSON-RPC method, such as `tools/call`. Required on every MCP span.
    pub const MCP_METHOD_NAME: &str = "mcp.method.name";
    /// Revision of the protocol, such as `2026-07-28`.
    pub const MCP_PROTOCOL_VERSION: &str = "mcp.protocol.version";
    /// Session of the legacy era. Never set for revision 2026-07-28 and later, never a metric label.
    pub const MCP_SESSION_ID: &str = "mcp.session.id";
    /// URI of the resource a request names. Never part of a span name; on metrics opt-in only.
    pub const MCP_RESOURCE_URI: &str = "mcp.resource.uri";
    /// `execute_tool` for tool calls, otherwise absent.
    pub const GEN_AI_OPERATION_NAME: &str = "gen_ai.operation.name";
    /// Name of the tool; on metrics only when the tool is known, else [`super::value::OTHER`].
    pub const GEN_AI_TOOL_NAME: &str = "gen_ai.tool.name";
    /// Arguments of a tool call as JSON. Sensitive: only what `audit.arguments` left over.
    pub const GEN_AI_TOOL_CALL_ARGUMENTS: &str = "gen_ai.tool.call.arguments";
    /// Result of a tool call as JSON. Sensitive: opt-in.
    pub const GEN_AI_TOOL_CALL_RESULT: &str = "gen_ai.tool.call.result";
    /// Name of the prompt.
    pub const GEN_AI_PROMPT_NAME: &str = "gen_ai.prompt.name";
    /// JSON-RPC `id` as a string; absent on notifications.
    pub const JSONRPC_REQUEST_ID: &str = "jsonrpc.request.id";
    /// JSON-RPC version, only when it is not `2.0`.
    pub const JSONRPC_PROTOCOL_VERSION: &str = "jsonrpc.protocol.version";
    /// JSON-RPC error code as a string, when the answer is an error.
    pub const RPC_RESPONSE_STATUS_CODE: &str = "rpc.response.status_code";

    // General, HTTP, network, client and server conventions, stable: semantic-conventions, `docs/registry/attributes`.

    /// Class of the failure: a JSON-RPC code, [`super::value::TOOL_ERROR`], a `Reason`, or [`super::value::OTHER`].
    pub const ERROR_TYPE: &str = "error.type";
    /// HTTP method; one the server does not know becomes `_OTHER`.
    pub const HTTP_REQUEST_METHOD: &str = "http.request.method";
    /// HTTP status, as an integer.
    pub const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
    /// Matched route template, never the raw path.
    pub const HTTP_ROUTE: &str = "http.route";
    /// Size of the request's body, in bytes.
    pub const HTTP_REQUEST_BODY_SIZE: &str = "http.request.body.size";
    /// Size of the response's body, in bytes.
    pub const HTTP_RESPONSE_BODY_SIZE: &str = "http.response.body.size";
    /// `http` or `https`.
    pub const URL_SCHEME: &str = "url.scheme";
    /// Path of the URL, without query: queries may hold what must not be recorded.
    pub const URL_PATH: &str = "url.path";
    /// `User-Agent` of the caller, truncated.
    pub const USER_AGENT_ORIGINAL: &str = "user_agent.original";
    /// `http`.
    pub const NETWORK_PROTOCOL_NAME: &str = "network.protocol.name";
    /// `1.1` or `2`.
    pub const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";
    /// `tcp`, or `unix` towards the stdio bridge.
    pub const NETWORK_TRANSPORT: &str = "network.transport";
    /// Address of the connection's peer, which may be a proxy.
    pub const NETWORK_PEER_ADDRESS: &str = "network.peer.address";
    /// Port of the connection's peer.
    pub const NETWORK_PEER_PORT: &str = "network.peer.port";
    /// Address of the caller: from trusted proxies' headers, else the peer's.
    pub const CLIENT_ADDRESS: &str = "client.address";
    /// Port of the caller.
    pub const CLIENT_PORT: &str = "client.port";
    /// `transmit` towards the outside, or `receive`.
    pub const NETWORK_IO_DIRECTION: &str = "network.io.direction";
    /// Host that a client span dials.
    pub const SERVER_ADDRESS: &str = "server.address";
    /// Port that a client span dials.
    pub const SERVER_PORT: &str = "server.port";

    // Resource conventions, stable: `docs/resource`.

    /// Name of the service: `OTEL_SERVICE_NAME`, else the component's own.
    pub const SERVICE_NAME: &str = "service.name";
    /// Version of the component.
    pub const SERVICE_VERSION: &str = "service.version";
    /// Group of the service; the Kubernetes namespace unless set otherwise.
    pub const SERVICE_NAMESPACE: &str = "service.namespace";
    /// One instance: the pod's uid or name.
    pub const SERVICE_INSTANCE_ID: &str = "service.instance.id";

    // Kubernetes conventions: `docs/registry/attributes/k8s.md`. The chart sets them by the downward API through
    // `OTEL_RESOURCE_ATTRIBUTES`; the operator sets some on its own spans.

    /// Namespace of the object.
    pub const K8S_NAMESPACE_NAME: &str = "k8s.namespace.name";
    /// Name of the pod.
    pub const K8S_POD_NAME: &str = "k8s.pod.name";
    /// UID of the pod.
    pub const K8S_POD_UID: &str = "k8s.pod.uid";
    /// Name of the node.
    pub const K8S_NODE_NAME: &str = "k8s.node.name";
    /// Name of the container.
    pub const K8S_CONTAINER_NAME: &str = "k8s.container.name";
    /// Name of the Deployment.
    pub const K8S_DEPLOYMENT_NAME: &str = "k8s.deployment.name";

    // Tollward's own. No convention exists for authorization decisions, rate limits and audit.

    /// `allow` or `deny`.
    pub const TOLLWARD_DECISION: &str = "tollward.decision";
    /// `Reason` of the decision, from the closed list in the policy crate.
    pub const TOLLWARD_REASON: &str = "tollward.reason";
    /// Name of the rule that decided.
    pub const TOLLWARD_RULE: &str = "tollward.rule";
    /// Entry of an identity provider's deny list that kept the caller out.
    pub const TOLLWARD_DENIED_BY: &str = "tollward.denied_by";
    /// What to change at the identity provider, where a refused token shows it.
    pub const TOLLWARD_ADVICE: &str = "tollward.advice";
    /// Digest of the programmed policy.
    pub const TOLLWARD_POLICY_DIGEST: &str = "tollward.policy.digest";
    /// Name of the `MCPServer`.
    pub const TOLLWARD_SERVER: &str = "tollward.server";
    /// Route of a gateway that carries many servers.
    pub const TOLLWARD_ROUTE: &str = "tollward.route";
    /// Identifier of the request; also in the answer's `data`.
    pub const TOLLWARD_REQUEST_ID: &str = "tollward.request.id";
    /// Scopes that a refused call would have needed.
    pub const TOLLWARD_REQUIRED_SCOPES: &str = "tollward.scopes.required";
    /// Scopes that the token grants and Tollward knows.
    pub const TOLLWARD_GRANTED_SCOPES: &str = "tollward.scopes.granted";
    /// Identifier of the audit record.
    pub const TOLLWARD_AUDIT_ID: &str = "tollward.audit.id";
    /// Position of the record in its stream; gaps show loss.
    pub const TOLLWARD_AUDIT_SEQ: &str = "tollward.audit.seq";
    /// Chain of records of one spool.
    pub const TOLLWARD_STREAM: &str = "tollward.stream";
    /// Hash over the record and its predecessor.
    pub const TOLLWARD_AUDIT_HASH: &str = "tollward.audit.hash";
    /// `completed`, `denied`, `interrupted`, ...: how the request ended.
    pub const TOLLWARD_OUTCOME: &str = "tollward.outcome";
    /// Seconds from the first byte in to the last byte out.
    pub const TOLLWARD_LATENCY: &str = "tollward.latency";
    /// Where an audit record was to go: `otlp` or `stdout`.
    pub const TOLLWARD_AUDIT_SINK: &str = "tollward.audit.sink";
    /// `traces` or `logs`, of telemetry about telemetry.
    pub const TOLLWARD_TELEMETRY_SIGNAL: &str = "tollward.telemetry.signal";
    /// Whether a tool's result says `isError: true`.
    pub const TOLLWARD_TOOL_ERROR: &str = "tollward.tool.error";
    /// `iss` of the caller's token.
    pub const TOLLWARD_PRINCIPAL_ISSUER: &str = "tollward.principal.issuer";
    /// `sub` of the caller's token. Personal data: never a metric label.
    pub const TOLLWARD_PRINCIPAL_SUBJECT: &str = "tollward.principal.subject";
    /// OAuth client that acts.
    pub const TOLLWARD_PRINCIPAL_CLIENT_ID: &str = "tollward.principal.client_id";
    /// `jti` or `uti`, which joins the identity provider's own log. Never the token.
    pub const TOLLWARD_PRINCIPAL_TOKEN_ID: &str = "tollward.principal.token_id";
    /// Thumbprint of the key that the caller proved by DPoP, if its token is bound to one.
    pub const TOLLWARD_PRINCIPAL_KEY: &str = "tollward.principal.key";
    /// Thumbprint of the caller's client certificate, if its token is bound to one.
    pub const TOLLWARD_PRINCIPAL_CERTIFICATE: &str = "tollward.principal.certificate";
    /// `act` claims, outermost first.
    pub const TOLLWARD_PRINCIPAL_DELEGATION: &str = "tollward.principal.delegation";
    /// `sid` of the identity provider's session.
    pub const TOLLWARD_PRINCIPAL_SESSION: &str = "tollward.principal.sid";
    /// `auth_time`, seconds since the epoch.
    pub const TOLLWARD_PRINCIPAL_AUTH_TIME: &str = "tollward.principal.auth_time";
    /// `acr`.
    pub const TOLLWARD_PRINCIPAL_ACR: &str = "tollward.principal.acr";
    /// Tenant of the token.
    pub const TOLLWARD_PRINCIPAL_TENANT: &str = "tollward.principal.tenant";
    /// Claims that `audit` keeps, as a map.
    pub const TOLLWARD_PRINCIPAL_CLAIMS: &str = "tollward.principal.claims";
    /// What the MCP server was shown: `signed_assertion`, `exchanged_token` or `shared_credential`.
    pub const TOLLWARD_UPSTREAM_IDENTITY: &str = "tollward.upstream.identity";
    /// `jti` of what it was shown. Never the token.
    pub const TOLLWARD_UPSTREAM_TOKEN_ID: &str = "tollward.upstream.token_id";
    /// Every limit that a call was charged to, as a list of maps.
    pub const TOLLWARD_RATELIMIT_LIMITS: &str = "tollward.ratelimit.limits";
    /// Name of the limit.
    pub const TOLLWARD_RATELIMIT_NAME: &str = "tollward.ratelimit.name";
    /// Name of the `RateLimitPolicy`.
    pub const TOLLWARD_RATELIMIT_POLICY: &str = "tollward.ratelimit.policy";
    /// Tier that the caller is in.
    pub const TOLLWARD_RATELIMIT_TIER: &str = "tollward.ratelimit.tier";
    /// Units charged for the call.
    pub const TOLLWARD_RATELIMIT_COST: &str = "tollward.ratelimit.cost";
    /// Units of a whole window.
    pub const TOLLWARD_RATELIMIT_LIMIT: &str = "tollward.ratelimit.limit";
    /// Units left.
    pub const TOLLWARD_RATELIMIT_REMAINING: &str = "tollward.ratelimit.remaining";
    /// Seconds until the window is full again.
    pub const TOLLWARD_RATELIMIT_RESET: &str = "tollward.ratelimit.reset";
    /// What the policy made of a call that its store did not count: `local`, `deny` or `allow`.
    pub const TOLLWARD_RATELIMIT_ON_STORE_FAILURE: &str = "tollward.ratelimit.on_store_failure";
    /// Where the count is kept: `local` or `redis`.
    pub const TOLLWARD_RATELIMIT_STORE: &str = "tollward.ratelimit.store";
    /// Kind of a Kubernetes object that the operator works on.
    pub const TOLLWARD_RESOURCE_KIND: &str = "tollward.resource.kind";
    /// Name of a Kubernetes object, on spans only.
    pub const TOLLWARD_RESOURCE_NAME: &str = "tollward.resource.name";
    /// `ok` or `error`, of a reconciliation, a reload, a fetch.
    pub const TOLLWARD_RESULT: &str = "tollward.result";
    /// Component that emits: `sidecar`, `relay`, `gateway`, `egress`, `operator`, `broker`.
    pub const TOLLWARD_ROLE: &str = "tollward.role";
    /// Authentication mode of a server, so that `None` shows on a dashboard.
    pub const TOLLWARD_AUTH_MODE: &str = "tollward.auth.mode";
}

/// Values that stand for a class, so that they too are spelled once.
pub mod value {
    /// Anything outside the known set: the cardinality cap of conventions and of ours.
    pub const OTHER: &str = "_OTHER";
    /// `error.type` of a tool result with `isError: true` (MCP conventions).
    pub const TOOL_ERROR: &str = "tool_error";
    /// `gen_ai.operation.name` of a tool call (generative AI conventions).
    pub const EXECUTE_TOOL: &str = "execute_tool";
    /// `tollward.decision` of a call that went upstream.
    pub const ALLOW: &str = "allow";
    /// `tollward.decision` of a refused call.
    pub const DENY: &str = "deny";
    /// `error.type` of a loss: too much waited already.
    pub const QUEUE_FULL: &str = "queue_full";
    /// `error.type` of a loss: the collector was away or refused for longer than an export may take.
    pub const NOT_EXPORTED: &str = "not_exported";
    /// `tollward.audit.sink` of the collector.
    pub const OTLP: &str = "otlp";
    /// `tollward.audit.sink` of the lines on standard output.
    pub const STDOUT: &str = "stdout";
    /// `network.io.direction` towards the outside.
    pub const TRANSMIT: &str = "transmit";
    /// `network.io.direction` from the outside.
    pub const RECEIVE: &str = "receive";
    /// `tollward.telemetry.signal` of spans.
    pub const TRACES: &str = "traces";
    /// `tollward.telemetry.signal` of the diagnostic log.
    pub const LOGS: &str = "logs";
}

/// Names of spans that are not composed from the method.
pub mod span {
    /// A request that was refused before its method was known.
    pub const UNPARSED_REQUEST: &str = "mcp request";
    /// Fetch of keys, discovery documents and client metadata.
    pub const FETCH: &str = "tollward fetch";
    /// One pass of the operator over one object.
    pub const RECONCILE: &str = "tollward reconcile";
    /// Exchange of the caller's token for one of the upstream's.
    pub const TOKEN_EXCHANGE: &str = "tollward token exchange";

    /// Name of an MCP span: the method, and the tool or prompt **only when the caller passes a known one**. A resource
    /// URI never becomes part of it (MCP conventions, "Span name").
    pub fn mcp(method: &str, known_target: Option<&str>) -> String {
        known_target.map_or_else(|| method.to_owned(), |target| format!("{method} {target}"))
    }
}

/// Names of metrics. The Prometheus reader writes dots as underscores and appends unit and `_total`:
/// `mcp.server.operation.duration` in seconds becomes `mcp_server_operation_duration_seconds`.
pub mod metric {
    // MCP conventions: histograms in seconds.

    /// Time to answer one JSON-RPC request, as the caller sees it.
    pub const MCP_SERVER_OPERATION_DURATION: &str = "mcp.server.operation.duration";
    /// Time that the MCP server behind Tollward took.
    pub const MCP_CLIENT_OPERATION_DURATION: &str = "mcp.client.operation.duration";
    /// Life of a legacy session.
    pub const MCP_SERVER_SESSION_DURATION: &str = "mcp.server.session.duration";
    /// Life of a legacy session, towards the server.
    pub const MCP_CLIENT_SESSION_DURATION: &str = "mcp.client.session.duration";

    // HTTP conventions.

    /// Histogram in seconds.
    pub const HTTP_SERVER_REQUEST_DURATION: &str = "http.server.request.duration";
    /// Up-down counter.
    pub const HTTP_SERVER_ACTIVE_REQUESTS: &str = "http.server.active_requests";
    /// Histogram in seconds.
    pub const HTTP_CLIENT_REQUEST_DURATION: &str = "http.client.request.duration";

    // Tollward's own.

    /// Counter of decisions, by decision and reason.
    pub const TOLLWARD_DECISIONS: &str = "tollward.decisions";
    /// Histogram in seconds: time added by Tollward itself, upstream and streaming excluded.
    pub const TOLLWARD_OVERHEAD_DURATION: &str = "tollward.overhead.duration";
    /// Counter of what limits were charged, in requests as they count them, by limit and tier.
    pub const TOLLWARD_RATELIMIT_CHARGES: &str = "tollward.ratelimit.charges";
    /// Histogram of the part of the burst that a call left its caller, from 0 to 1, by limit and tier.
    pub const TOLLWARD_RATELIMIT_HEADROOM: &str = "tollward.ratelimit.headroom";
    /// Counter of calls refused by a limit, by limit and tier.
    pub const TOLLWARD_RATELIMIT_REJECTIONS: &str = "tollward.ratelimit.rejections";
    /// Gauge of keys that a limiter holds.
    pub const TOLLWARD_RATELIMIT_KEYS: &str = "tollward.ratelimit.keys";
    /// Histogram in seconds: one question to the shared store, as far as it was answered.
    pub const TOLLWARD_RATELIMIT_STORE_DURATION: &str = "tollward.ratelimit.store.duration";
    /// Counter of calls that the shared store did not count, by what the policy made of them.
    pub const TOLLWARD_RATELIMIT_STORE_FALLBACKS: &str = "tollward.ratelimit.store.fallbacks";
    /// Gauge: 1 while the shared store counts, 0 while it does not.
    pub const TOLLWARD_RATELIMIT_STORE_UP: &str = "tollward.ratelimit.store.up";
    /// Counter of failures of the shared store.
    pub const TOLLWARD_RATELIMIT_STORE_FAILURES: &str = "tollward.ratelimit.store.failures";
    /// Counter of token cache probes, by result.
    pub const TOLLWARD_TOKEN_CACHE_LOOKUPS: &str = "tollward.token_cache.lookups";
    /// Counter of fetches of keys, by result.
    pub const TOLLWARD_KEYS_FETCHES: &str = "tollward.keys.fetches";
    /// Counter of written audit records.
    pub const TOLLWARD_AUDIT_RECORDS: &str = "tollward.audit.records";
    /// Counter of audit records given up, by sink and why.
    pub const TOLLWARD_AUDIT_DROPPED: &str = "tollward.audit.dropped";
    /// Counter of spans and log lines that did not reach the collector, by signal and why.
    pub const TOLLWARD_TELEMETRY_DROPPED: &str = "tollward.telemetry.dropped";
    /// Gauge of the spool, in bytes.
    pub const TOLLWARD_AUDIT_SPOOL_SIZE: &str = "tollward.audit.spool.size";
    /// Gauge of records that wait for the collector.
    pub const TOLLWARD_AUDIT_BACKLOG: &str = "tollward.audit.backlog";
    /// Gauge of open streams.
    pub const TOLLWARD_STREAMS_ACTIVE: &str = "tollward.streams.active";
    /// Histogram in seconds, with the long MCP buckets: life of a stream, which would spoil the operation histogram.
    pub const TOLLWARD_STREAM_DURATION: &str = "tollward.stream.duration";
    /// Counter of configuration reloads, by result.
    pub const TOLLWARD_CONFIG_RELOADS: &str = "tollward.config.reloads";
    /// Gauge with the constant 1 and the digest and authentication mode as attributes.
    pub const TOLLWARD_CONFIG_INFO: &str = "tollward.config.info";
    /// Gauge: 1 sealed, 0 not.
    pub const TOLLWARD_SEALED: &str = "tollward.sealed";
    /// Histogram in seconds: one pass of the operator, by kind and result.
    pub const TOLLWARD_RECONCILE_DURATION: &str = "tollward.reconcile.duration";
    /// Up-down counter of open tunnels of MCP servers to the outside.
    pub const TOLLWARD_EGRESS_TUNNELS: &str = "tollward.egress.tunnels";
    /// Counter in bytes: what went through tunnels, by direction.
    pub const TOLLWARD_EGRESS_IO: &str = "tollward.egress.io";
    /// Counter of consents, by result.
    pub const TOLLWARD_BROKER_CONSENTS: &str = "tollward.broker.consents";
    /// Counter of issued tokens, by grant type and result.
    pub const TOLLWARD_BROKER_TOKENS: &str = "tollward.broker.tokens";
}

/// Event names of log records.
pub mod event {
    /// The one record that ends every request.
    pub const AUDIT: &str = "tollward.audit";
    /// A signed statement about the head of an audit chain.
    pub const AUDIT_CHECKPOINT: &str = "tollward.audit.checkpoint";
}

/// Instrumentation scopes: who emitted.
pub mod scope {
    /// Spans and metrics.
    pub const TOLLWARD: &str = "dev.tollward";
    /// Audit records, so that a collector can route them by scope to storage of their own.
    pub const AUDIT: &str = "dev.tollward.audit";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    fn constants() -> Vec<&'static str> {
        include_str!("names.rs")
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub const "))
            .filter_map(|line| line.split('"').nth(1))
            .collect()
    }

    #[test]
    fn no_name_is_written_twice() {
        let names = constants();
        assert!(names.len() > 80);
        let unique: BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "a name stands under two constants");
    }

    #[test]
    fn names_are_lower_case_words_and_dots_as_the_conventions_ask() {
        for name in constants() {
            let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._ ".contains(&b));
            assert!(plain || name == super::value::OTHER, "{name}");
        }
    }

    #[test]
    fn a_span_is_named_after_a_target_only_if_it_is_known() {
        assert_eq!(super::span::mcp("tools/call", Some("get_weather")), "tools/call get_weather");
        assert_eq!(super::span::mcp("tools/call", None), "tools/call");
    }
}
