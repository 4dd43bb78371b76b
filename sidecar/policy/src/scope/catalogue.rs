//! The scopes that a server declares, compiled so that "does this token suffice" is a comparison of bits.

use super::name::ScopeName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The most scopes that one server may declare.
pub const MAX_SCOPES: usize = 256;

/// One declared scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScopeConfig {
    /// The scope as it stands in tokens.
    pub name: ScopeName,
    /// What it permits, in words for a consent page.
    pub description: String,
    /// Scopes that a token with this one also has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub implies: Vec<ScopeName>,
}

/// A set of declared scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScopeSet([u64; MAX_SCOPES / 64]);

impl ScopeSet {
    /// The set without scopes.
    pub const EMPTY: Self = Self([0; MAX_SCOPES / 64]);

    /// True if every scope of `required` is in this set.
    pub fn covers(&self, required: &Self) -> bool {
        self.0.iter().zip(required.0).all(|(held, wanted)| wanted & !held == 0)
    }

    fn contains(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    fn with(mut self, index: usize) -> Self {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
        self
    }

    fn union(mut self, other: &Self) -> Self {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
        self
    }
}

/// Why a list of scopes is no catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// More than [`MAX_SCOPES`].
    #[error("{0} scopes are declared, at most {MAX_SCOPES} are allowed")]
    TooMany(usize),
    /// Two entries with one name.
    #[error("scope `{0}` is declared twice")]
    Duplicate(ScopeName),
    /// `implies` or a rule names a scope that is not declared.
    #[error("scope `{0}` is used but not declared")]
    Undeclared(ScopeName),
    /// `implies` leads back to where it started.
    #[error("scope `{0}` implies itself through others")]
    Cycle(ScopeName),
}

/// The declared scopes with their closure under `implies`.
#[derive(Debug, Clone)]
pub struct Catalogue {
    index: HashMap<ScopeName, usize>,
    closure: Vec<ScopeSet>,
}

impl Catalogue {
    /// Compiles the declared scopes.
    pub fn compile(scopes: &[ScopeConfig]) -> Result<Self, CatalogueError> {
        if scopes.len() > MAX_SCOPES {
            return Err(CatalogueError::TooMany(scopes.len()));
        }
        let mut index = HashMap::with_capacity(scopes.len());
        for (position, scope) in scopes.iter().enumerate() {
            if index.insert(scope.name.clone(), position).is_some() {
                return Err(CatalogueError::Duplicate(scope.name.clone()));
            }
        }
        let mut edges = Vec::with_capacity(scopes.len());
        for scope in scopes {
            let mut targets = Vec::with_capacity(scope.implies.len());
            for implied in &scope.implies {
                let target = index.get(implied).copied();
                targets.push(target.ok_or_else(|| CatalogueError::Undeclared(implied.clone()))?);
            }
            edges.push(targets);
        }
        let mut closure = Vec::with_capacity(scopes.len());
        for (position, scope) in scopes.iter().enumerate() {
            let reached = reach(position, &edges).ok_or_else(|| CatalogueError::Cycle(scope.name.clone()))?;
            closure.push(reached);
        }
        Ok(Self { index, closure })
    }

    /// The scopes that a rule requires; every one must be declared.
    pub fn require<'a>(&self, names: impl IntoIterator<Item = &'a ScopeName>) -> Result<ScopeSet, CatalogueError> {
        let mut set = ScopeSet::EMPTY;
        for name in names {
            let position = self.index.get(name).ok_or_else(|| CatalogueError::Undeclared(name.clone()))?;
            set = set.with(*position);
        }
        Ok(set)
    }

    /// The declared scopes that a token with these scopes holds, implied ones included. Undeclared ones count for nothing.
    pub fn held<'a>(&self, granted: impl IntoIterator<Item = &'a str>) -> ScopeSet {
        let mut set = ScopeSet::EMPTY;
        for scope in granted {
            let Ok(name) = ScopeName::new(scope) else { continue };
            if let Some(implied) = self.index.get(&name).and_then(|position| self.closure.get(*position)) {
                set = set.union(implied);
            }
        }
        set
    }

    /// The scopes of a set, in the order in which they are declared.
    pub fn names(&self, set: &ScopeSet) -> Vec<&ScopeName> {
        let mut names: Vec<_> = self.index.iter().filter(|(_, position)| set.contains(**position)).collect();
        names.sort_unstable_by_key(|(_, position)| **position);
        names.into_iter().map(|(name, _)| name).collect()
    }
}

/// Everything reachable from `start`, itself included; `None` if `start` can be reached again.
fn reach(start: usize, edges: &[Vec<usize>]) -> Option<ScopeSet> {
    let mut set = ScopeSet::EMPTY.with(start);
    let mut seen = vec![false; edges.len()];
    let mut pending = vec![start];
    while let Some(position) = pending.pop() {
        for &next in edges.get(position).map(Vec::as_slice).unwrap_or_default() {
            if next == start {
                return None;
            }
            if let Some(flag) = seen.get_mut(next)
                && !*flag
            {
                *flag = true;
                set = set.with(next);
                pending.push(next);
            }
        }
    }
    Some(set)
}

#[cfg(test)]
mod tests {
    use super::{Catalogue, CatalogueError, ScopeConfig, ScopeName};

    fn scope(name: &str, implies: &[&str]) -> ScopeConfig {
        ScopeConfig {
            name: ScopeName::new(name).unwrap(),
            description: String::new(),
            implies: implies.iter().map(|name| ScopeName::new(*name).unwrap()).collect(),
        }
    }

    fn name(text: &str) -> ScopeName {
        ScopeName::new(text).unwrap()
    }

    #[test]
    fn a_scope_holds_what_it_implies_through_others_and_nothing_else() {
        let catalogue = Catalogue::compile(&[
            scope("read", &[]),
            scope("write", &["read"]),
            scope("own", &["write"]),
            scope("pay", &[]),
        ])
        .unwrap();
        let held = catalogue.held(["own"]);
        assert!(held.covers(&catalogue.require(&[name("read"), name("write")]).unwrap()));
        assert!(!held.covers(&catalogue.require(&[name("pay")]).unwrap()));
    }

    #[test]
    fn undeclared_and_look_alike_scopes_of_a_token_count_for_nothing() {
        let catalogue = Catalogue::compile(&[scope("read", &[])]).unwrap();
        let required = catalogue.require(&[name("read")]).unwrap();
        for granted in ["Read", "read ", "*", "notread", "readx", ""] {
            assert!(!catalogue.held([granted]).covers(&required), "{granted}");
        }
    }

    #[test]
    fn cycles_duplicates_and_undeclared_names_are_refused_by_name() {
        let cycle = Catalogue::compile(&[scope("a", &["b"]), scope("b", &["a"])]).unwrap_err();
        assert_eq!(cycle, CatalogueError::Cycle(name("a")));
        let twice = Catalogue::compile(&[scope("a", &[]), scope("a", &[])]).unwrap_err();
        assert_eq!(twice, CatalogueError::Duplicate(name("a")));
        let unknown = Catalogue::compile(&[scope("a", &["b"])]).unwrap_err();
        assert_eq!(unknown, CatalogueError::Undeclared(name("b")));
    }

    #[test]
    fn two_hundred_and_fifty_six_scopes_fit_and_one_more_does_not() {
        let many: Vec<_> = (0..=256).map(|number| scope(&format!("s{number}"), &[])).collect();
        let catalogue = Catalogue::compile(&many[..256]).unwrap();
        let last = catalogue.require(&[name("s255")]).unwrap();
        assert!(catalogue.held(["s255"]).covers(&last));
        assert!(!catalogue.held(["s254"]).covers(&last));
        assert_eq!(Catalogue::compile(&many).unwrap_err(), CatalogueError::TooMany(257));
    }
}
