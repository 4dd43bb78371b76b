//! The control group below which the kubelet keeps all pods: made in every hierarchy before it starts, since it refuses
//! to make its own root, and removed with everything below.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

const ROOT: &str = "/sys/fs/cgroup";

/// Makes the group wherever one can be made.
pub(super) fn create(name: &str) -> Result<()> {
    for folder in groups(name) {
        fs::create_dir_all(&folder).with_context(|| format!("cannot create the control group {}", folder.display()))?;
        // Version 1 starts a group with no processor and no memory, and then no process can be put into it.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let (own, parent) = (folder.join(file), folder.with_file_name(file));
            if fs::read_to_string(&own).is_ok_and(|text| text.trim().is_empty())
                && let Ok(inherited) = fs::read_to_string(&parent)
            {
                fs::write(&own, inherited).with_context(|| format!("cannot write {}", own.display()))?;
            }
        }
    }
    Ok(())
}

/// Removes the group with everything below; its processes have ended before.
pub(super) fn remove(name: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    for folder in groups(name) {
        // The kernel takes a moment to forget the last process.
        while let Err(error) = remove_tree(&folder) {
            if Instant::now() > deadline {
                return Err(error).with_context(|| format!("cannot remove the control group {}", folder.display()));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

/// The group's folder in each hierarchy: one in version 2, many in version 1.
fn groups(name: &str) -> Vec<PathBuf> {
    let root = Path::new(ROOT);
    if root.join("cgroup.controllers").exists() {
        return vec![root.join(name)];
    }
    let hierarchies = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    // Links such as `cpu` -> `cpu,cpuacct` name one hierarchy twice. A hybrid machine has version 2 beside them.
    let mut groups: Vec<PathBuf> = hierarchies
        .filter(|path| path.join("cgroup.procs").exists())
        .filter_map(|path| path.canonicalize().ok())
        .map(|path| path.join(name))
        .collect();
    groups.sort();
    groups.dedup();
    groups
}

/// Removes a group, the ones below it first. Its files can't be removed and go with it.
fn remove_tree(folder: &Path) -> std::io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}
