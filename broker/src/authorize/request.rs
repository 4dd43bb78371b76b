//! From parameters to a checked authorization request, in the order that RFC 6749 section 4.1.2.1 demands: first who
//! asks and where the answer goes, and only then anything that is told to that address.

use serde::{Deserialize, Serialize};

use super::respond::ClientRedirect;
use crate::client::{Client, ClientId};
use crate::config::Settings;
use crate::error::{ParametersError, RequestError, UnverifiedError};
use crate::parameters::Parameters;
use crate::redirect::RedirectUri;
use crate::resource::{ProtectedResource, ResourceId};
use crate::scope::ScopeSet;

const MAX_STATE_BYTES: usize = 2048;
/// Base64url of 32 bytes.
const CHALLENGE_BYTES: usize = 43;

/// Who a request says it comes from and where its answer should go.
pub(super) struct Claimed {
    pub(super) client_id: ClientId,
    redirect_uri: String,
}

impl Claimed {
    pub(super) fn read(parameters: &Parameters) -> Result<Self, UnverifiedError> {
        let client_id = parameters.get("client_id")?.ok_or(UnverifiedError::ClientMissing)?;
        let redirect_uri = parameters.get("redirect_uri")?.ok_or(UnverifiedError::RedirectMissing)?;
        Ok(Self {
            client_id: ClientId::parse(client_id).ok_or(UnverifiedError::ClientUnknown)?,
            redirect_uri: redirect_uri.to_owned(),
        })
    }
}

/// A registered client and a redirect URI it registered.
pub(super) struct Verified {
    pub(super) client: Client,
    redirect_uri: RedirectUri,
}

impl Verified {
    pub(super) fn check(
        claimed: &Claimed,
        client: Option<Client>,
        private_use_schemes: &[String],
    ) -> Result<Self, UnverifiedError> {
        let client = client.ok_or(UnverifiedError::ClientUnknown)?;
        let redirect_uri = RedirectUri::parse(&claimed.redirect_uri, private_use_schemes)
            .map_err(|_| UnverifiedError::RedirectUnregistered)?;
        if !client.admits(&redirect_uri) {
            return Err(UnverifiedError::RedirectUnregistered);
        }
        Ok(Self { client, redirect_uri })
    }

    pub(super) fn redirect_with_error(
        &self,
        settings: &Settings,
        parameters: &Parameters,
        error: RequestError,
    ) -> ClientRedirect {
        let state = parameters.get("state").ok().flatten().filter(|state| state.len() <= MAX_STATE_BYTES);
        ClientRedirect::with_error(self.redirect_uri.as_str(), error, state, settings.issuer.as_str())
    }
}

/// A request that only needs the user's answer. It travels through the browser sealed.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct AuthorizationRequest {
    pub(super) client_id: ClientId,
    pub(super) redirect_uri: String,
    pub(super) resource: ResourceId,
    pub(super) scopes: ScopeSet,
    pub(super) code_challenge: String,
    state: Option<String>,
}

impl AuthorizationRequest {
    pub(super) fn check(
        parameters: &Parameters,
        verified: &Verified,
        settings: &Settings,
    ) -> Result<Self, RequestError> {
        let once = ["response_type", "response_mode", "state", "scope", "code_challenge", "code_challenge_method"];
        if let Some(name) = parameters.first_repeated(&once) {
            return Err(RequestError::Parameters(ParametersError::Repeated(name)));
        }
        check_response(parameters)?;
        let state = parameters.get("state")?;
        if state.is_some_and(|state| state.len() > MAX_STATE_BYTES) {
            return Err(RequestError::StateTooLong);
        }
        let code_challenge = check_challenge(parameters)?;
        let resource = check_resource(parameters, settings)?;
        let scopes = check_scopes(parameters, resource)?;
        Ok(Self {
            client_id: verified.client.id.clone(),
            redirect_uri: verified.redirect_uri.as_str().to_owned(),
            resource: resource.id.clone(),
            scopes,
            code_challenge,
            state: state.map(str::to_owned),
        })
    }

    /// To verify client and redirect URI again when the answer comes: both may be gone by then.
    pub(super) fn claimed(&self) -> Claimed {
        Claimed { client_id: self.client_id.clone(), redirect_uri: self.redirect_uri.clone() }
    }

    pub(super) fn redirect_with_code(&self, settings: &Settings, code: &str) -> ClientRedirect {
        ClientRedirect::with_code(&self.redirect_uri, code, self.state.as_deref(), settings.issuer.as_str())
    }

    pub(super) fn redirect_with_error(&self, settings: &Settings, error: RequestError) -> ClientRedirect {
        ClientRedirect::with_error(&self.redirect_uri, error, self.state.as_deref(), settings.issuer.as_str())
    }
}

fn check_response(parameters: &Parameters) -> Result<(), RequestError> {
    if parameters.is_repeated("request") || parameters.is_repeated("request_uri") {
        return Err(RequestError::RequestObject);
    }
    if parameters.get("request")?.is_some() || parameters.get("request_uri")?.is_some() {
        return Err(RequestError::RequestObject);
    }
    match parameters.get("response_type")? {
        Some("code") => {}
        Some(_) => return Err(RequestError::ResponseType),
        None => return Err(RequestError::ResponseTypeMissing),
    }
    match parameters.get("response_mode")? {
        None | Some("query") => Ok(()),
        Some(_) => Err(RequestError::ResponseMode),
    }
}

fn check_challenge(parameters: &Parameters) -> Result<String, RequestError> {
    let challenge = parameters.get("code_challenge")?.ok_or(RequestError::ChallengeMissing)?;
    // A missing method means `plain` (RFC 7636 section 4.3).
    if parameters.get("code_challenge_method")? != Some("S256") {
        return Err(RequestError::ChallengeMethod);
    }
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if challenge.len() != CHALLENGE_BYTES || !challenge.bytes().all(base64url) {
        return Err(RequestError::ChallengeMalformed);
    }
    Ok(challenge.to_owned())
}

fn check_resource<'a>(parameters: &Parameters, settings: &'a Settings) -> Result<&'a ProtectedResource, RequestError> {
    if parameters.is_repeated("resource") {
        return Err(RequestError::ResourceRepeated);
    }
    let presented = parameters.get("resource")?.ok_or(RequestError::ResourceMissing)?;
    settings.resource(presented).ok_or(RequestError::ResourceUnknown)
}

fn check_scopes(parameters: &Parameters, resource: &ProtectedResource) -> Result<ScopeSet, RequestError> {
    let asked = parameters.get("scope")?.map(ScopeSet::parse).transpose()?.filter(|scopes| !scopes.is_empty());
    let scopes = asked.unwrap_or_else(|| resource.default_scopes.clone());
    if scopes.is_empty() {
        return Err(RequestError::ScopeMissing);
    }
    if !scopes.is_subset(&resource.all_scopes()) {
        return Err(RequestError::ScopeUnknown);
    }
    Ok(scopes)
}
