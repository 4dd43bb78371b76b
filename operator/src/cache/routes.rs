//! Whom a change concerns. Pure but for the queues.

use super::{Caches, Policy, Provider, Queues, Server};
use crate::child::controller;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::core::DynamicObject;
use kube::{Resource, ResourceExt as _};
use std::sync::Arc;
use tollward_api::MCPServer;
use tollward_api::condition::ConditionReason;

/// Label of a slice with the name of its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The caches and the queues.
#[derive(Clone)]
pub(super) struct Routes {
    pub(super) caches: Caches,
    pub(super) queues: Arc<Queues>,
}

impl Routes {
    /// A server changed: it, its policies and providers, and those that it stood in the way of.
    pub(super) fn server(&self, server: &Server) {
        let (namespace, name) = place(server);
        self.queues.servers.push(&namespace, &name);
        for policy in self.caches.policies.state_filter(|policy| policy.meta().namespace.as_deref() == Some(&namespace))
        {
            self.queues.policies.push(&namespace, &policy.name_any());
        }
        if let Ok(server) = &server.0 {
            for reference in &server.spec.auth.identity_providers {
                let home = reference.namespace.as_deref().unwrap_or(&namespace);
                self.queues.providers.push(home, &reference.name);
            }
        }
        for other in self.caches.servers.state_filter(stands_back) {
            let (namespace, name) = place(&*other);
            self.queues.servers.push(&namespace, &name);
        }
    }

    /// A policy changed: it, and every server of its namespace, since it may have named another one before.
    pub(super) fn policy(&self, policy: &Policy) {
        let (namespace, name) = place(policy);
        self.queues.policies.push(&namespace, &name);
        self.servers_of(&namespace, |_| true);
    }

    /// A provider changed: it, and the servers that refer to it, or did when they were accepted last.
    pub(super) fn provider(&self, provider: &Provider) {
        let (namespace, name) = place(provider);
        self.queues.providers.push(&namespace, &name);
        for server in self.caches.servers.state() {
            let home = server.namespace().unwrap_or_default();
            // What can't be read may have anything in force.
            let refers = server.0.as_ref().map_or(true, |server| {
                let in_force = server.status.iter().flat_map(|status| &status.identity_providers);
                server.spec.auth.identity_providers.iter().any(|reference| {
                    reference.name == name && reference.namespace.as_deref().unwrap_or(&home) == namespace
                }) || in_force.into_iter().any(|provider| provider.name == format!("{namespace}/{name}"))
            });
            if refers {
                self.queues.servers.push(&home, &server.name_any());
            }
        }
    }

    /// A namespace's labels changed: its servers may or may not refer to a provider any more.
    pub(super) fn namespace<K: Resource<DynamicType = ()>>(&self, namespace: &K) {
        self.servers_of(namespace.meta().name.as_deref().unwrap_or_default(), |_| true);
    }

    /// A child, or a Service that a server may stand in front of.
    pub(super) fn child(&self, object: &DynamicObject) {
        let namespace = object.namespace().unwrap_or_default();
        if controller(object).is_some() {
            for owner in object.owner_references() {
                if owner.kind == "MCPServer" {
                    self.queues.servers.push(&namespace, &owner.name);
                }
            }
        } else {
            let name = object.name_any();
            self.servers_of(&namespace, |server| {
                server.spec.source.service.as_ref().is_some_and(|service| service.name == name)
                    || tollward_api::owned::child_name(&server.name_any()) == name
            });
        }
    }

    /// Where a Service leads.
    pub(super) fn slice(&self, slice: &EndpointSlice) {
        let Some(service) = slice.labels().get(SERVICE_NAME) else {
            return;
        };
        self.servers_of(&slice.namespace().unwrap_or_default(), |server| {
            server.spec.source.service.as_ref().is_some_and(|source| source.name == *service)
        });
    }

    /// A pod of ours.
    pub(super) fn pod(&self, pod: &Pod) {
        if let Some(server) = pod.labels().get("app.kubernetes.io/instance") {
            self.queues.servers.push(&pod.namespace().unwrap_or_default(), server);
        }
    }

    fn servers_of(&self, namespace: &str, wanted: impl Fn(&MCPServer) -> bool) {
        for server in self.caches.servers.state_filter(|server| server.meta().namespace.as_deref() == Some(namespace)) {
            if server.0.as_ref().is_ok_and(&wanted) {
                self.queues.servers.push(namespace, &server.name_any());
            }
        }
    }
}

fn place<K: Resource>(object: &K) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// Whether a server waits for another one to go or change.
fn stands_back(server: &Server) -> bool {
    let reasons = [ConditionReason::EndpointConflict, ConditionReason::AudienceNotExclusive];
    let status = server.0.as_ref().ok().and_then(|server| server.status.as_ref());
    status.is_some_and(|status| {
        status.conditions.iter().any(|condition| reasons.iter().any(|reason| condition.reason == reason.as_str()))
    })
}
