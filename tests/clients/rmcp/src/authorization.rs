//! What an application does when it is told that authorization is required: it lets the SDK make an authorization URL,
//! sends a person there, and gives the SDK what the person came back with.

use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use rmcp::transport::AuthClient;
use rmcp::transport::auth::{
    AuthorizationCallback, AuthorizationManager, AuthorizationRequest, CredentialStore as _, InMemoryCredentialStore,
    OAuthState,
};
use tokio::process::Command;

use crate::arguments::Arguments;
use crate::report::Report;

/// Where the person is sent back to. Nobody listens there: the person's program tells.
const REDIRECT_URI: &str = "http://127.0.0.1:33418/callback";

/// The HTTP client of the session, with the tokens that it has by then.
pub(crate) type Client = AuthClient<reqwest::Client>;

/// A client that has no tokens yet.
pub(crate) async fn client(url: &str) -> Result<Client> {
    Ok(AuthClient::new(reqwest::Client::new(), AuthorizationManager::new(url).await?))
}

/// Answers the first challenge: discovery, registration and sign-in.
pub(crate) async fn sign_in(arguments: &Arguments, challenge: &str, report: &mut Report) -> Result<Client> {
    let store = InMemoryCredentialStore::new();
    let mut manager = AuthorizationManager::new(&arguments.url).await?;
    manager.set_credential_store(store.clone());
    let mut state = OAuthState::Unauthorized(manager);
    let mut request = AuthorizationRequest::new(REDIRECT_URI)
        .with_client_name("Tollward test client")
        .with_initial_scope_selection()
        .with_challenge(challenge);
    if let Some(id) = &arguments.client_id {
        request = request.with_preregistered_client(id);
    }
    if let Some(url) = &arguments.client_metadata_url {
        request = request.with_client_metadata_url(url);
    }
    state.start_authorization(request).await.context("the SDK can't start the authorization")?;
    let came_back = visit(arguments, &state.get_authorization_url().await?, report).await?;
    state.handle_callback_url(&came_back).await.context("the SDK refuses what the person came back with")?;
    let manager = state.into_authorization_manager().context("the SDK is not authorized")?;
    report.authorization_server = store.load().await?.and_then(|stored| stored.issuer);
    note(&manager, report).await?;
    Ok(AuthClient::new(reqwest::Client::new(), manager))
}

/// Answers a later challenge that names more scopes.
pub(crate) async fn step_up(arguments: &Arguments, client: &Client, scope: &str, report: &mut Report) -> Result<()> {
    let manager = client.auth_manager.lock().await;
    let url = manager.request_scope_upgrade(scope).await.context("the SDK can't ask for more scopes")?;
    let came_back = AuthorizationCallback::from_redirect_url(&visit(arguments, &url, report).await?)?;
    let AuthorizationCallback { code, csrf_token, issuer, .. } = &came_back;
    manager.exchange_code_for_token_with_issuer(code, csrf_token, issuer.as_deref()).await?;
    note(&manager, report).await
}

async fn note(manager: &AuthorizationManager, report: &mut Report) -> Result<()> {
    let (client_id, _) = manager.get_credentials().await?;
    report.client_id = Some(client_id);
    report.scopes = Some(manager.get_current_scopes().await);
    Ok(())
}

/// Sends a person to the authorization URL; gives the address that they came back to.
async fn visit(arguments: &Arguments, url: &str, report: &mut Report) -> Result<String> {
    if report.authorizations > 0 && !arguments.step_up {
        bail!("the server asks for a second authorization: pass --step-up to allow it");
    }
    report.authorizations += 1;
    let mut node = Command::new("node");
    node.arg(arguments.person.join("person.mjs")).arg(url).stderr(Stdio::inherit());
    for (name, value) in [("--user", &arguments.user), ("--password", &arguments.password)] {
        if let Some(value) = value {
            node.args([name, value]);
        }
    }
    let output = node.output().await.context("can't start node")?;
    ensure!(output.status.success(), "the person did not come back");
    let came_back = reqwest::Url::parse(String::from_utf8(output.stdout)?.trim())?;
    if let Some((_, error)) = came_back.query_pairs().find(|(name, _)| name == "error") {
        bail!("the authorization server refuses: {error}");
    }
    Ok(came_back.into())
}
