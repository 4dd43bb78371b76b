//! The visit: connect, list, call; each once more after an authorization that the server asked for.

use anyhow::{Context as _, Result, bail};
use rmcp::ServiceError;
use rmcp::model::{CallToolRequestParams, CallToolResult, ClientConfig, ProtocolVersion};
use rmcp::service::{ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::WWWAuthenticateParams;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

use crate::arguments::Arguments;
use crate::authorization::{self, Client};
use crate::report::Report;

type Session = RunningService<RoleClient, ClientConfig>;

/// Does all that was asked for.
pub(crate) async fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let mut client = authorization::client(&arguments.url).await?;
    let session = match open(arguments, &client).await {
        Ok(session) => session,
        Err(error) => {
            let Some(challenge) = error.auth_challenge().map(str::to_owned) else { return Err(error.into()) };
            if arguments.token.is_some() {
                return Err(error.into());
            }
            client = authorization::sign_in(arguments, &challenge, report).await?;
            open(arguments, &client).await?
        }
    };
    report.protocol_version = session.peer().peer_info().map(|info| info.protocol_version.to_string());
    if arguments.list {
        let tools = session.list_all_tools().await?;
        report.tools = Some(tools.into_iter().map(|tool| tool.name.into_owned()).collect());
    }
    if let Some(tool) = &arguments.call {
        let result = call(arguments, tool, &session, &client, report).await?;
        report.result = Some(serde_json::to_value(result)?);
    }
    session.cancel().await?;
    Ok(())
}

async fn open(arguments: &Arguments, client: &Client) -> Result<Session, ClientInitializeError> {
    let mut config = StreamableHttpClientTransportConfig::with_uri(arguments.url.as_str());
    if let Some(token) = &arguments.token {
        config = config.auth_header(token);
    }
    let transport = StreamableHttpClientTransport::with_client(client.clone(), config);
    ClientConfig::default().serve_with_lifecycle(transport, lifecycle(&arguments.protocol)).await
}

fn lifecycle(protocol: &str) -> ClientLifecycleMode {
    let modern = vec![ProtocolVersion::V_2026_07_28];
    match protocol {
        "auto" => ClientLifecycleMode::Auto { preferred_versions: modern, legacy_version: None },
        "legacy" => ClientLifecycleMode::Initialize,
        _ => ClientLifecycleMode::Discover { preferred_versions: modern },
    }
}

/// Calls the tool; while the server asks for more scopes and the SDK has not asked too often, once more.
async fn call(
    arguments: &Arguments,
    tool: &str,
    session: &Session,
    client: &Client,
    report: &mut Report,
) -> Result<CallToolResult> {
    let object = serde_json::from_str(&arguments.args).context("--args is no JSON object")?;
    let parameters = CallToolRequestParams::new(tool.to_owned()).with_arguments(object);
    loop {
        let error = match session.call_tool(parameters.clone()).await {
            Ok(result) => return Ok(result),
            Err(error) => error,
        };
        let Some(scope) = missing_scope(&error, &arguments.url)? else { return Err(error.into()) };
        if arguments.token.is_some() || !arguments.step_up {
            return Err(error.into());
        }
        authorization::step_up(arguments, client, &scope, report).await?;
    }
}

/// The scopes that a refusal names.
fn missing_scope(error: &ServiceError, url: &str) -> Result<Option<String>> {
    let Some(challenge) = error.auth_challenge() else { return Ok(None) };
    let parameters = WWWAuthenticateParams::parse(challenge, &reqwest::Url::parse(url)?);
    if !parameters.is_insufficient_scope() {
        bail!("the server asks for something else than more scopes: {challenge}");
    }
    Ok(parameters.scope)
}
