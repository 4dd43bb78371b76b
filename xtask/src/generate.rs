//! `cargo xtask generate`: rewrites or compares the committed files that code generates. The generators live with the
//! code that they read; the test `generated` calls them, and this command tells it whether it may write.

use anyhow::Result;

use crate::{process, workspace};

/// Arguments of `cargo xtask generate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask generate           rewrite what is out of date\n  \
                        cargo xtask generate --check   fail if something is out of date")]
pub(crate) struct Args {
    /// Write nothing, fail if a file is out of date
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = workspace::cargo(&workspace::root()?);
    command.args(["test", "--quiet", "--package", "tollward-tests", "--test", "generated"]);
    command.env("TOLLWARD_GENERATE", if args.check { "check" } else { "write" });
    process::succeed(&mut command)
}
