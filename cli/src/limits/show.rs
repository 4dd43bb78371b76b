//! The table: a bar for each limit, since people look rather than read.

use super::replicas::Replica;
use super::sum::Sum;
use crate::screen::{Screen, Tone, printable};
use tollward_policy::inquiry::{Counts, LimitState};
use tollward_policy::limits::OnStoreFailure;

/// Cells of a bar.
const CELLS: u32 = 20;

/// All replicas together.
pub(super) fn table(sums: &[Sum], screen: &Screen) {
    if sums.is_empty() {
        screen.line("no limit is about these calls");
        return;
    }
    let width = sums.iter().map(|sum| title(&sum.state).chars().count()).max().unwrap_or_default();
    let mut server = "";
    for Sum { state, replicas } in sums {
        if state.server != server {
            server = &state.server;
            let parts = if *replicas == 1 { "1 replica".to_owned() } else { format!("{replicas} replicas") };
            screen.line(&format!("{} ({parts})", screen.paint(Tone::Strong, &printable(server))));
        }
        screen.line(&row(state, width, screen));
    }
}

/// Each replica by itself.
pub(super) fn each(replicas: &[Replica], screen: &Screen) {
    for replica in replicas {
        let Some(answer) = &replica.answer else { continue };
        screen.line(&screen.paint(Tone::Accent, &printable(&replica.name)));
        let width = answer.limits.iter().map(|state| title(state).chars().count()).max().unwrap_or_default();
        for state in &answer.limits {
            screen.line(&row(state, width, screen));
        }
    }
}

fn row(state: &LimitState, width: usize, screen: &Screen) -> String {
    let title = title(state);
    let gap = width.saturating_sub(title.chars().count());
    format!("  {title}{:gap$}  {}", "", standing(state, screen))
}

fn title(state: &LimitState) -> String {
    let about = state.about.as_ref().map(|about| format!(" {about}")).unwrap_or_default();
    let tier = if state.tier.is_empty() { String::new() } else { format!(" [{}]", state.tier) };
    printable(&format!("{}{tier}{about}", state.limit))
}

fn standing(state: &LimitState, screen: &Screen) -> String {
    let rate = match state.counts {
        Counts::Requests { requests, window_seconds } => {
            let whose = if state.in_store { ", in the store" } else { "" };
            format!("{requests} in {}{whose}", time(window_seconds.saturating_mul(1000)))
        }
        Counts::Open {} => "open at once".to_owned(),
    };
    let Some(left) = state.left else {
        let why = match &state.store_error {
            Some(error) => format!(", {}: {error}", meanwhile(state.on_store_failure)),
            None => format!("; also depends on {}", state.needs.join(", ")),
        };
        let empty = "·".repeat(usize::try_from(CELLS).unwrap_or_default());
        return format!(
            "{empty}     ?/{:<5} {}",
            state.most,
            screen.paint(Tone::Quiet, &printable(&format!("{rate}{why}")))
        );
    };
    let (bar, tone) = bar(left, state.most);
    let when = match state.retry_after_millis {
        Some(wait) => format!("; next in {}", time(wait)),
        None if state.full_after_millis > 0 => format!("; full in {}", time(state.full_after_millis)),
        None => String::new(),
    };
    format!("{} {left:>5}/{:<5} {rate}{when}", screen.paint(tone, &bar), state.most)
}

/// What becomes of calls that a store does not count.
fn meanwhile(decision: Option<OnStoreFailure>) -> &'static str {
    match decision {
        Some(OnStoreFailure::Local) => "which does not tell; each replica counts by its part while it fails",
        Some(OnStoreFailure::Deny) => "which does not tell; calls are refused while it fails",
        Some(OnStoreFailure::Allow) => "which does not tell; calls pass uncounted while it fails",
        None => "which does not tell",
    }
}

/// What is left, as a bar. Anything that is left shows, and nothing left is empty.
fn bar(left: u32, most: u32) -> (String, Tone) {
    let filled = u64::from(left.min(most)).saturating_mul(u64::from(CELLS)).div_ceil(u64::from(most.max(1)));
    let filled = usize::try_from(filled).unwrap_or_default();
    let cells = usize::try_from(CELLS).unwrap_or_default();
    let bar = format!("{}{}", "█".repeat(filled), "░".repeat(cells.saturating_sub(filled)));
    (bar, if left == 0 { Tone::Bad } else { Tone::Good })
}

/// Rounded up, so that whoever waits for so long need not come twice.
fn time(millis: u64) -> String {
    let seconds = millis.div_ceil(1000);
    match (seconds / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, 0, 0) => format!("{hours}h"),
        (hours, minutes, _) => format!("{hours}h{minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::{bar, table, time};
    use crate::limits::sum::Sum;
    use crate::screen::testing::screen;
    use serde_json::{Value, json};

    fn sum(more: &Value) -> Sum {
        let mut state = json!({"server": "shop/catalog", "limit": "p/calls", "tier": "basic", "counts": "Requests",
            "requests": 1000, "windowSeconds": 3600, "most": 100, "left": 40, "fullAfterMillis": 240_000});
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Sum { state: serde_json::from_value(state).unwrap(), replicas: 2 }
    }

    #[test]
    fn each_limit_is_a_line_with_a_bar_and_when_it_changes() {
        let (screen, printed) = screen();
        let sums = [
            sum(&json!({})),
            sum(&json!({"about": "search", "left": 0, "retryAfterMillis": 2400})),
            sum(&json!({"limit": "p/open", "counts": "Open", "most": 4, "left": 4, "fullAfterMillis": 0})),
            sum(&json!({"inStore": true})),
            sum(&json!({"left": null, "inStore": true, "storeError": "it is away", "onStoreFailure": "Deny"})),
            sum(&json!({"limit": "p/failed-authentication", "tier": ""})),
            sum(&json!({"left": null, "needs": ["--client ID"]})),
        ];
        table(&sums, &screen);
        let text = printed.text();
        let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let quiet = "·".repeat(20);
        assert_eq!(
            lines,
            [
                "shop/catalog (2 replicas)",
                "p/calls [basic] ████████░░░░░░░░░░░░ 40/100 1000 in 1h; full in 4m",
                "p/calls [basic] search ░░░░░░░░░░░░░░░░░░░░ 0/100 1000 in 1h; next in 3s",
                "p/open [basic] ████████████████████ 4/4 open at once",
                "p/calls [basic] ████████░░░░░░░░░░░░ 40/100 1000 in 1h, in the store; full in 4m",
                &format!(
                    "p/calls [basic] {quiet} ?/100 1000 in 1h, in the store, which does not tell; calls are refused while it fails: it is away"
                ),
                "p/failed-authentication ████████░░░░░░░░░░░░ 40/100 1000 in 1h; full in 4m",
                &format!("p/calls [basic] {quiet} ?/100 1000 in 1h; also depends on --client ID"),
            ]
        );
        let columns = |line: &str| line.chars().position(|letter| "█░·".contains(letter));
        assert!(text.lines().skip(1).all(|line| columns(line) == Some(27)), "the bars stand below each other: {text}");
        let (screen, printed) = self::screen();
        table(&[], &screen);
        assert_eq!(printed.text(), "no limit is about these calls\n");
    }

    #[test]
    fn names_can_not_move_the_cursor() {
        let (screen, printed) = screen();
        table(&[sum(&json!({"about": "a\u{1b}[2Jb"}))], &screen);
        assert!(!printed.text().contains('\u{1b}'), "{:?}", printed.text());
    }

    #[test]
    fn a_bar_is_empty_only_if_nothing_is_left() {
        assert_eq!(bar(0, 100).0, "░".repeat(20));
        assert_eq!(bar(1, 1_000_000).0, format!("█{}", "░".repeat(19)));
        assert_eq!(bar(100, 100).0, "█".repeat(20));
        assert_eq!([time(1), time(60_000), time(3_660_000), time(61_000)], ["1s", "1m", "1h1m", "1m1s"]);
    }
}
