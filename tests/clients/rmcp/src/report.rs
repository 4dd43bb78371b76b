//! What happened, as one line of JSON.

use std::io::Write as _;
use std::process::ExitCode;

use rmcp::ServiceError;
use rmcp::model::Implementation;
use serde_json::{Value, json};

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) protocol_version: Option<String>,
    pub(crate) authorization_server: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) authorizations: u32,
    pub(crate) tools: Option<Vec<String>>,
    pub(crate) result: Option<Value>,
    error: Option<Value>,
}

impl Report {
    pub(crate) fn failed(&mut self, error: &anyhow::Error) {
        // A JSON-RPC error of the server has a code, an HTTP answer that was none only its text.
        let code = error.chain().find_map(|cause| {
            let Some(ServiceError::McpError(data)) = cause.downcast_ref::<ServiceError>() else { return None };
            Some(data.code.0)
        });
        // The SDK tells a refusal with a challenge by its kind alone, and one without by its text alone.
        let challenged = error.chain().find_map(|cause| {
            let refusal = cause.downcast_ref::<ServiceError>().filter(|refusal| refusal.auth_challenge().is_some())?;
            Some(if refusal.is_authorization_required() { 401 } else { 403 })
        });
        let message = format!("{error:#}");
        let status = challenged.or_else(|| message.split_once("HTTP ")?.1.get(..3)?.parse().ok());
        self.error = Some(json!({"name": "Error", "message": message, "code": code, "status": status}));
    }

    pub(crate) fn print(self) -> ExitCode {
        let sdk = Implementation::from_build_env();
        let done = self.error.is_none();
        let line = json!({
            "sdk": format!("{} {}", sdk.name, sdk.version),
            "protocolVersion": self.protocol_version,
            // The SDK keeps the document to itself.
            "resourceMetadata": null,
            "authorizationServer": self.authorization_server,
            "clientId": self.client_id,
            "scopes": self.scopes,
            "authorizations": self.authorizations,
            "tools": self.tools,
            "result": self.result,
            "error": self.error,
        });
        let written = writeln!(std::io::stdout(), "{line}");
        if done && written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
