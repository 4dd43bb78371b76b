//! One question to an introspection endpoint, and the judgement of how it was answered (RFC 7662 §2). What the answer says about
//! the token is `answer`'s.

use super::answer::Members;
use super::client;
use super::trouble::Trouble;
use crate::authenticate::fetch::{Document, Fetch, Form};
use crate::authenticate::json;
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use std::path::Path;
use tollward_netguard::BasicCredentials;
use tollward_policy::config::{ClientAuthentication, IntrospectionClient};

/// Asks about a token.
pub(super) async fn ask(
    fetch: &dyn Fetch,
    url: &str,
    token: &SecretString,
    client: &IntrospectionClient,
    ca_file: Option<&Path>,
) -> Result<Members, Trouble> {
    let IntrospectionClient { id, authentication, secret_file } = client;
    let secret = client::secret(secret_file)?;
    let mut fields = vec![("token", token.expose_secret()), ("token_type_hint", "access_token")];
    let basic = match authentication {
        ClientAuthentication::Basic => Some(BasicCredentials::new(id.clone(), secret)),
        ClientAuthentication::Post => {
            fields.extend([("client_id", id.as_str()), ("client_secret", secret.expose_secret())]);
            None
        }
    };
    judge(fetch.post_form(url, Form { fields: &fields, basic: basic.as_ref() }, ca_file).await, url)
}

fn judge(answered: Result<Document, crate::authenticate::fetch::FetchFailure>, url: &str) -> Result<Members, Trouble> {
    let url = || url.to_owned();
    let Document { status, content_type, cache_control: _, body } =
        answered.map_err(|source| Trouble::Fetch { url: url(), source })?;
    match status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => return Err(Trouble::Credentials { url: url(), status }),
        // RFC 6749 §5.2 has 400 for clients that did not use the Authorization header.
        StatusCode::BAD_REQUEST if is_about_client(&body) => return Err(Trouble::Credentials { url: url(), status }),
        // A firewall in front says it about a token that looks like an attack, and whoever sends such ones must not be able to
        // have the endpoint left alone.
        StatusCode::FORBIDDEN if is_of_oauth(&body) => return Err(Trouble::Credentials { url: url(), status }),
        status => return Err(Trouble::Status { url: url(), status }),
    }
    let essence = content_type.as_deref().and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/token-introspection+jwt") {
        return Err(Trouble::Signed { url: url() });
    }
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Trouble::MediaType { url: url() });
    }
    json::object(&body).map_err(|_| Trouble::Malformed { url: url() })
}

fn is_about_client(body: &[u8]) -> bool {
    matches!(error(body).as_deref(), Some("invalid_client" | "unauthorized_client"))
}

/// Keycloak has `invalid_request` for clients that may not introspect.
fn is_of_oauth(body: &[u8]) -> bool {
    let known = ["invalid_client", "unauthorized_client", "access_denied", "invalid_request", "insufficient_scope"];
    error(body).is_some_and(|error| known.contains(&error.as_str()))
}

fn error(body: &[u8]) -> Option<String> {
    json::object(body).ok()?.remove("error")?.as_str().map(str::to_owned)
}
