//! What can be typed after `tollward revoke`.

use clap::{ArgGroup, Args};
use jiff::Timestamp;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tollward_api::duration::GoDuration;

/// Whose tokens are refused, at which provider, and how long to wait for it.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true)
    .args(["subject", "client", "token_id", "issued_before", "token", "list", "undo"]))]
pub(crate) struct RevokeArguments {
    /// Name of the `IdentityProvider` whose tokens are meant.
    #[arg(long, value_name = "NAME", value_parser = object_name)]
    pub(crate) provider: String,
    /// Its namespace. If not given, that of the context.
    #[arg(short, long, value_name = "NAME", value_parser = object_name)]
    pub(crate) namespace: Option<String>,
    /// The context of the kubeconfig. If not given, the current one.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Refuse tokens of this caller, also where it acts for somebody. Together with other options, all must apply.
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) subject: Option<String>,
    /// Refuse tokens of this OAuth client, and tokens that name no client.
    #[arg(long, value_name = "ID")]
    pub(crate) client: Option<String>,
    /// Refuse the token with this id (`jti`), and tokens without any.
    #[arg(long, value_name = "ID")]
    pub(crate) token_id: Option<String>,
    /// Refuse tokens that were issued before; `now` adds the leeway of the provider's clocks. Alone, it refuses every older
    /// token of the provider.
    #[arg(long, value_name = "TIME|now")]
    pub(crate) issued_before: Option<Moment>,
    /// Refuse the token in this file (`-` is the standard input), by its subject and id, until it has expired. It is not
    /// printed and goes nowhere.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "token_id", "issued_before"])]
    pub(crate) token: Option<PathBuf>,
    /// Name of the entry, which audit records show. If not given, one is made up.
    #[arg(long, value_name = "NAME", value_parser = entry_name, conflicts_with_all = ["list", "undo"])]
    pub(crate) name: Option<String>,
    /// Why, for people who read the `IdentityProvider`.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["list", "undo"])]
    pub(crate) reason: Option<String>,
    /// When the entry ends by itself, as a time or from now: 12h. If not given, it counts until it is taken back.
    #[arg(long, value_name = "DURATION|TIME", conflicts_with_all = ["list", "undo"])]
    pub(crate) until: Option<Until>,
    /// Show the entries.
    #[arg(long, conflicts_with_all = ["subject", "client", "token_id", "issued_before", "token", "undo"])]
    pub(crate) list: bool,
    /// Take the entry of this name back.
    #[arg(long, value_name = "NAME", value_parser = entry_name,
        conflicts_with_all = ["subject", "client", "token_id", "issued_before", "token"])]
    pub(crate) undo: Option<String>,
    /// How long to wait until every replica enforces it; 0s does not wait. Exit code 1 if it takes longer.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_value = "30s",
        default_missing_value = "30s", value_parser = duration)]
    pub(crate) wait: Duration,
}

/// A time, or now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// When the command runs.
    Now,
    /// That time.
    At(Timestamp),
}

/// An end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// From when the command runs.
    After(Duration),
    /// That time.
    At(Timestamp),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "now" { Ok(Self::Now) } else { time(text).map(Self::At) }
    }
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        duration(text)
            .map(Self::After)
            .or_else(|_| time(text).map(Self::At))
            .map_err(|_| "write a duration such as 12h, or a time such as 2026-11-23T12:00:00Z".to_owned())
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "write a time such as 2026-11-23T12:00:00Z".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let seconds = GoDuration::new(text).seconds().map_err(|error| error.to_string())?;
    Ok(Duration::from_secs(seconds.into()))
}

/// Names become parts of a path, and the API server's own message would be about that path.
fn object_name(text: &str) -> Result<String, String> {
    let plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || b"-.".contains(&letter);
    let fine = (1..=253).contains(&text.len()) && text.bytes().all(plain) && !text.contains("..");
    if fine { Ok(text.to_owned()) } else { Err("names have lower case letters, digits, - and .".to_owned()) }
}

fn entry_name(text: &str) -> Result<String, String> {
    let plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
    let fine =
        (1..=63).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('-') && !text.ends_with('-');
    if fine { Ok(text.to_owned()) } else { Err("names have 1 to 63 lower case letters, digits and -".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::{Moment, RevokeArguments, Until};
    use clap::{Args as _, Command, FromArgMatches as _};
    use std::time::Duration;

    fn parse(arguments: &[&str]) -> Result<RevokeArguments, clap::Error> {
        let command = RevokeArguments::augment_args(Command::new("revoke"));
        let all = ["revoke", "--provider", "idp"].iter().chain(arguments);
        RevokeArguments::from_arg_matches(&command.try_get_matches_from(all)?)
    }

    #[test]
    fn nobody_in_particular_is_nobody() {
        parse(&[]).unwrap_err();
        parse(&["--reason", "x", "--until", "1h"]).unwrap_err();
        parse(&["--client", "a", "--list"]).unwrap_err();
        parse(&["--token", "f", "--subject", "a"]).unwrap_err();
        parse(&["--subject", "a", "--provider", "../x"]).unwrap_err();
        parse(&["--subject", "a", "--name", "A b"]).unwrap_err();
    }

    #[test]
    fn times_are_relative_or_written_out() {
        let parsed = parse(&["--subject", "a", "--issued-before", "now", "--until", "1h30m"]).unwrap();
        assert_eq!(parsed.issued_before, Some(Moment::Now));
        assert_eq!(parsed.until, Some(Until::After(Duration::from_mins(90))));
        let time = "2026-11-23T12:00:00Z";
        let parsed = parse(&["--issued-before", time, "--until", time]).unwrap();
        assert_eq!(parsed.issued_before, Some(Moment::At(time.parse().unwrap())));
        assert_eq!(parsed.until, Some(Until::At(time.parse().unwrap())));
        for wrong in ["yesterday", "2026-11-23", "1d", "-1h"] {
            parse(&["--subject", "a", "--until", wrong]).unwrap_err();
        }
    }

    #[test]
    fn it_waits_unless_told_otherwise() {
        let wait = |arguments: &[&str]| parse(&[&["--list"], arguments].concat()).unwrap().wait.as_secs();
        assert_eq!((wait(&[]), wait(&["--wait"]), wait(&["--wait=5s"]), wait(&["--wait=0s"])), (30, 30, 5, 0));
    }
}
