//! What can be typed. Each command has examples, since they are what people read.

mod limits;
#[cfg(feature = "cluster")]
mod revoke;
mod sandbox;

pub(crate) use limits::{GivenClaim, LimitsArguments, View};
#[cfg(feature = "cluster")]
pub(crate) use revoke::{Moment, RevokeArguments, Until};

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
pub(crate) use sandbox::{SandboxArguments, SandboxMode, SandboxedArguments};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use url::Url;

/// Why the demonstration's build has no command that talks to a cluster, and where to get one.
#[cfg(not(feature = "cluster"))]
pub(crate) const NO_CLUSTER: &str =
    "this build was made for the demonstration and talks to no cluster; `cargo install --path cli` makes a whole one";

/// Authorization, rate limits and audit in front of MCP servers.
#[derive(Debug, Parser)]
#[command(
    name = "tollward",
    version,
    arg_required_else_help = true,
    after_help = "Examples:\n  tollward dev -f manifests -- node server.js         try a policy on this machine\n  tollward check -f manifests                         is it valid?\n  tollward explain -f manifests --token t --tool x    would this call pass?\n  tollward render -f manifests                        what would the operator make of it?\n  tollward revoke --provider company --subject ada    refuse tokens that would still be good\n  tollward limits catalog -n shop --subject ada       how much may this caller still call?"
)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print without colors, also on a terminal.
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run Tollward in front of an MCP server on this machine, with the policy of your manifests.
    #[command(
        after_help = "Examples:\n  tollward dev -f manifests -- node server.js\n  tollward dev -f manifests --server catalog --audit audit.jsonl --allow-network --allow-write ~/.npm -- npx -y @modelcontextprotocol/server-everything streamableHttp\n  tollward dev -f manifests --upstream http://127.0.0.1:3000/mcp --user ada=tier:production\n  tollward dev -f examples/catalog --walkthrough -- target/debug/catalog     in a checkout, after `cargo build -p catalog`\n\nThe MCP server is started with HOST=127.0.0.1 and PORT set to a free port, in a sandbox: without network, and without files but the system's, its\nprogram's and those of the current folder. Everything listens on 127.0.0.1 only, without TLS; the built-in sign-in takes any name. This is for development, not for a cluster."
    )]
    Dev(Box<DevArguments>),
    /// Say whether manifests are valid, and everything that is wrong with them. Exit code 1 if something is.
    #[command(
        after_help = "Examples:\n  tollward check -f examples/catalog\n  tollward check -f server.yaml -f limits.yaml"
    )]
    Check(Files),
    /// Print what the operator would make of manifests, as YAML. Exit code 1 if they are invalid.
    #[command(
        after_help = "Examples:\n  tollward render -f examples/catalog\n  tollward render -f examples/catalog -o config     only the data plane's configuration\n  tollward render -f examples/catalog -o children\n  kubectl get mcpserver,ratelimitpolicy,identityprovider -n shop -o yaml > live.yaml\n  tollward render -f live.yaml -o children | kubectl diff -f -    after an edit of live.yaml: what it would change\n\nNames of objects and selectors have the server's uid in them, so a comparison with a cluster needs the copy from there.\nThe Secret with keys, and what the installation sets, differ always."
    )]
    Render(RenderArguments),
    /// Refuse tokens that would still be good, on every server that accepts them, and end their holders' streams.
    #[cfg(feature = "cluster")]
    #[command(
        after_help = "Examples:\n  tollward revoke --provider company --subject ada --reason 'her laptop was stolen'\n  tollward revoke --provider company --token token.txt\n  tollward revoke --provider company --issued-before now --wait=1m    everybody signs in again\n  tollward revoke --provider company --list\n  kubectl tollward revoke --provider company --undo NAME              once `tollward` is linked as kubectl-tollward\n\nIt needs the right to get and patch the IdentityProvider, and to list MCPServers in order to wait. It writes `spec.deny`: a provider that is written by other tools must not own that list there."
    )]
    Revoke(Box<RevokeArguments>),
    /// Not in this build, which was made for the demonstration.
    #[cfg(not(feature = "cluster"))]
    #[command(
        disable_help_flag = true,
        after_help = "Examples:\n  tollward revoke --provider company --subject ada    after `cargo install --path cli`"
    )]
    Revoke {
        /// What was typed.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        typed: Vec<OsString>,
    },
    /// Show how a caller's limits stand at a server, at each replica and at all of them together. Asking charges nothing. Exit
    /// code 0 if every replica answered, and every store, else 1.
    #[command(
        after_help = "Examples:\n  tollward limits catalog -n shop --subject ada\n  tollward limits catalog -n shop --subject ada --claim tier=production --tool search_products -o wide\n  tollward limits catalog -n shop --client agent -o json\n  tollward limits catalog -n shop --address 192.0.2.7                        what it may send before authentication\n  tollward limits --socket /tmp/tollward-dev-x/inquiry.sock --subject ada    beside `tollward dev`, which prints the path\n  kubectl tollward limits catalog --subject ada                              once `tollward` is linked as kubectl-tollward\n\nIt runs kubectl, and needs the rights to list pods and to create pods/exec in the namespace. Without --tool, --prompt and\n--resource it shows the limits of everything that the server's own lists have named."
    )]
    Limits(Box<LimitsArguments>),
    /// Play the walk-through of `dev` against a server in a cluster, and check every answer.
    #[command(
        after_help = "Examples:\n  tollward walkthrough -f examples/catalog --connect catalog-tollward.shop.svc=127.0.0.1:8443 \\\n    --connect idp.example.com=127.0.0.1:8080 --authorities ca.crt --behind http://127.0.0.1:3000/mcp \\\n    --decoy https://elsewhere.example.com/mcp < records\n\nThe manifests are those that the cluster has. Ports come from `kubectl port-forward`, and the audit records from\n`kubectl logs --follow`, on standard input. The identity provider must let clients register, sign in Ada and Grace\nby a page with one form, and give Grace the better tier. `cargo xtask demo --cluster` sets all of it up."
    )]
    Walkthrough(Box<WalkthroughArguments>),
    /// Say what would happen to a call, and why: the rule, missing scopes, conditions and limits. Exit code 0 if it would be
    /// let through, 1 if refused, 2 if that can't be told.
    #[command(
        after_help = "Examples:\n  tollward explain -f examples/catalog --token token.txt --tool add_to_cart --args args.json\n  tollward explain -f examples/catalog --token - --method resources/read --resource catalog://products/TEA-001\n  tollward explain -f examples/catalog --token token.txt --jwks keys.json --tool checkout -o json\n\nNothing is sent to the MCP server, and the token is never printed. The provider's keys are fetched, or read from --jwks."
    )]
    Explain(Box<ExplainArguments>),
    /// Give up rights and become a command: how `dev` starts a server.
    #[command(
        hide = true,
        after_help = "Examples:\n  tollward sandboxed --rules '{\"read\":[\"/usr\",\"/lib\",\"/lib64\",\"/bin\"],\"write\":[],\"port\":3000}' -- node server.js"
    )]
    Sandboxed(SandboxedArguments),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Examples:\n  tollward completions bash > ~/.local/share/bash-completion/completions/tollward\n  tollward completions zsh > ~/.zfunc/_tollward\n  tollward completions fish > ~/.config/fish/completions/tollward.fish"
    )]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// The completion script for a shell.
pub(crate) fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "tollward", &mut script);
    String::from_utf8_lossy(&script).trim_end().to_owned()
}

/// Which manifests.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// A manifest, or a folder whose .yaml, .yml and .json files are read.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    pub(crate) filename: Vec<PathBuf>,
}

/// What `render` prints.
#[derive(Debug, Args)]
pub(crate) struct RenderArguments {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Which part.
    #[arg(short, long, value_enum, default_value_t = Output::All)]
    pub(crate) output: Output,
}

/// A part of what the operator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// The data plane's configuration.
    Config,
    /// The Kubernetes objects.
    Children,
    /// Both.
    All,
}

/// Which call `explain` is about.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Name of the `MCPServer`, if the manifests have several.
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<String>,
    /// File with the caller's access token; - is standard input. Without it, the call carries none.
    #[arg(long, value_name = "FILE")]
    pub(crate) token: Option<PathBuf>,
    /// The method.
    #[arg(long, value_name = "METHOD", default_value = "tools/call")]
    pub(crate) method: String,
    /// The tool that is called.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["prompt", "resource"])]
    pub(crate) tool: Option<String>,
    /// The prompt that is asked for.
    #[arg(long, value_name = "NAME", conflicts_with = "resource")]
    pub(crate) prompt: Option<String>,
    /// The resource that is read.
    #[arg(long, value_name = "URI")]
    pub(crate) resource: Option<String>,
    /// File with the call's arguments as a JSON object; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) args: Option<PathBuf>,
    /// File with the provider's key set (JWKS), where the provider can't be reached from here.
    #[arg(long, value_name = "FILE")]
    pub(crate) jwks: Option<PathBuf>,
    /// In which form.
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    pub(crate) output: Form,
}

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How `dev` runs.
#[derive(Debug, Args)]
pub(crate) struct DevArguments {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Name of the `MCPServer`, if the manifests have several.
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<String>,
    /// Port of the MCP endpoint; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// Port of the built-in authorization server; 0 takes a free one.
    #[arg(long, default_value_t = 8081, value_name = "PORT", conflicts_with = "issuer")]
    pub(crate) broker_port: u16,
    /// Use an authorization server that runs already, by its issuer, instead of the built-in one.
    #[arg(long, value_name = "URL", conflicts_with_all = ["walkthrough", "users"])]
    pub(crate) issuer: Option<String>,
    /// Use an MCP server that runs already, by the URL of its MCP endpoint.
    #[arg(long, value_name = "URL", conflicts_with = "server_command")]
    pub(crate) upstream: Option<Url>,
    /// Append every audit record to this file, as JSON lines.
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,
    /// Give a user's tokens a claim. VALUE is text; one that starts with [, { or " is JSON. May be repeated.
    #[arg(long = "user", value_name = "NAME=CLAIM:VALUE")]
    pub(crate) users: Vec<UserClaim>,
    /// A folder with one file for each key stands for a Secret that the manifests name. May be repeated.
    #[arg(long = "secret", value_name = "NAME=FOLDER")]
    pub(crate) secrets: Vec<SecretFolder>,
    /// Play a client against it, step by step, check every answer, and end.
    #[arg(long)]
    pub(crate) walkthrough: bool,
    /// Keep running after the walk-through.
    #[arg(long, requires = "walkthrough")]
    pub(crate) stay: bool,
    #[command(flatten)]
    pub(crate) sandbox: SandboxArguments,
    /// The MCP server's command, after `--`.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) server_command: Vec<String>,
}

/// A folder that stands for a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretFolder {
    /// Name of the Secret.
    pub(crate) name: String,
    /// The folder.
    pub(crate) folder: PathBuf,
}

impl FromStr for SecretFolder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, folder) = text
            .split_once('=')
            .filter(|(name, folder)| !name.is_empty() && !folder.is_empty())
            .ok_or("write NAME=FOLDER, for instance crm=secrets/crm")?;
        Ok(Self { name: name.to_owned(), folder: folder.into() })
    }
}

/// Where a cluster is reached.
#[derive(Debug, Args)]
pub(crate) struct WalkthroughArguments {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Name of the `MCPServer`, if the manifests have several.
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<String>,
    /// Reach a host by an address of this machine. May be repeated.
    #[arg(long = "connect", value_name = "HOST=ADDRESS:PORT", required = true)]
    pub(crate) doors: Vec<Door>,
    /// Certificate authorities of the endpoint, in PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) authorities: PathBuf,
    /// The MCP server itself, past Tollward, to compare the lists with.
    #[arg(long, value_name = "URL")]
    pub(crate) behind: Url,
    /// Another resource of the identity provider, whose tokens are worth nothing here.
    #[arg(long, value_name = "URL")]
    pub(crate) decoy: Url,
    /// After `--`: a command that makes the policy deny `get_product`. The time until that is enforced is measured.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) edit: Vec<String>,
}

/// A host, and the address that leads there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Door {
    /// The host in URLs.
    pub(crate) host: String,
    /// Its address.
    pub(crate) address: SocketAddr,
}

impl FromStr for Door {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('=').filter(|(host, _)| !host.is_empty());
        let door = parts.and_then(|(host, address)| Some((host.to_owned(), address.parse().ok()?)));
        let (host, address) = door.ok_or("write HOST=ADDRESS:PORT, for instance idp.example.com=127.0.0.1:8080")?;
        Ok(Self { host, address })
    }
}

/// A claim of a user's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserClaim {
    /// The name that the user signs in with.
    pub(crate) user: String,
    /// The claim.
    pub(crate) claim: String,
    /// Its value.
    pub(crate) value: serde_json::Value,
}

impl FromStr for UserClaim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('=').and_then(|(user, rest)| Some((user, rest.split_once(':')?)));
        let Some((user, (claim, value))) = parts.filter(|(user, (claim, _))| !user.is_empty() && !claim.is_empty())
        else {
            return Err("write NAME=CLAIM:VALUE, for instance ada=tier:production".to_owned());
        };
        let value = if value.starts_with(['[', '{', '"']) {
            serde_json::from_str(value).map_err(|error| format!("the value of claim `{claim}` is not JSON: {error}"))?
        } else {
            serde_json::Value::from(value)
        };
        Ok(Self { user: user.to_owned(), claim: claim.to_owned(), value })
    }
}

/// kubectl runs a program named `kubectl-tollward` for `kubectl tollward`; its help should speak of what was typed.
pub(crate) fn parse(typed: Vec<OsString>) -> Arguments {
    let program = typed.first().and_then(|path| Path::new(path).file_name());
    let command = Arguments::command();
    let command = if program.is_some_and(|name| name == "kubectl-tollward") {
        command.bin_name("kubectl tollward")
    } else {
        command
    };
    Arguments::from_arg_matches(&command.get_matches_from(typed)).unwrap_or_else(|error| error.exit())
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Command, Door, UserClaim};
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn the_command_line_is_consistent_and_every_command_has_examples() {
        let mut command = Arguments::command();
        command.build();
        command.clone().debug_assert();
        for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n  tollward "), "{}", command.get_name());
        }
    }

    #[test]
    fn a_user_claim_is_text_unless_it_looks_like_json() {
        let parse = |text: &str| text.parse::<UserClaim>().map(|claim| claim.value);
        assert_eq!(parse("ada=tier:production").unwrap(), "production");
        assert_eq!(parse("ada=level:7").unwrap(), "7");
        assert_eq!(parse("ada=groups:[\"a\"]").unwrap(), serde_json::json!(["a"]));
        assert_eq!(parse("ada=site:https://x").unwrap(), "https://x");
        for wrong in ["ada", "ada=tier", "=tier:x", "ada=:x", "ada=groups:[a"] {
            parse(wrong).unwrap_err();
        }
    }

    #[test]
    fn a_door_is_a_host_and_an_address() {
        let door: Door = "idp.example.com=127.0.0.1:80".parse().unwrap();
        assert_eq!((door.host.as_str(), door.address.port()), ("idp.example.com", 80));
        for wrong in ["idp.example.com", "=127.0.0.1:80", "idp=elsewhere:80", "idp=127.0.0.1"] {
            wrong.parse::<Door>().unwrap_err();
        }
    }

    #[test]
    fn the_servers_command_comes_after_two_dashes_only() {
        let parsed = Arguments::try_parse_from(["tollward", "dev", "-f", "x", "--", "catalog", "--flag"]).unwrap();
        let Command::Dev(dev) = parsed.command else { panic!("dev") };
        assert_eq!(dev.server_command, ["catalog", "--flag"]);
        Arguments::try_parse_from(["tollward", "dev", "-f", "x", "catalog"]).unwrap_err();
    }
}
