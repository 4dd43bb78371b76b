//! That source is read as the compiler reads it, where these rules depend on it.

use super::{Source, scan};

fn read(text: &str) -> Source {
    scan(text).expect("the example is Rust")
}

fn paths(source: &Source) -> Vec<String> {
    source.paths.iter().map(|used| used.segments.join("::")).collect()
}

#[test]
fn a_use_tree_is_read_leaf_by_leaf() {
    let source = read("use crate::{a::{self, B as C}, d::*}; pub(crate) use self::x::Y; use ::std::fmt;");
    assert_eq!(paths(&source), ["crate::a", "crate::a::B", "crate::d::*", "self::x::Y", "std::fmt"]);
    let binds: Vec<_> = source.paths.iter().map(|used| used.binds.as_deref().unwrap_or_default()).collect();
    assert_eq!(binds, ["a", "C", "*", "Y", "fmt"]);
}

#[test]
fn comments_and_strings_are_no_code() {
    let source = read("// mod a;\n/* use crate::b; */ /// [`crate::c`]\nconst X: &str = \"crate::d::e\";");
    assert!(source.declarations.is_empty());
    assert_eq!(paths(&source), [""; 0]);
    assert_eq!(source.strings.len(), 1);
}

#[test]
fn paths_in_bodies_and_types_are_read() {
    let source = read("fn f(x: super::a::A) -> impl Sized + use<'_> { crate::b::g::<crate::c::C>(x) }");
    assert_eq!(paths(&source), ["super::a::A", "crate::b::g", "crate::c::C"]);
}

#[test]
fn modules_are_read_with_their_file_and_place() {
    let source = read("#[cfg(test)] #[path = \"x/y.rs\"] mod y; pub(crate) mod r#in; mod outer { mod inner; }");
    let found: Vec<_> = source
        .declarations
        .iter()
        .map(|declaration| {
            (declaration.inside.join("::"), declaration.name.as_str(), declaration.path.as_deref(), declaration.test)
        })
        .collect();
    let outer = "outer".to_owned();
    assert_eq!(
        found,
        [(String::new(), "y", Some("x/y.rs"), true), (String::new(), "in", None, false), (outer, "inner", None, false)]
    );
    assert_eq!(source.inline_modules, [["outer"]]);
}

#[test]
fn only_what_an_attribute_marks_is_test_code() {
    let source =
        read("#[cfg(test)] use a::{b, c}; use d::e; #[tokio::test] async fn f<A, B>() { g::h() } fn i() { j::k() }");
    let tests: Vec<_> = source.paths.iter().map(|used| (used.segments.join("::"), used.test)).collect();
    let expected = [("a::b", true), ("a::c", true), ("d::e", false), ("g::h", true), ("j::k", false)];
    assert_eq!(tests, expected.map(|(path, test)| (path.to_owned(), test)));
}

#[test]
fn lints_and_ignored_tests_are_seen_through_cfg_attr() {
    let bare = |text: &str| read(text).attributes.iter().any(super::Attribute::lacks_reason);
    assert!(bare("#[allow(dead_code)] fn f() {}"));
    assert!(bare("fn f() { #![cfg_attr(test, expect(dead_code))] }"));
    assert!(!bare("#[expect(dead_code, reason = \"it is\")] fn f() {}"));
    assert!(!bare("/// allow(this)\n#[derive(Debug)] struct S;"));
    let ignored = |text: &str| read(text).attributes.iter().any(super::Attribute::ignores_test);
    assert!(ignored("#[test] #[ignore = \"slow\"] fn f() {}"));
    assert!(!ignored("#[serde(ignore)] struct S;"));
}
