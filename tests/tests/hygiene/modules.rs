//! Modules form a tree: every source file is part of a crate, and modules of one folder never know each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::members::members;
use super::tree::{Module, all_modules, modules};
use super::{assert_none, checkout};

/// An arrow that may close a circle: crate, from, to (paths below `crate::`), reason.
const ALLOWED_ARROWS: &[(&str, &str, &str, &str)] = &[];

type ModulePath = Vec<String>;

/// An arrow between two modules of the same parent, with one place that makes it.
type Arrows = BTreeMap<(ModulePath, ModulePath), String>;

#[test]
fn every_source_file_is_reachable_from_a_crate_root() {
    let reached: BTreeSet<String> = all_modules(&members()).into_iter().map(|module| module.file).collect();
    let offenders: Vec<String> = checkout::rust_files().into_iter().filter(|file| !reached.contains(file)).collect();
    assert_none("These files are in no crate: declare them with `mod`, or delete them.", &offenders);
}

#[test]
fn no_modules_of_a_crate_know_each_other_in_a_circle() {
    assert_no_circle("crate", |from| from.len() == 1);
}

#[test]
fn no_modules_of_a_folder_know_each_other_in_a_circle() {
    assert_no_circle("folder", |from| from.len() > 1);
}

/// Looks at the arrows that start at a module of this level; both ends of an arrow are on one level.
fn assert_no_circle(place: &str, level: impl Fn(&ModulePath) -> bool) {
    let mut offenders = Vec::new();
    for member in members() {
        for root in member.roots.iter().filter(|root| !root.is_test()) {
            let mut arrows = arrows(&modules(root));
            arrows.retain(|(from, to), _| level(from) && !is_allowed(&member.name, from, to));
            offenders.extend(circles(&arrows).iter().map(|circle| format!("{}:\n    {circle}", root.file)));
        }
    }
    assert_none(
        &format!(
            "These modules of one {place} import each other (tests aside): move the shared noun down into a file of \
             its own, or let the caller pass it."
        ),
        &offenders,
    );
}

fn is_allowed(member: &str, from: &ModulePath, to: &ModulePath) -> bool {
    let (from, to) = (from.join("::"), to.join("::"));
    ALLOWED_ARROWS.iter().any(|(name, allowed_from, allowed_to, reason)| {
        assert!(!reason.is_empty(), "an allowed arrow needs a reason");
        *name == member && *allowed_from == from && *allowed_to == to
    })
}

/// The arrows between siblings, at every level. Test code draws none.
fn arrows(modules: &[Module]) -> Arrows {
    let names = Names::of(modules);
    let mut arrows = Arrows::new();
    for module in modules.iter().filter(|module| !module.test) {
        for used in module.source.paths.iter().filter(|used| !used.test) {
            let here = below(&module.path, &used.inside);
            let Some(absolute) = names.absolute(&here, &used.segments) else {
                continue;
            };
            let target = names.module_of(&absolute, MAX_REEXPORTS);
            let shared = here.iter().zip(&target).take_while(|(a, b)| a == b).count();
            if shared < here.len() && shared < target.len() {
                let (from, to) = (prefix(&here, shared + 1), prefix(&target, shared + 1));
                let place = format!("`{}` in {}", used.segments.join("::"), module.file);
                arrows.entry((from, to)).or_insert(place);
            }
        }
    }
    arrows
}

/// A chain of `use` that is longer than this is circular itself.
const MAX_REEXPORTS: usize = 8;

/// What paths mean in one crate.
struct Names {
    modules: BTreeSet<ModulePath>,
    /// What a `use` binds in a module, as written there, made absolute.
    bound: BTreeMap<(ModulePath, String), ModulePath>,
}

impl Names {
    fn of(modules: &[Module]) -> Self {
        let mut names = Self { modules: BTreeSet::new(), bound: BTreeMap::new() };
        for module in modules {
            names.modules.insert(module.path.clone());
            let inline = module.source.inline_modules.iter().map(|inside| below(&module.path, inside));
            names.modules.extend(inline);
        }
        for module in modules {
            for used in &module.source.paths {
                let here = below(&module.path, &used.inside);
                if let Some(name) = &used.binds
                    && let Some(absolute) = names.absolute(&here, &used.segments)
                {
                    names.bound.insert((here, name.clone()), absolute);
                }
            }
        }
        names
    }

    /// A path from the crate root, or `None` if it leads out of the crate.
    fn absolute(&self, here: &ModulePath, segments: &[String]) -> Option<ModulePath> {
        let (first, rest) = segments.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some(below(here, rest)),
            "super" => {
                let parent = prefix(here, here.len().checked_sub(1)?);
                match rest.first() {
                    Some(next) if next == "super" => self.absolute(&parent, rest),
                    _ => Some(below(&parent, rest)),
                }
            }
            child => {
                let path = below(here, &[child.to_owned()]);
                self.modules.contains(&path).then(|| below(here, segments))
            }
        }
    }

    /// The module that a path ends in, through the names that modules on the way import.
    fn module_of(&self, absolute: &[String], reexports: usize) -> ModulePath {
        let mut module = ModulePath::new();
        for (index, segment) in absolute.iter().enumerate() {
            let child = below(&module, std::slice::from_ref(segment));
            if self.modules.contains(&child) {
                module = child;
                continue;
            }
            if reexports > 0
                && let Some(bound) = self.bound.get(&(module.clone(), segment.clone()))
            {
                let rest = absolute.get(index + 1..).unwrap_or_default();
                return self.module_of(&below(bound, rest), reexports - 1);
            }
            break;
        }
        module
    }
}

/// Each group of modules that all reach each other, as the arrows within it.
fn circles(arrows: &Arrows) -> Vec<String> {
    let reached = |start: &ModulePath| {
        let mut seen = BTreeSet::new();
        let mut next = vec![start.clone()];
        while let Some(from) = next.pop() {
            for (_, to) in arrows.keys().filter(|(source, _)| *source == from) {
                if seen.insert(to.clone()) {
                    next.push(to.clone());
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&ModulePath, BTreeSet<ModulePath>> =
        arrows.keys().map(|(from, _)| (from, reached(from))).collect();
    let mut groups: BTreeMap<Vec<&ModulePath>, Vec<String>> = BTreeMap::new();
    for ((from, to), place) in arrows {
        if reach.get(to).is_some_and(|seen| seen.contains(from)) {
            let seen = |module: &ModulePath| reach.get(from).is_some_and(|reached| reached.contains(module));
            let group =
                reach.iter().filter(|(module, back)| seen(module) && back.contains(from)).map(|(module, _)| *module);
            let line = format!("{} -> {}: {place}", from.join("::"), to.join("::"));
            groups.entry(group.collect()).or_default().push(line);
        }
    }
    groups.into_values().map(|lines| lines.join("\n    ")).collect()
}

fn below(path: &[String], rest: &[String]) -> ModulePath {
    path.iter().chain(rest).cloned().collect()
}

fn prefix(path: &[String], length: usize) -> ModulePath {
    path.iter().take(length).cloned().collect()
}

#[path = "modules/tests.rs"]
mod tests;
