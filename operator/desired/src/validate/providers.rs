//! Whose tokens are accepted: references resolved, permissions checked, presets filled in.

mod presets;

use super::deny;
use super::introspection::{self, IntrospectionPlan};
use super::web_url::is_url;
use crate::finding::{Findings, Subject};
use crate::identity::Identity;
use crate::inputs::Inputs;
use crate::issuers::{self, Issuer};
use crate::provider_key::{key_of, referenced_key};
use kube::ResourceExt as _;
use kube::core::{Selector, SelectorExt as _};
use presets::Row;
use std::collections::{BTreeMap, BTreeSet};
use tollward_api::IdentityProvider;
use tollward_api::condition::{ConditionReason, ConditionType};
use tollward_api::duration::{DurationError, GoDuration};
use tollward_api::identityprovider::{
    AllowedNamespaces, CaConfigMap, ClaimSelection, ExternalProvider, NamespacesFrom, Preset, ProviderType,
};
use tollward_api::mcpserver::ProviderReference;
use tollward_api::owned::is_owned;
use tollward_policy::config::{Algorithm, ClaimMark, ClaimNames, ProviderConfig, TokenProfile};

/// A provider whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderPlan {
    /// `namespace/name` of the resource. Entra's with several tenants has a plan for each.
    pub(crate) key: String,
    pub(crate) preset: Preset,
    /// What clients put before the scopes of this server.
    pub(crate) scope_prefix: Option<String>,
    pub(crate) config: ProviderConfig,
    pub(crate) generation: i64,
    pub(crate) authority: Option<CaConfigMap>,
    pub(crate) introspection: Option<IntrospectionPlan>,
}

impl ProviderPlan {
    /// `namespace/name` of the resource.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its name in the configuration: `namespace/name`, followed by the tenant where there are several.
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

    /// Whose account is all it takes to have it sign a token for any audience, if that is so.
    pub(super) fn open_to_all(&self) -> Option<&'static str> {
        if self.preset == Preset::Google { Some(issuers::GOOGLE) } else { issuers::open_to_all(self.issuer()) }
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
        let own = judge_one(&key, provider, reference, inputs, findings);
        if own.is_none() {
            let message = format!("{place}: IdentityProvider `{key}` is not valid; see its status");
            findings.reference(ConditionReason::InvalidProvider, message);
        }
        plans.extend(own.into_iter().flatten());
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

fn judge_one(
    key: &str,
    provider: &IdentityProvider,
    reference: &ProviderReference,
    inputs: &Inputs,
    findings: &mut Findings,
) -> Option<Vec<ProviderPlan>> {
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
    let deny = deny::judge(provider, &mut |message| refuse(key, message, findings));
    let introspection = match &external.introspection {
        None => Some(None),
        Some(wanted) => introspection::judge(key, wanted, &mut |message| refuse(key, message, findings)).map(Some),
    };
    let issuers = issuers::of(external).map_err(|message| refuse(key, message, findings)).ok()?;
    let (leeway_seconds, max_lifetime_seconds) = (leeway?, lifetime?);
    let (deny, introspection) = (deny?, introspection?);
    let plan = |issuer: &Issuer| {
        let row = presets::row(external.preset, issuer.version_1);
        let config = ProviderConfig {
            name: name(key, issuer, !external.tenants.is_empty()),
            issuer: issuer.name.clone(),
            jwks_url: external.jwks_url.clone(),
            token_url: external.token_url.clone(),
            ca_file: None,
            algorithms: or_else(&external.algorithms, || row.algorithms.to_vec()),
            token_types: or_else(&external.token_types, || row.token_types.to_vec()),
            claims: claims(external.claims.as_ref(), &row),
            profile: profile(&row, issuer),
            leeway_seconds,
            max_lifetime_seconds,
            refresh: inputs.install.refresh.clone(),
            deny: deny.clone(),
            // Only with the folder of its secret is it whole.
            introspection: None,
        };
        ProviderPlan {
            key: key.to_owned(),
            preset: external.preset,
            scope_prefix: reference.scope_prefix.clone(),
            generation: provider.metadata.generation.unwrap_or_default(),
            config,
            authority: external.ca_config_map.clone(),
            introspection: introspection.clone(),
        }
    };
    before.then(|| issuers.iter().map(plan).collect())
}

/// The name in the configuration.
fn name(key: &str, issuer: &Issuer, several: bool) -> String {
    match &issuer.tenant {
        Some(tenant) if several => format!("{key}/{tenant}"),
        Some(_) | None => key.to_owned(),
    }
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

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

/// The signature algorithms that a provider may use.
pub fn algorithms(external: &ExternalProvider) -> Vec<Algorithm> {
    or_else(&external.algorithms, || presets::row(external.preset, false).algorithms.to_vec())
}

/// Which claims of a provider's tokens carry what, also if something else about it is wrong.
pub fn claim_names(external: &ExternalProvider) -> ClaimNames {
    let version_1 = issuers::of(external).is_ok_and(|issuers| issuers.iter().any(|issuer| issuer.version_1));
    claims(external.claims.as_ref(), &presets::row(external.preset, version_1))
}

fn claims(selected: Option<&ClaimSelection>, row: &Row) -> ClaimNames {
    let preset = ClaimNames {
        scopes: names(row.scopes),
        client: names(row.client),
        subject: row.subject.to_owned(),
        token_id: names(row.token_id),
        groups: names(row.groups),
        roles: names(row.roles),
    };
    let Some(ClaimSelection { scopes, client, subject, token_id, groups, roles }) = selected else {
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

fn profile(row: &Row, issuer: &Issuer) -> TokenProfile {
    let mark = |(name, values): &(&str, &[&str])| ClaimMark { name: (*name).to_owned(), values: names(values) };
    // The issuer is compared as a whole already; a tenant that contradicts it is not believed.
    let tenant = issuer.tenant.as_ref().map(|tenant| ClaimMark { name: "tid".into(), values: vec![tenant.clone()] });
    TokenProfile {
        vendor: row.vendor,
        audience: names(row.audience),
        marks: row.marks.iter().map(mark).chain(tenant).collect(),
        key_issuers: issuers::key_issuers(issuer),
        scope_form: row.scope_form,
    }
}
