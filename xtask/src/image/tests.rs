//! Images of a real program: this test's own.

use std::collections::BTreeMap;
use std::env;
use std::io::Read as _;
use std::process::Command;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tar::Archive;

use super::*;
use crate::cache;

const RECIPE: Recipe = Recipe { name: "tollward-sidecar", about: "A program", user: system::TOLLWARD };
const REFERENCE: &str = "ghcr.io/tollward/tollward-sidecar:1.2.3";
const CERTIFICATES: &[u8] = b"-----BEGIN CERTIFICATE-----\n";

fn write(file: &Path) -> String {
    let program = env::current_exe().expect("a test is a program");
    let layers = layers(&RECIPE, &program, CERTIFICATES).expect("a program that runs here has its libraries here");
    let image = image(&RECIPE, REFERENCE, "1.2.3", &layers).expect("a known architecture");
    layout::write(&image, file).expect("an image")
}

/// Every file of an archive, by name.
fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in Archive::new(archive).entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let header = entry.header();
        assert_eq!(header.mtime().expect("a time"), 0);
        assert_eq!((header.uid().expect("a user"), header.gid().expect("a group")), (0, 0));
        let name = entry.path().expect("a path").to_str().expect("UTF-8").to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("a content");
        assert!(files.insert(name, bytes).is_none());
    }
    files
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

/// The blob that a descriptor means.
fn fetch<'a>(files: &'a BTreeMap<String, Vec<u8>>, descriptor: &Value) -> &'a [u8] {
    let digest = descriptor["digest"].as_str().expect("a digest").replace(':', "/");
    let bytes = &files[&format!("blobs/{digest}")];
    assert_eq!(descriptor["size"].as_u64(), u64::try_from(bytes.len()).ok());
    bytes
}

#[test]
fn the_same_program_makes_the_same_image() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (one, two) = (folder.path().join("one.tar"), folder.path().join("two.tar"));
    assert_eq!(write(&one), write(&two));
    assert_eq!(fs::read(&one).expect("a file"), fs::read(&two).expect("a file"));
    let left = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 2, "nothing unfinished is left");
}

#[test]
fn every_blob_is_what_its_digest_says_and_the_image_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("image.tar");
    let digest = write(&file);
    let files = files(&fs::read(&file).expect("a file"));
    for (name, bytes) in &files {
        if let Some(stated) = name.strip_prefix("blobs/sha256/") {
            assert_eq!(cache::hexadecimal(&Sha256::digest(bytes)), stated);
        }
    }
    let index = parsed(&files["index.json"]);
    let listed = &index["manifests"][0];
    assert_eq!(listed["annotations"]["io.containerd.image.name"], REFERENCE);
    assert_eq!(listed["digest"], digest.as_str());
    let manifest = parsed(fetch(&files, listed));
    let config = parsed(fetch(&files, &manifest["config"]));
    assert_eq!(config["config"]["User"], "64420:64420", "not root, and told by a number");
    assert_eq!(config["config"]["Entrypoint"][0], "/usr/bin/tollward-sidecar");
    for (layer, digest) in manifest["layers"]
        .as_array()
        .expect("layers")
        .iter()
        .zip(config["rootfs"]["diff_ids"].as_array().expect("digests"))
    {
        assert_eq!(layer["digest"], *digest);
        fetch(&files, layer);
    }
}

#[test]
fn a_program_starts_with_nothing_but_what_its_image_holds() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("image.tar");
    write(&file);
    let files = files(&fs::read(&file).expect("a file"));
    let index = parsed(&files["index.json"]);
    let manifest = parsed(fetch(&files, &index["manifests"][0]));
    let root = folder.path().join("root");
    for layer in manifest["layers"].as_array().expect("layers") {
        Archive::new(fetch(&files, layer)).unpack(&root).expect("a layer");
    }
    let program = env::current_exe().expect("a test is a program");
    let libraries = system::libraries(&program, None).expect("libraries");
    let inside = |path: &Path| root.join(path.strip_prefix("/").expect("an absolute path"));
    let loader = libraries
        .iter()
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-")))
        .expect("a loader");
    let folders: Vec<String> =
        libraries.iter().filter_map(|path| path.parent()).map(|path| inside(path).display().to_string()).collect();
    let mut command = Command::new(inside(loader));
    command
        .args(["--inhibit-cache", "--library-path", &folders.join(":")])
        .arg(root.join("usr/bin/tollward-sidecar"))
        .arg("--list");
    let tests = process::capture(&mut command).expect("it starts");
    assert!(tests.contains("a_program_starts_with_nothing_but"), "{tests}");
}

#[test]
fn an_image_without_recipe_is_answered_with_the_known_ones() {
    let error = chosen(&["sidecar".to_owned()]).expect_err("it is unknown").to_string();
    assert!(error.contains("`sidecar`") && error.contains("tollward-sidecar"), "{error}");
    assert_eq!(chosen(&[]).expect("all").len(), RECIPES.len());
}

#[test]
fn cargo_says_where_a_program_is() {
    let messages = [
        json!({"reason": "compiler-artifact", "target": {"name": "catalog"}, "executable": null}),
        json!({"reason": "compiler-artifact", "target": {"name": "catalog"}, "executable": "/target/debug/catalog"}),
        json!({"reason": "build-finished", "success": true}),
    ];
    assert_eq!(executable(&messages, "catalog"), Some(PathBuf::from("/target/debug/catalog")));
    assert_eq!(executable(&messages, "tollward-sidecar"), None);
}
