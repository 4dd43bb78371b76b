//! The resource: who emits. The user's attributes win over ours.
//!
//! The OpenTelemetry operator, the vendors' injectors and our own chart describe the pod through
//! `OTEL_RESOURCE_ATTRIBUTES`; what they say is never overwritten, and `OTEL_SERVICE_NAME` wins over both
//! (OpenTelemetry specification, "Resource SDK").

use opentelemetry::KeyValue;
use opentelemetry_sdk::{Resource, resource::TelemetryResourceDetector};

use crate::{
    names::attribute::{SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_NAMESPACE, SERVICE_VERSION},
    settings::Settings,
};

/// What a component says about itself.
#[derive(Clone, Debug)]
pub struct ServiceIdentity {
    /// `service.name`, such as `tollward-sidecar`.
    pub name: String,
    /// `service.version`.
    pub version: String,
    /// `service.namespace`, if there is one.
    pub namespace: Option<String>,
    /// `service.instance.id`: unique among the running ones, such as the pod's uid.
    pub instance: Option<String>,
}

pub(crate) fn resource(identity: &ServiceIdentity, settings: &Settings) -> Resource {
    let ServiceIdentity { name, version, namespace, instance } = identity;
    let own = [
        (SERVICE_NAME, Some(name)),
        (SERVICE_VERSION, Some(version)),
        (SERVICE_NAMESPACE, namespace.as_ref()),
        (SERVICE_INSTANCE_ID, instance.as_ref()),
    ];
    let own = own.into_iter().filter_map(|(key, value)| value.map(|value| KeyValue::new(key, value.clone())));
    let users = settings.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let named = settings.service_name.iter().map(|name| KeyValue::new(SERVICE_NAME, name.clone()));
    // A later value of the same name replaces an earlier one.
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(own)
        .with_attributes(users)
        .with_attributes(named)
        .build()
}

#[cfg(test)]
mod tests {
    use opentelemetry::Key;

    use super::*;

    fn resource_with(variables: &[(&str, &str)]) -> Resource {
        let lookup = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let identity = ServiceIdentity {
            name: "tollward-sidecar".into(),
            version: "1.2.3".into(),
            namespace: Some("team-a".into()),
            instance: None,
        };
        resource(&identity, &Settings::from_lookup(lookup).unwrap())
    }

    fn get(resource: &Resource, key: &'static str) -> Option<String> {
        resource.get(&Key::from_static_str(key)).map(|value| value.to_string())
    }

    #[test]
    fn the_component_describes_itself_where_nobody_else_does() {
        let resource = resource_with(&[]);
        assert_eq!(get(&resource, SERVICE_NAME).as_deref(), Some("tollward-sidecar"));
        assert_eq!(get(&resource, SERVICE_VERSION).as_deref(), Some("1.2.3"));
        assert_eq!(get(&resource, SERVICE_INSTANCE_ID), None);
        assert_eq!(get(&resource, "telemetry.sdk.language").as_deref(), Some("rust"));
    }

    #[test]
    fn what_the_environment_says_about_the_pod_is_never_overwritten() {
        let attributes = "service.namespace=prod,k8s.pod.name=weather-0,note=a%2Cb%3Dc,service.name=injected";
        let resource = resource_with(&[("OTEL_RESOURCE_ATTRIBUTES", attributes)]);
        assert_eq!(get(&resource, SERVICE_NAMESPACE).as_deref(), Some("prod"));
        assert_eq!(get(&resource, "k8s.pod.name").as_deref(), Some("weather-0"));
        assert_eq!(get(&resource, "note").as_deref(), Some("a,b=c"));
        assert_eq!(get(&resource, SERVICE_NAME).as_deref(), Some("injected"));
    }

    #[test]
    fn the_service_name_variable_wins_over_everything() {
        let resource =
            resource_with(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=injected"), ("OTEL_SERVICE_NAME", "mine")]);
        assert_eq!(get(&resource, SERVICE_NAME).as_deref(), Some("mine"));
    }
}
