//! Step 13: everything that happened, from the audit records.

use crate::walkthrough::ledger::Entry;
use crate::walkthrough::walk::Walk;
use anyhow::ensure;
use std::time::{Duration, Instant};

/// Time for the last record to close: it does with the last byte of its answer.
const SETTLE: Duration = Duration::from_secs(5);
/// Columns of what was called.
const WHAT: usize = 27;

pub(in crate::walkthrough) async fn play(walk: &Walk<'_>) -> anyhow::Result<()> {
    walk.show.step(13, "What the auditor sees");
    walk.show.say("Every request above left exactly one record: who, what, by which rule, with which limit, and how it ended. Together:");
    let sent = walk.client.sent_to(&walk.scene.authority()?);
    let entries = settled(walk, sent).await;
    walk.show.row("");
    walk.show.row("count  status  reason                   user    call");
    for (count, entry) in grouped(&entries) {
        let Entry { allowed: _, status, reason, what, who } = entry;
        let cut = if what.chars().count() > WHAT { "…" } else { "" };
        let what: String = what.chars().take(WHAT).collect();
        walk.show.row(&format!("{count:>5}  {status:>6}  {reason:<23}  {who:<6}  {what}{cut}"));
    }
    walk.show.row("");
    let allowed = entries.iter().filter(|entry| entry.allowed).count();
    walk.show.row(&format!("{allowed} allowed, {} refused", entries.len() - allowed));
    let records = entries.len() as u64;
    ensure!(records == sent, "{sent} requests were sent to Tollward, and {records} audit records were written");
    let one = |reason: &str| entries.iter().any(|entry| !entry.allowed && entry.reason == reason);
    for reason in
        ["credentials_missing", "scope_insufficient", "rate_limited", "audience_mismatch", "token_signature_invalid"]
    {
        ensure!(one(reason), "no record says `{reason}`");
    }
    walk.show.checked(&format!("{sent} requests were sent, {records} audit records were written."));
    Ok(())
}

async fn settled(walk: &Walk<'_>, wanted: u64) -> Vec<Entry> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let entries = walk.scene.ledger.entries();
        if entries.len() as u64 >= wanted || Instant::now() > deadline {
            return entries;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Equal records once, with their number, in the order in which the first of them closed.
fn grouped(entries: &[Entry]) -> Vec<(usize, &Entry)> {
    let mut groups: Vec<(usize, &Entry)> = Vec::new();
    for entry in entries {
        match groups.iter_mut().find(|(_, known)| *known == entry) {
            Some((count, _)) => *count += 1,
            None => groups.push((1, entry)),
        }
    }
    groups
}
