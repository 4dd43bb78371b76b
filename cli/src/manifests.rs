//! What a platform team writes, read from files and judged by the operator's own code.
//!
//! Flow: [`files`] -> [`read`] -> [`Manifests::judge`], for every server or for the one that `dev` runs. Every problem is
//! reported with its file and object, not the first one only.

mod files;
mod problem;

pub(crate) use files::files;
pub(crate) use problem::{Problem, Refused};

use files::text;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tollward_desired::{
    Finding, Inputs, InstallSettings, LocalPlace, Place, Sibling, Subject, Validated, configuration, manifests,
    serve_at, validate,
};
use tollward_policy::config::SidecarConfig;

/// Image of the data plane in rendered objects; an installation names its own.
const IMAGE: &str = concat!("ghcr.io/tollward/tollward-sidecar:", env!("CARGO_PKG_VERSION"));
/// Namespace of the operator in rendered objects.
const OPERATOR_NAMESPACE: &str = "tollward-system";

/// The resources of some files, and which file each is from.
pub(crate) struct Manifests {
    resources: manifests::Manifests,
    origins: BTreeMap<String, String>,
    /// What is worth knowing and no problem.
    pub(crate) notices: Vec<String>,
}

/// A server that is valid, with what it was judged by.
pub(crate) struct Judged {
    inputs: Inputs,
    /// As the operator would deploy it.
    pub(crate) validated: Validated,
}

/// The one server that `dev` runs.
pub(crate) struct Compiled {
    judged: Judged,
    declared: SidecarConfig,
    /// What is worth knowing and no problem.
    pub(crate) notices: Vec<String>,
}

/// Reads files and folders.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Manifests, Refused> {
    let mut read =
        Manifests { resources: manifests::Manifests::default(), origins: BTreeMap::new(), notices: Vec::new() };
    let mut problems = Vec::new();
    for path in files(paths).map_err(|problem| Refused(vec![problem]))? {
        let name = path.display().to_string();
        let found = text(&path).map(|text| manifests::read([(name.as_str(), text.as_str())]));
        match found {
            Ok(Ok(found)) => read.add(&name, found, &mut problems),
            Ok(Err(errors)) => problems.extend(errors.iter().map(Problem::in_text)),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        read.notice_policies_without_server();
        Ok(read)
    } else {
        Err(Refused(problems))
    }
}

/// Reads files and judges the server of that name, or the only one.
pub(crate) fn compile(paths: &[PathBuf], name: Option<&str>) -> Result<Compiled, Refused> {
    let mut manifests = read(paths)?;
    let index = manifests.find(name).map_err(|problem| Refused(vec![problem]))?;
    let judged = manifests.judge(index)?;
    let declared = configuration(&judged.validated, &Place::Pod).map_err(|found| manifests.refused(&judged, &found))?;
    Ok(Compiled { declared: declared.config().clone(), judged, notices: std::mem::take(&mut manifests.notices) })
}

impl Manifests {
    /// How many servers there are.
    pub(crate) fn servers(&self) -> usize {
        self.resources.servers.len()
    }

    /// Judges a server by everything that it refers to.
    pub(crate) fn judge(&self, server: usize) -> Result<Judged, Refused> {
        let inputs = self.inputs(server).ok_or_else(|| Refused(vec![Problem::new("no server has this number")]))?;
        match validate(&inputs) {
            Ok(validated) => Ok(Judged { inputs, validated }),
            Err(findings) => Err(self.located(&inputs, &findings)),
        }
    }

    /// Findings about a judged server, with the files that they are about.
    pub(crate) fn refused(&self, judged: &Judged, findings: &[Finding]) -> Refused {
        self.located(&judged.inputs, findings)
    }

    fn located(&self, inputs: &Inputs, findings: &[Finding]) -> Refused {
        let metadata = &inputs.server.metadata;
        let namespace = metadata.namespace.as_deref().unwrap_or("default");
        let problems = findings.iter().map(|finding| {
            let object = match &finding.subject {
                Subject::Server => format!("MCPServer {namespace}/{}", metadata.name.as_deref().unwrap_or_default()),
                Subject::Policy(name) => format!("RateLimitPolicy {namespace}/{name}"),
                Subject::Provider(name) => format!("IdentityProvider {name}"),
            };
            Problem::of(self.origins.get(&object).cloned(), object, finding)
        });
        Refused(problems.collect())
    }

    fn add(&mut self, file: &str, found: manifests::Manifests, problems: &mut Vec<Problem>) {
        let manifests::Manifests { servers, policies, providers, skipped } = found;
        let mut objects = Vec::new();
        objects.extend(
            servers
                .iter()
                .map(|object| key("MCPServer", object.metadata.namespace.as_deref(), object.metadata.name.as_deref())),
        );
        objects.extend(policies.iter().map(|object| {
            key("RateLimitPolicy", object.metadata.namespace.as_deref(), object.metadata.name.as_deref())
        }));
        objects.extend(providers.iter().map(|object| {
            key("IdentityProvider", object.metadata.namespace.as_deref(), object.metadata.name.as_deref())
        }));
        for object in objects {
            if let Some(earlier) = self.origins.insert(object.clone(), file.to_owned()) {
                problems
                    .push(Problem::new(format!("{file}: {object} is declared in {earlier} as well; keep one of them")));
            }
        }
        self.resources.servers.extend(servers);
        self.resources.policies.extend(policies);
        self.resources.providers.extend(providers);
        self.notices
            .extend(skipped.iter().map(|skipped| format!("{skipped}: not Tollward's, so it was not looked at")));
    }

    /// A policy that reaches nothing looks like protection and is none.
    fn notice_policies_without_server(&mut self) {
        for policy in &self.resources.policies {
            let namespace = &policy.metadata.namespace;
            let reaches = |name: &str| {
                let mut servers = self.resources.servers.iter().map(|server| &server.metadata);
                servers.any(|server| server.namespace == *namespace && server.name.as_deref() == Some(name))
            };
            for target in policy.spec.target_refs.iter().filter(|target| !reaches(&target.name)) {
                let object = key("RateLimitPolicy", namespace.as_deref(), policy.metadata.name.as_deref());
                self.notices
                    .push(format!("{object} names MCPServer `{}`, which is not among these files", target.name));
            }
        }
    }

    fn find(&self, name: Option<&str>) -> Result<usize, Problem> {
        let names: Vec<_> =
            self.resources.servers.iter().map(|server| server.metadata.name.clone().unwrap_or_default()).collect();
        match (name, names.as_slice()) {
            (_, []) => Err(Problem::new("there is no MCPServer in these files; is -f the right folder?")),
            (None, [_]) => Ok(0),
            (None, several) => {
                Err(Problem::new(format!("choose one of the servers with --server: {}", several.join(", "))))
            }
            (Some(name), names) => names.iter().position(|known| known == name).ok_or_else(|| {
                Problem::new(format!("there is no MCPServer `{name}` in these files, but: {}", names.join(", ")))
            }),
        }
    }

    fn inputs(&self, index: usize) -> Option<Inputs> {
        let install = InstallSettings::plain(IMAGE, OPERATOR_NAMESPACE);
        let server = self.resources.servers.get(index)?.clone();
        let others = self.resources.servers.iter().enumerate().filter(|(other, _)| *other != index);
        let siblings = others.map(|(_, other)| Sibling::of(other, &self.resources.providers, &install)).collect();
        let namespace = server.metadata.namespace.clone();
        let policies = self.resources.policies.iter().filter(|policy| policy.metadata.namespace == namespace);
        Some(Inputs {
            policies: policies.cloned().collect(),
            providers: self.resources.providers.clone(),
            // Labels of namespaces are known to the cluster only; every namespace has this one.
            namespace_labels: namespace
                .iter()
                .map(|name| ("kubernetes.io/metadata.name".to_owned(), name.clone()))
                .collect(),
            siblings,
            generation: 1,
            install,
            server,
        })
    }
}

impl Compiled {
    /// The configuration as the operator would write it into the server's pod.
    pub(crate) fn declared(&self) -> &SidecarConfig {
        &self.declared
    }

    /// The configuration for this machine: the same server at another URL.
    pub(crate) fn at(&self, url: &str, place: LocalPlace) -> Result<SidecarConfig, Refused> {
        let inputs = Inputs { server: serve_at(self.judged.inputs.server.clone(), url), ..self.judged.inputs.clone() };
        let place = Place::Local(place);
        let compiled = validate(&inputs).and_then(|validated| configuration(&validated, &place));
        match compiled {
            Ok(configuration) => Ok(configuration.config().clone()),
            Err(findings) => Err(Refused(findings.iter().map(|finding| Problem::new(finding.to_string())).collect())),
        }
    }
}

/// `Kind namespace/name`.
fn key(kind: &str, namespace: Option<&str>, name: Option<&str>) -> String {
    format!("{kind} {}/{}", namespace.unwrap_or("default"), name.unwrap_or_default())
}
