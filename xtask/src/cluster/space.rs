//! The cluster's own network, mounts and process numbers: three Linux namespaces held by one process. When that process
//! ends, the kernel ends every process of the cluster and drops its mounts and interfaces, however far `up` had come and
//! whatever crashed in between. So `down` needs to know one process only. It is known by the program that it runs, a
//! file in the cluster's folder: no record can be missing or stale, and no other process is ever taken for it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Folders that daemons write to at a fixed place. They get an empty one of their own, so that nothing stays behind and
/// another Kubernetes on this machine is not disturbed.
pub(super) const FIXED_FOLDERS: [&str; 4] = ["/run", "/var/log", "/var/lib/cni", "/var/lib/kubelet"];

/// Ends in the holder itself. The shared propagation is what the kubelet asks for.
const HOLD: &str = "holder=$1; shift; mount --make-rshared / && for folder; do \
    mkdir -p \"$folder\" && mount -t tmpfs tollward \"$folder\" || exit 1; done && exec \"$holder\"";

/// A running process that holds the namespaces.
#[derive(Debug)]
pub(super) struct Space {
    pid: i32,
    program: PathBuf,
}

impl Space {
    /// The holder that runs `program`, if there is one.
    pub(super) fn find(program: &Path) -> Option<Self> {
        let processes = fs::read_dir("/proc").ok()?;
        processes
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .map(|pid| Self { pid, program: program.to_path_buf() })
            .find(Self::is_alive)
    }

    /// Starts a holder that runs `program`, which must do nothing but wait.
    pub(super) fn create(program: &Path, log: &Path) -> Result<Self> {
        let output = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
        let mut child = Command::new("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", HOLD, "sh"])
            .arg(program)
            .args(FIXED_FOLDERS)
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("cannot share the holder's log")?)
            .stderr(output)
            // An interrupt from the terminal is for us, not for the cluster.
            .process_group(0)
            .spawn()
            .context("cannot start `unshare`")?;
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(space) = Self::find(program) {
                return Ok(space);
            }
            let ended = child.try_wait().context("cannot wait for `unshare`")?.is_some();
            if ended || Instant::now() > deadline {
                let complaint = fs::read_to_string(log).unwrap_or_default();
                bail!("cannot make namespaces for the cluster: {}", complaint.trim());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// A command that runs inside.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.pid.to_string()).args(["--net", "--mount", "--pid", "--"]);
        command.arg(program);
        command
    }

    /// Ends every process inside, and waits until they are gone.
    pub(super) fn end(&self) -> Result<()> {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return Ok(());
        };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
            return Ok(());
        };
        // The handle stays with the process that it was opened for, so a reuse of the number can't overtake this check.
        if !self.is_alive() {
            return Ok(());
        }
        pidfd_send_signal(&handle, Signal::KILL).context("cannot end the cluster's first process")?;
        let deadline = Instant::now() + Duration::from_mins(1);
        // The kernel lets the first process of a namespace end only after all others.
        while self.is_alive() {
            if Instant::now() > deadline {
                bail!("process {} does not end; something inside hangs in the kernel", self.pid);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn is_alive(&self) -> bool {
        // The kernel appends a remark once the file was removed. A process that ended has no program any more.
        fs::read_link(format!("/proc/{}/exe", self.pid)).is_ok_and(|program| {
            let program = program.as_os_str().as_encoded_bytes();
            program.strip_suffix(b" (deleted)").unwrap_or(program) == self.program.as_os_str().as_encoded_bytes()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Child;

    use super::*;

    /// Runs a copy of `sleep` from `folder`.
    fn holder(folder: &Path) -> (Child, PathBuf) {
        let program = folder.canonicalize().expect("the folder exists").join("pause");
        fs::copy("/bin/sleep", &program).expect("a copy");
        let child = Command::new(&program).arg("600").spawn().expect("it starts");
        (child, program)
    }

    #[test]
    fn a_holder_is_found_by_its_program_until_it_is_ended() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (mut child, program) = holder(folder.path());
        let space = Space::find(&program).expect("it runs");
        space.end().expect("it ends");
        assert!(Space::find(&program).is_none());
        child.wait().expect("it can be waited for");
    }

    #[test]
    fn a_holder_is_found_after_its_files_were_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (mut child, program) = holder(folder.path());
        fs::remove_file(&program).expect("it was there");
        Space::find(&program).expect("it still runs").end().expect("it ends");
        child.wait().expect("it can be waited for");
    }

    #[test]
    fn another_process_with_the_number_is_left_alone() {
        let mut child = Command::new("sleep").arg("600").spawn().expect("sleep starts");
        let pid = i32::try_from(child.id()).expect("a process number");
        let stranger = Space { pid, program: PathBuf::from("/no/such/pause") };
        stranger.end().expect("there is nothing to end");
        assert!(child.try_wait().expect("it can be asked").is_none());
        child.kill().expect("it still ran");
        child.wait().expect("it can be waited for");
    }
}
