//! The table of suites. A new suite is a row: its tests are a list of checks of this crate, or files of `tests/tests`.
//! A file of `tests/tests` that no row names runs in `integration`, so none is forgotten.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::artefacts::Executable;
use super::needs::Need;
use crate::cluster::smoke;
use crate::kubernetes::Choice;
use crate::process::Lines;
use crate::{demo, lint};

/// The package whose tests join the others' parts.
const TESTS_PACKAGE: &str = "tollward-tests";

#[derive(Debug)]
pub(super) struct Suite {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What must be on the machine before it runs.
    needs: &'static [Need],
    /// Runs with `--all` or by name, not by default.
    pub(super) only_with_all: bool,
    pub(super) tests: Tests,
}

impl Suite {
    /// Whether its tests run in a cluster.
    pub(super) const fn is_in_cluster(&self) -> bool {
        matches!(self.tests, Tests::Files { names: _, in_cluster: true })
    }

    /// What must be on the machine before it runs; in a cluster of the user's it brings its own.
    pub(super) fn needs(&self, choice: &Choice) -> &'static [Need] {
        if choice.context.is_some() { &[] } else { self.needs }
    }
}

#[derive(Debug)]
pub(super) enum Tests {
    /// Functions of this crate, which get the packages to look at (none means all) and where to report lines.
    Checks(&'static [Check]),
    /// Every crate's own tests and documentation tests.
    Crates,
    /// These files of `tests/tests`, here or inside a cluster that is made for them.
    Files { names: &'static [&'static str], in_cluster: bool },
    /// The files of `tests/tests` that no row names.
    OtherFiles,
}

#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) run: fn(&[String], Lines<'_>) -> Result<()>,
}

pub(super) const SUITES: &[Suite] = &[
    Suite {
        name: "lint",
        about: "formatting, and clippy with warnings as errors",
        needs: &[],
        only_with_all: false,
        tests: Tests::Checks(&[
            Check { name: "rustfmt", run: lint::format },
            Check { name: "clippy", run: lint::clippy },
        ]),
    },
    Suite {
        name: "unit",
        about: "every crate's own tests, the operator's with a real API server",
        needs: &[Need::ControlPlane],
        only_with_all: false,
        tests: Tests::Crates,
    },
    Suite {
        name: "integration",
        about: "the crates together: the whole pipeline, the chart on a real API server, hygiene",
        needs: &[Need::Network, Need::ControlPlane, Need::Helm],
        only_with_all: false,
        tests: Tests::OtherFiles,
    },
    Suite {
        name: "clients",
        about: "the official TypeScript, Python and Rust clients and mcp-remote through the sidecar, with a real identity provider",
        needs: &[Need::NodeClients, Need::PythonClients],
        only_with_all: false,
        tests: Tests::Files { names: &["clients"], in_cluster: false },
    },
    Suite {
        name: "collector",
        about: "what a real OpenTelemetry Collector receives, and what is lost while there is none",
        needs: &[Need::ControlPlane, Need::Collector],
        only_with_all: false,
        tests: Tests::Files { names: &["collector"], in_cluster: false },
    },
    Suite {
        name: "stores",
        about: "limits counted in a real Redis and a real Valkey, also while they fail, and in the one that the chart brings",
        needs: &[Need::Stores, Need::Helm],
        only_with_all: false,
        tests: Tests::Files { names: &["stores"], in_cluster: false },
    },
    Suite {
        name: "upstreams",
        about: "what nginx, HAProxy, Node.js, uvicorn and Go read of a request is what was judged",
        needs: &[Need::Upstreams, Need::PythonClients],
        only_with_all: false,
        tests: Tests::Files { names: &["upstreams"], in_cluster: false },
    },
    Suite {
        name: "conformance",
        about: "the official conformance suite, directly and through the sidecar",
        needs: &[Need::NodeClients, Need::Conformance],
        only_with_all: true,
        tests: Tests::Files { names: &["conformance"], in_cluster: false },
    },
    Suite {
        name: "keycloak",
        about: "a real Keycloak as identity provider",
        needs: &[Need::NodeClients, Need::Keycloak],
        only_with_all: true,
        tests: Tests::Files { names: &["keycloak"], in_cluster: false },
    },
    Suite {
        name: "cluster",
        about: "a whole Kubernetes node on this machine (needs root)",
        needs: &[Need::Node],
        only_with_all: true,
        tests: Tests::Checks(&[
            Check { name: "a node becomes ready from nothing", run: smoke::node },
            Check { name: "a pod with a sidecar is reached through its service", run: smoke::pods },
            Check { name: "daemons that ended are started again", run: smoke::repair },
            Check { name: "nothing is left once the cluster is down", run: smoke::removal },
        ]),
    },
    Suite {
        name: "demo",
        about: "the demonstration by Helm on such a node, with every answer checked (needs root)",
        needs: &[Need::Node, Need::Helm, Need::Images, Need::NodeClients],
        only_with_all: true,
        tests: Tests::Checks(&[Check { name: "the walk-through goes as described in a cluster", run: demo::check }]),
    },
    Suite {
        name: "e2e",
        about: "Tollward installed by Helm on such a node, with servers behind it (needs root)",
        needs: &[Need::Node, Need::Helm, Need::Collector, Need::Images, Need::StoreImage],
        only_with_all: true,
        tests: Tests::Files { names: &["cluster"], in_cluster: true },
    },
];

/// The rows that a command line asks for.
pub(super) fn chosen(names: &[String], all: bool) -> Result<Vec<&'static Suite>> {
    if let Some(unknown) = names.iter().find(|name| !SUITES.iter().any(|suite| suite.name == name.as_str())) {
        let known: Vec<String> = SUITES.iter().map(|suite| format!("\n  {:12} {}", suite.name, suite.about)).collect();
        bail!("there is no suite named `{unknown}`; the suites are:{}", known.concat());
    }
    let wanted = |suite: &&Suite| {
        if names.is_empty() { all || !suite.only_with_all } else { names.iter().any(|name| name == suite.name) }
    };
    Ok(SUITES.iter().filter(wanted).collect())
}

/// The executables of a suite.
pub(super) fn executables<'a>(tests: &Tests, built: &'a [Executable]) -> Vec<&'a Executable> {
    let taken: BTreeSet<&str> = SUITES
        .iter()
        .filter_map(|suite| if let Tests::Files { names, in_cluster: _ } = suite.tests { Some(names) } else { None })
        .flatten()
        .copied()
        .collect();
    let is_file = |executable: &Executable| executable.package == TESTS_PACKAGE && executable.is_test_file;
    built
        .iter()
        .filter(|executable| match tests {
            Tests::Checks(_) => false,
            Tests::Crates => !is_file(executable),
            Tests::Files { names, in_cluster: _ } => is_file(executable) && names.contains(&executable.target.as_str()),
            Tests::OtherFiles => is_file(executable) && !taken.contains(executable.target.as_str()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn executable(package: &str, target: &str, is_test_file: bool) -> Executable {
        Executable {
            path: PathBuf::from(target),
            folder: PathBuf::new(),
            package: package.to_owned(),
            target: target.to_owned(),
            is_test_file,
        }
    }

    #[test]
    fn every_executable_belongs_to_exactly_one_suite() {
        let built = [
            executable("tollward-policy", "tollward_policy", false),
            executable("tollward-sidecar", "limits", true),
            executable(TESTS_PACKAGE, "tollward_tests", false),
            executable(TESTS_PACKAGE, "hygiene", true),
            executable(TESTS_PACKAGE, "a_file_added_tomorrow", true),
        ];
        for one in &built {
            let owners = SUITES.iter().filter(|suite| executables(&suite.tests, &built).contains(&one)).count();
            assert_eq!(owners, 1, "{}", one.target);
        }
    }

    #[test]
    fn an_unknown_suite_is_answered_with_the_known_ones() {
        let error = chosen(&["units".to_owned()], false).expect_err("it is unknown").to_string();
        assert!(error.contains("`units`") && error.contains("integration"), "{error}");
    }

    #[test]
    fn a_named_suite_runs_alone() {
        let suites = chosen(&["lint".to_owned()], true).expect("it is known");
        assert_eq!(suites.iter().map(|suite| suite.name).collect::<Vec<_>>(), ["lint"]);
    }
}
