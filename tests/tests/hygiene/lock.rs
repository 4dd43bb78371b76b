//! Crates that must not be in the build: what `deny.toml` bans, checked without anything to install.

use std::collections::BTreeSet;

use super::members::cargo;
use super::{assert_none, checkout};

/// Crate and reason.
const BANNED: &[(&str, &str)] = &[
    ("ring", "one cryptographic back end: aws-lc-rs"),
    ("openssl-sys", "TLS is rustls; no system library decides what we accept"),
    ("native-tls", "TLS is rustls; no system library decides what we accept"),
    ("serde_yaml", "unmaintained; YAML is serde-saphyr"),
    ("serde_yml", "unsound and unmaintained; YAML is serde-saphyr"),
    ("rsa", "timing side channel (RUSTSEC-2023-0071); RSA is aws-lc-rs"),
];

/// Lines of `Cargo.lock` from one crate to a banned one that it doesn't build, with the reason why they are there.
const LOCKED_ONLY: &[(&str, &str, &str)] = &[
    (
        "hickory-proto",
        "ring",
        "its `std` says `ring?/std`: cargo locks what a weak feature names, also where it is off",
    ),
    (
        "rustls-webpki",
        "ring",
        "its `alloc` says `ring?/alloc`: cargo locks what a weak feature names, also where it is off",
    ),
    ("quinn-proto", "ring", "behind reqwest's HTTP/3, which is off: cargo locks what its weak features name"),
];

#[test]
fn no_banned_crate_is_built() {
    let built =
        cargo(&["tree", "--locked", "--workspace", "--edges=normal,build,dev", "--prefix=none", "--format={p}"]);
    let built: BTreeSet<&str> = built.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(built.contains("serde"), "`cargo tree` lists what is built");
    let offenders: Vec<String> = BANNED
        .iter()
        .filter(|(name, _)| built.contains(name))
        .map(|(name, reason)| format!("{name} ({reason}): `cargo tree --workspace -i {name}` shows who brings it"))
        .collect();
    assert_none("Turn off the feature that brings these, or take another crate.", &offenders);
}

#[test]
fn nobody_new_asks_for_a_banned_crate() {
    let text = checkout::text("Cargo.lock").expect("Cargo.lock is text");
    let mut offenders = Vec::new();
    let mut used = BTreeSet::new();
    for (from, to) in locked_arrows(&text) {
        let Some((_, reason)) = BANNED.iter().find(|(name, _)| *name == to) else {
            continue;
        };
        match LOCKED_ONLY.iter().find(|(asker, banned, _)| *asker == from && *banned == to) {
            Some(row) => drop(used.insert(row)),
            None => offenders.push(format!("{from} -> {to} ({reason})")),
        }
    }
    let stale = LOCKED_ONLY.iter().filter(|row| !used.contains(row));
    offenders.extend(stale.map(|(from, to, _)| format!("{from} -> {to} is gone: remove its row")));
    assert_none("Turn off the feature that asks; only what is locked but never built may have a row.", &offenders);
}

/// (crate, dependency) for each line of the lock file that names a dependency.
fn locked_arrows(lock: &str) -> Vec<(&str, &str)> {
    let mut package = "";
    let mut arrows = Vec::new();
    for line in lock.lines() {
        if let Some(name) = line.strip_prefix("name = ") {
            package = name.trim_matches('"');
        } else if let Some(dependency) = line.strip_prefix(" \"") {
            let dependency = dependency.trim_end_matches(['"', ',']);
            arrows.push((package, dependency.split(' ').next().unwrap_or(dependency)));
        }
    }
    arrows
}

#[test]
fn the_lock_file_is_read_as_cargo_writes_it() {
    let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\n \"b\",\n \"c 2.0.0\",\n]\n";
    assert_eq!(locked_arrows(lock), [("a", "b"), ("a", "c")]);
}
