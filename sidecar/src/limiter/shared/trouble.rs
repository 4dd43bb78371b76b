//! What can be wrong with a store, and what to do about it there. Pure.
//!
//! No text repeats what the store said: an error of a server may hold a user's name, a key, or what was sent.

use redis::{ErrorKind, RedisError};
use std::time::Duration;
use tollward_policy::limits::{StoreAddress, StoreMode};

/// The only thing that is told outside of the log about what does not speak as a store. One text for closed, filtered, denied,
/// unverified and foreign alike: who may write policies must not learn by them what is where in the network.
const PUBLIC_MESSAGE: &str = "the store could not be reached; the cause is in the log of the replica that tried. Plain redis://, \
                              and addresses that are not public, need the installer's consent (`dial.allow`)";

/// Why the store did not count. `Display` is for the log; outsiders get [`Trouble::public_message`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// No answer in time. It may have counted nevertheless.
    #[error("no answer within {0:?}: look at the store's load and the network to it, or raise the deadline")]
    Late(Duration),
    /// More calls wait for it than may.
    #[error("too many calls wait for the store at once: it is too slow for the load, or the deadline is too long")]
    Busy,
    /// There is no connection yet.
    #[error("the connection is not open yet")]
    Opening,
    /// It can't be dialled.
    #[error("can't be reached: {0}")]
    Unreachable(String),
    /// The connection ended.
    #[error("the connection was closed")]
    Closed,
    /// A file of the credentials can't be used.
    #[error("{0}")]
    File(String),
    /// User or password is wrong, or missing.
    #[error("the store refuses the user or the password: compare the Secret with its ACL")]
    Credentials,
    /// The user may not do what counting takes.
    #[error(
        "the user may not count: the store's ACL must allow it +eval +evalsha +time +get +set +del on the keys {{tollward:*"
    )]
    Permission,
    /// It is a replica.
    #[error("the store is read-only, since it is a replica: the URL must lead to the primary")]
    ReadOnly,
    /// It has too few replicas, or can't write to its disk.
    #[error("the store takes no writes ({0}): its persistence or its replicas are not in order; look at its log")]
    NoWrites(&'static str),
    /// It reads its data.
    #[error("the store is loading its data")]
    Loading,
    /// It has no memory left.
    #[error("the store has no memory left: raise maxmemory, or let it evict (maxmemory-policy volatile-ttl)")]
    OutOfMemory,
    /// A script runs for too long there.
    #[error("the store is busy with somebody's script")]
    Script,
    /// The slot is at another node.
    #[error("the counts of this namespace are at {0}")]
    Moved(StoreAddress),
    /// A cluster, where none was expected.
    #[error("the store is a cluster: set the store's mode to Cluster")]
    IsCluster,
    /// The slot is on its way, or nobody serves it.
    #[error("the cluster does not serve the counts of this namespace now: a slot is moved, or a node is down")]
    Cluster,
    /// It says what no store says.
    #[error("the store answers what can't be understood: is it Redis 7 or newer, or Valkey?")]
    Answer,
    /// Another error of its own.
    #[error("the store answers with an error ({0})")]
    Other(String),
}

impl Trouble {
    /// The class, as a metric's label.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Late(_) => "late",
            Self::Busy => "busy",
            Self::Opening => "opening",
            Self::Unreachable(_) => "unreachable",
            Self::Closed => "closed",
            Self::File(_) => "file",
            Self::Credentials => "credentials",
            Self::Permission => "permission",
            Self::ReadOnly => "read_only",
            Self::NoWrites(_) => "no_writes",
            Self::Loading => "loading",
            Self::OutOfMemory => "out_of_memory",
            Self::Script => "script",
            Self::Moved(_) => "moved",
            Self::IsCluster | Self::Cluster => "cluster",
            Self::Answer => "answer",
            Self::Other(_) => "other",
        }
    }

    /// What is reported to whoever may read the policy's status.
    pub(super) fn public_message(&self) -> String {
        match self {
            Self::Unreachable(_) | Self::Closed | Self::Answer | Self::Other(_) | Self::Opening => {
                PUBLIC_MESSAGE.to_owned()
            }
            Self::Late(_)
            | Self::Busy
            | Self::File(_)
            | Self::Credentials
            | Self::Permission
            | Self::ReadOnly
            | Self::NoWrites(_)
            | Self::Loading
            | Self::OutOfMemory
            | Self::Script
            | Self::Moved(_)
            | Self::IsCluster
            | Self::Cluster => self.to_string(),
        }
    }

    /// Whether one call alone was concerned: another one may well be counted.
    pub(super) fn is_of_one_call(&self) -> bool {
        matches!(self, Self::Late(_) | Self::Busy | Self::Opening)
    }

    /// Whether a new connection is likely to help at once, so that calls wait for it instead of being answered without.
    pub(super) fn passes_soon(&self) -> bool {
        matches!(self, Self::Closed | Self::Moved(_))
    }

    /// What an error of the store at that address means.
    pub(super) fn of(error: &RedisError, asked: &StoreAddress, mode: StoreMode) -> Self {
        if error.kind() == ErrorKind::AuthenticationFailed {
            return Self::Credentials;
        }
        match error.code() {
            Some("WRONGPASS" | "NOAUTH") => Self::Credentials,
            Some("NOPERM") => Self::Permission,
            Some("ERR") if error.detail().is_some_and(is_about_rights) => Self::Permission,
            Some("READONLY" | "MASTERDOWN") => Self::ReadOnly,
            Some("NOREPLICAS") => Self::NoWrites("NOREPLICAS"),
            Some("MISCONF") => Self::NoWrites("MISCONF"),
            Some("LOADING") => Self::Loading,
            Some("OOM") => Self::OutOfMemory,
            Some("BUSY") => Self::Script,
            Some("MOVED") => moved(error, asked, mode),
            Some("ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "CROSSSLOT") => Self::Cluster,
            Some(code) => Self::Other(plain(code)),
            None if error.kind() == ErrorKind::Parse => Self::Answer,
            None => Self::Closed,
        }
    }
}

/// `MOVED slot host:port`; without a host it is the one that was asked.
fn moved(error: &RedisError, asked: &StoreAddress, mode: StoreMode) -> Trouble {
    match mode {
        StoreMode::Standalone => return Trouble::IsCluster,
        StoreMode::Cluster => {}
    }
    let node = error.redirect_node().and_then(|(node, _)| node.rsplit_once(':')).and_then(|(host, port)| {
        let port = port.parse().ok()?;
        let host = if host.is_empty() { asked.host() } else { host };
        asked.node(host.trim_matches(['[', ']']), port).ok()
    });
    node.map_or(Trouble::Cluster, Trouble::Moved)
}

/// How Redis and Valkey say that a command within a script is not allowed.
fn is_about_rights(said: &str) -> bool {
    ["The user executing the script", "ACL failure in script"].iter().any(|begin| said.starts_with(begin))
}

/// A code as stores write it, or nothing of it.
fn plain(code: &str) -> String {
    let usual = (1..=32).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_uppercase());
    if usual { code.to_owned() } else { "unknown".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{StoreAddress, StoreMode, Trouble};
    use redis::parse_redis_value;

    fn of(line: &str, mode: StoreMode) -> Trouble {
        let value = parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        let error = value.extract_error().unwrap_err();
        Trouble::of(&error, &StoreAddress::parse("rediss://valkey:7000").unwrap(), mode)
    }

    #[test]
    fn every_refusal_of_a_store_is_known_and_says_what_to_do_without_repeating_what_the_store_said() {
        for (line, code) in [
            ("NOAUTH Authentication required.", "credentials"),
            ("WRONGPASS invalid username-password pair or user is disabled.", "credentials"),
            ("NOPERM User secretname has no permissions to run the 'evalsha' command", "permission"),
            ("ERR The user executing the script can't run this command or subcommand script: secretname", "permission"),
            ("ERR ACL failure in script: User secretname has no permissions to run the 'set' command", "permission"),
            ("READONLY You can't write against a read only replica. script: secretname", "read_only"),
            ("LOADING Redis is loading the dataset in memory", "loading"),
            ("MASTERDOWN Link with MASTER is down", "read_only"),
            ("OOM command not allowed when used memory > 'maxmemory'. script: secretname", "out_of_memory"),
            ("MISCONF Redis is configured to save RDB snapshots", "no_writes"),
            ("NOREPLICAS Not enough good replicas to write.", "no_writes"),
            ("BUSY Redis is busy running a script.", "script"),
            ("CLUSTERDOWN Hash slot not served", "cluster"),
            ("TRYAGAIN Multiple keys request during rehashing of slot", "cluster"),
            ("ASK 3999 127.0.0.1:6381", "cluster"),
            ("ERR user_script:1: secretname", "other"),
            ("WRONGTYPE Operation against a key", "other"),
            ("secretname is what this server is called", "other"),
        ] {
            let trouble = of(line, StoreMode::Cluster);
            assert_eq!(trouble.code(), code, "{line}");
            assert!(!trouble.to_string().contains("secretname"), "{trouble}");
            assert!(!trouble.is_of_one_call());
        }
    }

    #[test]
    fn a_cluster_is_followed_to_a_node_by_the_same_scheme_and_only_where_one_was_announced() {
        let moved = |line: &str| {
            let trouble = of(line, StoreMode::Cluster);
            if let Trouble::Moved(address) = trouble { address.to_string() } else { trouble.code().to_owned() }
        };
        assert_eq!(moved("MOVED 3999 10.0.0.7:6381"), "rediss://10.0.0.7:6381");
        assert_eq!(moved("MOVED 3999 fd00::7:6381"), "rediss://[fd00::7]:6381");
        assert_eq!(moved("MOVED 3999 :6381"), "rediss://valkey:6381");
        assert_eq!(moved("MOVED 3999 node-2.example:6381"), "rediss://node-2.example:6381");
        for bad in
            ["MOVED 3999", "MOVED 3999 x", "MOVED 3999 a/b:1", "MOVED 3999 u@h:1", "MOVED 3999 h:0", "MOVED x h:1"]
        {
            assert_eq!(moved(bad), "cluster", "{bad}");
        }
        assert_eq!(of("MOVED 3999 10.0.0.7:6381", StoreMode::Standalone), Trouble::IsCluster);
    }
}
