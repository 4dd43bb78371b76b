//! The demonstration in a cluster: Tollward by Helm, an identity provider, the example, and the same walk-through as on this
//! machine, against the endpoint in the cluster. It reads as the list of its steps; each says what it does and how long it
//! took, and a failure says which one it was and what to look at.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::doors::Doors;
use super::{catalog, identity};
use crate::background::bound;
use crate::image::{self, Made};
use crate::kubernetes::supply::{self, Images};
use crate::kubernetes::{Choice, Kubernetes, claim, release};
use crate::{binaries, cluster, packages, process, say};

/// The namespaces besides the chart's own.
const NAMESPACES: [&str; 2] = [catalog::NAMESPACE, identity::NAMESPACE];

/// Runs it, in the chosen cluster or in our own of this name.
pub(super) fn run(name: &str, choice: &Choice, remove_at_the_end: bool) -> Result<()> {
    let started = Instant::now();
    let (kubernetes, built) = if let Some(context) = &choice.context {
        let kubernetes = step("the cluster", || Kubernetes::context(context))?;
        (kubernetes, step("the programs and their images", || build(choice))?)
    } else {
        prepare()?;
        let built = step("the programs and their images", || build(choice))?;
        (step("a Kubernetes node on this machine", || Kubernetes::own(name))?, built)
    };
    let result = play(&kubernetes, choice, &built);
    if let Err(error) = result {
        bail!("{error:#}\n{}", advice(&kubernetes));
    }
    say::line(format!(
        "\nthe demonstration took {} with everything that had to be built",
        say::elapsed(started.elapsed())
    ));
    if remove_at_the_end {
        return step("removing everything", || remove(name, choice));
    }
    say::line(farewell(&kubernetes));
    Ok(())
}

/// Removes what an earlier run left.
pub(super) fn remove(name: &str, choice: &Choice) -> Result<()> {
    match &choice.context {
        Some(context) => claim::remove(&Kubernetes::context(context)?),
        None => cluster::down(name),
    }
}

/// What was built on this machine.
struct Built {
    images: Vec<Made>,
    /// The command line.
    tollward: PathBuf,
}

fn build(choice: &Choice) -> Result<Built> {
    say::line("  the first time takes some minutes, and Kubernetes itself some more");
    let mut made = image::make(&["tollward"])?;
    let tollward = made.programs.pop().context("the command line was built")?;
    made.images.push(identity::pack()?);
    if choice.context.is_some() {
        // Before anything is touched.
        let files: Vec<_> = made.images.iter().map(|image| image.file.clone()).collect();
        crate::kubernetes::require_a_way_for_images(choice, &files)?;
    }
    Ok(Built { images: made.images, tollward })
}

/// What our own cluster needs; Kubernetes is built beside the Rust programs.
fn prepare() -> Result<()> {
    cluster::require_root()?;
    packages::install(packages::NODE)?;
    thread::spawn(|| {
        // The step that needs them builds what is missing, and says what went wrong.
        let _ = binaries::install(binaries::NODE).and_then(|_| binaries::install(&["helm"]));
    });
    Ok(())
}

fn play(kubernetes: &Kubernetes, choice: &Choice, built: &Built) -> Result<()> {
    step("namespaces for it, of the strictest profile for pods", || claim::take(kubernetes, &NAMESPACES))?;
    let images = step("the images to the node", || {
        let images = supply::supply(kubernetes, choice, &built.images)?;
        supply::try_out(kubernetes, identity::NAMESPACE, choice, &images)?;
        Ok(images)
    })?;
    step("Tollward, by its Helm chart", || install(kubernetes, &images))?;
    let manifests = catalog::write(identity::ISSUER, images.reference("catalog")?)?;
    step("an identity provider (oidc-provider)", || provide_identity(kubernetes, &images, &manifests))?;
    step("the example: kubectl apply -f examples/catalog", || serve(kubernetes, &manifests))?;
    let before = lives(kubernetes)?;
    step("the walk-through", || walk(kubernetes, &manifests, &built.tollward))?;
    step("the policy as it was", || restore(kubernetes, &manifests, &before))
}

/// The installer consents to the one private address that Tollward may fetch keys from.
fn install(kubernetes: &Kubernetes, images: &Images) -> Result<()> {
    kubernetes.apply("identity-service", &[identity::service()])?;
    let output = "--output=jsonpath={.spec.clusterIP}";
    let address = kubernetes.get(&["get", "service", identity::NAME, "--namespace", identity::NAMESPACE, output])?;
    let bits = if address.contains(':') { 128 } else { 32 };
    let namespace = json!({"matchLabels": {"kubernetes.io/metadata.name": identity::NAMESPACE}});
    let egress =
        json!([{"to": [{"namespaceSelector": namespace}], "ports": [{"port": identity::PORT, "protocol": "TCP"}]}]);
    let settings = [
        ("dial.allow", json!([{"cidr": format!("{address}/{bits}"), "scheme": "http"}])),
        ("networkPolicy.extraEgress", egress),
    ];
    release::install(kubernetes, images, &settings)
}

fn provide_identity(kubernetes: &Kubernetes, images: &Images, manifests: &Path) -> Result<()> {
    let file = manifests.join("mcpserver.yaml").display().to_string();
    let declared = kubernetes.get(&["apply", "--dry-run=client", "--output=json", "--filename", &file])?;
    let declared: Value = serde_json::from_str(&declared).context("kubectl's answer is not JSON")?;
    let deployment = identity::deployment(images.reference("identity-provider")?, &declared);
    kubernetes.apply("identity", &[deployment])?;
    let name = format!("deployment/{}", identity::NAME);
    kubernetes.get(&["rollout", "status", &name, "--namespace", identity::NAMESPACE, "--timeout=120s"])?;
    say::line(format!("  {}", identity::ISSUER));
    Ok(())
}

fn serve(kubernetes: &Kubernetes, manifests: &Path) -> Result<()> {
    say::line(format!("  its copy with this issuer and image: {}", manifests.display()));
    let folder = manifests.display().to_string();
    let applied = Instant::now();
    show(&kubernetes.get(&["apply", "--filename", &folder])?);
    ready(kubernetes)?;
    say::line(format!("\n  from kubectl apply to Ready=True: {:.1} s\n", applied.elapsed().as_secs_f64()));
    let name = "--for=condition=Ready";
    kubernetes.get(&["wait", name, "idp", "--all", "--namespace", catalog::NAMESPACE, "--timeout=60s"])?;
    say::line("  $ kubectl get mcps,rlp,idp --namespace shop");
    show(&kubernetes.get(&["get", "mcps,rlp,idp", "--namespace", catalog::NAMESPACE])?);
    Ok(())
}

fn ready(kubernetes: &Kubernetes) -> Result<()> {
    let server = format!("mcps/{}", catalog::SERVER);
    kubernetes
        .get(&["wait", "--for=condition=Ready", &server, "--namespace", catalog::NAMESPACE, "--timeout=180s"])
        .map(drop)
}

fn walk(kubernetes: &Kubernetes, manifests: &Path, tollward: &Path) -> Result<()> {
    say::line(
        "  this machine reaches the pods by ports that kubectl forwards, and reads the sidecar's log for the audit records",
    );
    let mut doors = Doors::open(kubernetes)?;
    let mut command = kubernetes.command(tollward)?;
    command.arg("walkthrough").arg("-f").arg(manifests);
    command.arg("--connect").arg(format!("{}={}", catalog::HOST, doors.endpoint));
    command.arg("--connect").arg(format!("{}={}", identity::HOST, doors.identity));
    command.arg("--authorities").arg(&doors.authority);
    command.arg("--behind").arg(format!("http://{}/mcp", doors.behind));
    command.args(["--decoy", identity::DECOY, "--", "kubectl"]).args(kubernetes.chosen("--context")).args(edit());
    command.env("PATH", process::path_with(kubernetes.programs()?)?);
    let mut command = bound(command);
    process::succeed(command.stdin(doors.records()?))
        .context("an answer was not as described; the last lines above say which")
}

/// Denies the tool that reads.
fn edit() -> [String; 8] {
    let rule = json!({"name": "closed", "match": {"tools": ["get_product"]}, "action": "Deny"});
    let patch = json!([{"op": "add", "path": "/spec/auth/rules/-", "value": rule}]);
    let patch = format!("--patch={patch}");
    let arguments =
        ["patch", "mcps", catalog::SERVER, "--namespace", catalog::NAMESPACE, "--type=json", &patch, "--output=name"];
    arguments.map(str::to_owned)
}

/// Back to the policy of the manifests; nothing was restarted by the edit nor by this.
fn restore(kubernetes: &Kubernetes, manifests: &Path, before: &str) -> Result<()> {
    kubernetes.get(&["apply", "--filename", &manifests.display().to_string()])?;
    ready(kubernetes)?;
    let after = lives(kubernetes)?;
    if after != before {
        bail!("an edit of the policy should restart nothing, but the pods were `{before}` and are `{after}`");
    }
    say::line("  the same pod with the same containers since the beginning: nothing was restarted");
    Ok(())
}

/// The server's pods and the starts of their containers.
fn lives(kubernetes: &Kubernetes) -> Result<String> {
    let selector =
        format!("--selector=app.kubernetes.io/name=mcpserver,app.kubernetes.io/instance={}", catalog::SERVER);
    let output = "--output=jsonpath={range .items[*]}{.metadata.uid} \
                  {.status.initContainerStatuses[*].containerID} {.status.containerStatuses[*].containerID} {end}";
    kubernetes.get(&["get", "pods", "--namespace", catalog::NAMESPACE, &selector, output])
}

fn show(text: &str) {
    for line in text.lines() {
        say::line(format!("  {line}").trim_end());
    }
}

/// Announces a step, takes it, and says how long it took or that it failed.
fn step<T>(title: &str, take: impl FnOnce() -> Result<T>) -> Result<T> {
    say::line(format!("\n==== {title}"));
    let started = Instant::now();
    let taken = take().with_context(|| format!("failed at: {title}"))?;
    say::line(format!("  done in {}", say::elapsed(started.elapsed())));
    Ok(taken)
}

/// What to look at after a failure.
fn advice(kubernetes: &Kubernetes) -> String {
    let commands = [
        "kubectl get pods,events --all-namespaces",
        "kubectl describe mcps --namespace shop",
        "kubectl logs --namespace tollward-system deployment/tollward-operator",
    ];
    let commands = commands.map(|command| format!("\n  {}", kubernetes.typed(command))).concat();
    format!("It is left as it is. To find out more:{commands}\nTo remove everything: {}", removal(kubernetes))
}

fn farewell(kubernetes: &Kubernetes) -> String {
    let commands = [
        ("status of everything", "kubectl get tollward --all-namespaces"),
        ("the server's conditions", "kubectl describe mcps catalog --namespace shop"),
        ("audit records", "kubectl logs --namespace shop deployment/catalog-tollward --container tollward"),
        ("edit the policy", "kubectl edit mcps catalog --namespace shop"),
    ];
    let commands = commands.map(|(what, command)| format!("\n  {what:24} {}", kubernetes.typed(command))).concat();
    format!("\nIt stays up. To look further:{commands}\n  {:24} {}", "remove everything", removal(kubernetes))
}

fn removal(kubernetes: &Kubernetes) -> String {
    match kubernetes.context_name() {
        Some(name) => format!("cargo xtask demo --cluster --context {name} --remove"),
        None => "cargo xtask cluster down".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_its_step() {
        let error = step("the chart", || -> Result<()> { bail!("no answer") }).expect_err("it failed");
        assert_eq!(format!("{error:#}"), "failed at: the chart: no answer");
    }

    #[test]
    fn the_edit_denies_one_tool() {
        let words = edit();
        let patch = words.iter().find_map(|word| word.strip_prefix("--patch=")).expect("a patch");
        let patch: Value = serde_json::from_str(patch).expect("JSON");
        assert_eq!(patch[0]["value"]["action"], "Deny");
    }
}
