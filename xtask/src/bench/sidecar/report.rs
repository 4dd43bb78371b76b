//! The figures as a table for people and as JSON for machines.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::super::figures::Spread;
use super::super::machine;
use super::memory::Memory;
use super::sample::Sample;
use super::scenario::Target;

/// All samples of a run.
#[derive(Debug)]
pub(super) struct Report {
    seconds: u32,
    rounds: u32,
    samples: Vec<Sample>,
}

impl Report {
    pub(super) fn new(seconds: u32, rounds: u32) -> Self {
        Self { seconds, rounds, samples: Vec::new() }
    }

    pub(super) fn add(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    /// Rows in the order in which they were first measured.
    fn rows(&self) -> Vec<(&'static str, Target)> {
        let mut rows = Vec::new();
        for row in self.samples.iter().map(|sample| (sample.scenario, sample.target)) {
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        rows
    }

    fn spread(&self, row: (&str, Target), value: impl Fn(&Sample) -> f64) -> Option<Spread> {
        let same = self.samples.iter().filter(|sample| (sample.scenario, sample.target) == row);
        Spread::of(same.map(value))
    }

    /// Markdown, so that it can stand in the documentation as it is.
    pub(super) fn table(&self, memory: &Memory) -> String {
        let mut text = String::from(
            "| call | answered by | requests/s | p50 ms | p99 ms | CPU µs/request |\n|---|---|---|---|---|---|\n",
        );
        for row in self.rows() {
            let cells = [
                self.spread(row, |sample| sample.requests_per_second).map(|spread| format!("{spread:.0}")),
                self.spread(row, |sample| sample.p50_micros / 1e3).map(|spread| format!("{spread:.2}")),
                self.spread(row, |sample| sample.p99_micros / 1e3).map(|spread| format!("{spread:.2}")),
                self.spread(row, |sample| sample.processor_micros).map(|spread| format!("{spread:.1}")),
            ];
            let cells = cells.map(Option::unwrap_or_default).join(" | ");
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {} | {} | {cells} |", row.0, row.1.name());
        }
        let others = self.samples.iter().map(|sample| sample.others).fold(0.0, f64::max);
        let Memory { idle, remembered, open, busy } = memory;
        let _ = write!(
            text,
            "\nMedian (least to most) of {} rounds of {} s; others used at most {others:.2} cores meanwhile.\n\
             Resident memory of the sidecar: {idle:.1} MiB idle, {remembered:.1} MiB with 1,000 verified tokens, \
             {open:.1} MiB with these and 1,000 open connections, {busy:.1} MiB with 1,000 busy ones.",
            self.rounds, self.seconds
        );
        text
    }

    /// Every sample.
    pub(super) fn json(&self, memory: &Memory) -> Result<String> {
        let samples: Vec<Value> = self.samples.iter().map(sample).collect();
        let Memory { idle, remembered, open, busy } = memory;
        let document = json!({
            "benchmark": "sidecar",
            "processor": machine::processor(),
            "seconds": self.seconds,
            "rounds": self.rounds,
            "residentMebibytes": {"idle": idle, "tokens1000": remembered, "open1000": open, "busy1000": busy},
            "samples": samples,
        });
        serde_json::to_string_pretty(&document).context("figures that are no numbers")
    }
}

fn sample(sample: &Sample) -> Value {
    let Sample { scenario, target, requests_per_second, p50_micros, p99_micros, processor_micros, others } = sample;
    json!({
        "call": scenario, "answeredBy": target.name(), "requestsPerSecond": requests_per_second,
        "p50Micros": p50_micros, "p99Micros": p99_micros, "processorMicros": processor_micros, "otherCores": others,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_one_row_for_each_call_and_server() {
        let mut report = Report::new(6, 2);
        for (target, requests_per_second) in [(Target::Bare, 3.0), (Target::Sidecar, 1.0), (Target::Bare, 5.0)] {
            report.add(Sample {
                scenario: "call",
                target,
                requests_per_second,
                p50_micros: 1_000.0,
                p99_micros: 2_500.0,
                processor_micros: 40.04,
                others: 0.1,
            });
        }
        let memory = Memory { idle: 9.0, remembered: 12.0, open: 20.0, busy: 30.5 };
        let table = report.table(&memory);
        let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| call |")).collect();
        assert_eq!(rows.len(), 3, "{table}");
        assert!(rows[1].contains("| bare | 4 (3 to 5) | 1.00 (1.00 to 1.00) | 2.50 (2.50 to 2.50) | 40.0 "), "{table}");
        assert!(table.contains("9.0 MiB idle"), "{table}");
        let json: Value = serde_json::from_str(&report.json(&memory).expect("JSON")).expect("JSON");
        assert_eq!(json["samples"].as_array().map(Vec::len), Some(3));
    }
}
