//! Where things are in this checkout, and how cargo is called in it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// The checkout's root.
pub(crate) fn root() -> Result<PathBuf> {
    // Cargo names the manifest's folder when it runs us; the compiled-in one serves a direct call of the binary.
    let manifest =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = manifest.parent().context("xtask has no folder above it")?;
    Ok(root.to_path_buf())
}

/// Cargo's build folder. This program was built into it, so it is right whatever the configuration says.
pub(crate) fn target() -> Result<PathBuf> {
    let program = env::current_exe().context("cannot find the path of this program")?;
    let target = program.ancestors().nth(2).context("this program is not in a cargo build folder")?;
    Ok(target.to_path_buf())
}

/// Our own folder below the build folder: logs and links that belong to this checkout.
pub(crate) fn scratch() -> Result<PathBuf> {
    let folder = target()?.join("xtask");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// The cargo that started us, in the checkout's root.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    // What cargo tells this program about itself must not leak into the crates that it builds next.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_BIN_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Limits a cargo command to `packages`, or runs it for the whole workspace if there are none.
pub(crate) fn select(command: &mut Command, packages: &[String]) {
    if packages.is_empty() {
        command.arg("--workspace");
    }
    for package in packages {
        command.args(["--package", package]);
    }
}
