//! The `tollward` program: what was typed leads to one command, and its outcome to an exit code. [`arguments`] is what can be typed; [`manifests`]
//! reads and compiles what a platform team writes; [`check`] and [`render`] show it, [`explain`] asks it about one call; [`dev`] runs it in front of an
//! MCP server in a [`sandbox`]; [`walkthrough`] plays a client against that, or a cluster by [`visit`]. `revoke` (feature `cluster`) asks an API server,
//! [`limits`] data planes. [`input`] reads files or standard input, [`record`] words audit records, and [`screen`] is the only way to the terminal.

mod arguments;
mod check;
mod dev;
mod explain;
mod input;
mod limits;
mod manifests;
mod record;
mod render;
#[cfg(feature = "cluster")]
mod revoke;
mod sandbox;
mod screen;
mod visit;
mod walkthrough;

use arguments::Command;
use screen::Screen;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let arguments = arguments::parse(std::env::args_os().collect());
    let screen = Arc::new(Screen::stdout(arguments.no_color));
    match run(arguments.command, &screen) {
        Ok(code) => code,
        Err(error) => {
            screen.error(&screen::causes(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, screen: &Arc<Screen>) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check(files) => Ok(check::run(&files, screen)),
        Command::Render(wanted) => render::run(&wanted, screen),
        Command::Explain(wanted) => Ok(explain::run(&wanted, screen)),
        Command::Dev(wanted) => dev::run(*wanted, screen),
        #[cfg(feature = "cluster")]
        Command::Revoke(wanted) => revoke::run(&wanted, screen),
        #[cfg(not(feature = "cluster"))]
        Command::Revoke { typed: _ } => anyhow::bail!(arguments::NO_CLUSTER),
        Command::Limits(wanted) => limits::run(&wanted, screen),
        Command::Sandboxed(entered) => Err(sandbox::become_command(&entered.rules, &entered.command)),
        Command::Walkthrough(wanted) => visit::run(*wanted, screen),
        Command::Completions { shell } => {
            screen.line(&arguments::completions(shell));
            Ok(ExitCode::SUCCESS)
        }
    }
}
