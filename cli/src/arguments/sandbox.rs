//! What the MCP server that `dev` starts may touch.

use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// The server's sandbox.
#[derive(Debug, Args)]
pub(crate) struct SandboxArguments {
    /// Whether the MCP server runs in a sandbox (Linux: Landlock, seccomp and no new privileges). `required` asks on a terminal where
    /// the kernel can't, and ends otherwise.
    #[arg(long, value_enum, default_value_t = SandboxMode::Required, value_name = "WHEN", help_heading = "Sandbox of the MCP server")]
    pub(crate) sandbox: SandboxMode,
    /// Let the server read these files or folders, besides the system's, its own program's and the current folder. May be repeated.
    #[arg(long, value_name = "PATH", help_heading = "Sandbox of the MCP server")]
    pub(crate) allow_read: Vec<PathBuf>,
    /// Let the server read and write these, besides a folder of its own for temporary files. May be repeated.
    #[arg(long, value_name = "PATH", help_heading = "Sandbox of the MCP server")]
    pub(crate) allow_write: Vec<PathBuf>,
    /// Let the server use the network, besides listening on its port.
    #[arg(long, help_heading = "Sandbox of the MCP server")]
    pub(crate) allow_network: bool,
}

/// Whether there is a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SandboxMode {
    /// The server is not started without.
    Required,
    /// Without where the kernel can't, which is said.
    IfPossible,
    /// Never: the server may do whatever you may.
    Off,
}

/// A command that enters a sandbox.
#[derive(Debug, Args)]
pub(crate) struct SandboxedArguments {
    /// The sandbox, in JSON.
    #[arg(long)]
    pub(crate) rules: String,
    /// The command.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<OsString>,
}
