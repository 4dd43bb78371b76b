//! Programs of the system that tests and the cluster call, and the Debian packages that hold them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::{process, say};

/// Something that must be on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// A program to find in `PATH`, or an absolute path that must exist.
    present: &'static str,
    /// The Debian package that brings it.
    package: &'static str,
}

const fn requirement(present: &'static str, package: &'static str) -> Requirement {
    Requirement { present, package }
}

/// Network namespaces and packet filters, which sealing tests set up.
pub(crate) const NETWORK: &[Requirement] = &[requirement("ip", "iproute2"), requirement("nft", "nftables")];

/// Python, with what a virtual environment needs.
pub(crate) const PYTHON: &[Requirement] = &[requirement("python3", "python3-venv")];

/// Packages of Debian are fetched and unpacked, and what they hold is run without being installed.
pub(crate) const ARCHIVE: &[Requirement] = &[
    requirement("apt-get", "apt"),
    requirement("dpkg-deb", "dpkg"),
    requirement(ARCHIVE_KEYS, "debian-archive-keyring"),
];

/// By whose signatures the archive is believed.
pub(crate) const ARCHIVE_KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Keycloak is a Java program, fetched by Maven.
pub(crate) const JAVA: &[Requirement] = &[requirement("java", "openjdk-17-jre-headless"), requirement("mvn", "maven")];

/// Keys and tokens of a benchmark, and the placing of its processes.
pub(crate) const BENCH: &[Requirement] =
    &[requirement("openssl", "openssl"), requirement("setpriv", "util-linux"), requirement("taskset", "util-linux")];

/// Many small programs in one, without libraries.
pub(crate) const BUSYBOX: &str = "/bin/busybox";

/// A shell for images.
pub(crate) const SHELL: &[Requirement] = &[requirement(BUSYBOX, "busybox-static")];

/// What building runc, and running a kubelet, a kube-proxy and containerd, needs.
pub(crate) const NODE: &[Requirement] = &[
    requirement("ip", "iproute2"),
    requirement("iptables", "iptables"),
    requirement("ipset", "ipset"),
    requirement("conntrack", "conntrack"),
    requirement("nsenter", "util-linux"),
    requirement("mount", "mount"),
    requirement("unshare", "util-linux"),
    requirement(BUSYBOX, "busybox-static"),
    requirement("openssl", "openssl"),
    requirement("gcc", "gcc"),
    requirement("/usr/include/stdio.h", "libc6-dev"),
    requirement("pkg-config", "pkg-config"),
    requirement("/usr/include/seccomp.h", "libseccomp-dev"),
    requirement("/usr/lib/cni/bridge", "containernetworking-plugins"),
];

/// Installs what is missing, as root or by `sudo` without a password.
pub(crate) fn install(requirements: &[Requirement]) -> Result<()> {
    let mut packages: Vec<&str> = requirements
        .iter()
        .filter(|requirement| !is_present(requirement.present))
        .map(|missing| missing.package)
        .collect();
    packages.sort_unstable();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    let by_hand = format!("install by hand: apt-get install {}", packages.join(" "));
    if process::find("apt-get").is_none() {
        bail!("programs are missing and this is no Debian; {by_hand} (or your distribution's packages)");
    }
    let started = Instant::now();
    say::note(format!("  installing {}", packages.join(", ")));
    let attempt = || {
        let mut command = elevated("apt-get");
        command.args(["install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]).args(&packages);
        process::capture(&mut command)
    };
    // A fresh machine has no lists yet, and an old one has stale ones.
    if attempt().is_err() {
        let updated = process::capture(elevated("apt-get").args(["update", "-o", "DPkg::Lock::Timeout=300"]));
        if let Err(error) = updated.and_then(|_| attempt()) {
            bail!("{error:#}\n{by_hand}");
        }
    }
    say::note(format!("  installed {} in {}", packages.join(", "), say::elapsed(started.elapsed())));
    Ok(())
}

/// Whether this process may do what only root may.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn is_present(what: &str) -> bool {
    if what.starts_with('/') { fs::exists(Path::new(what)).unwrap_or(false) } else { process::find(what).is_some() }
}

fn elevated(program: &str) -> Command {
    let mut command = if is_root() {
        Command::new(program)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--non-interactive", program]);
        sudo
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_present_is_not_installed_again() {
        install(&[requirement("sh", "no-such-package"), requirement("/proc/self", "no-such-package")])
            .expect("nothing to do");
    }
}
