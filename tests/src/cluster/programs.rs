//! The cluster's own programs, and what a run says of itself.

use serde_json::{Value, json};
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the checkout.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the checkout").to_owned()
}

/// The folder of the images: `TOLLWARD_IMAGES`, or where `cargo xtask image` puts them.
pub(super) fn images() -> PathBuf {
    std::env::var_os("TOLLWARD_IMAGES").map_or_else(
        || {
            let executable = std::env::current_exe().expect("a test knows its own executable");
            let target = executable.ancestors().nth(3).expect("tests are built into target/PROFILE/deps");
            target.join("xtask/images")
        },
        PathBuf::from,
    )
}

/// Runs a program of the cluster; its output, or what it complains about.
pub(super) fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S], input: Option<&Value>) -> Result<String, String> {
    let folder = std::env::var_os("TOLLWARD_CLUSTER_BIN")
        .expect("TOLLWARD_CLUSTER_BIN is not set; run this by `cargo xtask cluster run -- PROGRAM`");
    let mut command = Command::new(Path::new(&folder).join(program));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    if let (Some(value), Some(mut pipe)) = (input, child.stdin.take()) {
        // A program that refuses its arguments does not read; its complaint says more than the broken pipe.
        let _ = pipe.write_all(value.to_string().as_bytes());
    }
    let output = child.wait_with_output().expect("a program ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{}{}", text(&output.stdout), text(&output.stderr)))
    }
}

/// Runs kubectl as administrator; what it prints, or its complaint.
pub fn kubectl(arguments: &[&str]) -> Result<String, String> {
    run("kubectl", arguments, None)
}

/// Runs kubectl as somebody else, with these objects as its input.
pub fn kubectl_as(user: &str, arguments: &[&str], objects: &[Value]) -> Result<String, String> {
    let user = format!("--as={user}");
    let arguments: Vec<&str> = arguments.iter().copied().chain([user.as_str()]).collect();
    run("kubectl", &arguments, Some(&json!({"apiVersion": "v1", "kind": "List", "items": objects})))
}

/// Says something that belongs into the log of a run also if the test passes.
pub fn tell(text: &str) {
    // The harness catches what the print macros write.
    let _ = writeln!(std::io::stderr(), "{text}");
}
