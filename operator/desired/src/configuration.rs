//! The `SidecarConfig` of a server: compiled from what was validated, for a pod or for this machine.

mod upstream_identity;

use crate::finding::{Finding, Findings, rejected};
use crate::local::LocalPlace;
use crate::names::{self, AUTHORITIES_FOLDER, CERTIFICATE_FOLDER, CLIENT_SECRETS_FOLDER, KEYS_FOLDER};
use crate::validate::{EndpointPlan, Shape, TlsPlan, Validated};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use tollward_api::condition::ConditionReason;
use tollward_api::ports;
use tollward_policy::config::{
    EndpointConfig, ListenerTls, ProcessConfig, ProviderConfig, PublicListener, ReportListener, Role, RouteConfig,
    ServerRef, SessionConfig, SessionKey, SidecarConfig, UpstreamConfig, VERSION, check,
};
use tollward_policy::digest;
use tollward_policy::limits::RateLimitConfig;

/// The most bytes of a configuration: a ConfigMap holds 1 MiB, with its metadata.
const MAX_BYTES: usize = 900_000;
/// Files of the serving certificate within its folder.
const SERVING: (&str, &str) = ("tls.crt", "tls.key");
/// The session keys by their ids, and how many epochs after the current one each belongs to. The current one seals. The
/// one before opens what was sealed before a rotation; the one after opens what a pod sealed that has rolled over already,
/// while this one has not.
pub(crate) const SESSION_KEYS: [(u8, i64); 3] = [(0, 0), (1, -1), (2, 1)];

/// Where the data plane runs.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a pod that the operator makes.
    Pod,
    /// On this machine.
    Local(LocalPlace),
}

/// A configuration that the data plane reads, with its bytes and their digest.
#[derive(Debug, Clone)]
pub struct Configuration {
    config: SidecarConfig,
    text: String,
    digest: String,
}

impl Configuration {
    /// A checked configuration as it is written; `None` if it does not fit.
    pub(crate) fn write(config: SidecarConfig) -> Option<Self> {
        let text = serde_json::to_string(&config).ok().filter(|text| text.len() <= MAX_BYTES)?;
        Some(Self { digest: digest::of(text.as_bytes()), config, text })
    }

    /// The configuration.
    pub fn config(&self) -> &SidecarConfig {
        &self.config
    }

    /// Its JSON, byte for byte what the data plane should read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The digest of these bytes, which the data plane reports once it enforces them.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// Compiles and writes the configuration. What the data plane would refuse is a finding.
pub fn configuration(server: &Validated, place: &Place) -> Result<Configuration, Vec<Finding>> {
    let missing = upstream_identity::missing(server, place);
    if !missing.is_empty() {
        return Err(missing);
    }
    let config = compile_config(server, place);
    let problems = check(&config);
    if !problems.is_empty() {
        return Err(rejected(&problems));
    }
    let mut findings = Findings::default();
    let text = findings.keep(ConditionReason::Rejected, "the configuration", serde_json::to_string(&config));
    match text {
        Some(text) if text.len() <= MAX_BYTES => {
            Ok(Configuration { digest: digest::of(text.as_bytes()), config, text })
        }
        Some(text) => {
            let message = format!(
                "the configuration has {} bytes, at most {MAX_BYTES} fit; use fewer rules or patterns",
                text.len()
            );
            findings.server(ConditionReason::Rejected, message);
            Err(findings.into_vec())
        }
        None => Err(findings.into_vec()),
    }
}

/// The configuration of a validated server. [`configuration`] also writes it.
pub fn compile_config(server: &Validated, place: &Place) -> SidecarConfig {
    SidecarConfig {
        version: VERSION,
        min_reader: VERSION,
        generation: server.generation,
        process: process(server, place),
        identity_providers: providers(server, place),
        routes: vec![route(server, place)],
    }
}

/// The digest of what only a new process takes up.
pub(crate) fn process_digest(config: &SidecarConfig) -> String {
    let text = serde_json::to_string(&config.process).unwrap_or_default();
    digest::of(text.as_bytes())
}

fn process(server: &Validated, place: &Place) -> ProcessConfig {
    let install = &server.install;
    let at = |port: u16| SocketAddr::new(install.listen, port);
    let mut dial = install.dial.clone();
    let (role, public, observe, tls, report) = match place {
        Place::Pod => {
            let role = match &server.shape {
                Shape::Workload(_) => Role::Sidecar,
                Shape::Service(_) => Role::Relay,
            };
            let tls = listener_tls(server.endpoint.tls());
            (role, at(ports::PUBLIC), at(ports::OBSERVE), tls, Some(report(server)))
        }
        Place::Local(local) => {
            dial.allow.extend(local.allow.iter().cloned());
            (local.role(), local.public, local.observe, ListenerTls::Off {}, None)
        }
    };
    ProcessConfig {
        role,
        public: PublicListener { address: public, tls },
        observe,
        report,
        egress: None,
        http: install.http.clone(),
        dial,
        trusted_proxies: install.trusted_proxies.clone(),
        drain_seconds: install.stop.drain,
    }
}

fn listener_tls(plan: &TlsPlan) -> ListenerTls {
    let files = |folder: &str| ListenerTls::Files {
        certificate: Path::new(folder).join(SERVING.0),
        private_key: Path::new(folder).join(SERVING.1),
    };
    match plan {
        TlsPlan::Off => ListenerTls::Off {},
        TlsPlan::Issued => files(KEYS_FOLDER),
        TlsPlan::Secret(_) => files(CERTIFICATE_FOLDER),
    }
}

fn report(server: &Validated) -> ReportListener {
    let file = |name: &str| Path::new(KEYS_FOLDER).join(name);
    ReportListener {
        address: SocketAddr::new(server.install.listen, ports::REPORT),
        certificate: file("report.crt"),
        private_key: file("report.key"),
        client_ca: file("report-ca.crt"),
        client_name: server.install.report_client_name.clone(),
    }
}

/// Folder of a provider's certificate authority in the data plane's container.
pub(crate) fn authority_folder(position: usize) -> PathBuf {
    Path::new(AUTHORITIES_FOLDER).join(position.to_string())
}

/// Folder of the client's secret for a provider's introspection in the data plane's container.
pub(crate) fn client_secret_folder(position: usize) -> PathBuf {
    Path::new(CLIENT_SECRETS_FOLDER).join(position.to_string())
}

fn providers(server: &Validated, place: &Place) -> Vec<ProviderConfig> {
    let file = |position: usize, key: &str| match place {
        Place::Pod => Some(authority_folder(position).join(key)),
        // There is no mounted ConfigMap on this machine.
        Place::Local(_) => None,
    };
    let introspection = |position: usize, plan: &crate::validate::ProviderPlan| match place {
        Place::Pod => plan.introspection.as_ref().map(|plan| plan.config(&client_secret_folder(position))),
        // Nor a Secret: what is no signed JWT is refused here.
        Place::Local(_) => None,
    };
    let with_file = |(position, plan): (usize, &crate::validate::ProviderPlan)| ProviderConfig {
        ca_file: plan.authority.as_ref().and_then(|authority| file(position, &authority.key)),
        introspection: introspection(position, plan),
        ..plan.config.clone()
    };
    server.providers.iter().enumerate().map(with_file).collect()
}

fn route(server: &Validated, place: &Place) -> RouteConfig {
    RouteConfig {
        server: ServerRef {
            namespace: server.identity.namespace().to_owned(),
            name: server.identity.name().to_owned(),
            uid: server.identity.uid().to_owned(),
        },
        endpoint: endpoint(&server.endpoint, place),
        upstream: UpstreamConfig {
            url: upstream_url(server, place),
            socket: None,
            connect_timeout_seconds: server.install.upstream.connect_seconds,
            response_timeout_seconds: server.install.upstream.response_seconds,
            idle_timeout_seconds: server.install.upstream.idle_seconds,
            identity: upstream_identity::identity(server, place),
        },
        auth: server.auth.clone(),
        scopes: server.scopes.clone(),
        initial_scopes: server.initial_scopes.clone(),
        rules: server.rules.clone(),
        rate_limits: rate_limits(server, place),
        replicas: match place {
            Place::Pod => server.sharing(),
            Place::Local(_) => NonZeroU32::MIN,
        },
        session: SessionConfig {
            keys: session_keys(place),
            max_age_seconds: server.session_seconds,
            bounds: server.session_bounds,
        },
        audit: server.audit.clone(),
    }
}

/// One process counts for itself: on this machine there is neither the cluster's store nor its Secret.
fn rate_limits(server: &Validated, place: &Place) -> Vec<RateLimitConfig> {
    let mut limits = server.rate_limits.clone();
    match place {
        Place::Pod => {}
        Place::Local(_) => limits.iter_mut().for_each(|limit| limit.store = None),
    }
    limits
}

fn endpoint(plan: &EndpointPlan, place: &Place) -> EndpointConfig {
    let service_hosts: &[String] = match place {
        Place::Pod => &plan.service_hosts,
        Place::Local(_) => &[],
    };
    let mut hosts: Vec<String> = Vec::new();
    for host in plan.hosts.iter().chain(service_hosts) {
        if host != plan.url.authority() && !hosts.contains(host) {
            hosts.push(host.clone());
        }
    }
    EndpointConfig {
        url: plan.url.as_str().to_owned(),
        hosts,
        allowed_origins: plan.allowed_origins.clone(),
        display_name: plan.display_name.clone(),
    }
}

fn upstream_url(server: &Validated, place: &Place) -> String {
    match (place, &server.shape) {
        (Place::Local(local), _) => local.upstream_url.clone(),
        (Place::Pod, Shape::Workload(workload)) => {
            format!("http://127.0.0.1:{}{}", workload.transport.port, workload.transport.path)
        }
        (Place::Pod, Shape::Service(service)) => {
            let (namespace, domain) = (server.identity.namespace(), &server.install.cluster_domain);
            format!("http://{}.{namespace}.svc.{domain}:{}{}", service.name, service.port, service.path)
        }
    }
}

fn session_keys(place: &Place) -> Vec<SessionKey> {
    match place {
        Place::Pod => SESSION_KEYS
            .into_iter()
            .map(|(id, _)| SessionKey { id, file: Path::new(KEYS_FOLDER).join(names::session_key_file(id)) })
            .collect(),
        Place::Local(_) => Vec::new(),
    }
}
