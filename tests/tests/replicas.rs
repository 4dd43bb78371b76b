//! Fifty replicas, one caller that takes whatever it gets, and everything that goes wrong in a cluster: how much more than a
//! limit passes in the worst window. The figures are the manual's: a simulation by the product's own code, on clocks of its own.
//!
//! What is real: the limiter of each replica with its table, the division into parts, the operator's counting of pods, and the
//! GCRA of a store. What is modelled: pods and their readiness, how long a configuration takes to arrive, the network, and a
//! store's clock and memory.
//!
//! One seed for all, so that two runs tell the same. `cargo test -p tollward-tests --test replicas`; with
//! `TOLLWARD_GENERATE=write` it rewrites the table of the manual.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed expectation is how a test fails, in its helpers too"
)]

#[path = "replicas/chance.rs"]
mod chance;
#[path = "replicas/cluster.rs"]
mod cluster;
#[path = "replicas/replica.rs"]
mod replica;
#[path = "replicas/scenario.rs"]
mod scenario;
#[path = "replicas/store.rs"]
mod store;
#[path = "replicas/window.rs"]
mod window;

use scenario::{Scenario, WITH_STORE, WITHOUT_STORE};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;
use store::OnFailure;
use window::Worst;

/// Where the manual has the table.
const TABLE: &str = "../docs/src/reference/overshoot.md";

/// Every scenario's worst windows: without a store one, with one three.
static FIGURES: LazyLock<BTreeMap<&str, Vec<Worst>>> = LazyLock::new(|| {
    let without = WITHOUT_STORE.iter().map(|scenario| (scenario.name, vec![scenario.run(None)]));
    let modes = [OnFailure::Local, OnFailure::Deny, OnFailure::Allow];
    let with = WITH_STORE.iter().map(|scenario| (scenario.name, modes.map(|mode| scenario.run(Some(mode))).to_vec()));
    without.chain(with).collect()
});

fn table() -> String {
    let row = |scenario: &Scenario| {
        let cells: Vec<_> = FIGURES[scenario.name].iter().map(ToString::to_string).collect();
        format!("| {} | {} |\n", scenario.name, cells.join(" | "))
    };
    let without: String = WITHOUT_STORE.iter().map(row).collect();
    let with: String = WITH_STORE.iter().map(row).collect();
    format!(
        "| without a store | the worst window |\n|---|---|\n{without}\n\
         | with a store, and `onStoreFailure` | `Local` | `Deny` | `Allow` |\n|---|---|---|---|\n{with}"
    )
}

#[test]
fn the_manual_has_the_figures_of_the_simulation() {
    let (file, text) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE), table());
    if std::env::var("TOLLWARD_GENERATE").is_ok_and(|mode| mode == "write") {
        std::fs::write(&file, &text).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(written, text, "run this with TOLLWARD_GENERATE=write");
}

#[test]
fn replicas_that_live_never_let_more_through_than_the_limit() {
    for name in
        ["fifty replicas", "clocks that differ by a thousandth", "a third of them come and go every few seconds"]
    {
        assert!(FIGURES[name][0].percent() <= 100, "{name}: {}", FIGURES[name][0]);
    }
}

#[test]
fn a_store_that_counts_is_exact_whatever_the_replicas_do() {
    for name in ["all fifty are replaced", "5 replicas become 50 and 5 again"] {
        for worst in &FIGURES[name] {
            assert!(worst.percent() <= 100, "{name}: {worst}");
        }
    }
}

#[test]
fn whoever_denies_without_the_store_never_lets_more_through_than_the_store_forgot() {
    for scenario in WITH_STORE {
        let deny = FIGURES[scenario.name][1];
        assert!(deny.percent() <= 110, "{}: {deny}", scenario.name);
    }
}
