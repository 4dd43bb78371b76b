//! `WWW-Authenticate: Bearer …` as a client reads it (RFC 6750 section 3, RFC 9728 section 5.1).

use super::client::Answer;
use anyhow::{Context as _, bail};
use std::collections::BTreeMap;

/// The parameters of a Bearer challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge(BTreeMap<String, String>);

impl Challenge {
    /// The challenge of an answer.
    pub(super) fn of(answer: &Answer) -> anyhow::Result<Self> {
        let header = answer.header("www-authenticate").context("the answer has no WWW-Authenticate")?;
        Self::parse(header)
    }

    fn parse(header: &str) -> anyhow::Result<Self> {
        let parameters = header.strip_prefix("Bearer ").context("WWW-Authenticate does not begin with Bearer")?;
        let mut found = BTreeMap::new();
        let mut rest = parameters.trim();
        while !rest.is_empty() {
            let Some((name, (value, after))) =
                rest.split_once("=\"").and_then(|(name, rest)| Some((name, rest.split_once('"')?)))
            else {
                bail!("WWW-Authenticate has a parameter that is not name=\"value\"");
            };
            if found.insert(name.trim().to_ascii_lowercase(), value.to_owned()).is_some() {
                bail!("WWW-Authenticate names `{}` twice", name.trim());
            }
            rest = after.trim_start_matches([',', ' ']);
        }
        Ok(Self(found))
    }

    /// A parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The scopes to ask for.
    pub(super) fn scopes(&self) -> Vec<String> {
        self.get("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Challenge;

    #[test]
    fn parameters_are_read_whatever_their_order() {
        let challenge = Challenge::parse(
            r#"Bearer error="insufficient_scope", scope="a:read b:write", resource_metadata="http://x/y?a=b,c""#,
        )
        .unwrap();
        assert_eq!(challenge.get("error"), Some("insufficient_scope"));
        assert_eq!(challenge.scopes(), ["a:read", "b:write"]);
        assert_eq!(challenge.get("resource_metadata"), Some("http://x/y?a=b,c"));
        assert_eq!(challenge.get("realm"), None);
    }

    #[test]
    fn what_is_no_single_bearer_challenge_is_an_error() {
        for wrong in ["Basic realm=\"x\"", "Bearer scope=a", "Bearer scope=\"a\", scope=\"b\"", "Bearer scope=\"a"] {
            Challenge::parse(wrong).unwrap_err();
        }
    }
}
