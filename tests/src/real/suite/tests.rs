//! What counts as worse, and how results are read.

use super::{Check, Difference, Outcome, Outcomes, Status, read};
use std::collections::BTreeMap;

fn outcomes(checks: &[(&str, Status)]) -> Outcomes {
    let entry = |(id, status): &(&str, Status)| {
        let check = Check { scenario: "ping".to_owned(), id: (*id).to_owned(), number: 0 };
        (check, Outcome { status: *status, message: String::new() })
    };
    Outcomes(checks.iter().map(entry).collect::<BTreeMap<_, _>>())
}

#[test]
fn only_what_got_worse_is_worse() {
    use Status::{Failure, Neutral, Success, Warning};
    let table = [
        (Some(Success), Some(Failure), true),
        (Some(Success), Some(Warning), true),
        (Some(Success), Some(Neutral), true),
        (Some(Success), None, true),
        (Some(Warning), Some(Failure), true),
        (None, Some(Failure), true),
        (None, Some(Success), false),
        (Some(Failure), Some(Success), false),
        (Some(Failure), None, false),
    ];
    for (before, after, expected) in table {
        let of = |status: Option<Status>| outcomes(&status.map_or(vec![], |status| vec![("ping", status)]));
        let differences = of(before).compare(&of(after));
        assert_eq!(differences.iter().any(Difference::is_worse), expected, "{before:?} {after:?}");
    }
}

#[test]
fn equal_runs_have_no_differences() {
    let run = outcomes(&[("a", Status::Success), ("b", Status::Failure)]);
    assert_eq!(run.compare(&run), []);
}

#[test]
fn checks_of_one_id_are_told_apart_and_a_scenario_without_results_failed() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("server-ping-2026-11-23T09-48-49-935Z");
    std::fs::create_dir(&scenario).unwrap();
    std::fs::create_dir(folder.path().join("server-tools-list-2026-11-23T09-48-49-935Z")).unwrap();
    let checks = r#"[{"id": "a", "status": "SUCCESS"}, {"id": "a", "status": "WARNING", "errorMessage": "late"}]"#;
    std::fs::write(scenario.join("checks.json"), checks).unwrap();
    let run = read(folder.path());
    let listed: Vec<_> = run.0.iter().map(|(check, outcome)| format!("{check}: {:?}", outcome.status)).collect();
    assert_eq!(listed, ["ping a: Success", "ping a #2: Warning", "tools-list (scenario): Failure"]);
}
