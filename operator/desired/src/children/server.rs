//! The server's container: it listens on loopback, holds no token and none of the data plane's volumes.

use super::non_empty::non_empty;
use super::security::container_security;
use crate::install::StopSeconds;
use crate::names::SERVER_CONTAINER;
use k8s_openapi::api::core::v1::{
    ConfigMapEnvSource, ConfigMapKeySelector, ConfigMapVolumeSource, Container, EmptyDirVolumeSource, EnvFromSource,
    EnvVar, EnvVarSource, KeyToPath, Lifecycle, LifecycleHandler, PersistentVolumeClaimVolumeSource,
    ResourceRequirements, SecretEnvSource, SecretKeySelector, SecretVolumeSource, SleepAction, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use tollward_api::mcpserver::{self as api, Medium, Workload};

/// The folder that nearly every program writes to.
const SCRATCH: &str = "/tmp";
const SCRATCH_VOLUME: &str = "tollward-scratch";

pub(super) fn container(workload: &Workload, stop: StopSeconds, told: &[(&str, String)]) -> Container {
    Container {
        name: SERVER_CONTAINER.to_owned(),
        image: Some(workload.image.clone()),
        command: non_empty(workload.command.clone()),
        args: non_empty(workload.args.clone()),
        env: Some(environment(workload, told)),
        env_from: non_empty(workload.env_from.iter().map(env_from).collect()),
        // Servers are signalled before native sidecars, so that without a delay calls on their way would find nobody.
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction { seconds: i64::from(stop.delay) }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        resources: workload.resources.as_ref().map(resources),
        security_context: Some(container_security(workload.run_as_user)),
        volume_mounts: non_empty(mounts(workload)),
        ..Container::default()
    }
}

/// Volumes that only the server's container mounts.
pub(super) fn volumes(workload: &Workload) -> Vec<Volume> {
    let mut volumes: Vec<_> = workload.volumes.iter().map(volume).collect();
    if needs_scratch(workload) {
        volumes.push(Volume {
            name: SCRATCH_VOLUME.to_owned(),
            empty_dir: Some(EmptyDirVolumeSource {
                size_limit: Some(Quantity("1Gi".to_owned())),
                ..EmptyDirVolumeSource::default()
            }),
            ..Volume::default()
        });
    }
    volumes
}

fn needs_scratch(workload: &Workload) -> bool {
    workload.volume_mounts.iter().all(|mount| mount.mount_path.trim_end_matches('/') != SCRATCH)
}

fn environment(workload: &Workload, told: &[(&str, String)]) -> Vec<EnvVar> {
    let fixed = |name: &str, value: String| EnvVar { name: name.to_owned(), value: Some(value), value_from: None };
    let told = told.iter().map(|(name, value)| fixed(name, value.clone()));
    let mut variables = vec![fixed("HOST", "127.0.0.1".to_owned()), fixed("PORT", workload.transport.port.to_string())];
    variables.extend(told);
    variables.extend(workload.env.iter().map(|variable| EnvVar {
        name: variable.name.clone(),
        value: variable.value.clone(),
        value_from: variable.value_from.as_ref().map(value_from),
    }));
    variables
}

fn value_from(source: &api::EnvVarSource) -> EnvVarSource {
    let api::EnvVarSource { secret_key_ref, config_map_key_ref } = source.clone();
    EnvVarSource {
        secret_key_ref: secret_key_ref.map(|selector| SecretKeySelector {
            name: selector.name,
            key: selector.key,
            optional: None,
        }),
        config_map_key_ref: config_map_key_ref.map(|selector| ConfigMapKeySelector {
            name: selector.name,
            key: selector.key,
            optional: None,
        }),
        ..EnvVarSource::default()
    }
}

fn env_from(source: &api::EnvFromSource) -> EnvFromSource {
    let api::EnvFromSource { prefix, secret_ref, config_map_ref } = source.clone();
    EnvFromSource {
        prefix,
        secret_ref: secret_ref.map(|reference| SecretEnvSource { name: reference.name, optional: None }),
        config_map_ref: config_map_ref.map(|reference| ConfigMapEnvSource { name: reference.name, optional: None }),
    }
}

fn resources(resources: &api::Resources) -> ResourceRequirements {
    ResourceRequirements {
        limits: non_empty(resources.limits.clone()),
        requests: non_empty(resources.requests.clone()),
        claims: None,
    }
}

fn volume(volume: &api::Volume) -> Volume {
    let api::Volume { name, config_map, secret, empty_dir, persistent_volume_claim } = volume.clone();
    Volume {
        name,
        config_map: config_map.map(|source| ConfigMapVolumeSource {
            name: source.name,
            items: non_empty(source.items.into_iter().map(item).collect()),
            ..ConfigMapVolumeSource::default()
        }),
        secret: secret.map(|source| SecretVolumeSource {
            secret_name: Some(source.secret_name),
            items: non_empty(source.items.into_iter().map(item).collect()),
            default_mode: Some(0o440),
            ..SecretVolumeSource::default()
        }),
        empty_dir: empty_dir.map(|source| EmptyDirVolumeSource {
            medium: source.medium.map(|Medium::Memory| "Memory".to_owned()),
            size_limit: source.size_limit,
            ..EmptyDirVolumeSource::default()
        }),
        persistent_volume_claim: persistent_volume_claim.map(|source| PersistentVolumeClaimVolumeSource {
            claim_name: source.claim_name,
            read_only: Some(source.read_only),
        }),
        ..Volume::default()
    }
}

fn item(item: api::KeyToPath) -> KeyToPath {
    KeyToPath { key: item.key, path: item.path, ..KeyToPath::default() }
}

fn mounts(workload: &Workload) -> Vec<VolumeMount> {
    let mut mounts: Vec<_> = workload
        .volume_mounts
        .iter()
        .map(|mount| VolumeMount {
            name: mount.name.clone(),
            mount_path: mount.mount_path.clone(),
            sub_path: mount.sub_path.clone(),
            read_only: Some(mount.read_only),
            ..VolumeMount::default()
        })
        .collect();
    if needs_scratch(workload) {
        mounts.push(VolumeMount {
            name: SCRATCH_VOLUME.to_owned(),
            mount_path: SCRATCH.to_owned(),
            ..VolumeMount::default()
        });
    }
    mounts
}
