//! What can be typed after `tollward limits`.

use clap::{ArgGroup, Args, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;
use tollward_policy::inquiry::Claim;

/// Whose limits, at which server.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("who").required(true).multiple(true).args(["subject", "client", "address"]))]
#[command(group = ArgGroup::new("place").required(true).args(["server", "socket"]))]
pub(crate) struct LimitsArguments {
    /// Name of the `MCPServer`.
    #[arg(value_name = "SERVER", value_parser = object_name)]
    pub(crate) server: Option<String>,
    /// Its namespace. If not given, that of the context.
    #[arg(short, long, value_name = "NAME", value_parser = object_name)]
    pub(crate) namespace: Option<String>,
    /// The context of the kubeconfig. If not given, the current one.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The socket of a process on this machine instead, as `tollward dev` prints it.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["namespace", "context"])]
    pub(crate) socket: Option<PathBuf>,
    /// The subject of the caller's tokens.
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) subject: Option<String>,
    /// The OAuth client of the caller's tokens.
    #[arg(long, value_name = "ID")]
    pub(crate) client: Option<String>,
    /// The issuer of the caller's tokens, if the server accepts several.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// A claim of the caller's tokens that names its tier or tenant; NAME:=7 if it is a number there. May be repeated.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    pub(crate) claims: Vec<GivenClaim>,
    /// The address that the caller connects from, for limits that count by it.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<std::net::IpAddr>,
    /// Only limits of calls of this tool. May be repeated.
    #[arg(long = "tool", value_name = "NAME")]
    pub(crate) tools: Vec<String>,
    /// Only limits of asking for this prompt. May be repeated.
    #[arg(long = "prompt", value_name = "NAME")]
    pub(crate) prompts: Vec<String>,
    /// Only limits of reading this resource. May be repeated.
    #[arg(long = "resource", value_name = "URI")]
    pub(crate) resources: Vec<String>,
    /// In which form.
    #[arg(short, long, value_enum, default_value_t = View::Table)]
    pub(crate) output: View,
}

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum View {
    /// All replicas together.
    Table,
    /// Each replica, too.
    Wide,
    /// For programs.
    Json,
}

/// A claim with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenClaim {
    pub(crate) name: String,
    pub(crate) value: Claim,
}

impl FromStr for GivenClaim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text
            .split_once('=')
            .filter(|(_, value)| !value.is_empty())
            .ok_or("write NAME=VALUE, for instance tier=production")?;
        let (name, value) = match name.strip_suffix(':') {
            Some(name) => (name, Claim::Number(value.parse().map_err(|_| "after := comes a number, as in tenant:=7")?)),
            None => (name, Claim::Text(value.to_owned())),
        };
        if name.is_empty() {
            return Err("write NAME=VALUE, for instance tier=production".to_owned());
        }
        Ok(Self { name: name.to_owned(), value })
    }
}

/// It becomes part of a selector.
fn object_name(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let fits =
        (1..=63).contains(&text.len()) && text.chars().all(plain) && !text.starts_with('-') && !text.ends_with('-');
    if fits { Ok(text.to_owned()) } else { Err("a name has lower-case letters, digits and `-` only".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::{Claim, GivenClaim, LimitsArguments};
    use clap::{Args as _, Command, FromArgMatches as _};

    fn parse(arguments: &[&str]) -> Result<LimitsArguments, clap::Error> {
        let command = LimitsArguments::augment_args(Command::new("limits"));
        LimitsArguments::from_arg_matches(&command.try_get_matches_from(["limits"].iter().chain(arguments))?)
    }

    #[test]
    fn a_number_is_told_from_a_text() {
        let claim = |text: &str| text.parse::<GivenClaim>().map(|claim| (claim.name, claim.value));
        assert_eq!(claim("tenant=7").unwrap(), ("tenant".to_owned(), Claim::Text("7".to_owned())));
        assert_eq!(claim("tenant:=7").unwrap(), ("tenant".to_owned(), Claim::Number(7.into())));
        assert_eq!(claim("urn:x=a=b").unwrap(), ("urn:x".to_owned(), Claim::Text("a=b".to_owned())));
        for wrong in ["tenant", "=7", ":=7", "tenant=", "tenant:=seven", "tenant:=true"] {
            claim(wrong).unwrap_err();
        }
    }

    #[test]
    fn a_server_and_somebody_have_to_be_named() {
        parse(&["catalog", "--subject", "ada", "--claim", "tier=gold"]).unwrap();
        parse(&["--socket", "s", "--client", "agent"]).unwrap();
        for wrong in [
            &["catalog"][..],
            &["--subject", "ada"],
            &["catalog", "--socket", "s", "--subject", "a"],
            &["--socket", "s", "-n", "shop", "--subject", "a"],
            &["catalog,x=y", "--subject", "a"],
            &["../catalog", "--subject", "a"],
            &["catalog", "--subject", "a", "--claim", "tier"],
            &["catalog", "--address", "somewhere"],
        ] {
            parse(wrong).unwrap_err();
        }
    }
}
