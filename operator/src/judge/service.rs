//! Whether a Service leads to Pods of its namespace and nowhere else. Pure.
//!
//! A Service without selector, of type `ExternalName`, or with hand-made endpoints leads wherever its author likes, for
//! instance to another tenant's pods or to the cluster's own services.

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt as _;
use kube::core::DynamicObject;
use serde_json::Value;
use tollward_api::condition::{ConditionReason, ConditionType};
use tollward_api::mcpserver::ServiceSource;
use tollward_desired::{Finding, Subject};

/// Judges the Service that a server stands in front of.
pub(super) fn judge(
    source: &ServiceSource,
    service: Option<&DynamicObject>,
    slices: &[&EndpointSlice],
) -> Vec<Finding> {
    let name = &source.name;
    let Some(service) = service else {
        let message = format!("spec.source.service: Service `{name}` does not exist in this namespace");
        return vec![finding(ConditionReason::TargetNotFound, message)];
    };
    let spec = service.data.get("spec").unwrap_or(&Value::Null);
    let mut findings = Vec::new();
    if spec.get("type").and_then(Value::as_str) == Some("ExternalName") {
        let message = format!(
            "spec.source.service: Service `{name}` is of type ExternalName, which leads anywhere; name one that selects Pods"
        );
        findings.push(finding(ConditionReason::Invalid, message));
    } else if spec.get("selector").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty) {
        let message = format!(
            "spec.source.service: Service `{name}` has no selector, so that its endpoints may be anywhere; give it one"
        );
        findings.push(finding(ConditionReason::Invalid, message));
    }
    let ports = spec.get("ports").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !ports.iter().any(|port| port.get("port").and_then(Value::as_i64) == Some(i64::from(source.port))) {
        let message = format!("spec.source.service: Service `{name}` has no port {}", source.port);
        findings.push(finding(ConditionReason::TargetNotFound, message));
    }
    let home = service.namespace().unwrap_or_default();
    findings.extend(slices.iter().filter(|slice| leads_elsewhere(slice, &home)).map(|slice| {
        let message = format!(
            "spec.source.service: EndpointSlice `{}` of Service `{name}` leads to something that is no Pod of this \
             namespace; remove it",
            slice.name_any()
        );
        finding(ConditionReason::Invalid, message)
    }));
    findings
}

fn leads_elsewhere(slice: &EndpointSlice, home: &str) -> bool {
    slice.endpoints.iter().flatten().any(|endpoint| {
        !endpoint
            .target_ref
            .as_ref()
            .is_some_and(|target| target.kind.as_deref() == Some("Pod") && target.namespace.as_deref() == Some(home))
    })
}

fn finding(reason: ConditionReason, message: String) -> Finding {
    Finding { subject: Subject::Server, condition: ConditionType::ResolvedRefs, reason, message }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use k8s_openapi::api::discovery::v1::EndpointSlice;
    use kube::core::DynamicObject;
    use serde_json::{Value, json};
    use tollward_api::mcpserver::ServiceSource;

    fn source() -> ServiceSource {
        ServiceSource { name: "legacy".into(), port: 8080, path: "/mcp".into() }
    }

    fn service(spec: &Value) -> DynamicObject {
        let json = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "legacy", "namespace": "shop"}, "spec": spec});
        serde_json::from_value(json).unwrap()
    }

    fn slice(target: &Value) -> EndpointSlice {
        let json = json!({"metadata": {"name": "legacy-x", "namespace": "shop"}, "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.0.0.1"], "targetRef": target}]});
        serde_json::from_value(json).unwrap()
    }

    fn messages(spec: &Value, slices: &[&EndpointSlice]) -> Vec<String> {
        let found = judge(&source(), Some(&service(spec)), slices);
        found.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_service_that_selects_pods_is_fine() {
        let spec = json!({"selector": {"app": "a"}, "ports": [{"port": 8080}]});
        let pod = slice(&json!({"kind": "Pod", "namespace": "shop", "name": "a"}));
        assert_eq!(messages(&spec, &[&pod]), Vec::<String>::new());
    }

    #[test]
    fn a_service_that_leads_elsewhere_is_refused_with_advice() {
        let ports = json!([{"port": 8080}]);
        for (spec, expected) in [
            (json!({"type": "ExternalName", "externalName": "localhost", "ports": ports}), "ExternalName"),
            (json!({"ports": ports}), "no selector"),
            (json!({"selector": {}, "ports": ports}), "no selector"),
            (json!({"selector": {"app": "a"}, "ports": [{"port": 80}]}), "no port 8080"),
        ] {
            let found = messages(&spec, &[]);
            assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
        }
        assert!(judge(&source(), None, &[])[0].message.contains("does not exist"));
    }

    #[test]
    fn hand_made_endpoints_are_refused() {
        let spec = json!({"selector": {"app": "a"}, "ports": [{"port": 8080}]});
        for target in [
            Value::Null,
            json!({"kind": "Node", "name": "a"}),
            json!({"kind": "Pod", "namespace": "other", "name": "a"}),
            json!({"kind": "Pod", "name": "a"}),
        ] {
            let found = messages(&spec, &[&slice(&target)]);
            assert!(found.len() == 1 && found[0].contains("legacy-x"), "{target}: {found:?}");
        }
    }
}
