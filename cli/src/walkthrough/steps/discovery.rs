//! Step 2: from the challenge to the authorization server, by two documents (RFC 9728, RFC 8414).

use crate::walkthrough::challenge::Challenge;
use crate::walkthrough::flow::Servers;
use crate::walkthrough::walk::Walk;
use anyhow::{Context as _, ensure};
use http::StatusCode;
use serde_json::Value;

pub(in crate::walkthrough) async fn play(walk: &Walk<'_>, challenge: &Challenge) -> anyhow::Result<Servers> {
    walk.show.step(2, "Discovery");
    walk.show.say("The client follows the challenge: first to the metadata of the MCP endpoint, then to that of its authorization server.");
    let issuer = resource(walk, challenge.get("resource_metadata").unwrap_or_default()).await?;
    let url = format!("{issuer}/.well-known/oauth-authorization-server");
    let answer = walk.client.get(&url).await?.expect(StatusCode::OK)?;
    walk.show.sent(&format!("GET {url}"), &[]);
    walk.show.answered(&answer, &[]);
    let document = answer.json()?;
    let servers = Servers {
        issuer: text(&document, "issuer")?,
        authorization: text(&document, "authorization_endpoint")?,
        token: text(&document, "token_endpoint")?,
        registration: text(&document, "registration_endpoint")?,
    };
    for (name, value) in [
        ("authorization_endpoint", &servers.authorization),
        ("token_endpoint", &servers.token),
        ("registration_endpoint", &servers.registration),
    ] {
        walk.show.pair(name, value);
    }
    ensure!(
        servers.issuer == issuer,
        "the document is of issuer `{}`, not of `{issuer}` (RFC 8414 section 3.3)",
        servers.issuer
    );
    let methods =
        document.get("code_challenge_methods_supported").and_then(Value::as_array).cloned().unwrap_or_default();
    ensure!(methods.contains(&"S256".into()), "the authorization server does not support PKCE with S256");
    walk.show.checked("Both documents name exactly the server they were asked for, and PKCE with S256 is supported. MCP clients do all this by themselves.");
    Ok(servers)
}

/// The metadata of the endpoint; its authorization server.
async fn resource(walk: &Walk<'_>, url: &str) -> anyhow::Result<String> {
    let answer = walk.client.get(url).await?.expect(StatusCode::OK)?;
    walk.show.sent(&format!("GET {url}"), &[]);
    walk.show.answered(&answer, &[]);
    let document = answer.json()?;
    let resource = text(&document, "resource")?;
    let issuer = document
        .pointer("/authorization_servers/0")
        .and_then(Value::as_str)
        .context("the metadata names no authorization server")?;
    walk.show.pair("resource", &resource);
    walk.show.pair("authorization_servers", issuer);
    ensure!(resource == walk.scene.endpoint(), "the metadata is of `{resource}` (RFC 9728 section 3.3)");
    ensure!(
        issuer == walk.scene.issuer,
        "the metadata names `{issuer}` instead of the authorization server that the policy names"
    );
    Ok(issuer.to_owned())
}

fn text(document: &Value, name: &str) -> anyhow::Result<String> {
    let value = document.get(name).and_then(Value::as_str);
    value.map(str::to_owned).with_context(|| format!("the metadata has no `{name}`"))
}
