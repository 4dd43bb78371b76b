//! How the scopes of a server are called on the way: clients of some vendors must ask for `api://app/read`, and the token then
//! says `read` or the same again. Rules and catalogue know the short name only.

use std::collections::BTreeMap;
use tollward_policy::config::ScopeForm;
use tollward_policy::principal::TokenPrincipal;

/// What stands before scopes at the providers of one server.
#[derive(Debug)]
pub struct ScopeNames {
    /// By the provider's name.
    prefixes: BTreeMap<String, Prefix>,
    /// That of the provider that clients are told of first.
    first: String,
}

#[derive(Debug)]
struct Prefix {
    text: String,
    form: ScopeForm,
}

impl ScopeNames {
    /// `providers` are the server's, in its order, with the form that scopes have in their tokens.
    pub fn new<'p>(
        prefixes: &BTreeMap<String, String>,
        providers: impl IntoIterator<Item = (&'p str, ScopeForm)>,
    ) -> Self {
        let mut first = None;
        let mut known = BTreeMap::new();
        for (name, form) in providers {
            let text = prefixes.get(name).cloned().unwrap_or_default();
            first.get_or_insert_with(|| text.clone());
            if !text.is_empty() {
                known.insert(name.to_owned(), Prefix { text, form });
            }
        }
        Self { prefixes: known, first: first.unwrap_or_default() }
    }

    /// What clients put before a scope when nobody knows yet where they will ask.
    pub fn first_prefix(&self) -> &str {
        &self.first
    }

    /// What clients put before a scope when they ask that provider.
    pub fn prefix_of(&self, provider: &str) -> &str {
        self.prefixes.get(provider).map_or("", |prefix| &prefix.text)
    }

    /// The token's scopes by their short names. A scope without the prefix, where tokens should have it, is another server's
    /// and counts for nothing.
    pub fn held<'t>(&self, token: &'t TokenPrincipal) -> impl Iterator<Item = &'t str> {
        let prefix = self.prefixes.get(&token.provider);
        let full = prefix.filter(|prefix| prefix.form == ScopeForm::Full).map(|prefix| prefix.text.as_str());
        token.scopes.iter().filter_map(move |scope| match full {
            None => Some(scope.as_str()),
            Some(prefix) => scope.strip_prefix(prefix),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ScopeNames;
    use tollward_policy::config::ScopeForm;
    use tollward_policy::principal::{Membership, TokenPrincipal};

    fn token(provider: &str, scopes: &[&str]) -> TokenPrincipal {
        TokenPrincipal {
            provider: provider.into(),
            issuer: "https://idp.example".into(),
            subject: "alice".into(),
            client: None,
            token_id: None,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            groups: Membership::Unknown,
            roles: Membership::Unknown,
            expires_at: 0,
            claims: serde_json::Map::new(),
        }
    }

    #[test]
    fn a_token_holds_what_its_provider_calls_the_scopes_of_this_server() {
        let prefixes = [("a/full", "api://x/"), ("a/short", "api://y/")].map(|(name, text)| (name.into(), text.into()));
        let providers = [("a/plain", ScopeForm::Full), ("a/full", ScopeForm::Full), ("a/short", ScopeForm::Short)];
        let names = ScopeNames::new(&prefixes.into(), providers);
        let held =
            |provider, scopes: &[&str]| names.held(&token(provider, scopes)).map(str::to_owned).collect::<Vec<_>>();
        let all = ["read", "api://x/read", "api://x/", "api://xx/read", "api://y/read"];
        assert_eq!(held("a/plain", &all), all, "without a prefix scopes stand for themselves");
        assert_eq!(held("a/full", &all), ["read", ""], "only what has the prefix is this server's");
        assert_eq!(held("a/short", &all), all);
        assert_eq!((names.first_prefix(), names.prefix_of("a/full"), names.prefix_of("other")), ("", "api://x/", ""));
    }

    #[test]
    fn clients_are_told_the_prefix_of_the_first_provider() {
        let prefixes = [("a/one".to_owned(), "api://x/".to_owned())];
        let names = ScopeNames::new(&prefixes.into(), [("a/one", ScopeForm::Short), ("a/two", ScopeForm::Full)]);
        assert_eq!(names.first_prefix(), "api://x/");
    }
}
