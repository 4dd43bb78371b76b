//! What a program needs of a Linux system, taken from the build machine: the loader and the libraries that it is linked
//! to, certificate authorities, and the few files that the C library reads. No shell and no package manager: what is not
//! there can't be used by an intruder. Nor is there a place to write to: who needs one mounts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::tree::Tree;
use crate::process;

/// The user of Tollward's own programs. MCP servers may not have it, since egress rules tell the sidecar by it.
pub(super) const TOLLWARD: u32 = 64420;
/// The user of everything else.
pub(super) const NONROOT: u32 = 65532;

/// Mozilla's authorities, as Debian packages them. Not the system's bundle: that one also holds what the administrator
/// of the build machine trusts, which is nobody else's business.
const AUTHORITIES: &str = "/usr/share/ca-certificates/mozilla";

/// Where programs look for authorities.
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The layer below the program.
pub(super) fn tree(libraries: &[PathBuf], certificates: &[u8]) -> Result<Tree> {
    let mut tree = Tree::default();
    for library in libraries {
        let path = library.to_str().with_context(|| format!("{} is no UTF-8", library.display()))?;
        // The path that the loader was found to use here is the one that it will use there.
        tree.file(path, 0o755, library);
    }
    tree.bytes(BUNDLE, 0o644, certificates);
    tree.bytes(
        "/etc/passwd",
        0o644,
        format!(
            "root:x:0:0:root:/:/usr/sbin/nologin\n\
             tollward:x:{TOLLWARD}:{TOLLWARD}:Tollward:/:/usr/sbin/nologin\n\
             nonroot:x:{NONROOT}:{NONROOT}:nonroot:/:/usr/sbin/nologin\n"
        ),
    );
    tree.bytes("/etc/group", 0o644, format!("root:x:0:\ntollward:x:{TOLLWARD}:\nnonroot:x:{NONROOT}:\n"));
    // Host aliases of a pod stand in /etc/hosts and win, as everywhere.
    tree.bytes("/etc/nsswitch.conf", 0o644, "hosts: files dns\n");
    Ok(tree)
}

/// The loader and libraries that a program is linked to, as the loader finds them: first below `root`, if there is one.
pub(super) fn libraries(program: &Path, root: Option<&Path>) -> Result<Vec<PathBuf>> {
    let ldd = process::require("ldd", "it comes with the C library (Debian: libc-bin)")?;
    let mut command = Command::new(ldd);
    if let Some(root) = root {
        command.env("LD_LIBRARY_PATH", root.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH)));
    }
    let listing = process::capture(command.env("LC_ALL", "C").arg(program))?;
    listed(&listing).with_context(|| format!("cannot put {} into an image", program.display()))
}

/// Reads what `ldd` prints.
fn listed(listing: &str) -> Result<Vec<PathBuf>> {
    let mut libraries = Vec::new();
    for line in listing.lines().map(str::trim) {
        if line.is_empty() || line == "statically linked" {
            continue;
        }
        let (name, found) = line.split_once(" => ").unwrap_or((line, line));
        let path = found.split(" (0x").next().unwrap_or(found);
        if path.starts_with('/') {
            libraries.push(PathBuf::from(path));
        } else if name.starts_with("linux-vdso.so") || name.starts_with("linux-gate.so") {
            // The kernel brings it.
        } else {
            bail!("the library `{name}` is not on this machine ({found})");
        }
    }
    libraries.sort();
    libraries.dedup();
    Ok(libraries)
}

/// The bundle of certificate authorities: the given file, else Mozilla's.
pub(super) fn certificates(given: Option<&Path>) -> Result<Vec<u8>> {
    let bundle = match given {
        Some(file) => fs::read(file).with_context(|| format!("cannot read {}", file.display()))?,
        None => joined(Path::new(AUTHORITIES)).with_context(|| {
            format!("no certificate authorities in {AUTHORITIES}: install ca-certificates, or give --certificates FILE")
        })?,
    };
    let begins = b"-----BEGIN CERTIFICATE-----";
    if !bundle.windows(begins.len()).any(|window| window == begins) {
        bail!("the file of certificate authorities holds no certificate in PEM");
    }
    Ok(bundle)
}

/// All certificates of a folder, in the order of their files' names.
fn joined(folder: &Path) -> Result<Vec<u8>> {
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "crt"));
    files.sort();
    let mut bundle = Vec::new();
    for file in files {
        bundle.extend(fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
        if !bundle.ends_with(b"\n") {
            bundle.push(b'\n');
        }
    }
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_and_every_library_are_taken_and_what_the_kernel_brings_is_not() {
        let listing = "linux-vdso.so.1 (0x00007ffc)\n\
                       \tlibgcc_s.so.1 => /lib/x86_64-linux-gnu/libgcc_s.so.1 (0x00007f21)\n\
                       \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f22)\n\
                       \t/lib64/ld-linux-x86-64.so.2 (0x00007f23)";
        let expected =
            ["/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libgcc_s.so.1", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(listed(listing).expect("it is complete"), expected.map(PathBuf::from));
        assert!(listed("\tstatically linked").expect("it needs nothing").is_empty());
    }

    #[test]
    fn a_library_that_is_missing_here_is_named() {
        let error = listed("\tlibseccomp.so.2 => not found").expect_err("it would not start");
        assert!(error.to_string().contains("`libseccomp.so.2`"), "{error}");
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("authorities.pem");
        fs::write(&file, "nothing").expect("a file");
        assert!(certificates(Some(&file)).is_err());
        assert!(certificates(Some(&folder.path().join("missing"))).is_err());
    }
}
