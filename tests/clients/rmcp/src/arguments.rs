//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// A real MCP client on the Rust SDK.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// The MCP endpoint.
    #[arg(long)]
    pub(crate) url: String,
    /// A tool to call.
    #[arg(long)]
    pub(crate) call: Option<String>,
    /// Its arguments, as a JSON object.
    #[arg(long, default_value = "{}")]
    pub(crate) args: String,
    /// List the tools.
    #[arg(long)]
    pub(crate) list: bool,
    /// Allow further authorizations when the server asks for more scopes.
    #[arg(long)]
    pub(crate) step_up: bool,
    /// The folder of `person.mjs`, which signs in.
    #[arg(long)]
    pub(crate) person: PathBuf,
    /// Who signs in.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Their password, for a sign-in page that asks for one.
    #[arg(long)]
    pub(crate) password: Option<String>,
    /// A bearer token to send instead of signing in.
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// `auto`, `legacy` or a revision.
    #[arg(long, default_value = "auto")]
    pub(crate) protocol: String,
    /// A client id that the authorization server knows already.
    #[arg(long)]
    pub(crate) client_id: Option<String>,
    /// The address of a client id metadata document.
    #[arg(long)]
    pub(crate) client_metadata_url: Option<String>,
    /// Seconds after which to give up.
    #[arg(long, default_value_t = 60)]
    pub(crate) timeout: u64,
}
