//! A Kubernetes cluster to install Tollward into: the one of `cargo xtask cluster`, or one that the user has and names by
//! the context of a kubeconfig. Whoever uses it need not know which of both it is.
//!
//! Guarantees: every command names the cluster that was chosen, so that the current context of a kubeconfig never matters;
//! namespaces that somebody else made are neither used nor removed.

pub(crate) mod claim;
pub(crate) mod objects;
pub(crate) mod release;
pub(crate) mod supply;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::background::Background;
use crate::{binaries, cluster, process, say, workspace};

/// Which cluster, and how its nodes get images that were built here.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Choice {
    /// Use a cluster that you have, by the name of a context in your kubeconfig
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// With --context: push the images to this registry and folder, from which the nodes pull
    #[arg(long, value_name = "PREFIX", requires = "context")]
    pub(crate) registry: Option<String>,
    /// With --context: the nodes have the images of `cargo xtask image` already
    #[arg(long, requires = "context", conflicts_with = "registry")]
    pub(crate) images_loaded: bool,
}

/// A cluster that answers.
#[derive(Debug)]
pub(crate) struct Kubernetes {
    place: Place,
    kubectl: PathBuf,
    helm: PathBuf,
}

#[derive(Debug)]
enum Place {
    /// Made by `cargo xtask cluster`, under this name.
    Own(String),
    /// The user's, under this context.
    Context(String),
}

impl Kubernetes {
    /// The cluster of `cargo xtask cluster up`, which is started if it is down.
    pub(crate) fn own(name: &str) -> Result<Self> {
        let folder = binaries::install(&["kubectl", "helm"])?;
        cluster::up(name)?;
        Ok(Self { place: Place::Own(name.to_owned()), kubectl: folder.join("kubectl"), helm: folder.join("helm") })
    }

    /// A cluster of the user's. It is asked once, so that a wrong name or an expired login is told at once.
    pub(crate) fn context(name: &str) -> Result<Self> {
        let kubectl = program("kubectl")?;
        let found = Self { place: Place::Context(name.to_owned()), kubectl, helm: program("helm")? };
        found.get(&["get", "--raw=/readyz", "--request-timeout=15s"]).with_context(|| {
            format!(
                "the cluster of the context `{name}` does not answer; `kubectl config get-contexts` lists what you have"
            )
        })?;
        Ok(found)
    }

    /// The name of the user's context, if it is one of theirs.
    pub(crate) fn context_name(&self) -> Option<&str> {
        match &self.place {
            Place::Own(_) => None,
            Place::Context(name) => Some(name),
        }
    }

    /// A command that reaches the cluster's addresses as far as this machine can, in the checkout's root.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        let root = workspace::root()?;
        match &self.place {
            Place::Own(name) => cluster::inside(name, &root, program.as_ref()),
            Place::Context(_) => {
                let mut command = Command::new(program);
                command.current_dir(root);
                Ok(command)
            }
        }
    }

    /// kubectl for this cluster.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.command(&self.kubectl)?;
        command.args(self.chosen("--context")).args(arguments);
        Ok(command)
    }

    /// Helm for this cluster.
    pub(crate) fn helm(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.command(&self.helm)?;
        command.args(self.chosen("--kube-context")).args(arguments);
        Ok(command)
    }

    /// The option that chooses the cluster, for a program that has it under this name.
    pub(crate) fn chosen(&self, option: &str) -> Vec<String> {
        self.context_name().map(|name| vec![option.to_owned(), name.to_owned()]).unwrap_or_default()
    }

    /// The folder of kubectl.
    pub(crate) fn programs(&self) -> Result<&Path> {
        self.kubectl.parent().context("kubectl is in a folder")
    }

    /// kubectl for this cluster, beside us until the handle is dropped.
    pub(crate) fn in_background(&self, arguments: &[&str]) -> Result<Background> {
        let mut command = match process::find("setpriv") {
            // In a cluster's process numbers another program stands between us and it.
            Some(setpriv) => {
                let mut command = self.command(setpriv)?;
                command.args(["--pdeathsig", "KILL"]).arg(&self.kubectl);
                command
            }
            None => self.command(&self.kubectl)?,
        };
        command.args(self.chosen("--context")).args(arguments);
        Background::start(command)
    }

    /// What kubectl prints.
    pub(crate) fn get(&self, arguments: &[&str]) -> Result<String> {
        process::capture(&mut self.kubectl(arguments)?)
    }

    /// What kubectl prints, as JSON; nothing if the object is not there.
    pub(crate) fn find(&self, arguments: &[&str]) -> Result<Option<Value>> {
        let text = self.get(&[arguments, &["--ignore-not-found", "--output=json"]].concat())?;
        if text.is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&text).map(Some).context("kubectl's answer is not JSON")
    }

    /// Writes objects as `kubectl apply` does. `name` is that of a file, kept for who wants to look.
    pub(crate) fn apply(&self, name: &str, objects: &[Value]) -> Result<()> {
        let folder = workspace::scratch()?.join("objects");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = folder.join(format!("{name}.json"));
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
        fs::write(&path, format!("{list:#}")).with_context(|| format!("cannot write {}", path.display()))?;
        self.get(&["apply", "--filename", &path.display().to_string()]).map(drop)
    }

    /// How the user types a command for this cluster.
    pub(crate) fn typed(&self, command: &str) -> String {
        match (&self.place, command.split_once(' ')) {
            (Place::Own(name), _) if name == cluster::DEFAULT => format!("cargo xtask cluster run -- {command}"),
            (Place::Own(name), _) => format!("cargo xtask cluster run --name {name} -- {command}"),
            (Place::Context(name), Some(("helm", rest))) => format!("helm --kube-context {name} {rest}"),
            (Place::Context(name), Some((program, rest))) => format!("{program} --context {name} {rest}"),
            (Place::Context(_), None) => command.to_owned(),
        }
    }
}

/// The user's own program, which knows their logins; else the one that is built here.
fn program(name: &'static str) -> Result<PathBuf> {
    if let Some(found) = process::find(name) {
        return Ok(found);
    }
    say::note(format!("`{name}` is not installed: building it"));
    Ok(binaries::install(&[name])?.join(name))
}

/// Images for a cluster of the user's have to get there somehow.
pub(crate) fn require_a_way_for_images(choice: &Choice, files: &[PathBuf]) -> Result<()> {
    if choice.registry.is_some() || choice.images_loaded {
        return Ok(());
    }
    let list = |prefix: &str| {
        files.iter().map(|file| format!("\n    {prefix}{}", file.display())).collect::<Vec<_>>().concat()
    };
    bail!(
        "the nodes of that cluster do not have the images that were built here. Either let them be pushed where the \
         nodes can pull from, by `--registry registry.example.com/tollward` (logged in as by `docker login`); or load \
         them into every node, and say so by `--images-loaded`:\n  kind:{}\n  minikube:{}\n  containerd:{}",
        list("kind load image-archive "),
        list("minikube image load "),
        list("ctr --namespace k8s.io images import "),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubernetes(place: Place) -> Kubernetes {
        Kubernetes { place, kubectl: "/bin/kubectl".into(), helm: "/bin/helm".into() }
    }

    #[test]
    fn every_command_names_the_users_context() {
        let kubernetes = kubernetes(Place::Context("mine".to_owned()));
        let line = |command: Result<Command>| process::describe(&command.expect("a command"));
        assert_eq!(line(kubernetes.kubectl(&["get", "pods"])), "/bin/kubectl --context mine get pods");
        assert_eq!(line(kubernetes.helm(&["list"])), "/bin/helm --kube-context mine list");
        assert_eq!(kubernetes.typed("helm list"), "helm --kube-context mine list");
        assert_eq!(kubernetes.typed("kubectl get pods"), "kubectl --context mine get pods");
    }

    #[test]
    fn commands_for_our_own_cluster_are_typed_with_its_name_unless_it_is_the_usual_one() {
        assert_eq!(kubernetes(Place::Own("dev".to_owned())).typed("helm list"), "cargo xtask cluster run -- helm list");
        let test = kubernetes(Place::Own("test".to_owned()));
        assert_eq!(test.typed("helm list"), "cargo xtask cluster run --name test -- helm list");
    }

    #[test]
    fn images_without_a_way_are_refused_with_every_way_there_is() {
        let mut choice = Choice { context: Some("mine".to_owned()), registry: None, images_loaded: false };
        let files = [PathBuf::from("/images/catalog.tar")];
        let error = require_a_way_for_images(&choice, &files).expect_err("there is no way").to_string();
        for part in ["--registry", "--images-loaded", "kind load image-archive /images/catalog.tar"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        choice.images_loaded = true;
        require_a_way_for_images(&choice, &files).expect("they are there");
    }
}
