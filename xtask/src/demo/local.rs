//! The demonstration on this machine: Tollward in front of a real MCP server, from a bare checkout.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::{process, say, workspace};

/// Builds the command line and the example server, and starts the walk-through.
pub(super) fn run() -> Result<()> {
    let started = Instant::now();
    let root = workspace::root()?;
    say::line("building tollward and the example server `catalog` (the first time takes some minutes)");
    // Without the exporters to a collector, which the demonstration does not use and which double what is compiled.
    let build = ["build", "--package", "tollward", "--package", "catalog", "--no-default-features"];
    process::succeed(workspace::cargo(&root).args(build))?;
    say::line(format!("built in {}", say::elapsed(started.elapsed())));
    let programs = workspace::target()?.join("debug");
    let mut demo = Command::new(programs.join("tollward"));
    demo.args(["dev", "-f", "examples/catalog", "--port", "0", "--broker-port", "0", "--walkthrough"]);
    // The server is this repository's own, and the demonstration should run on older kernels, too.
    demo.args(["--sandbox", "if-possible", "--"]);
    demo.arg(programs.join("catalog")).current_dir(&root);
    let result = process::succeed(&mut demo);
    say::line(format!("the demonstration took {} with its build", say::elapsed(started.elapsed())));
    result
}
