//! What processes leave behind: whoever loses its parent in this container becomes a child of the bridge, is collected when it
//! ends, and is killed once no server runs.

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The processes that were started here and are waited for elsewhere. Starting one holds the lock, so that none is taken for an
/// orphan.
#[derive(Clone, Default)]
pub(crate) struct Kin(Arc<Mutex<HashSet<i32>>>);

impl Kin {
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashSet<i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From now on orphans of the processes below come to this one, also where it is not the first of its container.
pub(crate) fn adopt() -> std::io::Result<()> {
    rustix::process::set_child_subreaper(Some(getpid())).map_err(Into::into)
}

/// Collects orphans that ended. While no server runs, the others are killed.
pub(crate) fn sweep(kin: &Kin) {
    let ours = kin.lock();
    for id in children().into_iter().filter(|id| !ours.contains(id)) {
        let Some(pid) = Pid::from_raw(id) else { continue };
        if ours.is_empty() {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

/// All children of this process, by asking `/proc`: the kernel need not be built to list them.
fn children() -> Vec<i32> {
    let own = getpid().as_raw_nonzero().get();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|id: &i32| parent(*id) == Some(own))
        .collect()
}

fn parent(id: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in brackets may hold anything, brackets too.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}
