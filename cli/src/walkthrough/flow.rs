//! The authorization code flow with PKCE (OAuth 2.1 section 4.1) as an MCP client and its user's browser go through it,
//! in three parts that steps show one by one, and as a whole.

use super::browser::Browser;
use super::client::Answer;
use super::consent::Page;
use super::pkce::{Verifier, random};
use super::script::REDIRECT;
use super::token::Token;
use super::walk::Walk;
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use std::collections::BTreeMap;
use url::{Url, form_urlencoded};

/// The endpoints that discovery found.
#[derive(Debug, Clone)]
pub(super) struct Servers {
    pub(super) issuer: String,
    pub(super) authorization: String,
    pub(super) token: String,
    pub(super) registration: String,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) client_id: &'a str,
    pub(super) resource: &'a str,
    pub(super) scopes: &'a [String],
}

/// The consent page in the browser.
pub(super) struct Opened {
    pub(super) page: Page,
    browser: Browser,
    state: String,
    verifier: Verifier,
}

impl Opened {
    /// Where the page's form goes.
    pub(super) fn action(&self) -> anyhow::Result<Url> {
        self.browser.address(&self.page.action)
    }

    /// Shows what the page asks the user for, which must be one permission for each scope.
    pub(super) fn show_permissions(&self, walk: &Walk<'_>, scopes: &[String]) -> anyhow::Result<()> {
        let items = &self.page.items;
        for item in items {
            walk.show.pair("the page asks to", item);
        }
        ensure!(items.len() == scopes.len(), "the page lists {} permissions for {} scopes", items.len(), scopes.len());
        Ok(())
    }
}

/// A code in the client's hands.
pub(super) struct Consented {
    pub(super) client_id: String,
    pub(super) resource: String,
    pub(super) scopes: Vec<String>,
    pub(super) user: String,
    code: String,
    verifier: Verifier,
}

/// The browser opens the consent page.
pub(super) async fn open(walk: &Walk<'_>, servers: &Servers, ask: Ask<'_>) -> anyhow::Result<Opened> {
    let (verifier, state) = (Verifier::new()?, random()?);
    let query = form(&[
        ("response_type", "code"),
        ("client_id", ask.client_id),
        ("redirect_uri", REDIRECT),
        ("scope", &ask.scopes.join(" ")),
        ("resource", ask.resource),
        ("state", &state),
        ("code_challenge", &verifier.challenge()),
        ("code_challenge_method", "S256"),
    ]);
    let mut browser = Browser::at(&servers.authorization)?;
    let answer = browser.open(&walk.client, &format!("{}?{query}", servers.authorization)).await?;
    if answer.status.is_redirection() {
        let refused = parameters(&answer)?;
        anyhow::bail!(
            "the authorization server refused: {}",
            refused.get("error_description").or(refused.get("error")).map_or("", String::as_str)
        );
    }
    let answer = answer.expect(StatusCode::OK)?;
    ensure!(browser.is_known(), "the page sets no cookie");
    Ok(Opened { page: Page::parse(&answer.text())?, browser, state, verifier })
}

/// The user signs in and approves; the redirect brings the code.
pub(super) async fn approve(
    walk: &Walk<'_>,
    servers: &Servers,
    ask: Ask<'_>,
    opened: Opened,
    user: &str,
) -> anyhow::Result<(Consented, Answer)> {
    let Opened { page, mut browser, state, verifier } = opened;
    let mut fields: Vec<_> = page.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.extend([("name", user), ("decision", "approve")]);
    let answer = browser.submit(&walk.client, &page.action, form(&fields)).await?;
    ensure!(
        answer.status.is_redirection(),
        "the form should lead back to the client, and is answered by {}",
        answer.status
    );
    let back = parameters(&answer)?;
    ensure!(back.get("state") == Some(&state), "the redirect does not carry the `state` of the request");
    ensure!(back.get("iss") == Some(&servers.issuer), "the redirect's `iss` is not the issuer (RFC 9207)");
    let code = back.get("code").context("the redirect carries no code")?.clone();
    let consented = Consented {
        client_id: ask.client_id.to_owned(),
        resource: ask.resource.to_owned(),
        scopes: ask.scopes.to_vec(),
        user: user.to_owned(),
        code,
        verifier,
    };
    Ok((consented, answer))
}

/// The client exchanges the code, and gets what was asked for and nothing else.
pub(super) async fn redeem(
    walk: &Walk<'_>,
    servers: &Servers,
    consented: &Consented,
) -> anyhow::Result<(Token, Answer)> {
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", &consented.code),
        ("redirect_uri", REDIRECT),
        ("client_id", &consented.client_id),
        ("code_verifier", consented.verifier.secret()),
        ("resource", &consented.resource),
    ]);
    let request = Request::post(&servers.token)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "application/json")
        .body(Full::<Bytes>::from(body));
    let answer = walk.client.send(request.context("the code can't be sent")?).await?.expect(StatusCode::OK)?;
    let json = answer.json()?;
    let text = json.get("access_token").and_then(|token| token.as_str()).context("the answer has no access_token")?;
    let token = Token::read(text.to_owned())?;
    ensure!(
        token.text("sub") == consented.user,
        "the token is for `{}` instead of `{}`",
        token.text("sub"),
        consented.user
    );
    ensure!(
        token.text("aud") == consented.resource,
        "the token's audience is `{}` instead of `{}`",
        token.text("aud"),
        consented.resource
    );
    let missing = consented.scopes.iter().find(|scope| !token.scopes().contains(scope));
    ensure!(
        missing.is_none(),
        "the token lacks the scope `{}` that was consented to",
        missing.map_or("", String::as_str)
    );
    Ok((token, answer))
}

/// All three parts, not shown.
pub(super) async fn sign_in(walk: &Walk<'_>, servers: &Servers, ask: Ask<'_>, user: &str) -> anyhow::Result<Token> {
    let opened = open(walk, servers, ask).await?;
    let (consented, _) = approve(walk, servers, ask, opened, user).await?;
    Ok(redeem(walk, servers, &consented).await?.0)
}

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// The parameters of a redirect, which must go to the client.
fn parameters(answer: &Answer) -> anyhow::Result<BTreeMap<String, String>> {
    let location = answer.header("location").context("the redirect has no Location")?;
    let url = Url::parse(location).context("the redirect's Location is no URL")?;
    ensure!(location.starts_with(REDIRECT), "the redirect does not go to the registered address");
    Ok(url.query_pairs().into_owned().collect())
}
