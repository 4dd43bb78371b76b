//! The official conformance suite (`@modelcontextprotocol/conformance`): a run, check by check, and the comparison of two.

use crate::real::place;
use crate::real::process::{Process, command};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Longest run of one set, on a loaded machine.
const LIMIT: Duration = Duration::from_mins(10);

/// Milliseconds for one scenario.
const SCENARIO_LIMIT: &str = "60000";

/// Length of `-2026-07-28T00-00-00-000Z`, which ends the name of each scenario's folder.
const TIME_SUFFIX: usize = 25;

/// Which scenarios are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// What the revision 2025-11-25 requires, and what its release does not score.
    Legacy,
    /// What the revision 2026-07-28 requires, and what its release does not score.
    Modern,
    /// Everything that is no draft and not pending.
    Active,
}

/// How a check ended, from worst to best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// A MUST is broken.
    Failure,
    /// A SHOULD is not followed.
    Warning,
    /// Not applicable, or an observation without judgement.
    Neutral,
    /// As it should be.
    Success,
}

/// A check: scenario, id, and which one of that id it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Check {
    /// The scenario.
    pub scenario: String,
    /// The check's id.
    pub id: String,
    /// How many of this id came before in the scenario.
    pub number: usize,
}

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// What was wrong; empty if nothing was.
    pub message: String,
}

/// Outcomes of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcomes(BTreeMap<Check, Outcome>);

/// A check that ended differently in two runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The check.
    pub check: Check,
    /// In the first run.
    pub before: Option<Outcome>,
    /// In the second run.
    pub after: Option<Outcome>,
}

impl Set {
    /// The sets that releases of the specification froze, and what the suite runs by itself.
    pub const ALL: [Self; 3] = [Self::Legacy, Self::Modern, Self::Active];

    fn arguments(self) -> [&'static str; 2] {
        match self {
            Self::Legacy => ["--requirements", "2025-11-25"],
            Self::Modern => ["--requirements", "2026-07-28"],
            Self::Active => ["--suite", "active"],
        }
    }
}

/// Runs a set against an endpoint, whose host must be `localhost`: one scenario refuses to judge others.
pub async fn run(url: &str, set: Set) -> Outcomes {
    let url = url.to_owned();
    tokio::task::spawn_blocking(move || run_here(&url, set)).await.expect("the suite's run was read")
}

fn run_here(url: &str, set: Set) -> Outcomes {
    let results = TempDir::new().expect("a temporary directory");
    let mut node = command(place::conformance_node());
    node.arg(place::conformance().join("node_modules/@modelcontextprotocol/conformance/dist/index.js"));
    node.args(["server", "--url", url, "--timeout", SCENARIO_LIMIT]).args(set.arguments());
    node.arg("--output-dir").arg(results.path());
    let ended = Process::start("the conformance suite", node).ended(LIMIT);
    // It ends with 1 if a check failed: what counts is in the files.
    let outcomes = read(results.path());
    assert!(!outcomes.0.is_empty(), "the conformance suite left no results: {ended:#?}");
    outcomes
}

fn read(results: &Path) -> Outcomes {
    let mut outcomes = BTreeMap::new();
    for folder in fs::read_dir(results).expect("the suite's results").filter_map(Result::ok) {
        let name = folder.file_name().to_string_lossy().into_owned();
        let scenario = name.get(..name.len().saturating_sub(TIME_SUFFIX)).unwrap_or_default();
        let scenario = scenario.strip_prefix("server-").unwrap_or(scenario);
        let Ok(text) = fs::read_to_string(folder.path().join("checks.json")) else {
            // A folder without results is a scenario that broke down, which no comparison may pass over.
            let check = Check { scenario: scenario.to_owned(), id: "(scenario)".to_owned(), number: 0 };
            outcomes.insert(check, Outcome { status: Status::Failure, message: "the scenario broke down".to_owned() });
            continue;
        };
        let checks: Vec<Value> = serde_json::from_str(&text).expect("checks are a list");
        let mut seen = BTreeMap::new();
        for check in checks {
            let text = |name: &str| check.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let number = seen.entry(text("id")).and_modify(|number| *number += 1).or_insert(0_usize);
            let check = Check { scenario: scenario.to_owned(), id: text("id"), number: *number };
            let status = status(&text("status"));
            outcomes.insert(check, Outcome { status, message: text("errorMessage") });
        }
    }
    Outcomes(outcomes)
}

fn status(text: &str) -> Status {
    match text {
        "SUCCESS" => Status::Success,
        "INFO" | "SKIPPED" => Status::Neutral,
        "WARNING" => Status::Warning,
        _ => Status::Failure,
    }
}

impl Outcomes {
    /// How many ended like that.
    pub fn count(&self, status: Status) -> usize {
        self.0.values().filter(|outcome| outcome.status == status).count()
    }

    /// Checks that ended like that, of scenarios that `wanted` names.
    pub fn of(&self, status: Status, wanted: impl Fn(&str) -> bool) -> Vec<(&Check, &Outcome)> {
        self.0.iter().filter(|(check, outcome)| outcome.status == status && wanted(&check.scenario)).collect()
    }

    /// The outcome of the first check of that id.
    pub fn get(&self, scenario: &str, id: &str) -> Option<&Outcome> {
        self.0.get(&Check { scenario: scenario.to_owned(), id: id.to_owned(), number: 0 })
    }

    /// What is different in another run. A check that is missing there is one too.
    pub fn compare(&self, other: &Self) -> Vec<Difference> {
        let checks: BTreeSet<&Check> = self.0.keys().chain(other.0.keys()).collect();
        let status = |outcome: Option<&Outcome>| outcome.map(|outcome| outcome.status);
        checks
            .into_iter()
            .map(|check| (check, self.0.get(check), other.0.get(check)))
            .filter(|(_, before, after)| status(*before) != status(*after))
            .map(|(check, before, after)| Difference {
                check: check.clone(),
                before: before.cloned(),
                after: after.cloned(),
            })
            .collect()
    }
}

impl Difference {
    /// True if the second run did worse, or did not judge what the first had judged good.
    pub fn is_worse(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => after.status < before.status,
            (Some(before), None) => before.status == Status::Success,
            (None, Some(after)) => after.status < Status::Neutral,
            (None, None) => false,
        }
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |status| self.count(status);
        write!(
            formatter,
            "{} passed, {} failed, {} warned, {} not judged",
            count(Status::Success),
            count(Status::Failure),
            count(Status::Warning),
            count(Status::Neutral)
        )
    }
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.scenario, self.id)?;
        if self.number > 0 { write!(formatter, " #{}", self.number + 1) } else { Ok(()) }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |outcome: &Option<Outcome>| match outcome {
            Some(Outcome { status, message }) if message.is_empty() => format!("{status:?}"),
            Some(Outcome { status, message }) => format!("{status:?} ({message})"),
            None => "missing".to_owned(),
        };
        write!(formatter, "{}: {} -> {}", self.check, text(&self.before), text(&self.after))
    }
}

#[cfg(test)]
mod tests;
