//! Keys of a provider from a file, where the provider can't be reached from here.

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::StatusCode;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tollward_desired::LocalPlace;
use tollward_policy::config::Allowance;
use tollward_sidecar::authenticate::{Document, Fetch, FetchFailure, Form, ProviderStatus, Providers};

/// Where the data plane is told to look for keys that are in a file; nothing is ever fetched from there.
pub(super) const OFFLINE: &str = "https://offline.invalid/jwks";

/// Time for keys to be fetched: discovery and key set, each with its own bound.
const WAIT: Duration = Duration::from_secs(21);
/// Between two looks.
const PERIOD: Duration = Duration::from_millis(10);

/// A key set that was read.
pub(super) struct KeyFile(Bytes);

impl KeyFile {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
        Ok(Self(Bytes::from(bytes)))
    }
}

impl Fetch for KeyFile {
    /// Whether an opaque token is active is nothing that a file can say.
    fn post_form<'a>(
        &'a self,
        _: &'a str,
        _: Form<'a>,
        _: Option<&'a Path>,
    ) -> BoxFuture<'a, Result<Document, FetchFailure>> {
        let failure = FetchFailure {
            detail: "a token can't be introspected with --jwks".to_owned(),
            public: "a token can't be introspected with --jwks",
        };
        Box::pin(async move { Err(failure) })
    }

    fn get<'a>(&'a self, _: &'a str, _: Option<&'a Path>) -> BoxFuture<'a, Result<Document, FetchFailure>> {
        let document = Document {
            status: StatusCode::OK,
            content_type: Some("application/jwk-set+json".to_owned()),
            cache_control: None,
            body: self.0.clone(),
        };
        Box::pin(async move { Ok(document) })
    }
}

/// Waits until each provider's keys are there or could not be fetched, and says why not.
pub(super) async fn fetched(providers: &Providers) -> Vec<String> {
    let deadline = Instant::now() + WAIT;
    loop {
        let statuses = providers.statuses();
        let settled = statuses.iter().all(|status| status.ready || status.last_error.is_some());
        if settled || Instant::now() > deadline {
            let fault = |status: &ProviderStatus| status.last_error.clone().filter(|_| !status.ready);
            let named = |status: ProviderStatus| Some(format!("IdentityProvider {}: {}", status.name, fault(&status)?));
            return statuses.into_iter().filter_map(named).collect();
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// A provider on this machine may be asked, as in `tollward dev`.
pub(super) fn this_machine() -> Vec<Allowance> {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    LocalPlace::loopback(nowhere, nowhere, String::new()).allow
}
