//! The caps and names of files.

use super::{assert_none, checkout};

const MAX_LINES: usize = 500;
const MAX_MAIN_LINES: usize = 60;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "commons", "helper", "helpers", "type", "types", "misc"];

fn text(file: &str) -> String {
    checkout::text(file).unwrap_or_else(|| panic!("{file} is no text: Rust sources are UTF-8"))
}

#[test]
fn no_source_file_is_longer_than_its_cap() {
    let offenders: Vec<String> = checkout::rust_files()
        .iter()
        .map(|file| (file, text(file).lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(file, lines)| format!("{file}: {lines} lines"))
        .collect();
    assert_none(&format!("Split what is over {MAX_LINES} lines by what each part owns."), &offenders);
}

#[test]
fn main_only_starts_the_program() {
    let offenders: Vec<String> = checkout::rust_files()
        .iter()
        .filter(|file| file.ends_with("src/main.rs") || file.contains("src/bin/"))
        .map(|file| (file, text(file).lines().count()))
        .filter(|(_, lines)| *lines >= MAX_MAIN_LINES)
        .map(|(file, lines)| format!("{file}: {lines} lines"))
        .collect();
    assert_none(&format!("Move what `main` does into the library: it stays under {MAX_MAIN_LINES} lines."), &offenders);
}

#[test]
fn every_source_file_opens_with_what_it_owns() {
    let opens = |file: &String| {
        let text = text(file);
        text.lines().next().is_some_and(|line| line.strip_prefix("//!").is_some_and(|rest| !rest.trim().is_empty()))
    };
    let offenders: Vec<String> = checkout::rust_files().into_iter().filter(|file| !opens(file)).collect();
    assert_none("Open these with `//!`: what the file owns, why it exists, what it must not do.", &offenders);
}

#[test]
fn no_file_or_folder_has_an_empty_name() {
    let offenders: Vec<String> = checkout::files()
        .into_iter()
        .filter(|file| file.split('/').any(|part| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or_default())))
        .collect();
    assert_none("Name these after the noun or the stage that is inside.", &offenders);
}

#[test]
fn modules_are_named_by_their_file() {
    let offenders: Vec<String> =
        checkout::rust_files().into_iter().filter(|file| checkout::name(file) == "mod.rs").collect();
    assert_none("Move `x/mod.rs` to `x.rs`.", &offenders);
}
