//! An OCI image layout in one tar file, as container engines import it
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>). Layers are not compressed: the files
//! travel between folders of one machine, and a registry's client compresses what it pushes.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tar::Builder;

use super::tree::{self, Tree};
use crate::oci::Blob;

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A clock would make two builds differ.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What to write.
#[derive(Debug)]
pub(super) struct Image<'a> {
    /// Registry, name and tag.
    pub(super) reference: &'a str,
    pub(super) title: &'a str,
    pub(super) description: &'a str,
    pub(super) version: &'a str,
    /// User and group of the process.
    pub(super) user: u32,
    /// Absolute path of the program.
    pub(super) entrypoint: String,
    /// As OCI calls it.
    pub(super) architecture: &'a str,
    /// The lowest first.
    pub(super) layers: &'a [Tree],
}

/// Writes `file`, whole or not at all; returns the digest of the image's manifest.
pub(super) fn write(image: &Image<'_>, file: &Path) -> Result<String> {
    let unfinished = file.with_extension(format!("{}.partial", std::process::id()));
    let written = write_archive(image, &unfinished);
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&unfinished);
    }
    let digest = written.with_context(|| format!("cannot write {}", file.display()))?;
    fs::rename(&unfinished, file).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(digest)
}

fn write_archive(image: &Image<'_>, file: &Path) -> Result<String> {
    let mut archive = Builder::new(BufWriter::new(File::create(file)?));
    tree::append_file(&mut archive, "oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let mut layers = Vec::new();
    for layer in image.layers {
        let mut bytes = Vec::new();
        layer.write(&mut bytes)?;
        layers.push(blob(&mut archive, LAYER, &bytes)?);
    }
    let config = blob(&mut archive, CONFIG, config(image, &layers).to_string().as_bytes())?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": layers.iter().map(Blob::descriptor).collect::<Vec<_>>(),
        "annotations": annotations(image),
    });
    let manifest = blob(&mut archive, MANIFEST, manifest.to_string().as_bytes())?;
    let mut listed = manifest.descriptor();
    if let Some(fields) = listed.as_object_mut() {
        fields.insert("platform".into(), json!({"architecture": image.architecture, "os": "linux"}));
        fields.insert("annotations".into(), names(image));
    }
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [listed]});
    tree::append_file(&mut archive, "index.json", 0o644, index.to_string().as_bytes())?;
    archive.into_inner()?.flush()?;
    Ok(manifest.digest())
}

fn config(image: &Image<'_>, layers: &[Blob]) -> Value {
    let user = image.user;
    let history: Vec<Value> =
        layers.iter().map(|_| json!({"created": CREATED, "created_by": "cargo xtask image"})).collect();
    json!({
        "created": CREATED,
        "architecture": image.architecture,
        "os": "linux",
        "config": {
            "User": format!("{user}:{user}"),
            "Env": ["PATH=/usr/bin"],
            "Entrypoint": [image.entrypoint],
            "WorkingDir": "/",
            "Labels": annotations(image),
        },
        // Layers are not compressed, so a layer's digest is that of its content.
        "rootfs": {"type": "layers", "diff_ids": layers.iter().map(Blob::digest).collect::<Vec<_>>()},
        "history": history,
    })
}

/// What people and scanners read (<https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md>).
fn annotations(image: &Image<'_>) -> Value {
    json!({
        "org.opencontainers.image.title": image.title,
        "org.opencontainers.image.description": image.description,
        "org.opencontainers.image.version": image.version,
        "org.opencontainers.image.source": env!("CARGO_PKG_REPOSITORY"),
        "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
    })
}

/// What engines call the image after importing it.
fn names(image: &Image<'_>) -> Value {
    json!({
        "io.containerd.image.name": image.reference,
        "org.opencontainers.image.ref.name": image.reference,
    })
}

fn blob(archive: &mut Builder<impl Write>, media_type: &'static str, bytes: &[u8]) -> Result<Blob> {
    let blob = Blob::of(media_type, bytes);
    tree::append_file(archive, &format!("blobs/sha256/{}", blob.file_name()), 0o644, bytes)?;
    Ok(blob)
}
