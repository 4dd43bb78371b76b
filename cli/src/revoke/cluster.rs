//! The API server, as the kubeconfig has it. Objects are read as they come: an emergency is no time to find out that this
//! program is older than the definitions.

use anyhow::Context as _;
use http::Request;
use kube::config::KubeConfigOptions;
use kube::{Client, Config};
use serde_json::Value;
use std::time::Duration;
use tollward_api::API_VERSION;

/// Longest time for one request.
const PATIENCE: Duration = Duration::from_secs(10);
/// The field manager of entries.
const FIELD_MANAGER: &str = "tollward-revoke";

/// A connection.
pub(super) struct Cluster {
    client: Client,
    namespace: String,
}

/// What became of a patch.
pub(super) enum Patched {
    /// The object as it is now.
    Done(Value),
    /// The object is not the one that was read any more, or the API server says that it can't be changed so.
    Refused(String),
}

impl Cluster {
    /// Connects by a context of the kubeconfig, or from within a pod.
    pub(super) async fn connect(context: Option<&str>, namespace: Option<&str>) -> anyhow::Result<Self> {
        let config = match context {
            Some(_) => {
                let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
                Config::from_kubeconfig(&options).await.context("the kubeconfig can't be used")
            }
            None => Config::infer().await.context("there is no kubeconfig that can be used"),
        };
        let mut config = config?;
        config.connect_timeout = Some(PATIENCE);
        config.read_timeout = Some(PATIENCE);
        let namespace = namespace.map_or_else(|| config.default_namespace.clone(), str::to_owned);
        let client = Client::try_from(config).context("no connection to the API server can be made")?;
        Ok(Self { client, namespace })
    }

    /// The namespace of the provider.
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The `IdentityProvider` of this name.
    pub(super) async fn provider(&self, name: &str) -> anyhow::Result<Value> {
        let place = self.place(name);
        self.get(&place).await.with_context(|| format!("IdentityProvider {}/{name} can't be read", self.namespace))
    }

    /// Changes the `IdentityProvider` of this name.
    pub(super) async fn patch(&self, name: &str, operations: &[Value]) -> anyhow::Result<Patched> {
        let uri = format!("{}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict", self.place(name));
        let request = Request::patch(uri)
            .header("content-type", "application/json-patch+json")
            .body(serde_json::to_vec(operations).context("a patch is JSON")?)?;
        match self.client.request(request).await {
            Ok(changed) => Ok(Patched::Done(changed)),
            Err(kube::Error::Api(status)) if matches!(status.code, 409 | 422) => Ok(Patched::Refused(status.message)),
            Err(error) => Err(said(error)).with_context(|| {
                format!("IdentityProvider {}/{name} can't be changed, so that nothing is revoked", self.namespace)
            }),
        }
    }

    /// Every `MCPServer` of the cluster.
    pub(super) async fn servers(&self) -> anyhow::Result<Vec<Value>> {
        let list = self.get(&format!("/apis/{API_VERSION}/mcpservers")).await;
        let mut list = list.context("the MCPServers of all namespaces can't be listed")?;
        match list.pointer_mut("/items").map(Value::take) {
            Some(Value::Array(servers)) => Ok(servers),
            Some(_) | None => Ok(Vec::new()),
        }
    }

    fn place(&self, name: &str) -> String {
        format!("/apis/{API_VERSION}/namespaces/{}/identityproviders/{name}", self.namespace)
    }

    async fn get(&self, uri: &str) -> anyhow::Result<Value> {
        self.client.request(Request::get(uri).body(Vec::new())?).await.map_err(said)
    }
}

/// What the API server says, in its words only.
fn said(error: kube::Error) -> anyhow::Error {
    if let kube::Error::Api(status) = &error {
        return anyhow::anyhow!("the API server says: {}", status.message);
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::said;
    use kube::core::Status;

    #[test]
    fn a_refusal_of_the_api_server_is_told_in_its_words_alone() {
        let status = Status::failure("identityproviders.tollward.dev \"x\" not found", "NotFound").with_code(404);
        let error = said(kube::Error::Api(status.boxed()));
        assert_eq!(error.to_string(), "the API server says: identityproviders.tollward.dev \"x\" not found");
    }
}
