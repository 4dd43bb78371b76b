//! The modules of a crate, found as the compiler finds them: from the crate root along every `mod`.

use std::collections::BTreeSet;

use super::checkout;
use super::members::{CrateRoot, Member};
use super::scan::{self, Source};

/// One source file in its place in a crate.
#[derive(Debug)]
pub(crate) struct Module {
    /// Empty for the crate root.
    pub(crate) path: Vec<String>,
    /// From the checkout's root.
    pub(crate) file: String,
    /// Compiled for tests only.
    pub(crate) test: bool,
    pub(crate) source: Source,
}

/// All modules of one crate root, test modules included. A `mod` without a file is the compiler's to refuse.
pub(crate) fn modules(root: &CrateRoot) -> Vec<Module> {
    let mut walk = Walk::default();
    walk.enter(&root.file, Vec::new(), true, root.is_test());
    walk.modules
}

/// The modules of all crate roots of all members.
pub(crate) fn all_modules(members: &[Member]) -> Vec<Module> {
    members.iter().flat_map(|member| &member.roots).flat_map(modules).collect()
}

#[derive(Default)]
struct Walk {
    modules: Vec<Module>,
    seen: BTreeSet<String>,
}

impl Walk {
    /// `owns_folder`: its modules lie beside the file (a crate root), not in a folder of the file's name.
    fn enter(&mut self, file: &str, path: Vec<String>, owns_folder: bool, test: bool) {
        if !checkout::root().join(file).is_file() || !self.seen.insert(file.to_owned()) {
            return;
        }
        let content = checkout::text(file).unwrap_or_else(|| panic!("{file} is no text"));
        let source = scan::scan(&content).unwrap_or_else(|error| panic!("{file}: {error}"));
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let stem = checkout::name(file).trim_end_matches(".rs");
        let below = if owns_folder || stem == "mod" { folder.to_owned() } else { join(folder, stem) };
        let mut children = Vec::new();
        for declaration in &source.declarations {
            let test = test || declaration.test;
            let inside = declaration.inside.iter().fold(below.clone(), |folder, name| join(&folder, name));
            let mut path = path.clone();
            path.extend(declaration.inside.iter().cloned());
            path.push(declaration.name.clone());
            match &declaration.path {
                // Relative to this file's folder, and its own modules lie beside it.
                Some(name) if declaration.inside.is_empty() => children.push((join(folder, name), path, true, test)),
                Some(name) => children.push((join(&inside, name), path, true, test)),
                None => {
                    let flat = join(&inside, &format!("{}.rs", declaration.name));
                    let nested = join(&inside, &format!("{}/mod.rs", declaration.name));
                    children.push((flat, path.clone(), false, test));
                    children.push((nested, path, false, test));
                }
            }
        }
        self.modules.push(Module { path, file: file.to_owned(), test, source });
        for (file, path, owns_folder, test) in children {
            self.enter(&file, path, owns_folder, test);
        }
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
