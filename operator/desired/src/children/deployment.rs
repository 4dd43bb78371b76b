//! The pods' controller, and how many of them may be away at once.

use super::{metadata, pod, replicas};
use crate::configuration::process_digest;
use crate::names::{PROCESS_DIGEST, selector};
use crate::validate::Validated;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tollward_policy::config::SidecarConfig;

pub(super) fn deployment(server: &Validated, config: &SidecarConfig) -> Deployment {
    Deployment {
        metadata: metadata(server),
        spec: DeploymentSpec {
            replicas: Some(replicas(server)),
            revision_history_limit: Some(3),
            selector: selected(server),
            template: PodTemplateSpec { metadata: Some(template(server, config)), spec: Some(pod::spec(server)) },
            ..DeploymentSpec::default()
        },
        status: None,
    }
}

pub(super) fn budget(server: &Validated) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: metadata(server),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(selected(server)),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}

pub(super) fn selected(server: &Validated) -> LabelSelector {
    LabelSelector { match_labels: Some(selector(&server.identity)), match_expressions: None }
}

/// Labels and annotations of the pods. The digest makes them roll for what only a new process takes up, and for nothing else:
/// rules and limits are swapped while running.
fn template(server: &Validated, config: &SidecarConfig) -> ObjectMeta {
    let options = pod::options(server);
    let mut labels = options.labels;
    labels.extend(crate::names::labels(&server.identity, super::component(server)));
    let mut annotations = options.annotations;
    annotations.insert(PROCESS_DIGEST.to_owned(), process_digest(config));
    ObjectMeta { labels: Some(labels), annotations: Some(annotations), ..ObjectMeta::default() }
}
