//! What no tracked file may hold, of whatever kind, and the one Rust version that several files name.

use super::members::members;
use super::{assert_none, checkout};

/// In two halves, so that this file holds none of them.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Folders of one machine.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// A path that only looks like one of a machine: file, line contains, reason.
const ALLOWED_PATHS: &[(&str, &str, &str)] = &[];

/// Which mirror serves packages is the business of the machine that fetches them.
const REGISTRY_HOSTS: &[&str] = &[
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "yarnpkg.com"),
    concat!("pypi.", "org"),
    concat!("files.", "pythonhosted.org"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("proxy.", "golang.org"),
    concat!("sum.", "golang.org"),
    concat!("repo1.", "maven.org"),
    concat!("repo.maven.", "apache.org"),
    concat!("deb.", "debian.org"),
    concat!("arti", "factory"),
    concat!("j", "frog"),
];

/// Written by tools, full of hashes.
const LOCK_FILES: &[&str] = &["Cargo.lock", "package-lock.json", "go.sum"];

/// All lines of all text files for which `what` says something.
fn offenders(what: impl Fn(&str, &str) -> Option<String>) -> Vec<String> {
    let mut offenders = Vec::new();
    for file in checkout::files() {
        let Some(text) = checkout::text(&file) else { continue };
        for (index, line) in text.lines().enumerate() {
            if let Some(found) = what(&file, line) {
                offenders.push(format!("{file}:{}: {found}", index + 1));
            }
        }
    }
    offenders
}

/// Whether `needle` stands in `line` at the start of a path, not in the middle of a longer one.
fn starts_path(line: &str, needle: &str) -> bool {
    line.match_indices(needle).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        !before.is_some_and(|character| character.is_alphanumeric() || "._-*})]>/".contains(character))
    })
}

#[test]
fn nothing_is_left_for_later() {
    let found = offenders(|file, line| {
        let mut words = line.split(|character: char| !character.is_alphanumeric() && character != '_');
        let word = words.find(|word| UNFINISHED.contains(word))?;
        (!LOCK_FILES.contains(&checkout::name(file))).then(|| word.to_owned())
    });
    assert_none("Finish it, or say in an issue what is missing.", &found);
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    let found = offenders(|file, line| {
        let path = MACHINE_PATHS.iter().find(|path| starts_path(line, path))?;
        let allowed = ALLOWED_PATHS.iter().any(|(allowed, part, reason)| {
            assert!(!reason.is_empty(), "an allowed path needs a reason");
            *allowed == file && line.contains(part)
        });
        (!allowed).then(|| (*path).to_owned())
    });
    assert_none("Name paths from the checkout's root, or take them as settings.", &found);
}

#[test]
fn no_file_names_the_host_of_a_package_registry() {
    let found = offenders(|_, line| {
        let host = REGISTRY_HOSTS.iter().find(|host| line.contains(**host))?;
        Some((*host).to_owned())
    });
    assert_none("Leave the host to the package manager's own settings.", &found);
}

#[test]
fn all_files_name_the_same_rust_version() {
    let toolchain = checkout::text("rust-toolchain.toml").expect("rust-toolchain.toml is text");
    let channel = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = "))
        .expect("rust-toolchain.toml has a line `channel = ..`")
        .trim_matches('"');
    let minor: String = channel.split('.').take(2).collect::<Vec<_>>().join(".");
    let mut offenders: Vec<String> = members()
        .iter()
        .filter(|member| member.rust_version.as_deref() != Some(&minor))
        .map(|member| format!("{}: rust-version is {:?}", member.name, member.rust_version))
        .collect();
    if checkout::files().iter().any(|file| file == "README.md") {
        let readme = checkout::text("README.md").expect("README.md is text");
        let badges = readme.lines().filter(|line| {
            let line = line.to_lowercase();
            line.contains("badge") && (line.contains("rust") || line.contains("msrv"))
        });
        offenders.extend(badges.filter(|line| !line.contains(&minor)).map(|line| format!("README.md: {line}")));
    }
    assert_none(&format!("rust-toolchain.toml says {channel}: these should say {minor}."), &offenders);
}

#[test]
fn every_test_that_the_threat_table_names_exists() {
    let security = checkout::text("SECURITY.md").expect("SECURITY.md is text");
    let rows = security.lines().filter(|line| line.starts_with('|'));
    let quoted = rows.flat_map(|line| line.split('`').skip(1).step_by(2));
    let named: Vec<&str> = quoted.filter(|text| matches!(checkout::extension(text), Some("rs" | "toml"))).collect();
    assert!(!named.is_empty(), "SECURITY.md names no test");
    let files = checkout::files();
    let offenders: Vec<String> =
        named.into_iter().filter(|name| !files.iter().any(|file| file == name)).map(str::to_owned).collect();
    assert_none("SECURITY.md promises these: name the test as it is now.", &offenders);
}

#[test]
fn only_the_start_of_a_path_counts() {
    let path = MACHINE_PATHS.first().expect("the table has rows");
    assert!(starts_path(&format!("\"{path}x\""), path));
    assert!(starts_path(&format!("cd {path}"), path));
    assert!(!starts_path(&format!("frame{path}x and $HOME{path}x, ${{HOME}}{path}x"), path));
}
