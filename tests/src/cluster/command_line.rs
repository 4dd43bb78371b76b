//! The command line as people run it, against the cluster.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a run of `tollward` came to.
#[derive(Debug)]
pub struct Typed {
    /// Whether its exit code is 0.
    pub success: bool,
    /// What it printed.
    pub text: String,
    /// How long it took.
    pub took: Duration,
}

/// Where the binary is: beside the directory of the test executables.
fn binary() -> PathBuf {
    let executable = std::env::current_exe().expect("a test knows its own executable");
    let folder = executable.parent().and_then(Path::parent).expect("tests are built into target/PROFILE/deps");
    let binary = folder.join("tollward");
    assert!(binary.is_file(), "{} is missing; build it first: cargo build -p tollward", binary.display());
    binary
}

/// Where it finds the cluster's kubectl first.
fn search_path() -> std::ffi::OsString {
    let folder = std::env::var_os("TOLLWARD_CLUSTER_BIN").map(PathBuf::from);
    let before = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(folder.into_iter().chain(std::env::split_paths(&before))).expect("folders have no colon")
}

/// Runs `tollward` with the kubeconfig of the environment, or of that file.
pub fn tollward(arguments: &[&str], kubeconfig: Option<&Path>) -> Typed {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::null()).env("PATH", search_path());
    if let Some(path) = kubeconfig {
        command.env("KUBECONFIG", path);
    }
    let started = Instant::now();
    let output = command.output().expect("the binary runs");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Typed { success: output.status.success(), text, took: started.elapsed() }
}
