//! The bridge program.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    tollward_bridge::command::main()
}
