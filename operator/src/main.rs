//! The control-plane program: `tollward-operator run --install FILE`, `tollward-operator crds`.

use clap::Parser as _;
use std::io::Write as _;
use std::process::ExitCode;
use tollward_operator::command::Arguments;

#[tokio::main]
async fn main() -> ExitCode {
    match Arguments::parse().execute().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing better is left if standard error is gone.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
