//! HTTP servers that say what they read of a request: the way behind the data plane on which a judged request could become
//! another one.

use super::collector::own_address;
use super::place;
use super::process::{Process, command};
use crate::deadline::eventually;
use crate::upstream::{UPSTREAM_PATH, Upstream};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Time to start, on a loaded machine.
const START: Duration = Duration::from_secs(90);
/// Time to write a line about a request that was answered.
const SAID: Duration = Duration::from_secs(20);
/// The port of those that need one named.
const PORT: u16 = 8080;
/// Begins the names of headers in which a proxy says what it read.
const SAYS: &str = "x-read-";

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Node.js's own library.
    Node,
    /// uvicorn.
    Uvicorn,
    /// Go's own library.
    Go,
    /// nginx, in front of a double.
    Nginx,
    /// `HAProxy`, in front of a double.
    Haproxy,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Node, Self::Uvicorn, Self::Go, Self::Nginx, Self::Haproxy];
    /// Those that read messages, too.
    pub const LANGUAGES: [Self; 3] = [Self::Node, Self::Uvicorn, Self::Go];
}

/// What a server read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Read {
    /// Method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; base64 in a line.
    #[serde(deserialize_with = "of_base64")]
    pub body: Vec<u8>,
    /// The message, in each way in which the language reads it: `id`, `method`, `name` and `arguments`, or `error`.
    pub messages: BTreeMap<String, Value>,
}

impl Read {
    /// All values of a header.
    pub fn header(&self, wanted: &str) -> Vec<&str> {
        self.headers.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).collect()
    }
}

/// A running server.
pub struct Reader {
    says: Says,
    url: String,
    _folder: TempDir,
}

enum Says {
    Lines(Process),
    Headers { recorder: Upstream, _process: Process },
}

impl Reader {
    /// Starts one; returns once it listens.
    pub async fn start(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let script = |name: &str| place::tests().join("upstreams").join(name);
        match kind {
            Kind::Node => {
                let mut node = command(place::node());
                node.arg(script("reader.mjs"));
                Self::program("Node.js", node, folder)
            }
            Kind::Uvicorn => {
                let mut python = command(place::python());
                python.arg(script("reader.py"));
                Self::program("uvicorn", python, folder)
            }
            Kind::Go => Self::program("the reader on Go", command(place::upstreams().join("reader")), folder),
            Kind::Nginx => Self::proxy("nginx", "nginx.conf", &["-e", "stderr", "-c"], folder).await,
            Kind::Haproxy => Self::proxy("haproxy", "haproxy.cfg", &["-db", "-f"], folder).await,
        }
    }

    fn program(name: &'static str, command: std::process::Command, folder: TempDir) -> Self {
        let process = Process::start(name, command);
        let line = process.line(START);
        let url = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{name} says where it listens: {line}"));
        Self { url: url.to_owned(), says: Says::Lines(process), _folder: folder }
    }

    async fn proxy(name: &'static str, configuration: &str, arguments: &[&str], folder: TempDir) -> Self {
        let recorder = Upstream::start().await;
        let listen = SocketAddr::new(own_address(), PORT);
        let text = std::fs::read_to_string(place::tests().join("upstreams").join(configuration));
        let text = text.expect("the configuration is in the checkout");
        let text = text.replace("FOLDER", &folder.path().display().to_string());
        let text = text.replace("LISTEN", &listen.to_string()).replace("RECORDER", &recorder.authority());
        let file = folder.path().join(configuration);
        std::fs::write(&file, text).expect("the directory is writable");
        let mut program = command(place::upstreams().join("usr/sbin").join(name));
        program.args(arguments).arg(&file).env("LD_LIBRARY_PATH", libraries(&place::upstreams()));
        let process = Process::start(name, program);
        eventually("the proxy listens", async || TcpStream::connect(listen).await.is_ok()).await;
        let url = format!("http://{listen}{UPSTREAM_PATH}");
        Self { says: Says::Headers { recorder, _process: process }, url, _folder: folder }
    }

    /// Its endpoint.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What Host must say here.
    pub fn authority(&self) -> &str {
        self.url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).expect("a URL of ours")
    }

    /// Its address.
    pub fn address(&self) -> IpAddr {
        self.authority().parse::<SocketAddr>().expect("a socket address").ip()
    }

    /// What it read, of all requests that were answered since the last time. `count` is how many there were.
    pub fn read(&self, count: usize) -> Vec<Read> {
        match &self.says {
            Says::Lines(process) => (0..count)
                .map(|_| {
                    let line = process.line(SAID);
                    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
                })
                .collect(),
            Says::Headers { recorder, .. } => {
                let requests = recorder.requests();
                let start = requests.len().checked_sub(count).expect("each request reached the double");
                requests.into_iter().skip(start).map(|captured| said(&captured)).collect()
            }
        }
    }
}

/// What a proxy passed on, and what it says about it.
fn said(captured: &crate::upstream::Captured) -> Read {
    let text = |value: &http::HeaderValue| value.as_bytes().iter().map(|byte| char::from(*byte)).collect::<String>();
    let headers = captured.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
    let (said, headers): (Vec<_>, Vec<_>) = headers.partition(|(name, _)| name.starts_with(SAYS));
    let find = |what: &str| {
        let name = format!("{SAYS}{what}");
        said.iter().find(|(said, _)| *said == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let (method, target) = (captured.method.to_string(), captured.target.clone());
    assert_eq!((&find("method"), &find("target")), (&method, &target), "it passes on what it reads");
    assert_eq!(target.split('?').next(), Some(find("path").as_str()), "the path has one spelling");
    Read { method, target, headers, body: captured.body.to_vec(), messages: BTreeMap::new() }
}

/// Where an unpacked package has its libraries.
pub(super) fn libraries(folder: &Path) -> std::ffi::OsString {
    let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
    std::env::join_paths([folder.join("usr/lib").join(&triple), folder.join("lib").join(&triple)])
        .expect("the cache's path has no colon")
}

fn of_base64<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}
