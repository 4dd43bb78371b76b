//! The groups and roles of a caller, from claims that providers fill in their own ways.
//!
//! What can't be known is [`Membership::Unknown`], never "none": a rule against a group must not pass the caller whose
//! groups did not fit into the token.

use serde_json::{Map, Value};
use tollward_policy::principal::Membership;

/// Most groups or roles that are looked at. A token of 16 KiB rarely has as many.
const MAX_NAMES: usize = 1_000;

/// What the first of these claims that is present says. A name that begins with `/` is a JSON pointer (RFC 6901).
pub(super) fn read(claims: &Map<String, Value>, names: &[String]) -> Membership {
    if names.iter().any(|name| is_elsewhere(claims, name)) {
        return Membership::Unknown;
    }
    let found = names.iter().find_map(|name| find(claims, name));
    found.and_then(texts).map_or(Membership::Unknown, Membership::Known)
}

fn find<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    let Some(pointer) = name.strip_prefix('/') else {
        return claims.get(name);
    };
    let (first, rest) = pointer.split_once('/').map_or((pointer, None), |(first, rest)| (first, Some(rest)));
    let claim = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
    rest.map_or(Some(claim), |rest| claim.pointer(&format!("/{rest}")))
}

/// Marks of a token into which the groups did not fit: OpenID Connect's distributed claims (Core section 5.6.2), and
/// Entra's `hasgroups` and `groups:srcN`.
fn is_elsewhere(claims: &Map<String, Value>, name: &str) -> bool {
    let top = name.strip_prefix('/').map_or(name, |pointer| pointer.split('/').next().unwrap_or_default());
    let distributed = claims.get("_claim_names").is_some_and(|names| {
        // What is no object can't be read, and may say anything.
        names.as_object().is_none_or(|names| names.contains_key(top))
    });
    let overage = top == "groups"
        && (claims.get("hasgroups").is_some_and(|mark| !matches!(mark, Value::Bool(false)))
            || claims.keys().any(|claim| claim.starts_with("groups:")));
    distributed || overage
}

/// A list of texts. A single text is one name: providers write a list of one so.
fn texts(claim: &Value) -> Option<Vec<String>> {
    if let Value::String(one) = claim {
        return Some(vec![one.clone()]);
    }
    let list = claim.as_array().filter(|list| list.len() <= MAX_NAMES)?;
    list.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::read;
    use serde_json::json;
    use tollward_policy::principal::Membership;

    fn groups(claims: &serde_json::Value, names: &[&str]) -> Membership {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        read(claims.as_object().unwrap(), &names)
    }

    fn known(names: &[&str]) -> Membership {
        Membership::Known(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn the_first_claim_that_is_present_counts_also_inside_of_another() {
        let token = json!({
            "groups": ["a", "b"],
            "https://shop.example/roles": ["c"],
            "realm_access": {"roles": ["d"]},
            "resource_access": {"my/client": {"roles": []}},
            "role": "e",
        });
        assert_eq!(groups(&token, &["groups"]), known(&["a", "b"]));
        assert_eq!(groups(&token, &["absent", "https://shop.example/roles"]), known(&["c"]));
        assert_eq!(groups(&token, &["/realm_access/roles"]), known(&["d"]));
        assert_eq!(groups(&token, &["/resource_access/my~1client/roles", "groups"]), known(&[]));
        assert_eq!(groups(&token, &["role"]), known(&["e"]));
    }

    #[test]
    fn what_can_not_be_known_is_unknown_and_not_none() {
        let unknown = [
            json!({}),
            json!({"groups": null}),
            json!({"groups": {"a": true}}),
            json!({"groups": ["a", 7]}),
            json!({"groups": vec!["a"; 1001]}),
            json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://x"}}}),
            json!({"groups": ["a"], "_claim_names": {"groups": "src1"}}),
            json!({"groups": ["a"], "_claim_names": "groups"}),
            json!({"hasgroups": true}),
            json!({"groups": ["a"], "hasgroups": "true"}),
            json!({"groups:src1": "https://graph.example"}),
        ];
        for token in unknown {
            assert_eq!(groups(&token, &["groups"]), Membership::Unknown, "{token}");
        }
        assert_eq!(groups(&json!({"groups": ["a"]}), &[]), Membership::Unknown, "no claim is configured");
        assert_eq!(groups(&json!({"groups": ["a"], "_claim_names": {"roles": "src1"}}), &["groups"]), known(&["a"]));
        assert_eq!(groups(&json!({"groups": ["a"], "hasgroups": false}), &["groups"]), known(&["a"]));
    }
}
