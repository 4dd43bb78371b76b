//! A real MCP client on the Rust SDK (rmcp), without a person in front of it: the twin of `typescript-client.mjs` and
//! `python_client.py`, with their arguments and their one line of JSON. `../README.md` lists both.
//!
//! Discovery, registration, PKCE and the choice of scopes are the SDK's own. What it leaves to an application is here:
//! asking a person when it is told that authorization is required, and calling again afterwards.

mod arguments;
mod authorization;
mod report;
mod visit;

use std::process::ExitCode;
use std::time::Duration;

use arguments::Arguments;
use clap::Parser as _;
use report::Report;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut report = Report::default();
    let limit = Duration::from_secs(arguments.timeout);
    let visited = tokio::time::timeout(limit, visit::run(&arguments, &mut report)).await;
    match visited {
        Ok(Ok(())) => {}
        Ok(Err(error)) => report.failed(&error),
        Err(_) => report.failed(&anyhow::anyhow!("not done after {} s", arguments.timeout)),
    }
    report.print()
}
