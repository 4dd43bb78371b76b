//! What a program in the sandbox of `tollward dev` can and can't do, tried by a program in it.

use crate::manifests::program;
use serde_json::json;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// Tries what its arguments say, and says `done` or the name of the error.
const TRY: &str = r#"
import errno, os, socket, sys
what, rest = sys.argv[1], sys.argv[2:]
def stream(): return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
def receive(): s = stream(); s.bind(("127.0.0.1", int(rest[0]))); s.listen()
tries = {
    "read": lambda: open(rest[0]).read(),
    "list": lambda: os.listdir(rest[0]),
    "write": lambda: open(os.path.join(rest[0], "new"), "w").write("x"),
    "temporary": lambda: open(os.path.join(os.environ.get("TMPDIR", rest[0]), "new"), "w").write("x"),
    "connect": lambda: stream().connect(("127.0.0.1", int(rest[0]))),
    "fastopen": lambda: stream().sendto(b"x", 0x20000000, ("127.0.0.1", int(rest[0]))),
    "mptcp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "raw": lambda: socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58),
    "packet": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "unix": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(rest[0]),
    "pair": lambda: socket.socketpair(),
    "listen": receive,
    "signal": lambda: os.kill(int(rest[0]), 0),
    "environment": lambda: open(f"/proc/{rest[0]}/environ").read(),
    "namespace": lambda: os.unshare(os.CLONE_NEWUSER) if hasattr(os, "unshare") else exec("raise PermissionError(13, 'no unshare here')"),
}
try:
    tries[what]()
    print("done")
except OSError as error:
    print(errno.errorcode.get(error.errno, error.errno))
"#;

struct Room {
    folder: TempDir,
    port: u16,
    network: bool,
}

impl Room {
    fn new(network: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["readable", "writable", "elsewhere", "scratch"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("file"), "x").unwrap();
        }
        // Bound and let go: nobody else is likely to take it within this test.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { folder, port, network }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What comes of trying this in the sandbox.
    fn tries(&self, words: &[&str]) -> String {
        let rules = json!({
            "read": ["/bin", "/usr", "/lib", "/lib64", "/etc", "/proc", self.path("readable")],
            "write": ["/dev/null", self.path("writable"), self.path("scratch")],
            "port": if self.network { None } else { Some(self.port) },
        });
        let rules = rules.to_string();
        let inside = ["sandboxed", "--rules", &rules, "--", "python3", "-c", TRY];
        let mut command = program(Path::new("/"), &[&inside[..], words].concat());
        command.env("TMPDIR", self.path("scratch")).stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(output.status.success(), "{words:?}: {said} {}", String::from_utf8_lossy(&output.stderr));
        said
    }
}

#[test]
fn a_server_in_the_sandbox_has_its_port_and_files_and_nothing_else() {
    let room = Room::new(false);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (other, own) = (listener.local_addr().unwrap().port().to_string(), room.port.to_string());
    let socket = room.path("readable/socket");
    let _unix = UnixListener::bind(&socket).unwrap();
    let process = std::process::id().to_string();
    let file = |name: &str| room.path(&format!("{name}/file"));
    for (words, expected) in [
        (vec!["read", &file("readable")], "done"),
        (vec!["read", &file("writable")], "done"),
        (vec!["read", &file("elsewhere")], "EACCES"),
        (vec!["list", &room.path("elsewhere")], "EACCES"),
        (vec!["read", "/sys/kernel/uevent_seqnum"], "EACCES"),
        (vec!["write", &room.path("writable")], "done"),
        (vec!["temporary", &room.path("elsewhere")], "done"),
        (vec!["write", &room.path("readable")], "EACCES"),
        (vec!["write", &room.path("elsewhere")], "EACCES"),
        (vec!["listen", &own], "done"),
        (vec!["listen", "0"], "EACCES"),
        (vec!["connect", &other], "EACCES"),
        (vec!["fastopen", &other], "EACCES"),
        (vec!["mptcp"], "EACCES"),
        (vec!["udp"], "EACCES"),
        (vec!["raw"], "EACCES"),
        (vec!["packet"], "EACCES"),
        (vec!["unix", &socket], "EACCES"),
        (vec!["pair"], "done"),
        (vec!["environment", &process], "EACCES"),
        (vec!["namespace"], "EACCES"),
    ] {
        assert_eq!(room.tries(&words), expected, "{words:?}");
    }
    // Kernels before 6.12 can't tell whose process it is.
    assert!(["EPERM", "done"].contains(&room.tries(&["signal", &process]).as_str()));
}

#[test]
fn a_server_that_may_use_the_network_still_has_no_other_files() {
    let room = Room::new(true);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = listener.local_addr().unwrap().port().to_string();
    let elsewhere = room.path("elsewhere/file");
    for (words, expected) in [
        (vec!["connect", &other], "done"),
        (vec!["udp"], "done"),
        (vec!["listen", "0"], "done"),
        (vec!["read", &elsewhere], "EACCES"),
    ] {
        assert_eq!(room.tries(&words), expected, "{words:?}");
    }
}

#[test]
fn what_is_no_sandbox_starts_nothing() {
    for rules in ["", "{}", r#"{"read":[],"write":[],"port":1,"more":2}"#] {
        let output = program(Path::new("/"), &["sandboxed", "--rules", rules, "--", "true"]).output().unwrap();
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("can't enter the sandbox"), "{rules}");
    }
}
