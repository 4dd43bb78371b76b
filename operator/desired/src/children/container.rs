//! The data plane's container: a native sidecar, which starts before the server and stops after it.

use super::mounts::mounts;
use super::security::container_security;
use crate::names::{CONFIG_FOLDER, CONFIG_KEY, INQUIRY_SOCKET, SIDECAR_CONTAINER};
use crate::validate::Validated;
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction, ObjectFieldSelector, Probe,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tollward_api::owned::SIDECAR_UID;
use tollward_api::ports;
use tollward_policy::inquiry::SOCKET_VARIABLE;

/// The container as a native sidecar.
pub(super) fn sidecar(server: &Validated) -> Container {
    let install = &server.install;
    Container {
        name: SIDECAR_CONTAINER.to_owned(),
        image: Some(install.image.clone()),
        image_pull_policy: Some(install.image_pull_policy.clone()),
        args: Some(["run", "--config", &format!("{CONFIG_FOLDER}/{CONFIG_KEY}")].map(str::to_owned).into()),
        env: Some(environment(server)),
        ports: Some(vec![
            port("public", ports::PUBLIC),
            port("observe", ports::OBSERVE),
            port("report", ports::REPORT),
        ]),
        restart_policy: Some("Always".to_owned()),
        // Never readiness: that needs issuers and the server, which starts only after this probe.
        startup_probe: Some(Probe { failure_threshold: Some(60), ..probe("/livez", 1) }),
        liveness_probe: Some(probe("/livez", 10)),
        readiness_probe: Some(probe("/readyz", 5)),
        resources: Some(install.resources.clone()),
        security_context: Some(container_security(SIDECAR_UID)),
        volume_mounts: Some(mounts(server).into_iter().map(|(_, mount)| mount).collect()),
        ..Container::default()
    }
}

/// The same as the only container of a relay's pod.
pub(super) fn alone(container: Container) -> Container {
    Container { restart_policy: None, ..container }
}

fn environment(server: &Validated) -> Vec<EnvVar> {
    let field = |name: &str, path: &str| EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector { field_path: path.to_owned(), api_version: None }),
            ..EnvVarSource::default()
        }),
        value: None,
    };
    let value =
        |name: &str, value: &str| EnvVar { name: name.to_owned(), value: Some(value.to_owned()), value_from: None };
    let mut variables = vec![field("POD_NAME", "metadata.name"), field("POD_UID", "metadata.uid")];
    let namespace = server.identity.namespace();
    let attributes = format!("k8s.namespace.name={namespace},k8s.pod.name=$(POD_NAME),k8s.pod.uid=$(POD_UID)");
    if !server.install.environment.contains_key("OTEL_RESOURCE_ATTRIBUTES") {
        variables.push(value("OTEL_RESOURCE_ATTRIBUTES", &attributes));
    }
    // Not an argument: a data plane of before would not start with one that it does not know.
    variables.push(value(SOCKET_VARIABLE, INQUIRY_SOCKET));
    variables.extend(server.install.environment.iter().map(|(name, text)| value(name, text)));
    variables
}

fn port(name: &str, number: u16) -> ContainerPort {
    ContainerPort { name: Some(name.to_owned()), container_port: i32::from(number), ..ContainerPort::default() }
}

fn probe(path: &str, period: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::Int(i32::from(ports::OBSERVE)),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(2),
        ..Probe::default()
    }
}
