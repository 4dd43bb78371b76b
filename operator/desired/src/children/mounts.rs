//! The data plane's own volumes: its configuration, keys and certificates, which no other container may see.

use crate::configuration::{authority_folder, client_secret_folder};
use crate::names::{CERTIFICATE_FOLDER, CONFIG_FOLDER, CONFIG_KEY, INQUIRY_FOLDER, KEYS_FOLDER};
use crate::validate::{MountedSecret, StoreMount, TlsPlan, Validated};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, KeyToPath, SecretVolumeSource, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::path::Path;
use tollward_api::owned::child_name;

/// Owner and group may read.
const SECRET_MODE: i32 = 0o440;

/// The data plane's own volumes and where it has them. No other container mounts any of them.
pub(super) fn mounts(server: &Validated) -> Vec<(Volume, VolumeMount)> {
    let child = child_name(server.identity.name());
    let mut mounts = vec![
        config_map("tollward-config", &child, CONFIG_KEY, CONFIG_FOLDER),
        secret("tollward-keys", &child, KEYS_FOLDER),
        inquiry(),
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
        if let Some(asked) = &plan.introspection {
            let folder = client_secret_folder(position);
            let volume = format!("tollward-introspection-{position}");
            mounts.push(secret_keys(&volume, asked.secret(), [asked.secret_key()], &folder));
        }
    }
    mounts.extend(server.upstream_auth.secret().map(upstream));
    mounts.extend(server.stores.iter().enumerate().map(|(position, from)| store(position, from)));
    mounts
}

/// Where the data plane is asked how limits stand, by who may run programs in its container. Only a socket is ever there.
fn inquiry() -> (Volume, VolumeMount) {
    let name = "tollward-inquiry".to_owned();
    let source = EmptyDirVolumeSource {
        medium: Some("Memory".to_owned()),
        size_limit: Some(Quantity("64Ki".to_owned())),
        ..EmptyDirVolumeSource::default()
    };
    let mount = VolumeMount { name: name.clone(), mount_path: INQUIRY_FOLDER.to_owned(), ..VolumeMount::default() };
    (Volume { name, empty_dir: Some(source), ..Volume::default() }, mount)
}

/// What a store of limits needs. Without it the pod starts all the same: a mistake in a policy must not stop a server, and the
/// policy says what becomes of calls while its store can't be asked.
fn store(position: usize, from: &StoreMount) -> (Volume, VolumeMount) {
    let keys = from.keys.iter().map(String::as_str);
    let (mut volume, mount) = secret_keys(&format!("tollward-store-{position}"), &from.secret, keys, &from.folder());
    if let Some(source) = &mut volume.secret {
        source.optional = Some(true);
    }
    (volume, mount)
}

/// Only the keys that are used, in a folder named after the Secret: a data plane that runs already and is told of another
/// Secret finds no such folder, instead of the former one's content.
fn upstream(from: &MountedSecret) -> (Volume, VolumeMount) {
    secret_keys("tollward-upstream", &from.name, from.keys.iter().map(String::as_str), &from.folder())
}

fn config_map(volume: &str, name: &str, key: &str, folder: &str) -> (Volume, VolumeMount) {
    let source = ConfigMapVolumeSource {
        name: name.to_owned(),
        items: Some(vec![item(key)]),
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

/// Some keys of a Secret. The pod does not start without them.
fn secret_keys<'k>(
    volume: &str,
    name: &str,
    keys: impl IntoIterator<Item = &'k str>,
    folder: &Path,
) -> (Volume, VolumeMount) {
    let (mut volume, mount) = secret(volume, name, &folder.to_string_lossy());
    if let Some(source) = &mut volume.secret {
        source.items = Some(keys.into_iter().map(item).collect());
    }
    (volume, mount)
}

fn item(key: &str) -> KeyToPath {
    KeyToPath { key: key.to_owned(), path: key.to_owned(), mode: None, ..KeyToPath::default() }
}

fn mount(volume: &str, folder: &str) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: folder.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    }
}
