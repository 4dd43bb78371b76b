//! The pages a user sees: consent, and errors that can't be told to a client. No scripts, no inline styles; each text
//! from outside is escaped by the template and set apart from Tollward's own words.

use askama::Template;

use super::request::AuthorizationRequest;
use crate::client::{Client, DisplayName};
use crate::config::Settings;
use crate::metadata::paths;
use crate::redirect::RedirectUri;

/// The style sheet of all pages.
pub(crate) const STYLE: &str = include_str!("../../templates/style.css");

/// What to say if the name isn't one.
pub(super) const NAME_HINT: &str = "Use 1 to 64 letters, digits or . _ @ + - without spaces.";

/// The consent page.
#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentPage {
    style: String,
    action: String,
    client_name: Option<DisplayName>,
    client_id: String,
    resource_name: String,
    resource_url: String,
    scopes: Vec<AskedScope>,
    destination: String,
    sealed: String,
    name_error: Option<&'static str>,
    form_action: String,
}

struct AskedScope {
    name: String,
    description: String,
}

impl ConsentPage {
    pub(super) fn ask(
        settings: &Settings,
        client: &Client,
        request: &AuthorizationRequest,
        sealed: String,
        name_error: Option<&'static str>,
    ) -> Self {
        let resource = settings.resources.iter().find(|resource| resource.id == request.resource);
        let described = resource.into_iter().flat_map(|resource| &resource.scopes);
        let asked = described.filter(|scope| request.scopes.contains(&scope.name));
        let redirect = RedirectUri::parse(&request.redirect_uri, &settings.private_use_schemes).ok();
        Self {
            style: settings.issuer.path_of(paths::STYLE),
            action: settings.issuer.path_of(paths::AUTHORIZE),
            client_name: client.name.clone(),
            client_id: client.id.as_str().to_owned(),
            resource_name: resource.map_or_else(String::new, |resource| resource.name.clone()),
            resource_url: request.resource.as_str().to_owned(),
            scopes: asked
                .map(|scope| AskedScope {
                    name: scope.name.as_str().to_owned(),
                    description: scope.description.clone(),
                })
                .collect(),
            destination: redirect.as_ref().map_or_else(String::new, RedirectUri::destination),
            sealed,
            name_error,
            form_action: redirect.as_ref().map_or_else(String::new, RedirectUri::form_action_source),
        }
    }

    /// The page's policy. Browsers hold the redirect after the form against `form-action` too.
    pub(crate) fn content_security_policy(&self) -> String {
        policy(&format!("'self' {}", self.form_action))
    }
}

/// The page for errors that can't be told to a client.
#[derive(Template)]
#[template(path = "refused.html")]
pub(crate) struct RefusedPage {
    pub(crate) style: String,
    pub(crate) message: String,
}

impl RefusedPage {
    /// The page's policy: nothing can be sent from it.
    pub(crate) fn content_security_policy() -> String {
        policy("'none'")
    }
}

fn policy(form_action: &str) -> String {
    format!("default-src 'none'; style-src 'self'; form-action {form_action}; base-uri 'none'; frame-ancestors 'none'")
}
