//! The chart, installed by Helm as the manual says, and removed with everything that it keeps.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Kubernetes;
use super::supply::Images;
use crate::{process, workspace};

/// The operator's namespace, and the release in it.
pub(crate) const NAMESPACE: &str = "tollward-system";
const RELEASE: &str = "tollward";

/// What the chart defines. Helm keeps the definitions when a release goes.
pub(crate) const CUSTOM_RESOURCES: [&str; 3] =
    ["mcpservers.tollward.dev", "ratelimitpolicies.tollward.dev", "identityproviders.tollward.dev"];

/// Installs the chart with these settings, and waits for the operator.
pub(crate) fn install(kubernetes: &Kubernetes, images: &Images, settings: &[(&str, Value)]) -> Result<()> {
    let chart = workspace::root()?.join("charts/tollward").display().to_string();
    let mut all = image_settings("image", images.reference("tollward-operator")?)?;
    all.extend(image_settings("sidecar.image", images.reference("tollward-sidecar")?)?);
    all.extend(settings.iter().map(|(name, value)| format!("{name}={value}")));
    let mut helm = kubernetes.helm(&["upgrade", "--install", RELEASE, &chart, "--namespace", NAMESPACE])?;
    helm.args(["--wait", "--timeout", "180s"]);
    for setting in &all {
        helm.args(["--set-json", setting]);
    }
    process::capture(&mut helm).map(drop).context("the chart can't be installed")
}

/// Removes the release and the definitions that it keeps.
pub(super) fn uninstall(kubernetes: &Kubernetes) -> Result<()> {
    let mut helm = kubernetes.helm(&[
        "uninstall",
        RELEASE,
        "--namespace",
        NAMESPACE,
        "--ignore-not-found",
        "--wait",
        "--timeout",
        "120s",
    ])?;
    process::capture(&mut helm).context("the release can't be removed")?;
    let definitions =
        [&["delete", "customresourcedefinition"], &CUSTOM_RESOURCES[..], &["--ignore-not-found", "--timeout=120s"]];
    kubernetes.get(&definitions.concat()).map(drop)
}

/// The chart's settings for an image.
fn image_settings(name: &str, reference: &str) -> Result<Vec<String>> {
    let (registry, rest) = reference.split_once('/').context("an image's name has a registry")?;
    let by_digest = rest.split_once('@').map(|(repository, digest)| (repository, "digest", digest));
    let (repository, kind, version) = by_digest
        .or_else(|| rest.rsplit_once(':').map(|(repository, tag)| (repository, "tag", tag)))
        .context("an image's name has a tag or a digest")?;
    let setting = |member: &str, value: &str| format!("{name}.{member}={}", Value::from(value));
    Ok(vec![setting("registry", registry), setting("repository", repository), setting(kind, version)])
}

#[cfg(test)]
mod tests {
    use super::image_settings;

    #[test]
    fn a_reference_becomes_the_charts_settings() {
        let settings = |reference: &str| image_settings("image", reference).expect("a reference").join(" ");
        assert_eq!(
            settings("ghcr.io/tollward/tollward-operator:0.1.0"),
            r#"image.registry="ghcr.io" image.repository="tollward/tollward-operator" image.tag="0.1.0""#
        );
        assert_eq!(
            settings("127.0.0.1:5000/tollward-operator@sha256:ab"),
            r#"image.registry="127.0.0.1:5000" image.repository="tollward-operator" image.digest="sha256:ab""#
        );
        assert!(image_settings("image", "tollward-operator").is_err());
    }
}
