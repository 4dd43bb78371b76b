//! Where an issuer is asked about tokens (RFC 8414 section 2, RFC 7662), and whether it takes the client's way of proving itself. Pure.

use serde_json::Value;
use tollward_policy::config::ClientAuthentication;

/// What a provider with introspection wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntrospectionQuestion {
    /// Where to ask, if not where the metadata says.
    pub endpoint_url: Option<String>,
    /// How the client proves itself.
    pub authentication: ClientAuthentication,
}

/// The endpoint, or what to change.
pub(super) fn endpoint(wanted: &IntrospectionQuestion, issuer: &str, metadata: &Value) -> Result<String, String> {
    let IntrospectionQuestion { endpoint_url, authentication } = wanted;
    let found = metadata.get("introspection_endpoint").and_then(Value::as_str);
    let endpoint = endpoint_url.as_deref().or(found).ok_or_else(|| {
        format!(
            "the metadata of {issuer} have no introspection_endpoint, so that it can't be asked about tokens; set \
             spec.external.introspection.endpointURL if it has one, else remove spec.external.introspection and let it issue JWTs"
        )
    })?;
    // Without the list everything may be supported; only what is said counts.
    let methods = metadata.get("introspection_endpoint_auth_methods_supported").and_then(Value::as_array);
    let name = match authentication {
        ClientAuthentication::Basic => "client_secret_basic",
        ClientAuthentication::Post => "client_secret_post",
    };
    let refused = methods.filter(|methods| !methods.iter().any(|method| method.as_str() == Some(name)));
    match refused {
        None => Ok(endpoint.to_owned()),
        Some(methods) => {
            let offered: Vec<_> = methods.iter().filter_map(Value::as_str).take(8).collect();
            Err(format!(
                "{issuer} takes no {name} for introspection, only {}; change spec.external.introspection.client.authentication",
                offered.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{IntrospectionQuestion, endpoint};
    use serde_json::json;
    use tollward_policy::config::ClientAuthentication;

    fn wanted(endpoint_url: Option<&str>) -> IntrospectionQuestion {
        IntrospectionQuestion {
            endpoint_url: endpoint_url.map(str::to_owned),
            authentication: ClientAuthentication::Post,
        }
    }

    #[test]
    fn the_endpoint_is_the_given_one_or_that_of_the_metadata() {
        let metadata = json!({"introspection_endpoint": "https://idp.example/introspect"});
        assert_eq!(endpoint(&wanted(None), "i", &metadata).unwrap(), "https://idp.example/introspect");
        assert_eq!(endpoint(&wanted(Some("https://x")), "i", &metadata).unwrap(), "https://x");
        assert_eq!(endpoint(&wanted(Some("https://x")), "i", &json!({})).unwrap(), "https://x");
        let error = endpoint(&wanted(None), "https://idp.example", &json!({"introspection_endpoint": 1})).unwrap_err();
        assert!(error.contains("endpointURL") && error.contains("https://idp.example"), "{error}");
    }

    #[test]
    fn a_way_of_authentication_that_the_issuer_does_not_take_is_named() {
        let methods = |list| json!({"introspection_endpoint": "https://x", "introspection_endpoint_auth_methods_supported": list});
        assert!(endpoint(&wanted(None), "i", &methods(json!(["client_secret_basic", "client_secret_post"]))).is_ok());
        let error = endpoint(&wanted(None), "i", &methods(json!(["private_key_jwt"]))).unwrap_err();
        assert!(error.contains("client_secret_post") && error.contains("only private_key_jwt"), "{error}");
    }
}
