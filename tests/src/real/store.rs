//! A real Redis or Valkey on loopback, at an address of its own, which can be made to fail in every way that servers do.

use super::collector::own_address;
use super::place;
use super::process::{Process, command};
use crate::certificates::{Authority, Pair};
use crate::deadline::eventually;
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, Value};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The usual port.
const PORT: u16 = 6379;
/// The port without TLS of a server with TLS, for the test itself.
const PLAIN: u16 = 6380;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
}

/// A server, running or killed.
pub struct Store {
    kind: Kind,
    folder: TempDir,
    address: IpAddr,
    tls: bool,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Redis, Self::Valkey];

    fn program(self) -> PathBuf {
        let name = match self {
            Self::Redis => "redis-server",
            Self::Valkey => "valkey-server",
        };
        place::stores().join("usr/bin").join(name)
    }
}

impl Store {
    /// Starts one.
    pub async fn start(kind: Kind) -> Self {
        Self::with(kind, &[]).await
    }

    /// Starts one with more arguments, in which ADDRESS is its own.
    pub async fn with(kind: Kind, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let address = own_address();
        let arguments = arguments.iter().map(|argument| argument.replace("ADDRESS", &address.to_string())).collect();
        let mut store = Self { kind, folder, address, tls: false, arguments, process: None };
        store.again().await;
        store
    }

    /// Starts one behind TLS, with a certificate of this authority.
    pub async fn secured(kind: Kind, authority: &Authority) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let address = own_address();
        let Pair { certificate, key } = authority.issue(&address.to_string());
        for (name, text) in [("tls.crt", certificate), ("tls.key", key)] {
            std::fs::write(folder.path().join(name), text).expect("the directory is writable");
        }
        let file = |name: &str| folder.path().join(name).display().to_string();
        let arguments = ["--tls-port", &PORT.to_string(), "--tls-auth-clients", "no"].map(str::to_owned).into_iter();
        let files = [("--tls-cert-file", "tls.crt"), ("--tls-key-file", "tls.key")];
        let arguments = arguments.chain(files.into_iter().flat_map(|(name, path)| [name.to_owned(), file(path)]));
        let mut store = Self { kind, arguments: arguments.collect(), folder, address, tls: true, process: None };
        store.again().await;
        store
    }

    /// Starts it again after [`Self::kill`], empty; returns once it answers.
    pub async fn again(&mut self) {
        assert!(self.process.is_none(), "the store still runs");
        let port = if self.tls { PLAIN } else { PORT };
        let mut program = command(self.kind.program());
        program.env("LD_LIBRARY_PATH", libraries(&place::stores()));
        program.args(["--bind", &self.address.to_string(), "--port", &port.to_string(), "--protected-mode", "no"]);
        program.args(["--save", "", "--appendonly", "no", "--dir"]).arg(self.folder.path()).args(&self.arguments);
        let mut process = Process::start("the store", program);
        eventually("the store answers", async || {
            assert!(process.is_running(), "the store ended:\n{}", process.errors());
            match self.connect().await {
                // One that wants a password is there too.
                Ok(mut connection) => {
                    let pong = redis::cmd("PING").query_async::<Value>(&mut connection).await;
                    pong.is_ok() || pong.is_err_and(|error| error.code() == Some("NOAUTH"))
                }
                Err(_) => false,
            }
        })
        .await;
        self.process = Some(process);
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "rediss" } else { "redis" }, self.socket())
    }

    /// Where it listens.
    pub fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.address, PORT)
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        self.process.take().expect("the store runs").kill();
    }

    /// Stops it where it is; connections stay open and are not answered.
    pub fn pause(&self) {
        self.process.as_ref().expect("the store runs").pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.as_ref().expect("the store runs").resume();
    }

    /// Tells it something as its administrator; words are separated by spaces.
    pub async fn tell(&self, words: &str) -> Value {
        let mut connection = self.connect().await.expect("the store takes a connection");
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().expect("a command"));
        command.arg(words.collect::<Vec<_>>());
        command.query_async(&mut connection).await.expect("the store does as it is told")
    }

    /// What it answers to [`Self::tell`], read.
    pub async fn answer<T: FromRedisValue>(&self, words: &str) -> T {
        redis::from_redis_value(self.tell(words).await).expect("the store answers what is asked for")
    }

    /// How many charges it was asked for.
    pub async fn charges(&self) -> u64 {
        self.info("commandstats", "cmdstat_evalsha:calls=").await
    }

    /// A number that it tells about itself.
    pub async fn info(&self, section: &str, field: &str) -> u64 {
        let told: String = self.answer(&format!("INFO {section}")).await;
        let line = told.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
        let digits: String =
            line.chars().skip_while(|letter| !letter.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_default()
    }

    /// A connection of the administrator, without TLS.
    pub async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        let port = if self.tls { PLAIN } else { PORT };
        let client = redis::Client::open(format!("redis://{}", SocketAddr::new(self.address, port)))?;
        client.get_multiplexed_async_connection().await
    }
}

/// Libraries that the machine may not have, beside the programs.
pub(super) fn libraries(folder: &Path) -> PathBuf {
    folder.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH))
}
