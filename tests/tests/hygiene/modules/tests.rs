//! That a circle is found however it is written, and that tests close none.

use super::super::scan::scan;
use super::super::tree::Module;
use super::{arrows, circles};

/// A crate of these modules; a name that ends in `!` is one for tests only.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let modules: Vec<Module> = files
        .iter()
        .map(|(name, text)| Module {
            path: name.trim_end_matches('!').split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            file: format!("{name}.rs"),
            test: name.ends_with('!'),
            source: scan(text).expect("the example is Rust"),
        })
        .collect();
    circles(&arrows(&modules))
}

#[test]
fn one_way_arrows_are_fine() {
    let found = circles_of(&[
        ("", "mod a; mod b;"),
        ("a", "use crate::b::{self, B}; fn f() { super::b::g(); }"),
        ("b", "use std::fmt; pub(in crate::a) fn g() {}"),
    ]);
    assert_eq!(found, [""; 0]);
}

#[test]
fn two_modules_that_import_each_other_are_a_circle() {
    let found =
        circles_of(&[("", ""), ("a", "use crate::{b::B, c};"), ("b", "fn f() -> super::a::A { todo() }"), ("c", "")]);
    assert_eq!(found.len(), 1);
    assert!(found.iter().all(|circle| circle.contains("a -> b") && circle.contains("b -> a")), "{found:?}");
    assert!(found.iter().all(|circle| !circle.contains("-> c")), "{found:?}");
}

#[test]
fn a_longer_circle_is_found() {
    let found = circles_of(&[
        ("", ""),
        ("a", "use crate::b::B;"),
        ("b", "use crate::c::C;"),
        ("c::deep", "use crate::a::A;"),
        ("c", ""),
    ]);
    assert_eq!(found.len(), 1);
}

#[test]
fn a_circle_through_a_name_that_the_crate_root_exports_is_found() {
    let found = circles_of(&[
        ("", "pub use self::b::B; pub use a::A as First;"),
        ("a", "use crate::B;"),
        ("b", "use crate::First;"),
    ]);
    assert_eq!(found.len(), 1);
}

#[test]
fn a_circle_within_a_folder_is_found() {
    let found =
        circles_of(&[("", ""), ("a", ""), ("a::one", "use super::two::T;"), ("a::two", "use crate::a::one::O;")]);
    assert_eq!(found.len(), 1);
}

#[test]
fn a_circle_within_a_macro_is_found() {
    let found =
        circles_of(&[("", ""), ("a", "macro_rules! m { () => { $crate::b::f() } }"), ("b", "use crate::a::A;")]);
    assert_eq!(found.len(), 1);
}

#[test]
fn test_code_closes_no_circle() {
    let found = circles_of(&[
        ("", ""),
        ("a", "use crate::b::B; #[cfg(test)] mod tests { use crate::c::C; }"),
        (
            "b",
            "#[cfg(test)] use crate::a::{A, Z}; #[test] fn f() { crate::a::g(); } #[cfg(any(test, feature = \"x\"))] fn h() { crate::a::g() }",
        ),
        ("b::tests!", "use crate::a::A;"),
        ("c", "use crate::a::A;"),
    ]);
    assert_eq!(found, [""; 0]);
}

#[test]
fn code_for_all_but_tests_is_no_test_code() {
    let found = circles_of(&[("", ""), ("a", "use crate::b::B;"), ("b", "#[cfg(not(test))] use crate::a::A;")]);
    assert_eq!(found.len(), 1);
}
