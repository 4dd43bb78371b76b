//! Asks each data plane: one on this machine by its socket, those of a server by its own program in its own container.
//!
//! kubectl does the talking to the cluster. It needs the right to create `pods/exec` in the namespace, which whoever may look at
//! everybody's limits should have anyway, and opens no way to the data plane that was not there before. Whom the question is about
//! goes by standard input: what is run in a pod is in the API server's audit log, and in the node's list of processes.

use crate::arguments::LimitsArguments;
use anyhow::{Context as _, bail};
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;
use tollward_policy::inquiry::{Answer, MAX_ANSWER};
use tollward_sidecar::inquiry::ask;

/// The data plane's container and program.
const CONTAINER: &str = tollward_desired::names::SIDECAR_CONTAINER;
const PROGRAM: &str = "tollward-sidecar";
/// How long one call of kubectl may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most bytes of what it prints: a list of pods is the longest.
const MOST: usize = 16 * MAX_ANSWER;
/// Most replicas that are asked at once.
const AT_ONCE: usize = 8;

/// One replica, and its answer or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Replica {
    /// Name of the pod, or the socket.
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

impl Replica {
    fn new(name: impl Into<String>, said: Result<String, String>) -> Self {
        let read = said.and_then(|text| {
            serde_json::from_str(&text).map_err(|error| format!("it answers with something that is no answer: {error}"))
        });
        let (answer, error) = match read {
            Ok(answer) => (Some(answer), None),
            Err(error) => (None, Some(error)),
        };
        Self { name: name.into(), answer, error }
    }
}

/// The process of a socket.
pub(super) fn beside(socket: &Path, question: &str) -> Replica {
    Replica::new(socket.display().to_string(), ask(socket, question).map_err(|error| error.to_string()))
}

/// Every running pod of a server.
pub(super) fn in_cluster(server: &str, arguments: &LimitsArguments, question: &str) -> anyhow::Result<Vec<Replica>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("can't start the runtime")?.block_on(all(server, arguments, question))
}

async fn all(server: &str, arguments: &LimitsArguments, question: &str) -> anyhow::Result<Vec<Replica>> {
    let selector = format!("--selector=app.kubernetes.io/name=mcpserver,app.kubernetes.io/instance={server}");
    let listed = kubectl(arguments, &["get", "pods", &selector, "--output=json"], "").await;
    let listed = listed.map_err(anyhow::Error::msg).context("the server's pods can't be listed")?;
    let list: Value = serde_json::from_str(&listed).context("kubectl printed something else than pods")?;
    let pods = running(&list);
    if pods.is_empty() {
        bail!("MCPServer `{server}` has no running pod there; is it the right namespace and context?");
    }
    let ask = |pod: String| async move {
        let container = format!("--container={CONTAINER}");
        let exec = ["exec", "--stdin", &pod, &container, "--", PROGRAM, "limits"];
        let said = kubectl(arguments, &exec, question).await;
        Replica::new(pod, said)
    };
    let mut replicas: Vec<_> = stream::iter(pods).map(ask).buffer_unordered(AT_ONCE).collect().await;
    replicas.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(replicas)
}

/// Names of pods that run and are not ending.
fn running(list: &Value) -> Vec<String> {
    let pods = list.pointer("/items").and_then(Value::as_array).into_iter().flatten();
    let runs = |pod: &&Value| {
        let phase = pod.pointer("/status/phase").and_then(Value::as_str);
        phase == Some("Running") && pod.pointer("/metadata/deletionTimestamp").is_none()
    };
    pods.filter(runs).filter_map(|pod| Some(pod.pointer("/metadata/name")?.as_str()?.to_owned())).collect()
}

/// What kubectl prints when it is given that input, or its complaint.
async fn kubectl(arguments: &LimitsArguments, what: &[&str], input: &str) -> Result<String, String> {
    let mut command = Command::new("kubectl");
    // Before `--`, behind which everything is the program's.
    command.args(arguments.context.iter().map(|context| format!("--context={context}")));
    command.args(arguments.namespace.iter().map(|namespace| format!("--namespace={namespace}")));
    command.args(what).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    match timeout(PATIENCE, run(command, input)).await {
        Ok(Ok(said)) => said,
        Ok(Err(error)) => Err(format!("kubectl can't be run: {error}; it must be on the PATH")),
        Err(_) => Err(format!("kubectl took more than {} s", PATIENCE.as_secs())),
    }
}

/// Runs a program to its end; what it prints if it succeeds, else what it complains about.
async fn run(mut command: Command, input: &str) -> std::io::Result<Result<String, String>> {
    let mut child = command.spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut pipe) = stdin {
            // One that refuses its arguments does not read; its complaint says more than the broken pipe.
            let _ = pipe.write_all(format!("{input}\n").as_bytes()).await;
        }
    };
    let ((), printed, complaint) = tokio::join!(write, text(stdout), text(stderr));
    let (printed, complaint) = (printed?, complaint?);
    if printed.len() > MOST || complaint.len() > MOST {
        return Ok(Err(format!("it says more than {MOST} bytes")));
    }
    let status = child.wait().await?;
    Ok(if status.success() { Ok(printed) } else { Err(complaint) })
}

/// What comes from a pipe, and one byte too much at most.
async fn text(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(u64::try_from(MOST).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::running;
    use serde_json::json;

    #[test]
    fn pods_that_end_or_do_not_run_yet_are_not_asked() {
        let pod = |name: &str, phase: &str| json!({"metadata": {"name": name}, "status": {"phase": phase}});
        let mut ending = pod("c", "Running");
        ending["metadata"]["deletionTimestamp"] = json!("2026-11-23T12:00:00Z");
        let list = json!({"items": [pod("a", "Running"), pod("b", "Pending"), ending, pod("d", "Failed")]});
        assert_eq!(running(&list), ["a"]);
        assert!(running(&json!({})).is_empty());
    }
}
