//! `cargo xtask lint`: formatting, and clippy with warnings as errors.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::process::Lines;
use crate::{process, say, workspace};

const LIMIT: Duration = Duration::from_hours(2);

/// Both checks, of the whole workspace.
pub(crate) fn run() -> Result<()> {
    format(&[], &mut |line| say::note(line))?;
    clippy(&[], &mut |line| say::note(line))
}

/// Fails if a file is not formatted as rustfmt would.
pub(crate) fn format(packages: &[String], each: Lines<'_>) -> Result<()> {
    let mut command = workspace::cargo(&workspace::root()?);
    command.args(["fmt", "--check"]);
    if packages.is_empty() {
        command.arg("--all");
    }
    for package in packages {
        command.args(["--package", package]);
    }
    check(&mut command, each)
}

/// Fails on any warning of the compiler or of clippy.
pub(crate) fn clippy(packages: &[String], each: Lines<'_>) -> Result<()> {
    let mut command = workspace::cargo(&workspace::root()?);
    command.args(["clippy", "--all-targets"]);
    workspace::select(&mut command, packages);
    command.args(["--", "-D", "warnings"]);
    check(&mut command, each)
}

fn check(command: &mut Command, each: Lines<'_>) -> Result<()> {
    match process::stream(command, LIMIT, each)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("`{}` ended with {status}", process::describe(command)),
        None => bail!("`{}` took more than {}", process::describe(command), say::elapsed(LIMIT)),
    }
}
