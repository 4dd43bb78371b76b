//! How a server's program is run.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

/// Takes lines for people: what the server says on standard error, and what the bridge does.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// Which process serves a call of the revisions with sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SessionMode {
    /// Each session has one of its own.
    #[value(name = "PerSession")]
    PerSession,
    /// One for all, which sees one client.
    #[value(name = "Shared")]
    Shared,
}

/// The program to run.
#[derive(Debug, Clone)]
pub struct Launch {
    /// A path, or a name that is looked up in `PATH`.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Bytes that one message may have, in either direction.
    pub max_message_bytes: usize,
}

/// How the program is run.
#[derive(Clone)]
pub struct Settings {
    /// What is run.
    pub launch: Launch,
    /// For whom.
    pub mode: SessionMode,
    /// Processes that may run at a time.
    pub max_processes: usize,
    /// A session that nobody used for so long ends.
    pub idle: Duration,
    /// Take care of orphans. Only for a process that has no children but the servers.
    pub adopts: bool,
    /// Where lines for people go.
    pub log: Log,
}
