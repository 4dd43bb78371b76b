//! Judges a server with everything that it refers to. Nothing is trusted because the API server let it through: the
//! definitions in a cluster may be older than this code.

mod audience;
mod audit;
mod auth;
mod deny;
mod endpoint;
mod identity;
mod introspection;
mod limits;
mod operations;
mod providers;
mod rules;
mod scopes;
mod sender;
mod session;
mod siblings;
mod store;
mod upstream_auth;
mod web_url;
mod workload;

pub use crate::identity::Identity;
pub(crate) use deny::list as deny_list;
pub use endpoint::{EndpointPlan, TlsPlan};
pub use limits::compiled_name;
pub use providers::{ProviderPlan, algorithms, claim_names};
pub(crate) use store::StoreMount;
pub use upstream_auth::{FormPlan, MountedSecret, UpstreamAuthPlan};

use crate::finding::{Finding, Findings};
use crate::inputs::Inputs;
use crate::install::InstallSettings;
use std::num::NonZeroU32;
use tollward_api::mcpserver::{SealingMode, ServiceSource, Workload};
use tollward_policy::config::{AuditConfig, AuthConfig, SessionBounds};
use tollward_policy::limits::RateLimitConfig;
use tollward_policy::rules::RuleConfig;
use tollward_policy::scope::{ScopeConfig, ScopeName};

/// What is behind the endpoint.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A container beside the sidecar.
    Workload(Box<Workload>),
    /// A Service behind a relay.
    Service(ServiceSource),
}

/// A server that makes sense as a whole. There is no way to one but [`validate`].
#[derive(Debug, Clone)]
pub struct Validated {
    pub(crate) identity: Identity,
    pub(crate) generation: i64,
    pub(crate) shape: Shape,
    pub(crate) endpoint: EndpointPlan,
    pub(crate) auth: AuthConfig,
    pub(crate) upstream_auth: UpstreamAuthPlan,
    pub(crate) providers: Vec<ProviderPlan>,
    pub(crate) scopes: Vec<ScopeConfig>,
    pub(crate) initial_scopes: Vec<ScopeName>,
    pub(crate) rules: Vec<RuleConfig>,
    pub(crate) rate_limits: Vec<RateLimitConfig>,
    pub(crate) stores: Vec<StoreMount>,
    pub(crate) session_seconds: u32,
    pub(crate) session_bounds: SessionBounds,
    pub(crate) sealing: SealingMode,
    pub(crate) audit: AuditConfig,
    pub(crate) key_generation: u32,
    pub(crate) install: InstallSettings,
    /// Replicas that share the limits; as many as the specification wants if nobody counted them.
    pub(crate) counted: Option<NonZeroU32>,
}

impl Validated {
    /// Which server.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Processes that serve it side by side; at least one, since a server that is scaled to none may be scaled up again
    /// before its configuration is written anew.
    pub fn replicas(&self) -> NonZeroU32 {
        let replicas = match &self.shape {
            Shape::Workload(workload) => workload.replicas,
            Shape::Service(_) => self.install.relay_replicas,
        };
        u32::try_from(replicas).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    }

    /// Its limits, as the data plane gets them.
    pub fn rate_limits(&self) -> &[RateLimitConfig] {
        &self.rate_limits
    }

    /// The replicas among which limits are divided.
    pub fn sharing(&self) -> NonZeroU32 {
        self.counted.unwrap_or_else(|| self.replicas())
    }

    /// With that many replicas to share the limits, whatever the specification wants.
    #[must_use]
    pub fn shared_by(self, replicas: NonZeroU32) -> Self {
        Self { counted: Some(replicas), ..self }
    }

    /// How often its owner has asked for new keys.
    pub fn key_generation(&self) -> u32 {
        self.key_generation
    }

    /// Where it is reached.
    pub fn endpoint(&self) -> &EndpointPlan {
        &self.endpoint
    }

    /// The audience that tokens must have, if it asks for tokens.
    pub fn audience(&self) -> Option<&str> {
        match &self.auth {
            AuthConfig::None {} => None,
            AuthConfig::OAuth { audiences, .. } => audiences.first().map(String::as_str),
        }
    }

    /// The providers whose tokens it accepts.
    pub fn providers(&self) -> &[ProviderPlan] {
        &self.providers
    }

    /// As whom the server is called.
    pub fn upstream_auth(&self) -> &UpstreamAuthPlan {
        &self.upstream_auth
    }

    /// Whether it must be out of reach past the data plane.
    pub fn sealing(&self) -> SealingMode {
        self.sealing
    }

    /// What is behind the endpoint.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
}

/// Judges a server. All findings are reported, not the first.
pub fn validate(inputs: &Inputs) -> Result<Validated, Vec<Finding>> {
    let mut findings = Findings::default();
    let validated = judge(inputs, &mut findings);
    match validated {
        Some(validated) if findings.is_empty() => Ok(validated),
        Some(_) | None => Err(findings.into_vec()),
    }
}

fn judge(inputs: &Inputs, findings: &mut Findings) -> Option<Validated> {
    let spec = &inputs.server.spec;
    let identity = identity::judge(&inputs.server, findings)?;
    siblings::judge(inputs, findings);
    let shape = workload::judge(&spec.source, findings);
    let endpoint = endpoint::judge(inputs, &identity, findings);
    let providers = providers::judge(inputs, &identity, findings);
    let scopes = scopes::judge(&spec.auth, findings);
    let rules = rules::judge(&spec.auth, scopes.as_ref(), findings);
    let limits = limits::judge(inputs, &identity, findings);
    let session_seconds = audit::session_seconds(&spec.session, findings);
    let session_bounds = session::bounds(&spec.session, findings);
    let audit = audit::judge(&spec.audit, &inputs.install, findings);
    let endpoint = endpoint?;
    let upstream_auth =
        upstream_auth::judge(&spec.upstream_auth, &spec.auth, &endpoint, &providers, &identity, findings);
    let auth = auth::judge(&spec.auth, &endpoint, &providers, findings)?;
    let scopes = scopes?;
    Some(Validated {
        identity,
        generation: inputs.generation,
        shape: shape?,
        endpoint,
        auth,
        upstream_auth: upstream_auth?,
        providers,
        scopes: scopes.declared,
        initial_scopes: scopes.initial,
        rules: rules?,
        rate_limits: limits.configs,
        stores: limits.stores,
        session_seconds: session_seconds?,
        session_bounds: session_bounds?,
        sealing: spec.sealing.mode,
        audit,
        key_generation: u32::try_from(spec.key_generation).unwrap_or_default(),
        install: inputs.install.clone(),
        counted: None,
    })
}
