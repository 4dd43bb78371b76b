//! What a collector wrote, in the JSON form of OTLP: spans, log records and points of metrics, each with what it was
//! grouped under.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Names and values of attributes.
pub type Attributes = BTreeMap<String, Value>;

/// Everything that arrived.
#[derive(Debug, Default)]
pub struct Received {
    /// Spans.
    pub spans: Vec<Span>,
    /// Audit records.
    pub audit: Vec<Entry>,
    /// The diagnostic log.
    pub logs: Vec<Entry>,
    /// Points of metrics, each export with all of them again.
    pub points: Vec<Point>,
    /// All files as they are.
    pub text: String,
}

/// What a signal was grouped under.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Attributes of the resource.
    pub resource: Attributes,
    /// Name of the instrumentation scope.
    pub scope: String,
}

/// A span.
#[derive(Debug, Clone)]
pub struct Span {
    /// Where it comes from.
    pub origin: Origin,
    /// Its name.
    pub name: String,
    /// Its trace.
    pub trace: String,
    /// Its own id.
    pub id: String,
    /// Its parent's id; empty if it has none.
    pub parent: String,
    /// 1 internal, 2 server, 3 client.
    pub kind: u64,
    /// 0 unset, 1 ok, 2 error.
    pub status: u64,
    /// Its attributes.
    pub attributes: Attributes,
}

/// A log record.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where it comes from.
    pub origin: Origin,
    /// Name of the event.
    pub event: String,
    /// Trace that it belongs to; empty if none.
    pub trace: String,
    /// Span that it belongs to; empty if none.
    pub span: String,
    /// 9 information, 13 warning, 17 error.
    pub severity: u64,
    /// Its body as text.
    pub body: String,
    /// Its attributes.
    pub attributes: Attributes,
}

/// A point of a metric.
#[derive(Debug, Clone)]
pub struct Point {
    /// Where it comes from.
    pub origin: Origin,
    /// Name of the metric.
    pub metric: String,
    /// Its unit; empty if none.
    pub unit: String,
    /// `sum`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels.
    pub attributes: Attributes,
    /// The sum, the value, or how often a histogram was recorded to.
    pub value: u64,
}

impl Received {
    /// Reads the files of a folder. A line that is being written, or was cut by a crash, is left out of all but the text.
    pub(super) fn read(folder: &Path) -> Self {
        let mut received = Self::default();
        for signal in ["traces", "audit", "logs", "metrics"] {
            let text = std::fs::read_to_string(folder.join(format!("{signal}.jsonl"))).unwrap_or_default();
            for line in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
                match signal {
                    "traces" => received.spans.extend(scoped(&line, ["resourceSpans", "scopeSpans", "spans"], span)),
                    "audit" => received.audit.extend(scoped(&line, LOGS, entry)),
                    "logs" => received.logs.extend(scoped(&line, LOGS, entry)),
                    _ => received.points.extend(
                        scoped(&line, ["resourceMetrics", "scopeMetrics", "metrics"], points).into_iter().flatten(),
                    ),
                }
            }
            received.text.push_str(&text);
        }
        received
    }

    /// The span of a request, by the id that its answer or record names.
    pub fn span_of(&self, request: &str) -> Option<&Span> {
        self.spans.iter().find(|span| text(&span.attributes, "tollward.request.id") == request)
    }

    /// The audit record of a request.
    pub fn record_of(&self, request: &str) -> Option<&Entry> {
        self.audit.iter().find(|entry| text(&entry.attributes, "tollward.request.id") == request)
    }

    /// The highest value of a metric's points that have these labels: counters only grow.
    pub fn highest(&self, metric: &str, labels: &[(&str, &str)]) -> Option<u64> {
        let points = self.points.iter().filter(|point| point.metric == metric);
        let labelled = |point: &&Point| labels.iter().all(|(name, value)| text(&point.attributes, name) == *value);
        points.filter(labelled).map(|point| point.value).max()
    }

    /// Distinct numbers of audit records.
    pub fn numbers(&self) -> BTreeSet<u64> {
        self.audit.iter().filter_map(|entry| number(entry.attributes.get("tollward.audit.seq")?)).collect()
    }
}

/// An attribute as text; empty if it is not there or no text.
pub fn text<'a>(attributes: &'a Attributes, name: &str) -> &'a str {
    attributes.get(name).and_then(Value::as_str).unwrap_or_default()
}

const LOGS: [&str; 3] = ["resourceLogs", "scopeLogs", "logRecords"];

/// Every item of a line, with its origin.
fn scoped<T>(line: &Value, [resources, scopes, items]: [&str; 3], read: fn(&Origin, &Value) -> T) -> Vec<T> {
    let mut found = Vec::new();
    for resource in list(line, resources) {
        for scope in list(resource, scopes) {
            let origin = Origin {
                resource: attributes(resource.pointer("/resource/attributes")),
                scope: string(scope, "/scope/name"),
            };
            found.extend(list(scope, items).iter().map(|item| read(&origin, item)));
        }
    }
    found
}

fn span(origin: &Origin, item: &Value) -> Span {
    Span {
        origin: origin.clone(),
        name: string(item, "/name"),
        trace: string(item, "/traceId"),
        id: string(item, "/spanId"),
        parent: string(item, "/parentSpanId"),
        kind: item.get("kind").and_then(number).unwrap_or_default(),
        status: item.pointer("/status/code").and_then(number).unwrap_or_default(),
        attributes: attributes(item.get("attributes")),
    }
}

fn entry(origin: &Origin, item: &Value) -> Entry {
    Entry {
        origin: origin.clone(),
        event: string(item, "/eventName"),
        trace: string(item, "/traceId"),
        span: string(item, "/spanId"),
        severity: item.get("severityNumber").and_then(number).unwrap_or_default(),
        body: string(item, "/body/stringValue"),
        attributes: attributes(item.get("attributes")),
    }
}

fn points(origin: &Origin, item: &Value) -> Vec<Point> {
    let (metric, unit) = (string(item, "/name"), string(item, "/unit"));
    let mut found = Vec::new();
    for (kind, member) in [("sum", "asInt"), ("gauge", "asInt"), ("histogram", "count")] {
        let Some(data) = item.get(kind) else { continue };
        found.extend(list(data, "dataPoints").iter().map(|point| Point {
            origin: origin.clone(),
            metric: metric.clone(),
            unit: unit.clone(),
            kind,
            attributes: attributes(point.get("attributes")),
            value: point.get(member).and_then(number).unwrap_or_default(),
        }));
    }
    found
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn string(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A whole number, which OTLP's JSON writes as text where it may have 64 bits.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn attributes(list: Option<&Value>) -> Attributes {
    let pairs = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    pairs.iter().map(|pair| (string(pair, "/key"), plain(pair.get("value")))).collect()
}

/// A value without the wrapper that names its type.
fn plain(value: Option<&Value>) -> Value {
    let Some(Value::Object(wrapper)) = value else { return Value::Null };
    let Some((kind, inner)) = wrapper.iter().next() else { return Value::Null };
    if kind == "intValue" { number(inner).map_or_else(|| inner.clone(), Value::from) } else { inner.clone() }
}
