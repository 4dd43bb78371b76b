//! The Valkey that the chart brings, on loopback: the files that Helm renders, read by the real server as they are, but for
//! the folders in which they stand and the port. What pods and Kubernetes add to that is for the tests on a node.

use super::helm::{self, Object};
use super::place;
use super::process::{Process, command};
use super::store::libraries;
use crate::deadline::eventually;
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Its name in the cluster, of a domain that every resolver knows to be this machine.
const HOST: &str = "tollward-valkey.tollward-system.svc.localhost";
/// What is rendered; whoever counts here has no other name.
const SETTINGS: &[&str] = &[
    "valkey.enabled=true",
    r#"clusterDomain="localhost""#,
    r#"valkey.namespaces={"shop":["standard"],"other":["standard"]}"#,
];

/// A server, running or killed.
pub struct Charted {
    folder: TempDir,
    objects: Vec<Object>,
    port: u16,
    process: Option<Process>,
}

impl Charted {
    /// Renders the chart with these settings besides, and starts the server.
    pub async fn start(settings: &[&str]) -> Self {
        let objects = helm::render(&[SETTINGS, settings].concat());
        let folder = tempfile::tempdir().expect("a temporary directory");
        let own = folder.path().display();
        let rendered = text(&objects, "ConfigMap", helm::NAMESPACE, "/data/valkey.conf");
        let moved = rendered.replace("/etc/valkey", &own.to_string()).replace("dir /data", &format!("dir {own}/data"));
        assert!(!moved.contains(" /etc") && !moved.contains(" /data"), "{moved}");
        write(&folder.path().join("config/valkey.conf"), &moved);
        for key in ["users.acl", "tls.crt", "tls.key"] {
            let pointer = format!("/stringData/{key}");
            write(&folder.path().join("secret").join(key), text(&objects, "Secret", helm::NAMESPACE, &pointer));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let mut server = Self { folder, objects, port, process: None };
        server.forget();
        drop(listener);
        server.again().await;
        server
    }

    /// Starts it again after [`Self::kill`], with what is in its folder; returns once its probes pass.
    pub async fn again(&mut self) {
        assert!(self.process.is_none(), "the server still runs");
        let mut program = command(program("valkey-server"));
        program.env("LD_LIBRARY_PATH", libraries(&place::stores()));
        program.arg(self.folder.path().join("config/valkey.conf"));
        program.args(["--tls-port", &self.port.to_string(), "--bind", "127.0.0.1", "-::1"]);
        let mut process = Process::start("the chart's Valkey", program);
        eventually("its probes pass", async || {
            assert!(process.is_running(), "it ended:\n{}", process.errors());
            self.probe()
        })
        .await;
        self.process = Some(process);
    }

    /// Kills it, as a crash of its container would.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// Takes what it kept, as a new pod without a volume finds it.
    pub fn forget(&self) {
        assert!(self.process.is_none(), "the server still runs");
        let data = self.folder.path().join("data");
        // Nothing is there before the first start.
        let _ = fs::remove_dir_all(&data);
        fs::create_dir(&data).expect("the directory is writable");
    }

    /// The `url` of a policy.
    pub fn url(&self) -> String {
        format!("rediss://{HOST}:{}", self.port)
    }

    /// What the Secret of a namespace says of that part: `username`, `password` or `ca.crt`.
    pub fn credential(&self, namespace: &str, part: &str) -> &str {
        text(&self.objects, "Secret", namespace, &format!("/stringData/store.standard.{part}"))
    }

    /// Whether the pod's probes pass: the very command, by the port of this one.
    pub fn probe(&self) -> bool {
        let pod = &helm::find(&self.objects, "StatefulSet", "tollward-valkey").value;
        let words = |probe: &str| pod.pointer(&format!("/spec/template/spec/containers/0/{probe}/exec/command"));
        for other in ["startupProbe", "readinessProbe"] {
            assert_eq!(words(other), words("livenessProbe"), "all of them ask the same");
        }
        let words = words("livenessProbe").and_then(Value::as_array).expect("a command");
        let mut words: Vec<&str> = words.iter().map(|word| word.as_str().expect("a word")).collect();
        let port = self.port.to_string();
        words.splice(1..1, ["-p", &port]);
        run(&words).status.success()
    }

    /// Gives a command as that user, if any; what the server answers.
    pub fn tell(&self, user: Option<(&str, &str)>, words: &[&str]) -> String {
        let all = self.words(user, words);
        let Output { status: _, stdout, stderr } = run(&all.iter().map(String::as_str).collect::<Vec<_>>());
        [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
    }

    /// Gives a command as the user of a namespace.
    pub fn tell_as(&self, namespace: &str, words: &[&str]) -> String {
        self.tell(Some(self.user(namespace)), words)
    }

    /// Gives a command as the user of a namespace, and does not wait for the answer.
    pub fn begin_as(&self, namespace: &str, words: &[&str]) -> Process {
        let all = self.words(Some(self.user(namespace)), words);
        let mut command = command(program("valkey-cli"));
        command.args(all.iter().skip(1)).env("LD_LIBRARY_PATH", libraries(&place::stores()));
        Process::start("valkey-cli", command)
    }

    fn user(&self, namespace: &str) -> (&str, &str) {
        (self.credential(namespace, "username"), self.credential(namespace, "password"))
    }

    fn words(&self, user: Option<(&str, &str)>, words: &[&str]) -> Vec<String> {
        let authority = self.folder.path().join("ca.crt");
        write(&authority, self.credential("shop", "ca.crt"));
        let mut all: Vec<String> = ["valkey-cli", "--tls", "--cacert"].map(str::to_owned).into();
        all.extend([authority.display().to_string(), "-p".to_owned(), self.port.to_string()]);
        if let Some((name, password)) = user {
            all.extend(["--user", name, "--pass", password, "--no-auth-warning"].map(str::to_owned));
        }
        all.extend(words.iter().map(|word| (*word).to_owned()));
        all
    }
}

/// A text of the chart's Valkey in that namespace; there is one of each kind.
fn text<'a>(objects: &'a [Object], kind: &str, namespace: &str, pointer: &str) -> &'a str {
    let mut of_it = objects.iter().filter(|object| object.kind == kind && object.namespace == namespace);
    let found = of_it.find_map(|object| object.value.pointer(pointer)?.as_str());
    found.unwrap_or_else(|| panic!("no {kind} in {namespace} has {pointer}"))
}

fn write(path: &Path, content: &str) {
    let folder = path.parent().expect("a file is in a directory");
    fs::create_dir_all(folder).and_then(|()| fs::write(path, content)).expect("the directory is writable");
}

fn program(name: &str) -> PathBuf {
    place::stores().join("usr/bin").join(name)
}

fn run(words: &[&str]) -> Output {
    let (name, arguments) = words.split_first().expect("a program");
    let mut command = Command::new(program(name));
    command.args(arguments).env_clear().env("LD_LIBRARY_PATH", libraries(&place::stores()));
    command.output().unwrap_or_else(|error| panic!("{name} can't be started: {error}"))
}
