//! The pod: the data plane first, then the server, both within what the `restricted` profile allows.

use super::{container, server as server_container};
use crate::configuration::authority_folder;
use crate::names::{CERTIFICATE_FOLDER, CONFIG_FOLDER, CONFIG_KEY, KEYS_FOLDER};
use crate::validate::{Shape, TlsPlan, Validated};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, KeyToPath, LocalObjectReference, PodSecurityContext, PodSpec, SeccompProfile,
    SecretVolumeSource, Volume, VolumeMount,
};
use tollward_api::mcpserver::PodOptions;
use tollward_api::owned::{SIDECAR_UID, child_name};

/// Owner and group may read.
const SECRET_MODE: i32 = 0o440;

pub(super) fn spec(server: &Validated) -> PodSpec {
    let options = options(server);
    let sidecar = container::sidecar(server);
    let (init_containers, containers, volumes) = match &server.shape {
        Shape::Workload(workload) => (
            Some(vec![sidecar]),
            vec![server_container::container(workload, server.install.stop)],
            server_container::volumes(workload),
        ),
        Shape::Service(_) => (None, vec![container::alone(sidecar)], Vec::new()),
    };
    let volumes: Vec<_> = mounts(server).into_iter().map(|(volume, _)| volume).chain(volumes).collect();
    let pull_secrets = options.image_pull_secrets.into_iter();
    PodSpec {
        init_containers,
        containers,
        volumes: Some(volumes),
        service_account_name: Some(child_name(server.identity.name())),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(server.install.stop.grace()),
        security_context: Some(security()),
        node_selector: some(options.node_selector),
        tolerations: some(options.tolerations),
        affinity: options.affinity,
        topology_spread_constraints: some(options.topology_spread_constraints),
        priority_class_name: options.priority_class_name,
        runtime_class_name: options.runtime_class_name,
        image_pull_secrets: some(
            pull_secrets.map(|secret| LocalObjectReference { name: secret.name }).collect::<Vec<_>>(),
        ),
        ..PodSpec::default()
    }
}

/// What the user decides about pods.
pub(super) fn options(server: &Validated) -> PodOptions {
    match &server.shape {
        Shape::Workload(workload) => workload.pod_options.clone().unwrap_or_default(),
        Shape::Service(_) => PodOptions::default(),
    }
}

/// A list or map, or nothing if it is empty.
pub(super) fn some<T: IntoIterator + Default + PartialEq>(list: T) -> Option<T> {
    (list != T::default()).then_some(list)
}

fn security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        // The kubelet gives mounted secrets to this group, so that the data plane reads them without being root.
        fs_group: Some(SIDECAR_UID),
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

/// The data plane's own volumes and where it has them. No other container mounts any of them.
pub(super) fn mounts(server: &Validated) -> Vec<(Volume, VolumeMount)> {
    let child = child_name(server.identity.name());
    let mut mounts = vec![
        config_map("tollward-config", &child, CONFIG_KEY, CONFIG_FOLDER),
        secret("tollward-keys", &child, KEYS_FOLDER),
    ];
    match server.endpoint.tls() {
        TlsPlan::Secret(name) => mounts.push(secret("tollward-certificate", name, CERTIFICATE_FOLDER)),
        TlsPlan::Issued | TlsPlan::Off => {}
    }
    for (position, plan) in server.providers.iter().enumerate() {
        if let Some(authority) = &plan.authority {
            let folder = authority_folder(position);
            let volume = format!("tollward-authority-{position}");
            mounts.push(config_map(&volume, &authority.name, &authority.key, &folder.to_string_lossy()));
        }
    }
    mounts
}

fn config_map(volume: &str, name: &str, key: &str, folder: &str) -> (Volume, VolumeMount) {
    let source = ConfigMapVolumeSource {
        name: name.to_owned(),
        items: Some(vec![KeyToPath { key: key.to_owned(), path: key.to_owned(), mode: None, ..KeyToPath::default() }]),
        ..ConfigMapVolumeSource::default()
    };
    (Volume { name: volume.to_owned(), config_map: Some(source), ..Volume::default() }, mount(volume, folder))
}

fn secret(volume: &str, name: &str, folder: &str) -> (Volume, VolumeMount) {
    let source = SecretVolumeSource {
        secret_name: Some(name.to_owned()),
        default_mode: Some(SECRET_MODE),
        ..SecretVolumeSource::default()
    };
    (Volume { name: volume.to_owned(), secret: Some(source), ..Volume::default() }, mount(volume, folder))
}

fn mount(volume: &str, folder: &str) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: folder.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    }
}
