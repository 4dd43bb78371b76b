//! The MCP server's command with what it may touch: in a sandbox, or, if the user wants it so, without.

use crate::arguments::{SandboxArguments, SandboxMode};
use crate::sandbox::{Allowed, Sandbox, Surroundings, program, unsupported};
use crate::screen::{Screen, Tone, printable};
use anyhow::{Context as _, bail};
use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A command that may be started.
pub(crate) struct Confined {
    /// What the user calls it.
    pub(crate) name: String,
    pub(crate) command: Command,
    /// Why it may fail where it is.
    pub(crate) hint: Option<String>,
    /// Its temporary files, as long as it runs.
    pub(crate) scratch: Option<TempDir>,
}

impl Confined {
    /// The command in its sandbox. Where there can't be one, the user decides.
    pub(crate) fn new(
        command: &[String],
        port: u16,
        wanted: &SandboxArguments,
        screen: &Screen,
    ) -> anyhow::Result<Self> {
        let (name, arguments) = command.split_first().context("the MCP server's command is empty")?;
        let folder = std::env::current_dir().context("there is no current folder")?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = program(name, &path, &folder);
        let found =
            found.with_context(|| format!("can't start the MCP server `{name}`; is it installed and in PATH?"))?;
        if !is_confined(wanted.sandbox, screen)? {
            let mut command = Command::new(name);
            command.args(arguments);
            return Ok(Self { name: name.clone(), command, hint: None, scratch: None });
        }
        let scratch = tempfile::Builder::new().prefix("tollward-server-").tempdir();
        let scratch = scratch.context("can't make a folder for the server's temporary files")?;
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let temporary = std::env::temp_dir();
        let surroundings = Surroundings {
            folder: &folder,
            home: home.as_deref(),
            path: &path,
            temporary: &temporary,
            scratch: scratch.path(),
        };
        let allowed = Allowed { read: &wanted.allow_read, write: &wanted.allow_write, network: wanted.allow_network };
        if let Some(missing) = wanted.allow_read.iter().chain(&wanted.allow_write).find(|path| !path.exists()) {
            bail!("--allow-read or --allow-write: there is no {}", missing.display());
        }
        let sandbox = Sandbox::around(&found, port, &surroundings, &allowed);
        let command = sandboxed(&sandbox, name, arguments, scratch.path())?;
        Ok(Self { name: name.clone(), command, hint: Some(sandbox.hint()), scratch: Some(scratch) })
    }
}

/// This program once more, which enters the sandbox and becomes the command.
fn sandboxed(sandbox: &Sandbox, name: &str, arguments: &[String], scratch: &Path) -> anyhow::Result<Command> {
    let rules = serde_json::to_string(sandbox).context("a path is no UTF-8, so that it can't be allowed")?;
    let mut command = Command::new(std::env::current_exe().context("this program's own path is not known")?);
    let words = ["sandboxed", "--rules", &rules, "--", name].map(OsString::from);
    command.args(words).args(arguments).env("TMPDIR", scratch);
    Ok(command)
}

fn is_confined(mode: SandboxMode, screen: &Screen) -> anyhow::Result<bool> {
    if mode == SandboxMode::Off {
        return Ok(false);
    }
    let Some(why) = unsupported() else { return Ok(true) };
    let said = format!("the MCP server can't be kept in a sandbox here: {}", printable(&why));
    match mode {
        SandboxMode::Required if std::io::stdin().is_terminal() => {
            screen.line(&screen.paint(Tone::Bad, &said));
            if agreed("Start it all the same, with everything that you may do yourself? [y/N] ")? {
                return Ok(false);
            }
            bail!("the MCP server was not started");
        }
        SandboxMode::Required => bail!("{said}; `--sandbox off` starts it with everything that you may do yourself"),
        SandboxMode::IfPossible | SandboxMode::Off => {
            screen.line(&screen.paint(Tone::Quiet, &said));
            Ok(false)
        }
    }
}

fn agreed(question: &str) -> anyhow::Result<bool> {
    write!(std::io::stderr(), "{question}").context("can't ask")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("can't read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
