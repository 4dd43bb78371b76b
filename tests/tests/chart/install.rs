//! The install file that the chart writes is one that the operator reads.

use serde_json::{Map, Value};
use tollward_desired::InstallSettings;

use super::helm::{self, NAMESPACE};

fn file(settings: &[&str]) -> Map<String, Value> {
    let objects = helm::render(settings);
    let map = helm::find(&objects, "ConfigMap", "tollward-install");
    let text = map.value["data"]["install.yaml"].as_str().expect("a text");
    serde_saphyr::from_str(text).expect("the install file is YAML")
}

fn settings(mut file: Map<String, Value>) -> InstallSettings {
    // The operator's own, beside the settings of the data plane.
    file.remove("watchNamespaces").expect("the namespaces are always written");
    serde_json::from_value(Value::Object(file)).expect("the operator takes the file, and nothing is left out")
}

#[test]
fn the_default_values_are_a_plain_installation() {
    let image = format!("ghcr.io/tollward/tollward-sidecar:{}", env!("CARGO_PKG_VERSION"));
    let mut expected = InstallSettings::plain(image, NAMESPACE);
    expected.environment.insert("TOLLWARD_LOG".into(), "info".into());
    expected.environment.insert("TOLLWARD_LOG_FORMAT".into(), "json".into());
    assert_eq!(settings(file(&[])), expected);
}

#[test]
fn every_setting_reaches_the_file() {
    let file = file(&[
        r#"watchNamespaces=["shop"]"#,
        r#"dial={"allow":[{"cidr":"10.96.0.0/12","scheme":"http"}],"deny":["2001:db8::/32"]}"#,
        "sidecar.http.maxBodyBytes=67108864",
        "sidecar.stop.drain=3600",
        r#"sidecar.image.tag="2""#,
        r#"sidecar.resources={"limits":{"memory":"1Gi","cpu":2}}"#,
        r#"otlp.endpoint="http://collector:4317""#,
        r#"sidecar.environment={"OTEL_EXPORTER_OTLP_ENDPOINT":"http://other:4317"}"#,
    ]);
    assert_eq!(file["watchNamespaces"], serde_json::json!(["shop"]));
    let settings = settings(file);
    assert!(settings.image.ends_with("/tollward-sidecar:2"), "{}", settings.image);
    assert_eq!(settings.http.max_body_bytes, 67_108_864, "no fraction, no exponent");
    assert_eq!((settings.dial.allow.len(), settings.dial.deny.len()), (1, 1));
    assert_eq!(settings.stop.drain, 3600);
    assert_eq!(
        settings.environment["OTEL_EXPORTER_OTLP_ENDPOINT"], "http://other:4317",
        "what is for the sidecars alone wins"
    );
    let limits = settings.resources.limits.expect("limits");
    assert_eq!((limits["memory"].0.as_str(), limits["cpu"].0.as_str()), ("1Gi", "2"));
}
