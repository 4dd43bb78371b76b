//! The data-plane program.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    tollward_sidecar::command::main()
}
