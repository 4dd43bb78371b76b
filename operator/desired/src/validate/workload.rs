//! What is behind the endpoint. A workload shares the pod with the sidecar's keys and ports, so whatever would reach them
//! is refused here again, whatever the API server let through.

use super::Shape;
use crate::finding::Findings;
use std::collections::BTreeSet;
use tollward_api::condition::ConditionReason;
use tollward_api::mcpserver::{
    EnvFromSource, EnvVar, EnvVarSource, PodOptions, Resources, ServiceSource, Source, SourceType, Volume, Workload,
};
use tollward_api::owned::{ASSERTION_VARIABLES, SIDECAR_UID, is_owned};
use tollward_api::ports::is_reserved;

const REASON: ConditionReason = ConditionReason::InvalidWorkload;

pub(super) fn judge(source: &Source, findings: &mut Findings) -> Option<Shape> {
    match (source.kind, &source.workload, &source.service) {
        (SourceType::Workload, Some(workload), None) => {
            judge_workload(workload, findings);
            Some(Shape::Workload(Box::new(workload.clone())))
        }
        (SourceType::Service, None, Some(service)) => {
            judge_service(service, findings);
            Some(Shape::Service(service.clone()))
        }
        (SourceType::Workload | SourceType::Service, _, _) => {
            findings.server(
                REASON,
                "spec.source: `workload` must be set if type is Workload, `service` if it is Service, and nothing else",
            );
            None
        }
    }
}

fn judge_service(service: &ServiceSource, findings: &mut Findings) {
    let place = "spec.source.service";
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if service.name.is_empty() || service.name.len() > 63 || !service.name.chars().all(plain) {
        findings
            .server(REASON, format!("{place}.name: `{}` is not the name of a Service of this namespace", service.name));
    }
    if is_owned(&service.name) {
        findings.server(REASON, format!("{place}.name: `{}` belongs to Tollward", service.name));
    }
    judge_address(place, service.port, &service.path, findings);
}

fn judge_address(place: &str, port: i32, path: &str, findings: &mut Findings) {
    if !(1..=65_535).contains(&port) {
        findings.server(REASON, format!("{place}.port: {port} is not a port"));
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._~-".contains(letter);
    if !path.starts_with('/') || !path.chars().all(plain) {
        findings
            .server(REASON, format!("{place}.path: `{path}` must start with / and have only letters, digits and ._~-"));
    }
}

fn judge_workload(workload: &Workload, findings: &mut Findings) {
    let place = "spec.source.workload";
    let transport = &workload.transport;
    judge_address(&format!("{place}.transport"), transport.port, &transport.path, findings);
    if is_reserved(transport.port) {
        findings
            .server(REASON, format!("{place}.transport.port: {} is Tollward's own; use another one", transport.port));
    }
    if workload.image.is_empty() || workload.image.starts_with('-') || workload.image.contains(char::is_whitespace) {
        findings.server(REASON, format!("{place}.image: `{}` is not an image", workload.image));
    }
    if workload.run_as_user == SIDECAR_UID || workload.run_as_user < 1 {
        findings.server(
            REASON,
            format!("{place}.runAsUser: {} is not a user id that a server may have", workload.run_as_user),
        );
    }
    if !(0..=100).contains(&workload.replicas) {
        findings.server(REASON, format!("{place}.replicas must be from 0 to 100"));
    }
    judge_resources(workload, findings);
    judge_environment(&workload.env, findings);
    let owned = references(workload).into_iter().filter(|name| is_owned(name)).collect::<BTreeSet<_>>();
    for name in owned {
        findings.server(REASON, format!("{place}: `{name}` belongs to Tollward and can't be used"));
    }
    judge_volumes(workload, findings);
    if let Some(options) = &workload.pod_options {
        judge_labels(options, findings);
    }
}

/// The API server takes any text for a quantity in a resource of ours, and then refuses the Deployment for ever.
fn judge_resources(workload: &Workload, findings: &mut Findings) {
    let Some(Resources { limits, requests }) = &workload.resources else {
        return;
    };
    for (part, amounts) in [("limits", limits), ("requests", requests)] {
        for (name, amount) in amounts {
            judge_amount(&format!("spec.source.workload.resources.{part}.{name}"), &amount.0, findings);
        }
    }
}

fn judge_amount(place: &str, amount: &str, findings: &mut Findings) {
    if !is_quantity(amount) {
        findings.server(REASON, format!("{place}: `{amount}` is no amount; write for instance 250m, 0.5, 64Mi or 1G"));
    }
}

/// Kubernetes' [form](https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/) of what is not
/// negative.
fn is_quantity(text: &str) -> bool {
    const SUFFIXES: [&str; 16] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "n", "u", "m", "k", "M", "G", "T", "P", "E"];
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let exponent = || {
        let digits = suffix.strip_prefix(['e', 'E'])?;
        let digits = digits.strip_prefix(['+', '-']).unwrap_or(digits);
        Some(matches!(digits.len(), 1 | 2) && digits.chars().all(|digit| digit.is_ascii_digit()))
    };
    number.parse::<f64>().is_ok() && (SUFFIXES.contains(&suffix) || exponent() == Some(true))
}

fn judge_environment(variables: &[EnvVar], findings: &mut Findings) {
    let place = "spec.source.workload.env";
    let mut seen = BTreeSet::new();
    for variable in variables {
        let name = variable.name.as_str();
        if matches!(name, "HOST" | "PORT") {
            findings.server(REASON, format!("{place}: {name} is set by Tollward"));
        }
        if name.starts_with(ASSERTION_VARIABLES) {
            findings.server(REASON, format!("{place}: {name} is set by Tollward; such names are reserved"));
        }
        if !seen.insert(name) {
            findings.server(REASON, format!("{place}: {name} is set twice"));
        }
        let sources = variable
            .value_from
            .as_ref()
            .map(|from| usize::from(from.secret_key_ref.is_some()) + usize::from(from.config_map_key_ref.is_some()));
        match (&variable.value, sources) {
            (Some(_), None) | (None, Some(1)) => {}
            (Some(_), Some(_)) | (None, None | Some(_)) => {
                findings.server(REASON, format!("{place}: {name} must have one value or one reference to one"));
            }
        }
    }
}

/// Every object or volume of the namespace that the workload names.
fn references(workload: &Workload) -> Vec<&str> {
    let mut names = Vec::new();
    for EnvVarSource { secret_key_ref, config_map_key_ref } in
        workload.env.iter().filter_map(|one| one.value_from.as_ref())
    {
        names.extend(secret_key_ref.iter().chain(config_map_key_ref).map(|key| key.name.as_str()));
    }
    for EnvFromSource { prefix: _, secret_ref, config_map_ref } in &workload.env_from {
        names.extend(secret_ref.iter().chain(config_map_ref).map(|reference| reference.name.as_str()));
    }
    for Volume { name, config_map, secret, empty_dir: _, persistent_volume_claim } in &workload.volumes {
        names.push(name);
        names.extend(config_map.iter().map(|volume| volume.name.as_str()));
        names.extend(secret.iter().map(|volume| volume.secret_name.as_str()));
        names.extend(persistent_volume_claim.iter().map(|volume| volume.claim_name.as_str()));
    }
    names.extend(workload.volume_mounts.iter().map(|mount| mount.name.as_str()));
    let options = workload.pod_options.iter();
    names.extend(options.flat_map(|options| &options.image_pull_secrets).map(|secret| secret.name.as_str()));
    names
}

fn judge_volumes(workload: &Workload, findings: &mut Findings) {
    let place = "spec.source.workload";
    let mut names = BTreeSet::new();
    for volume in &workload.volumes {
        let kinds = [
            volume.config_map.is_some(),
            volume.secret.is_some(),
            volume.empty_dir.is_some(),
            volume.persistent_volume_claim.is_some(),
        ];
        if kinds.iter().filter(|given| **given).count() != 1 {
            let name = &volume.name;
            findings.server(
                REASON,
                format!("{place}.volumes[{name}] must be one of configMap, secret, emptyDir and persistentVolumeClaim"),
            );
        }
        if let Some(limit) = volume.empty_dir.as_ref().and_then(|directory| directory.size_limit.as_ref()) {
            judge_amount(&format!("{place}.volumes[{}].emptyDir.sizeLimit", volume.name), &limit.0, findings);
        }
        if !names.insert(volume.name.as_str()) {
            findings.server(REASON, format!("{place}.volumes names `{}` twice", volume.name));
        }
    }
    let mut paths = BTreeSet::new();
    for mount in &workload.volume_mounts {
        let path = mount.mount_path.as_str();
        if !names.contains(mount.name.as_str()) {
            findings.server(
                REASON,
                format!("{place}.volumeMounts[{path}] names volume `{}`, which is not declared", mount.name),
            );
        }
        let inner = mount.sub_path.as_deref().unwrap_or_default();
        if !path.starts_with('/') || path == "/" || path.contains(':') || inner.starts_with('/') || inner.contains("..")
        {
            findings.server(
                REASON,
                format!("{place}.volumeMounts[{path}] must be an absolute path, and subPath a relative one"),
            );
        }
        if !paths.insert(path) {
            findings.server(REASON, format!("{place}.volumeMounts names {path} twice"));
        }
    }
}

fn judge_labels(options: &PodOptions, findings: &mut Findings) {
    let is_under = |key: &str, domain: &str| {
        key.split_once('/').is_some_and(|(prefix, _)| prefix == domain || prefix.ends_with(&format!(".{domain}")))
    };
    let place = "spec.source.workload.podOptions";
    for key in options.labels.keys().filter(|key| is_under(key, "tollward.dev") || is_under(key, "app.kubernetes.io")) {
        findings.server(REASON, format!("{place}.labels: `{key}` is set by Tollward"));
    }
    for key in options.annotations.keys().filter(|key| is_under(key, "tollward.dev")) {
        findings.server(REASON, format!("{place}.annotations: `{key}` is set by Tollward"));
    }
}
