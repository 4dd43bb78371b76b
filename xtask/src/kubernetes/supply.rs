//! How images that were built here get to the nodes: into our own cluster from files, into another one by a registry or by
//! the user's own hand. Whether they are there is tried with pods before anything depends on it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{Choice, Kubernetes, Place, objects, require_a_way_for_images};
use crate::image::Made;
use crate::{binaries, cluster, process, say, workspace};

/// Time for a node to pull an image and start a container of it.
const START: Duration = Duration::from_mins(5);

/// What pods call the images, by the names of their recipes.
#[derive(Debug)]
pub(crate) struct Images(BTreeMap<String, String>);

impl Images {
    /// What pods call an image.
    pub(crate) fn reference(&self, name: &str) -> Result<&str> {
        self.0.get(name).map(String::as_str).with_context(|| format!("there is no image of `{name}`"))
    }

    /// All but one.
    pub(crate) fn without(&self, name: &str) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(other, _)| *other != name)
                .map(|(name, image)| (name.clone(), image.clone()))
                .collect(),
        )
    }
}

/// Brings the images to the nodes.
pub(crate) fn supply(kubernetes: &Kubernetes, choice: &Choice, made: &[Made]) -> Result<Images> {
    let files: Vec<_> = made.iter().map(|image| image.file.clone()).collect();
    let mut references = BTreeMap::new();
    match (&kubernetes.place, &choice.registry) {
        (Place::Own(name), _) => cluster::load(name, &files)?,
        (Place::Context(_), Some(prefix)) => {
            let crane = binaries::install(&["crane"])?.join("crane");
            for image in made {
                let pushed = push(kubernetes.command(&crane)?, image, prefix)?;
                say::line(format!("  pushed {pushed}"));
                references.insert(image.name.clone(), pushed);
            }
        }
        (Place::Context(_), None) => require_a_way_for_images(choice, &files)?,
    }
    for image in made {
        references.entry(image.name.clone()).or_insert_with(|| image.reference.clone());
    }
    Ok(Images(references))
}

/// Pushes an image; its name with the digest, so that a node never takes an older one for it.
fn push(mut crane: Command, image: &Made, prefix: &str) -> Result<String> {
    let folder = workspace::scratch()?.join("push").join(&image.name);
    // What an interrupted run left.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let archive = File::open(&image.file).with_context(|| format!("cannot open {}", image.file.display()))?;
    tar::Archive::new(archive).unpack(&folder).with_context(|| format!("cannot unpack {}", image.file.display()))?;
    let target = format!("{}/{}:{}", prefix.trim_end_matches('/'), image.name, env!("CARGO_PKG_VERSION"));
    let pushed = process::capture(crane.arg("push").arg(&folder).arg(&target));
    let pushed =
        pushed.with_context(|| format!("{target} can't be pushed; `crane auth login` or `docker login` first"))?;
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    pushed.lines().last().map(str::to_owned).context("crane does not say what it pushed")
}

/// Starts each image once in `namespace`, and fails with the kubelet's own words if one can't be pulled or started.
pub(crate) fn try_out(kubernetes: &Kubernetes, namespace: &str, choice: &Choice, images: &Images) -> Result<()> {
    let pull = if choice.registry.is_some() { "IfNotPresent" } else { "Never" };
    let pod =
        objects::trial(namespace, pull, images.0.iter().map(|(name, reference)| (name.as_str(), reference.as_str())));
    kubernetes.apply("trial", std::slice::from_ref(&pod))?;
    let started = started(kubernetes, namespace, objects::TRIAL);
    kubernetes.get(&[
        "delete",
        "pod",
        objects::TRIAL,
        "--namespace",
        namespace,
        "--grace-period=0",
        "--force",
        "--wait=false",
    ])?;
    started
}

/// Waits until every container of a pod has started, whatever became of it then.
pub(crate) fn started(kubernetes: &Kubernetes, namespace: &str, pod: &str) -> Result<()> {
    let deadline = Instant::now() + START;
    loop {
        let found = kubernetes.find(&["get", "pod", pod, "--namespace", namespace])?.unwrap_or_default();
        match state(&found) {
            State::Started => return Ok(()),
            State::Refused(complaint) => bail!(
                "{complaint}\nThe nodes have to be able to pull the images: check the registry's name, that it lets the nodes \
                 pull, and that the images are of the nodes' architecture ({})",
                std::env::consts::ARCH
            ),
            State::Waits(what) if Instant::now() > deadline => {
                bail!("after {} the pod `{pod}` in `{namespace}` has not started: {what}", say::elapsed(START))
            }
            State::Waits(_) => thread::sleep(Duration::from_millis(200)),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Started,
    Waits(String),
    Refused(String),
}

/// What the kubelet says of a pod's containers.
fn state(pod: &Value) -> State {
    let text =
        |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let wanted = pod.pointer("/spec/containers").and_then(Value::as_array).map_or(1, Vec::len);
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut waits = if statuses.len() < wanted {
        // Nobody has looked at it yet, or no node takes it.
        Some(format!("phase {} {}", text(pod, "/status/phase"), text(pod, "/status/conditions/0/message")))
    } else {
        None
    };
    for status in &statuses {
        let reason = text(status, "/state/waiting/reason");
        let said = format!("{}: {reason}: {}", text(status, "/image"), text(status, "/state/waiting/message"));
        match reason.as_str() {
            "" => {}
            "ContainerCreating" | "PodInitializing" => waits = Some(said),
            _ => return State::Refused(said),
        }
        let ended = text(status, "/state/terminated/reason");
        if ended == "StartError" || ended == "ContainerCannotRun" {
            return State::Refused(format!(
                "{}: {ended}: {}",
                text(status, "/image"),
                text(status, "/state/terminated/message")
            ));
        }
    }
    waits.map_or(State::Started, State::Waits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(states: &[Value]) -> Value {
        let statuses: Vec<_> = states.iter().map(|state| json!({"image": "r/i:1", "state": state})).collect();
        let containers: Vec<_> = states.iter().map(|_| json!({})).collect();
        json!({"spec": {"containers": containers}, "status": {"phase": "Pending", "containerStatuses": statuses}})
    }

    #[test]
    fn an_image_that_can_not_be_pulled_is_named_with_the_kubelets_words() {
        let waiting = json!({"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}});
        let found = state(&pod(&[json!({"running": {}}), waiting]));
        assert_eq!(found, State::Refused("r/i:1: ErrImagePull: manifest unknown".to_owned()));
    }

    #[test]
    fn a_program_of_another_machine_is_refused_and_one_that_ended_has_started() {
        let foreign = json!({"terminated": {"reason": "StartError", "message": "exec format error"}});
        assert_eq!(state(&pod(&[foreign])), State::Refused("r/i:1: StartError: exec format error".to_owned()));
        let ended = json!({"terminated": {"reason": "Error", "exitCode": 2}});
        assert_eq!(state(&pod(&[ended, json!({"running": {}})])), State::Started);
    }

    #[test]
    fn a_pod_that_nobody_has_looked_at_is_waited_for() {
        assert!(matches!(state(&Value::Null), State::Waits(_)));
        assert!(matches!(state(&pod(&[json!({"waiting": {"reason": "ContainerCreating"}})])), State::Waits(_)));
    }
}
