//! Container images without a registry: an OCI image layout in a tar file, which containerd imports. The sandbox image
//! is Kubernetes' own `pause`, compiled from the source in its module.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::layout::Layout;
use super::space::Space;
use crate::oci::{Blob, architecture};
use crate::{process, workspace};

/// The image of every pod's first container.
pub(super) const SANDBOX: &str = "tollward.test/pause:1";
/// The image of the cluster's DNS server.
pub(super) const DNS: &str = "tollward.test/coredns:1";

/// An image that holds one program, and the shared libraries that it needs.
#[derive(Debug)]
pub(super) struct Image<'a> {
    pub(super) name: &'a str,
    pub(super) program: &'a Path,
}

/// Compiles `pause`; returns its path.
pub(super) fn build_pause(layout: &Layout) -> Result<PathBuf> {
    let path = layout.holder();
    let module = workspace::root()?.join("tests/cluster/kubernetes");
    let go = process::require("go", "install Go from https://go.dev/dl or your distribution")?;
    // Not `go list`: the programs may come from the cache, and then nothing has fetched the module yet.
    let mut download = Command::new(go);
    download.arg("-C").arg(module).args(["mod", "download", "-json", "k8s.io/kubernetes"]).env("GOWORK", "off");
    let answer: Value = serde_json::from_str(&process::capture(&mut download)?).context("Go's answer is not JSON")?;
    let folder = answer.get("Dir").and_then(Value::as_str).context("Go does not say where k8s.io/kubernetes is")?;
    let source = Path::new(folder).join("build/pause/linux/pause.c");
    let mut compile = Command::new("gcc");
    compile.args(["-Os", "-static", "-DVERSION=tollward", "-o"]).arg(&path).arg(source);
    process::capture(&mut compile)?;
    Ok(path)
}

/// Writes an image and imports it.
pub(super) fn install(layout: &Layout, space: &Space, programs: &Path, image: &Image<'_>) -> Result<()> {
    let file_name = image.program.file_name().context("a program has a name")?;
    let work = layout.path("images").join(file_name);
    // What an interrupted run left.
    let _ = fs::remove_dir_all(&work);
    let archive = write(&work, image)?;
    import(space, programs, &archive)?;
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
}

/// Imports an OCI archive where the kubelet finds it.
pub(super) fn import(space: &Space, programs: &Path, archive: &Path) -> Result<()> {
    let mut command = space.command(programs.join("ctr"));
    command.args(["--namespace", "k8s.io", "images", "import"]).arg(archive);
    process::capture(&mut command).with_context(|| format!("cannot import {}", archive.display()))?;
    Ok(())
}

/// Writes `image` below `work` as an OCI archive; returns its path.
fn write(work: &Path, image: &Image<'_>) -> Result<PathBuf> {
    let file_name = image.program.file_name().and_then(|name| name.to_str()).context("a program has a name")?;
    let (tree, layout) = (work.join("tree"), work.join("layout"));
    let blobs = layout.join("blobs/sha256");
    for folder in [&tree, &blobs] {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    copy(image.program, &tree.join(file_name))?;
    for library in libraries(image.program) {
        copy(&library, &tree.join(library.strip_prefix("/").unwrap_or(&library)))?;
    }
    let layer_file = work.join("layer.tar");
    archive(&tree, &layer_file)?;
    let layer = fs::read(&layer_file).with_context(|| format!("cannot read {}", layer_file.display()))?;
    let layer = store(&blobs, "application/vnd.oci.image.layer.v1.tar", &layer)?;
    let config = json!({
        "architecture": architecture()?,
        "os": "linux",
        "config": {"Entrypoint": [format!("/{file_name}")]},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest()]},
    });
    let config = store(&blobs, "application/vnd.oci.image.config.v1+json", config.to_string().as_bytes())?;
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config.descriptor(), "layers": [layer.descriptor()]});
    let manifest = store(&blobs, media_type, manifest.to_string().as_bytes())?;
    let annotations = json!({"io.containerd.image.name": image.name});
    let manifest = manifest.annotated(&annotations);
    let index = json!({"schemaVersion": 2, "manifests": [manifest]}).to_string();
    for (name, text) in [("index.json", index.as_str()), ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)] {
        fs::write(layout.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    let file = work.join("image.tar");
    archive(&layout, &file)?;
    Ok(file)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().context("a file of an image is in a folder")?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::copy(from, to))
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// The shared libraries of a program, with the loader; none if it is static.
fn libraries(program: &Path) -> Vec<PathBuf> {
    // It fails for a program without any.
    let listing = process::capture(Command::new("ldd").arg(program)).unwrap_or_default();
    listing.lines().filter_map(library).collect()
}

/// The path in a line such as `libc.so.6 => /lib/libc.so.6 (0x7f)` or `/lib64/ld-linux-x86-64.so.2 (0x7f)`.
fn library(line: &str) -> Option<PathBuf> {
    let (file, _) = line.trim().split_once(" (0x")?;
    let path = file.split_once(" => ").map_or(file, |(_, path)| path);
    path.starts_with('/').then(|| PathBuf::from(path))
}

fn store(blobs: &Path, media_type: &'static str, bytes: &[u8]) -> Result<Blob> {
    let blob = Blob::of(media_type, bytes);
    let path = blobs.join(blob.file_name());
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(blob)
}

/// A tar file of a folder's contents that depends on nothing but them.
fn archive(folder: &Path, file: &Path) -> Result<()> {
    let mut argument = OsString::from("--file=");
    argument.push(file);
    let mut tar = Command::new("tar");
    tar.args(["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"]);
    tar.arg(argument).arg("--directory").arg(folder).arg(".");
    process::capture(&mut tar)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::cache;

    #[test]
    fn the_same_program_makes_the_same_image_and_its_digests_hold() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = folder.path().join("hello");
        fs::write(&program, "a program").expect("a file");
        let image = Image { name: "tollward.test/hello:1", program: &program };
        let one = fs::read(write(&folder.path().join("one"), &image).expect("an image")).expect("a file");
        let two = fs::read(write(&folder.path().join("two"), &image).expect("an image")).expect("a file");
        assert_eq!(one, two);
        let blobs = fs::read_dir(folder.path().join("one/layout/blobs/sha256")).expect("a folder");
        let mut count = 0;
        for entry in blobs {
            let path = entry.expect("an entry").path();
            let digest = cache::hexadecimal(&Sha256::digest(fs::read(&path).expect("a blob")));
            assert_eq!(path.file_name().and_then(|name| name.to_str()), Some(digest.as_str()));
            count += 1;
        }
        assert_eq!(count, 3, "layer, configuration and manifest");
    }

    #[test]
    fn libraries_are_read_with_and_without_an_arrow() {
        let listing = [
            "linux-vdso.so.1 (0x7ffd)",
            "libc.so.6 => /lib/libc.so.6 (0x7f)",
            "/lib64/ld.so.2 (0x7f)",
            "statically linked",
        ];
        let found: Vec<PathBuf> = listing.into_iter().filter_map(library).collect();
        assert_eq!(found, [PathBuf::from("/lib/libc.so.6"), PathBuf::from("/lib64/ld.so.2")]);
    }
}
