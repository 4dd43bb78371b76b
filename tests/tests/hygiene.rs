//! Holds the checkout to its own rules (`CONTRIBUTING.md`): which crate and module may know which, that no source file is
//! dead, the caps, and what must never be in a tracked file.
//!
//! It reads files and asks `cargo` and `git` about this checkout; it builds nothing and uses no network. Every failure
//! lists all offenders at once. The tables on top of the files are the rules; a rule changes there, with its reason.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a broken rule, or a checkout that can't be read, is how these tests fail"
)]

#[path = "hygiene/attacks.rs"]
mod attacks;
#[path = "hygiene/checkout.rs"]
mod checkout;
#[path = "hygiene/code.rs"]
mod code;
#[path = "hygiene/crates.rs"]
mod crates;
#[path = "hygiene/files.rs"]
mod files;
#[path = "hygiene/lock.rs"]
mod lock;
#[path = "hygiene/members.rs"]
mod members;
#[path = "hygiene/modules.rs"]
mod modules;
#[path = "hygiene/scan.rs"]
mod scan;
#[path = "hygiene/text.rs"]
mod text;
#[path = "hygiene/tree.rs"]
mod tree;

/// Fails with all offenders, one a line, under what to do about them.
#[track_caller]
fn assert_none(what_to_do: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{what_to_do}\n{} found:\n  {}", offenders.len(), offenders.join("\n  "));
}
