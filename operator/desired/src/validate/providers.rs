//! Whose tokens are accepted: references resolved, permissions checked, presets filled in.

use super::deny;
use super::introspection::{self, IntrospectionPlan};
use crate::finding::{Findings, Subject};
use crate::identity::Identity;
use crate::inputs::Inputs;
use crate::provider_key::{key_of, referenced_key};
use kube::ResourceExt as _;
use kube::core::{Selector, SelectorExt as _};
use std::collections::{BTreeMap, BTreeSet};
use tollward_api::IdentityProvider;
use tollward_api::condition::{ConditionReason, ConditionType};
use tollward_api::duration::{DurationError, GoDuration};
use tollward_api::identityprovider::{
    AllowedNamespaces, CaConfigMap, ClaimSelection, ExternalProvider, NamespacesFrom, Preset, ProviderType,
};
use tollward_api::owned::is_owned;
use tollward_policy::config::{Algorithm, ClaimNames, ProviderConfig, TokenType};
use url::Url;

/// A provider whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderPlan {
    pub(crate) config: ProviderConfig,
    pub(crate) generation: i64,
    pub(crate) authority: Option<CaConfigMap>,
    pub(crate) introspection: Option<IntrospectionPlan>,
}

impl ProviderPlan {
    /// `namespace/name`.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// The generation of the `IdentityProvider` that it was read from.
    pub fn generation(&self) -> i64 {
        self.generation
    }

    /// Its issuer.
    pub fn issuer(&self) -> &str {
        &self.config.issuer
    }
}

pub(super) fn judge(inputs: &Inputs, identity: &Identity, findings: &mut Findings) -> Vec<ProviderPlan> {
    let found: BTreeMap<_, _> = inputs.providers.iter().map(|provider| (key_of(provider), provider)).collect();
    let mut plans: Vec<ProviderPlan> = Vec::new();
    let mut seen = BTreeSet::new();
    for (position, reference) in inputs.server.spec.auth.identity_providers.iter().enumerate() {
        let place = format!("spec.auth.identityProviders[{position}]");
        let key = referenced_key(reference, identity.namespace());
        if !seen.insert(key.clone()) {
            findings.server(ConditionReason::Invalid, format!("spec.auth.identityProviders names `{key}` twice"));
            continue;
        }
        let Some(provider) = found.get(&key) else {
            let message = format!("{place}: IdentityProvider `{key}` does not exist");
            findings.reference(ConditionReason::TargetNotFound, message);
            continue;
        };
        if !admits(&provider.spec.allowed_namespaces, provider, identity, &inputs.namespace_labels) {
            let namespace = identity.namespace();
            let message =
                format!("{place}: IdentityProvider `{key}` does not allow servers of namespace `{namespace}`");
            findings.reference(ConditionReason::NotReferenceable, message);
            continue;
        }
        let plan = judge_one(&key, provider, inputs, findings);
        if plan.is_none() {
            let message = format!("{place}: IdentityProvider `{key}` is not valid; see its status");
            findings.reference(ConditionReason::InvalidProvider, message);
        }
        plans.extend(plan);
    }
    refuse_shared_issuers(&plans, findings);
    refuse_shared_introspection(&plans, findings);
    plans
}

/// A token names its issuer only, so two providers of one issuer could not be told apart.
fn refuse_shared_issuers(plans: &[ProviderPlan], findings: &mut Findings) {
    let mut issuers = BTreeMap::new();
    for plan in plans {
        if let Some(earlier) = issuers.insert(plan.issuer(), plan.name()) {
            findings.server(
                ConditionReason::Invalid,
                format!("spec.auth.identityProviders: `{earlier}` and `{}` have the same issuer", plan.name()),
            );
        }
    }
}

/// An opaque token names nobody, and asking one provider after the other would hand each the tokens of the others.
fn refuse_shared_introspection(plans: &[ProviderPlan], findings: &mut Findings) {
    let asked: Vec<_> =
        plans.iter().filter(|plan| plan.introspection.is_some()).map(|plan| format!("`{}`", plan.name())).collect();
    if asked.len() > 1 {
        findings.server(
            ConditionReason::Invalid,
            format!(
                "spec.auth.identityProviders: {} have introspection; an opaque token does not say whose it is, so that only \
                 one of a server's providers may",
                asked.join(" and ")
            ),
        );
    }
}

fn admits(
    allowed: &AllowedNamespaces,
    provider: &IdentityProvider,
    identity: &Identity,
    labels: &BTreeMap<String, String>,
) -> bool {
    let home = provider.namespace().unwrap_or_else(|| "default".into());
    match (allowed.from, &allowed.selector) {
        _ if home == identity.namespace() => true,
        (NamespacesFrom::All, None) => true,
        (NamespacesFrom::Selector, Some(selector)) => {
            Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(labels))
        }
        (NamespacesFrom::Same | NamespacesFrom::Selector, None)
        | (NamespacesFrom::Same | NamespacesFrom::All, Some(_)) => false,
    }
}

fn judge_one(key: &str, provider: &IdentityProvider, inputs: &Inputs, findings: &mut Findings) -> Option<ProviderPlan> {
    let external = match (provider.spec.kind, &provider.spec.external) {
        (ProviderType::External, Some(external)) => external,
        (ProviderType::External, None) => {
            refuse(key, "spec.external must be set if spec.type is External", findings);
            return None;
        }
    };
    let before = refuse_addresses(key, external, findings);
    let leeway = seconds(key, "leeway", &external.leeway, 60, findings);
    let lifetime = match &external.max_token_lifetime {
        None => Some(None),
        Some(lifetime) => {
            seconds(key, "maxTokenLifetime", lifetime, 31_536_000, findings).filter(|seconds| *seconds >= 1).map(Some)
        }
    };
    if lifetime.is_none() {
        refuse(key, "spec.external.maxTokenLifetime must be from 1s to 8760h", findings);
    }
    let deny = deny::judge(&provider.spec.deny, &mut |message| refuse(key, message, findings));
    let introspection = match &external.introspection {
        None => Some(None),
        Some(wanted) => introspection::judge(key, wanted, &mut |message| refuse(key, message, findings)).map(Some),
    };
    let plan = ProviderPlan {
        generation: provider.metadata.generation.unwrap_or_default(),
        config: ProviderConfig {
            name: key.to_owned(),
            issuer: external.issuer.clone(),
            jwks_url: external.jwks_url.clone(),
            token_url: external.token_url.clone(),
            ca_file: None,
            algorithms: or_else(&external.algorithms, || preset_algorithms(external.preset)),
            token_types: or_else(&external.token_types, || preset_token_types(external.preset)),
            claims: claims(external),
            leeway_seconds: leeway?,
            max_lifetime_seconds: lifetime?,
            refresh: inputs.install.refresh.clone(),
            deny: deny?,
            // Only with the folder of its secret is it whole.
            introspection: None,
        },
        authority: external.ca_config_map.clone(),
        introspection: introspection?,
    };
    before.then_some(plan)
}

fn refuse(key: &str, message: impl Into<String>, findings: &mut Findings) {
    let subject = Subject::Provider(key.to_owned());
    findings.push(subject, ConditionType::Accepted, ConditionReason::InvalidProvider, message);
}

/// False if an address or name can't be used.
fn refuse_addresses(key: &str, external: &ExternalProvider, findings: &mut Findings) -> bool {
    let mut fine = true;
    if !is_url(&external.issuer, false) {
        refuse(key, "spec.external.issuer must be an absolute http(s) URL without user, query or fragment", findings);
        fine = false;
    }
    if external.jwks_url.as_ref().is_some_and(|url| !is_url(url, true)) {
        refuse(key, "spec.external.jwksURL must be an absolute http(s) URL without user or fragment", findings);
        fine = false;
    }
    if external.token_url.as_ref().is_some_and(|url| !is_url(url, true)) {
        refuse(key, "spec.external.tokenURL must be an absolute http(s) URL without user or fragment", findings);
        fine = false;
    }
    let is_file = |name: &str| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
        !name.is_empty() && name.chars().all(plain) && !name.starts_with("..")
    };
    let authority = external.ca_config_map.as_ref();
    if authority.is_some_and(|authority| is_owned(&authority.name) || !is_file(&authority.key)) {
        refuse(key, "spec.external.caConfigMap names an object of Tollward, or a key that is no file name", findings);
        fine = false;
    }
    fine
}

fn is_url(text: &str, query: bool) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        matches!(url.scheme(), "http" | "https") && plain && (query || url.query().is_none())
    })
}

fn seconds(key: &str, field: &str, duration: &GoDuration, most: u32, findings: &mut Findings) -> Option<u32> {
    match duration.seconds() {
        Ok(seconds) if seconds <= most => Some(seconds),
        Ok(_) => {
            refuse(key, format!("spec.external.{field} must be at most {most}s"), findings);
            None
        }
        Err(error @ DurationError(_)) => {
            refuse(key, format!("spec.external.{field}: {error}"), findings);
            None
        }
    }
}

fn or_else<T: Clone>(given: &[T], preset: impl FnOnce() -> Vec<T>) -> Vec<T> {
    if given.is_empty() { preset() } else { given.to_vec() }
}

fn preset_algorithms(preset: Preset) -> Vec<Algorithm> {
    match preset {
        Preset::Generic => vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA],
    }
}

fn preset_token_types(preset: Preset) -> Vec<TokenType> {
    match preset {
        Preset::Generic => vec![TokenType::AccessToken, TokenType::Jwt],
    }
}

fn preset_claims(preset: Preset) -> ClaimNames {
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
    match preset {
        Preset::Generic => ClaimNames {
            scopes: names(&["scope", "scp"]),
            client: names(&["client_id", "azp", "cid"]),
            subject: "sub".into(),
            token_id: names(&["jti", "uti"]),
            // RFC 9068 section 2.2.3.1.
            groups: names(&["groups"]),
            roles: names(&["roles"]),
        },
    }
}

fn claims(external: &ExternalProvider) -> ClaimNames {
    let preset = preset_claims(external.preset);
    let Some(ClaimSelection { scopes, client, subject, token_id, groups, roles }) = &external.claims else {
        return preset;
    };
    ClaimNames {
        scopes: or_else(scopes, || preset.scopes),
        client: or_else(client, || preset.client),
        subject: subject.clone().unwrap_or(preset.subject),
        token_id: or_else(token_id, || preset.token_id),
        groups: or_else(groups, || preset.groups),
        roles: or_else(roles, || preset.roles),
    }
}
