//! Finished records as OpenTelemetry: the request's span, a log record, and metrics.
//!
//! Names come from `tollward_telemetry::names`. Labels of metrics are bounded: reasons and methods are closed lists, and a
//! tool becomes a label only if rules or the server itself name it.

use super::limits::LimitMetrics;
use super::record::{Call, Caller, Record};
use super::sink::{AuditSink, SinkError};
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, Severity};
use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::logs::SdkLogger;
use tollward_policy::operation::Method;
use tollward_telemetry::Telemetry;
use tollward_telemetry::names::{attribute, event, metric, span, value};

/// Exports finished records.
pub struct OtelSink {
    logger: Option<SdkLogger>,
    operations: Histogram<f64>,
    decisions: Counter<u64>,
    limits: LimitMetrics,
    records: Counter<u64>,
}

impl OtelSink {
    /// Uses the process's telemetry.
    pub fn new(telemetry: &Telemetry) -> Self {
        let meter = telemetry.meter();
        Self {
            logger: telemetry.audit_logger(),
            operations: meter.f64_histogram(metric::MCP_SERVER_OPERATION_DURATION).with_unit("s").build(),
            decisions: meter.u64_counter(metric::TOLLWARD_DECISIONS).build(),
            limits: LimitMetrics::new(&meter),
            records: meter.u64_counter(metric::TOLLWARD_AUDIT_RECORDS).build(),
        }
    }

    fn measure(&self, record: &Record) {
        let mut labels = vec![
            KeyValue::new(attribute::TOLLWARD_DECISION, decision(record)),
            KeyValue::new(attribute::TOLLWARD_REASON, record.decision.reason.code()),
        ];
        if let Some(server) = &record.server {
            labels.push(KeyValue::new(attribute::TOLLWARD_SERVER, format!("{}/{}", server.namespace, server.name)));
        }
        self.decisions.add(1, &labels);
        self.records.add(1, &[]);
        self.limits.measure(&record.limits);
        if let (Some(call), Some(outcome)) = (&record.call, &record.outcome) {
            labels.push(KeyValue::new(attribute::MCP_METHOD_NAME, call.method.clone()));
            labels.push(KeyValue::new(attribute::MCP_PROTOCOL_VERSION, call.revision.clone()));
            if let Some(tool) = tool(record) {
                labels.push(KeyValue::new(attribute::GEN_AI_TOOL_NAME, tool.to_owned()));
            }
            labels.extend(error_type(record).map(|error| KeyValue::new(attribute::ERROR_TYPE, error)));
            self.operations.record(seconds(outcome.latency_micros), &labels);
        }
    }

    fn log(&self, record: &Record, context: &Context) {
        let Some(logger) = &self.logger else { return };
        let mut entry = logger.create_log_record();
        let current = context.span().span_context().clone();
        entry.set_event_name(event::AUDIT);
        entry.set_severity_number(if record.decision.allowed { Severity::Info } else { Severity::Warn });
        entry.set_trace_context(current.trace_id(), current.span_id(), Some(current.trace_flags()));
        if let Ok(body) = serde_json::to_string(record) {
            entry.set_body(AnyValue::from(body));
        }
        entry.add_attribute(attribute::TOLLWARD_AUDIT_ID, record.id.clone());
        entry.add_attribute(attribute::TOLLWARD_STREAM, record.stream.clone());
        entry.add_attribute(attribute::TOLLWARD_AUDIT_SEQ, i64::try_from(record.seq).unwrap_or(i64::MAX));
        for KeyValue { key, value, .. } in attributes(record) {
            entry.add_attribute(key, any(&value));
        }
        logger.emit(entry);
    }
}

impl AuditSink for OtelSink {
    fn open(&self, _intent: &Record) -> Result<(), SinkError> {
        Ok(())
    }

    fn close(&self, record: &Record, context: &Context) {
        self.measure(record);
        self.log(record, context);
        let own = context.span();
        if let Some(call) = &record.call {
            own.update_name(span::mcp(&call.method, tool(record)));
        }
        own.set_attributes(attributes(record));
        if let Some(error) = error_type(record) {
            own.set_attribute(KeyValue::new(attribute::ERROR_TYPE, error));
            own.set_status(Status::error(record.decision.reason.code()));
        }
        own.end();
    }
}

fn decision(record: &Record) -> &'static str {
    if record.decision.allowed { value::ALLOW } else { value::DENY }
}

/// The tool, if its name is not the caller's invention.
fn tool(record: &Record) -> Option<&str> {
    let call = record.call.as_ref()?;
    (call.method == Method::ToolsCall.as_str() && call.target_known).then_some(call.target.as_deref()).flatten()
}

/// The class of the failure: our own reason, the tool's own error, or the code of a JSON-RPC error.
fn error_type(record: &Record) -> Option<String> {
    let outcome = record.outcome.as_ref()?;
    if record.decision.reason != tollward_policy::reason::Reason::Allowed {
        return Some(record.decision.reason.code().to_owned());
    }
    if outcome.tool_error {
        return Some(value::TOOL_ERROR.to_owned());
    }
    // A server may answer with any number: only the registered ones are a bounded set.
    outcome.rpc_code.map(
        |code| {
            if (-32_768..=-32_000).contains(&code) { code.to_string() } else { value::OTHER.to_owned() }
        },
    )
}

/// Pairs that are there.
struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn text(&mut self, name: &'static str, text: &str) {
        self.0.push(KeyValue::new(name, text.to_owned()));
    }

    fn optional(&mut self, name: &'static str, text: Option<&str>) {
        self.0.extend(text.map(|text| KeyValue::new(name, text.to_owned())));
    }
}

fn attributes(record: &Record) -> Vec<KeyValue> {
    let mut list = Attributes(Vec::with_capacity(24));
    list.text(attribute::TOLLWARD_REQUEST_ID, &record.id);
    list.text(attribute::TOLLWARD_DECISION, decision(record));
    list.text(attribute::TOLLWARD_REASON, record.decision.reason.code());
    list.text(attribute::HTTP_REQUEST_METHOD, &record.http.method);
    list.text(attribute::URL_PATH, &record.http.path);
    list.text(attribute::CLIENT_ADDRESS, record.http.client.as_ref().unwrap_or(&record.http.peer));
    list.text(attribute::NETWORK_PEER_ADDRESS, &record.http.peer);
    list.optional(attribute::TOLLWARD_RULE, record.decision.rule.as_deref());
    list.optional(attribute::TOLLWARD_DENIED_BY, record.decision.denied_by.as_deref());
    list.optional(attribute::TOLLWARD_ADVICE, record.decision.advice.as_deref());
    list.optional(attribute::TOLLWARD_POLICY_DIGEST, record.decision.policy_digest.as_deref());
    if let Some(server) = &record.server {
        list.text(attribute::TOLLWARD_SERVER, &format!("{}/{}", server.namespace, server.name));
    }
    if let Some(Caller::Token { issuer, subject, client, token_id, bound_to, .. }) = &record.caller {
        list.text(attribute::TOLLWARD_PRINCIPAL_ISSUER, issuer);
        list.text(attribute::TOLLWARD_PRINCIPAL_SUBJECT, subject);
        list.optional(attribute::TOLLWARD_PRINCIPAL_CLIENT_ID, client.as_deref());
        list.optional(attribute::TOLLWARD_PRINCIPAL_TOKEN_ID, token_id.as_deref());
        let (key, certificate) =
            bound_to.as_ref().map(|bound| (bound.key.as_deref(), bound.certificate.as_deref())).unwrap_or_default();
        list.optional(attribute::TOLLWARD_PRINCIPAL_KEY, key);
        list.optional(attribute::TOLLWARD_PRINCIPAL_CERTIFICATE, certificate);
    }
    if let Some(call) = &record.call {
        describe_call(call, &mut list);
    }
    if let Some(shown) = &record.upstream_identity {
        list.text(attribute::TOLLWARD_UPSTREAM_IDENTITY, shown.kind);
        list.optional(attribute::TOLLWARD_UPSTREAM_TOKEN_ID, shown.token_id.as_deref());
    }
    if let Some(tunnel) = &record.tunnel {
        let (host, port) = tunnel.to.rsplit_once(':').unwrap_or((&tunnel.to, ""));
        list.text(attribute::SERVER_ADDRESS, host);
        list.optional(attribute::SERVER_PORT, (!port.is_empty()).then_some(port));
    }
    if let Some(outcome) = &record.outcome {
        let status = outcome.status.map(i64::from);
        list.0.extend(status.map(|status| KeyValue::new(attribute::HTTP_RESPONSE_STATUS_CODE, status)));
        list.optional(attribute::RPC_RESPONSE_STATUS_CODE, outcome.rpc_code.map(|code| code.to_string()).as_deref());
        list.0.push(KeyValue::new(attribute::TOLLWARD_LATENCY, seconds(outcome.latency_micros)));
    }
    list.0
}

fn describe_call(call: &Call, list: &mut Attributes) {
    let target = call.target.as_deref();
    list.text(attribute::MCP_METHOD_NAME, &call.method);
    list.text(attribute::MCP_PROTOCOL_VERSION, &call.revision);
    list.optional(attribute::JSONRPC_REQUEST_ID, call.request_id.as_deref());
    if call.method == Method::ToolsCall.as_str() {
        list.optional(attribute::GEN_AI_TOOL_NAME, target);
        list.text(attribute::GEN_AI_OPERATION_NAME, value::EXECUTE_TOOL);
    } else if call.method == Method::PromptsGet.as_str() {
        list.optional(attribute::GEN_AI_PROMPT_NAME, target);
    } else if call.method.starts_with("resources/") {
        list.optional(attribute::MCP_RESOURCE_URI, target);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a latency of more than 2^52 microseconds is 142 years")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

fn any(value: &opentelemetry::Value) -> AnyValue {
    if let opentelemetry::Value::I64(number) = value {
        AnyValue::Int(*number)
    } else if let opentelemetry::Value::F64(number) = value {
        AnyValue::Double(*number)
    } else {
        AnyValue::String(value.as_str().into_owned().into())
    }
}
