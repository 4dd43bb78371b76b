//! The table of attacks (`tests/attacks.md`) names tests that exist, and none of the attacks is left out.

use super::{assert_none, checkout};

const TABLE: &str = "tests/attacks.md";
/// Groups with their highest number, and the numbers that were never given.
const GROUPS: [(char, u32, &[u32]); 9] = [
    ('J', 41, &[23, 27]),
    ('T', 10, &[]),
    ('K', 12, &[9]),
    ('R', 21, &[8, 11]),
    ('H', 34, &[10, 13]),
    ('P', 27, &[3, 12, 16]),
    ('S', 15, &[3, 7, 14]),
    ('O', 8, &[2]),
    ('F', 14, &[6, 8, 11]),
];
/// What turns verification off in the libraries that are used, or in those that one might take instead. In two halves, so that
/// this file holds none of them.
const SWITCHES: [&str; 6] = [
    concat!("insecure_", "disable_signature_validation"),
    concat!("insecure_", "decode"),
    concat!("dangerous_", "insecure"),
    concat!("danger_", "accept_invalid"),
    concat!(".danger", "ous()"),
    concat!("SslVerifyMode", "::NONE"),
];

/// The cells of each row.
fn rows() -> Vec<Vec<String>> {
    let table = checkout::text(TABLE).expect("the table is text");
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| id "));
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn the_table_names_every_attack_once_and_only_tests_that_exist() {
    let rows = rows();
    let mut wrong: Vec<String> = rows.iter().filter(|row| row.len() != 4).map(|row| row.join(" | ")).collect();
    for row in &rows {
        for name in row.iter().skip(2).flat_map(|cell| cell.split('`')).filter(|name| name.contains("::")) {
            let (file, function) = name.split_once("::").unwrap_or_default();
            let has = |text: String| text.contains(&format!("fn {function}("));
            if !checkout::root().join(file).is_file() || !checkout::text(file).is_some_and(has) {
                wrong.push(format!("{}: {name} does not exist", row.first().map(String::as_str).unwrap_or_default()));
            }
        }
    }
    let given: Vec<_> = rows.iter().filter_map(|row| row.first()).collect();
    for (group, most, absent) in GROUPS {
        for number in (1..=most).filter(|number| !absent.contains(number)) {
            let id = format!("{group}{number:02}");
            if given.iter().filter(|given| ***given == id).count() != 1 {
                wrong.push(format!("{id} has not one row"));
            }
        }
    }
    assert_none("Correct tests/attacks.md, or write the test.", &wrong);
}

#[test]
fn nothing_can_turn_verification_off() {
    let mut found = Vec::new();
    for file in checkout::rust_files() {
        let text = checkout::text(&file).unwrap_or_default();
        found
            .extend(SWITCHES.iter().filter(|switch| text.contains(**switch)).map(|switch| format!("{file}: {switch}")));
    }
    assert_none("Verify it: there is no configuration in which it may be skipped (attack J37).", &found);
}
