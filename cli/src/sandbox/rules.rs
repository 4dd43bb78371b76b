//! The rules of a sandbox: which files may be read and written, and whether the network may be used.
//!
//! What every program needs is readable: the system's programs and libraries, the interpreter's own folder, the current
//! folder. Home folders are not, and neither are other programs' memory, credentials and sockets.

use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Folders that hold programs, libraries and settings of the system.
const SYSTEM: &[&str] = &[
    "/bin",
    "/sbin",
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc",
    "/opt",
    "/nix",
    "/snap",
    "/proc",
    "/sys/devices",
    "/sys/fs/cgroup",
];
/// Devices that are no hardware.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// A sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sandbox {
    /// Files and folders that may be read and executed.
    pub(crate) read: Vec<PathBuf>,
    /// Files and folders that may be changed, too.
    pub(crate) write: Vec<PathBuf>,
    /// The port that may be listened on; every port, and every other use of the network, if there is none.
    pub(crate) port: Option<u16>,
}

/// What the user allows besides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowed<'a> {
    pub(crate) read: &'a [PathBuf],
    pub(crate) write: &'a [PathBuf],
    pub(crate) network: bool,
}

/// Where the server is started.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings<'a> {
    /// The current folder.
    pub(crate) folder: &'a Path,
    /// The user's home.
    pub(crate) home: Option<&'a Path>,
    /// `PATH`.
    pub(crate) path: &'a OsStr,
    /// Where everybody's temporary files go.
    pub(crate) temporary: &'a Path,
    /// Where its own go.
    pub(crate) scratch: &'a Path,
}

impl Sandbox {
    /// That of a program, found by [`program`], which is to listen on a port.
    pub(crate) fn around(program: &Path, port: u16, surroundings: &Surroundings<'_>, allowed: &Allowed<'_>) -> Self {
        let mut read: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
        read.push(surroundings.folder.to_owned());
        for folder in std::env::split_paths(surroundings.path).filter(|folder| folder.is_absolute()) {
            read.extend(surroundings.of_program(&folder.join("any")));
        }
        read.extend(surroundings.of_program(program));
        read.extend(program.canonicalize().iter().flat_map(|real| surroundings.of_program(real)));
        read.extend(allowed.read.iter().map(|path| surroundings.folder.join(path)));
        let mut write: Vec<PathBuf> = DEVICES.iter().map(PathBuf::from).collect();
        write.push(surroundings.scratch.to_owned());
        write.extend(allowed.write.iter().map(|path| surroundings.folder.join(path)));
        for list in [&mut read, &mut write] {
            list.sort();
            list.dedup();
        }
        Self { read, write, port: (!allowed.network).then_some(port) }
    }

    /// Why a program may have failed here, for people.
    pub(crate) fn hint(&self) -> String {
        let network = if self.port.is_some() { "without network and " } else { "" };
        format!(
            "it runs {network}without your files, but those of the current folder; --allow-read, --allow-write and --allow-network \
             widen that, `--sandbox off` ends it"
        )
    }
}

impl Surroundings<'_> {
    /// The folders that a program brings: its own, and where that is a `bin`, what stands beside. Never the user's home or what holds
    /// everything: a program in there would open it all.
    fn of_program(&self, program: &Path) -> Vec<PathBuf> {
        let Some(own) = program.parent() else { return Vec::new() };
        let mut found = vec![own.to_owned()];
        if own.file_name() == Some(OsStr::new("bin")) {
            found.extend(own.parent().map(Path::to_owned));
        }
        // A package of npm needs those that it depends on.
        let modules = program.ancestors().filter(|folder| folder.file_name() == Some(OsStr::new("node_modules")));
        found.extend(modules.last().map(Path::to_owned));
        found.retain(|folder| !self.is_too_much(folder));
        found
    }

    fn is_too_much(&self, folder: &Path) -> bool {
        let depth = folder.components().count();
        let homes = |home: &Path| home.starts_with(folder) || folder == home.join(".local");
        depth < 2 || self.home.is_some_and(homes) || [Path::new("/home"), self.temporary].contains(&folder)
    }
}

/// The program that a command names, as `execvp` finds it.
pub(crate) fn program(name: &str, path: &OsStr, folder: &Path) -> Option<PathBuf> {
    if name.contains('/') {
        let program = folder.join(name);
        return program.is_file().then_some(program);
    }
    std::env::split_paths(path).map(|place| folder.join(place).join(name)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::{Allowed, Sandbox, Surroundings, program};
    use std::ffi::OsStr;
    use std::path::{Path, PathBuf};

    fn around(program: &str, allowed: &Allowed<'_>) -> Sandbox {
        let surroundings = Surroundings {
            folder: Path::new("/home/ada/shop"),
            home: Some(Path::new("/home/ada")),
            path: OsStr::new("/usr/bin:/home/ada/.local/bin:/home/ada/.nvm/versions/node/v22/bin:relative"),
            temporary: Path::new("/tmp"),
            scratch: Path::new("/tmp/scratch"),
        };
        Sandbox::around(Path::new(program), 4000, &surroundings, allowed)
    }

    fn reads(sandbox: &Sandbox, path: &str) -> bool {
        sandbox.read.iter().any(|allowed| Path::new(path).starts_with(allowed))
    }

    #[test]
    fn what_programs_need_is_readable_and_homes_are_not() {
        let sandbox = around("/home/ada/.cargo/bin/server", &Allowed::default());
        for path in [
            "/usr/lib/libc.so.6",
            "/etc/ssl/certs",
            "/home/ada/shop/server.js",
            "/home/ada/.nvm/versions/node/v22/lib/node_modules/npm/index.js",
            "/home/ada/.local/bin/uvx",
            "/home/ada/.cargo/bin/server",
        ] {
            assert!(reads(&sandbox, path), "{path}");
        }
        for path in [
            "/home/ada/.ssh/id_ed25519",
            "/home/ada/.aws/credentials",
            "/home/ada/.local/share/keyrings/login.keyring",
            "/home/grace",
            "/var/lib/kubelet/config.yaml",
            "/tmp/other",
            "/var/run/docker.sock",
            "/dev/sda",
        ] {
            assert!(!reads(&sandbox, path), "{path}");
        }
        assert!(sandbox.write.iter().all(|path| path.starts_with("/dev") || path == Path::new("/tmp/scratch")));
        assert_eq!(sandbox.port, Some(4000));
    }

    #[test]
    fn a_program_in_a_place_that_holds_everything_opens_nothing_of_it() {
        for program in ["/home/ada/server", "/home/ada/bin/server", "/server", "/tmp/bin/server"] {
            let sandbox = around(program, &Allowed::default());
            assert!(!reads(&sandbox, "/home/ada/.ssh/id_ed25519"), "{program}");
            assert!(!reads(&sandbox, "/home/grace/x") && !reads(&sandbox, "/tmp/other"), "{program}");
        }
        let package = around("/home/ada/work/node_modules/.bin/server", &Allowed::default());
        assert!(reads(&package, "/home/ada/work/node_modules/zod/index.js") && !reads(&package, "/home/ada/work/.env"));
    }

    #[test]
    fn what_is_allowed_besides_is_relative_to_the_current_folder() {
        let (read, write) = ([PathBuf::from("/srv/data")], [PathBuf::from("cache")]);
        let sandbox = around("/usr/bin/node", &Allowed { read: &read, write: &write, network: true });
        assert!(reads(&sandbox, "/srv/data/x"));
        assert!(sandbox.write.contains(&PathBuf::from("/home/ada/shop/cache")));
        assert_eq!(sandbox.port, None);
    }

    #[test]
    fn a_program_is_found_as_the_shell_finds_it() {
        let found = program("sh", OsStr::new("/nowhere:/bin"), Path::new("/"));
        assert_eq!(found, Some(PathBuf::from("/bin/sh")));
        assert_eq!(program("bin/sh", OsStr::new(""), Path::new("/")), Some(PathBuf::from("/bin/sh")));
        assert_eq!(program("no-such-program", OsStr::new("/bin"), Path::new("/")), None);
    }
}
