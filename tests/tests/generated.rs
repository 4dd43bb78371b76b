//! Committed files that code generates are what the code generates now.
//!
//! `cargo xtask generate` runs this with `TOLLWARD_GENERATE=write`, which rewrites what differs; otherwise it only compares.

#![expect(clippy::expect_used, reason = "a generator that fails is a failed test")]

use std::fmt::Write as _;
use std::path::PathBuf;
use tollward_policy::config::{EgressConfig, SidecarConfig};
use tollward_policy::reason::Reason;
use tollward_sidecar::denial::{Denial, status_of};

/// Every generated file: path from the root, and content.
fn files() -> Vec<(String, String)> {
    let mut files = tollward_api::generated().expect("the kinds have schemas");
    let copies: Vec<_> = files
        .iter()
        .map(|(path, content)| (path.replacen("crds/", "charts/tollward/files/crds/", 1), content.clone()))
        .collect();
    files.extend(copies);
    files.push((
        "docs/src/reference/sidecar-config.schema.json".to_owned(),
        schema(&schemars::schema_for!(SidecarConfig)),
    ));
    files.push((
        "docs/src/reference/egress-config.schema.json".to_owned(),
        schema(&schemars::schema_for!(EgressConfig)),
    ));
    files.push(("docs/src/reference/reasons.md".to_owned(), reasons()));
    files.push(("docs/src/verified-clients.md".to_owned(), tollward_tests::real::verified::page()));
    files
}

fn schema(schema: &schemars::Schema) -> String {
    serde_json::to_string_pretty(schema).expect("a schema is JSON") + "\n"
}

fn reasons() -> String {
    let mut table = String::from(
        "# Reasons\n\n\
         Every request ends with one of these. The code is in the JSON-RPC error (`error.data.reason`), the audit record\n\
         (`decision.reason`), the span (`tollward.reason`) and the metric `tollward_decisions_total`.\n\n\
         | code | HTTP | what happened | what to do |\n|---|---|---|---|\n",
    );
    for reason in Reason::ALL {
        let status = status_of(&Denial::new(*reason)).as_u16();
        writeln!(table, "| `{}` | {status} | {} | {} |", reason.code(), reason.meaning(), reason.advice())
            .expect("a String takes every text");
    }
    table.push_str(
        "\nAn unknown JSON-RPC method is 404 for clients of 2026-07-28 and 200 with error -32601 for older ones.\n",
    );
    table
}

#[test]
fn committed_files_are_what_the_code_generates() {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let write = std::env::var("TOLLWARD_GENERATE").as_deref() == Ok("write");
    let mut stale = Vec::new();
    for (path, content) in files() {
        let file = root.join(&path);
        if std::fs::read_to_string(&file).is_ok_and(|committed| committed == content) {
            continue;
        }
        if write {
            std::fs::create_dir_all(file.parent().expect("every file has a folder"))
                .expect("the checkout can be written");
            std::fs::write(&file, content).expect("the checkout can be written");
            println!("wrote {path}");
        } else {
            stale.push(path);
        }
    }
    assert!(stale.is_empty(), "out of date: {}; run `cargo xtask generate`", stale.join(", "));
}
