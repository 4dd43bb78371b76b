//! Forgets refilled counts in time, so that memory follows the callers of the last minutes and not those of ever.

use super::Limiter;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two turns. A turn looks at one of 64 shards of every table, so that a flood is forgotten about half a minute after
/// it is refilled.
const PERIOD: Duration = Duration::from_millis(500);

/// Looks at one shard of each table after another until `ending` is cancelled.
pub async fn tidy(limiter: Arc<Limiter>, ending: CancellationToken) {
    let mut turn = 0usize;
    while tokio::time::timeout(PERIOD, ending.cancelled()).await.is_err() {
        limiter.tidy(turn);
        turn = turn.wrapping_add(1);
    }
}
