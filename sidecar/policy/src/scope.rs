//! OAuth scopes: names, the omnibus names that are refused, and the declared catalogue with its `implies` hierarchy.
//!
//! Names follow RFC 6749 section 3.3. A scope that says "everything" defeats least privilege (MCP security best
//! practices, scope minimisation), so such names are refused wherever a scope is declared.

mod catalogue;
mod name;

pub use catalogue::{Catalogue, CatalogueError, MAX_SCOPES, ScopeConfig, ScopeSet};
pub use name::{OMNIBUS, ScopeError, ScopeName, is_scope_text};
