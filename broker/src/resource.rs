//! The MCP servers that tokens can be issued for, and how a request names one (RFC 8707).

use serde::{Deserialize, Serialize};

use crate::scope::{ScopeName, ScopeSet};

/// The identifier of a protected resource in its canonical text; it becomes the token's `aud`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceId(String);

impl ResourceId {
    /// Only for text that configuration has checked.
    pub(crate) fn from_checked(text: String) -> Self {
        Self(text)
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `presented` names this resource: equal but for the case of scheme and host, and, for a resource without
    /// a path, a trailing slash, which the TypeScript SDK adds to such URLs. Nothing is decoded or resolved.
    pub(crate) fn is_named_by(&self, presented: &str) -> bool {
        let Some((scheme, after)) = presented.split_once("://") else {
            return false;
        };
        let end = after.find('/').unwrap_or(after.len());
        let (authority, path) = after.split_at(end);
        let presented = format!("{}://{}{path}", scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
        let has_path = self.0.split_once("://").is_some_and(|(_, after)| after.contains('/'));
        presented == self.0 || (!has_path && presented.strip_suffix('/') == Some(self.0.as_str()))
    }
}

/// One scope with the words the consent page uses for it.
#[derive(Debug, Clone)]
pub(crate) struct DescribedScope {
    pub(crate) name: ScopeName,
    pub(crate) description: String,
}

/// A resource after configuration was checked.
#[derive(Debug, Clone)]
pub(crate) struct ProtectedResource {
    pub(crate) id: ResourceId,
    pub(crate) name: String,
    pub(crate) scopes: Vec<DescribedScope>,
    pub(crate) default_scopes: ScopeSet,
}

impl ProtectedResource {
    pub(crate) fn all_scopes(&self) -> ScopeSet {
        self.scopes.iter().map(|scope| scope.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::ResourceId;

    #[test]
    fn only_case_of_scheme_and_host_may_differ() {
        let id = ResourceId::from_checked("https://tools.example/mcp".to_owned());
        assert!(id.is_named_by("https://tools.example/mcp"));
        assert!(id.is_named_by("HTTPS://Tools.Example/mcp"));
        for other in [
            "https://tools.example/mcp/",
            "https://tools.example/MCP",
            "https://tools.example/mcp#x",
            "https://tools.example/mcp?x",
            "https://tools.example/x/../mcp",
            "https://tools.example",
            "http://tools.example/mcp",
            "https://tools.example:443/mcp",
            "https://user@tools.example/mcp",
            "tools.example/mcp",
            "",
        ] {
            assert!(!id.is_named_by(other), "{other}");
        }
    }

    #[test]
    fn a_resource_without_a_path_is_also_named_with_a_slash() {
        let id = ResourceId::from_checked("https://tools.example".to_owned());
        assert!(id.is_named_by("https://tools.example"));
        assert!(id.is_named_by("https://tools.example/"));
        assert!(!id.is_named_by("https://tools.example//"));
    }
}
