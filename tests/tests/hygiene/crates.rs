//! Which crate of the workspace may know which, and which of them stay pure.

use std::collections::{BTreeMap, BTreeSet};

use super::assert_none;
use super::members::{Dependency, Member, cargo, members};

const SIDECAR: &str = "tollward-sidecar";
const POLICY: &str = "tollward-policy";
const BRIDGE: &str = "tollward-bridge";
const NETGUARD: &str = "tollward-netguard";
const TELEMETRY: &str = "tollward-telemetry";
const OPERATOR: &str = "tollward-operator";
const API: &str = "tollward-api";
const DESIRED: &str = "tollward-desired";
const BROKER: &str = "tollward-broker";
const CLI: &str = "tollward";
const CATALOG: &str = "catalog";
const RMCP_CLIENT: &str = "rmcp-client";
const TESTS: &str = "tollward-tests";
const XTASK: &str = "xtask";

/// What each crate may have in its `[dependencies]`, of the workspace's own. A new crate is a new row.
const ARROWS: &[(&str, &[&str])] = &[
    (POLICY, &[]),
    // It runs in containers of others: nothing of the data plane is in it.
    (BRIDGE, &[]),
    (NETGUARD, &[]),
    (TELEMETRY, &[]),
    (SIDECAR, &[POLICY, NETGUARD, TELEMETRY]),
    (API, &[POLICY]),
    (DESIRED, &[POLICY, API]),
    (OPERATOR, &[POLICY, NETGUARD, TELEMETRY, API, DESIRED]),
    (BROKER, &[POLICY, NETGUARD, TELEMETRY]),
    (CLI, &[POLICY, API, DESIRED, SIDECAR, BROKER]),
    // An MCP server as others write it: without a line of ours.
    (CATALOG, &[]),
    // And an MCP client.
    (RMCP_CLIENT, &[]),
    (TESTS, &[SIDECAR, BRIDGE, POLICY, NETGUARD, TELEMETRY, OPERATOR, API, DESIRED, BROKER, CLI, CATALOG]),
    // Compiled on a bare machine before anything else.
    (XTASK, &[]),
];

/// Not even a test may tie these together: one is tested with the other in `tests/`.
const STRANGERS: &[(&str, &str)] = &[(SIDECAR, OPERATOR), (OPERATOR, SIDECAR)];

/// Crates that take values and return values.
const PURE: &[&str] = &[POLICY, DESIRED];

/// What a pure crate must not even have behind one of its dependencies.
const IMPURE: &[&str] = &["tokio", "hyper", "axum", "reqwest", "kube-client", "kube-runtime"];

/// Features of `kube` that bring a client.
const KUBE_CLIENT: &[&str] = &["client", "config", "runtime", "ws"];

#[test]
fn crates_know_only_whom_they_may() {
    let members = members();
    let names: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let rows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut offenders: Vec<String> = names
        .iter()
        .filter(|name| !rows.contains_key(*name))
        .map(|name| format!("{name} has no row in ARROWS"))
        .chain(rows.keys().filter(|row| !names.contains(*row)).map(|row| format!("{row} has a row and is no member")))
        .collect();
    for member in &members {
        let allowed = rows.get(member.name.as_str()).copied().unwrap_or_default();
        for dependency in &member.dependencies {
            let name = dependency.name.as_str();
            let ours = names.contains(name) && name != member.name;
            if ours && !dependency.dev && !allowed.contains(&name) {
                offenders.push(format!("{} -> {name}", member.name));
            }
            if STRANGERS.contains(&(&member.name, name)) {
                offenders.push(format!("{} -> {name}, in whatever section", member.name));
            }
        }
    }
    offenders.sort();
    offenders.dedup();
    assert_none(
        "Only the arrows of ARCHITECTURE.md may be in a Cargo.toml: move what both need into the crate below.",
        &offenders,
    );
}

#[test]
fn pure_crates_depend_on_no_io() {
    let members = members();
    let mut offenders = Vec::new();
    for name in PURE {
        let member = members.iter().find(|member| member.name == *name).expect("a pure crate is a member");
        offenders.extend(direct_io(member));
        let behind = cargo(&["tree", "--locked", "--package", name, "--edges=normal", "--prefix=none", "--format={p}"]);
        let behind: BTreeSet<&str> = behind.lines().filter_map(|line| line.split(' ').next()).collect();
        offenders.extend(IMPURE.iter().filter(|io| behind.contains(*io)).map(|io| format!("{name} ->* {io}")));
    }
    assert_none("A pure crate takes values and returns values: do the IO in the crate that calls it.", &offenders);
}

fn direct_io(member: &Member) -> Vec<String> {
    let normal = member.dependencies.iter().filter(|dependency| !dependency.dev);
    normal
        .filter(|dependency| IMPURE.contains(&dependency.name.as_str()) || brings_kube_client(dependency))
        .map(|dependency| format!("{} -> {} {:?}", member.name, dependency.name, dependency.features))
        .collect()
}

fn brings_kube_client(dependency: &Dependency) -> bool {
    let asks = dependency.features.iter().any(|feature| KUBE_CLIENT.contains(&feature.as_str()));
    dependency.name == "kube" && (dependency.default_features || asks)
}
