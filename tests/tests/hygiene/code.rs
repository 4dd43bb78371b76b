//! What code must not say: lints without a reason, tests that don't run, tests that sleep, files outside of the
//! temporary folder that the platform names.

use super::assert_none;
use super::members::members;
use super::tree::{Module, all_modules};

/// The last two segments of what waits for time instead of a condition.
const SLEEPS: &[(&str, &str)] = &[("thread", "sleep"), ("time", "sleep"), ("time", "sleep_until")];

/// A text that names the temporary folder and is no path of the machine that runs the code: file, literal, reason.
const ALLOWED_TEMPORARY: &[(&str, &str, &str)] = &[(
    "operator/desired/src/children/server.rs",
    concat!("\"/", "tmp\""),
    "the mount path inside of the server's container, where the platform's temporary folder is",
)];

fn offenders(of: impl Fn(&Module) -> Vec<String>) -> Vec<String> {
    let mut offenders: Vec<String> = all_modules(&members())
        .iter()
        .flat_map(|module| of(module).into_iter().map(|what| format!("{}: {what}", module.file)))
        .collect();
    offenders.sort();
    offenders.dedup();
    offenders
}

#[test]
fn every_lint_that_is_set_aside_says_why() {
    let found = offenders(|module| {
        let attributes = module.source.attributes.iter();
        attributes.filter(|attribute| attribute.lacks_reason()).map(ToString::to_string).collect()
    });
    assert_none("Write `#[expect(lint, reason = \"..\")]`, and only where the lint is wrong.", &found);
}

#[test]
fn every_test_runs() {
    let found = offenders(|module| {
        let attributes = module.source.attributes.iter();
        attributes.filter(|attribute| attribute.ignores_test()).map(ToString::to_string).collect()
    });
    assert_none("An ignored test proves nothing: make it run, or delete it.", &found);
}

#[test]
fn no_test_sleeps() {
    let found = offenders(|module| {
        let tests = module.source.paths.iter().filter(|used| module.test || used.test);
        let sleeps = tests.filter(|used| match used.segments.as_slice() {
            [.., module, function] => SLEEPS.contains(&(module, function)),
            _ => false,
        });
        sleeps.map(|used| used.segments.join("::")).collect()
    });
    assert_none("Wait for a condition with a deadline, or turn an injected clock.", &found);
}

#[test]
fn no_product_code_names_the_temporary_folder() {
    let found = offenders(|module| {
        let strings = module.source.strings.iter().filter(|string| !module.test && !string.test);
        let temporary = strings.filter(|string| string.literal.contains(concat!("\"/", "tmp")));
        temporary
            .filter(|string| !may_name_temporary(&module.file, &string.literal))
            .map(|string| string.literal.clone())
            .collect()
    });
    assert_none("Take the folder as a setting, or ask `std::env::temp_dir`.", &found);
}

fn may_name_temporary(file: &str, literal: &str) -> bool {
    ALLOWED_TEMPORARY.iter().any(|(allowed_file, allowed_literal, reason)| {
        assert!(!reason.is_empty(), "an allowed text needs a reason");
        *allowed_file == file && *allowed_literal == literal
    })
}
