//! The request of a token exchange: a trait, so that tests bring their own provider, and its one real implementation, which
//! dials through the guard.

use crate::authenticate::{Document, FetchFailure};
use crate::listen::Stamp;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tollward_netguard::{BasicCredentials, DialPolicy, Dialer, FetchLimits, Fetcher, Resolve, Target, TrustRoots};
use tollward_policy::config::ClientAuthentication;

/// `grant_type` (RFC 8693 section 2.1).
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// What is given, and what is asked for.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// One exchange. It has no `Debug`, since it holds the caller's token and the client's secret.
pub struct TokenRequest<'a> {
    /// The token endpoint.
    pub url: &'a str,
    /// Additional certificate authorities in PEM.
    pub ca_file: Option<&'a Path>,
    /// `client_id`.
    pub client: &'a str,
    /// The client's secret.
    pub secret: &'a str,
    /// How it is shown.
    pub authentication: ClientAuthentication,
    /// The caller's token.
    pub subject: &'a str,
    /// `audience`.
    pub audience: Option<&'a str>,
    /// `resource`.
    pub resource: Option<&'a str>,
    /// `scope`.
    pub scope: Option<&'a str>,
}

impl TokenRequest<'_> {
    /// The form.
    pub fn form(&self) -> Vec<(&'static str, &str)> {
        let mut form = vec![
            ("grant_type", GRANT),
            ("subject_token", self.subject),
            ("subject_token_type", ACCESS_TOKEN),
            ("requested_token_type", ACCESS_TOKEN),
        ];
        form.extend(self.audience.map(|audience| ("audience", audience)));
        form.extend(self.resource.map(|resource| ("resource", resource)));
        form.extend(self.scope.map(|scope| ("scope", scope)));
        match self.authentication {
            ClientAuthentication::Basic => {}
            ClientAuthentication::Post => form.extend([("client_id", self.client), ("client_secret", self.secret)]),
        }
        form
    }
}

/// Sends exchanges: bounded in time and size, without following redirects.
pub trait TokenEndpoint: Send + Sync + 'static {
    /// POSTs one exchange.
    fn exchange<'a>(&'a self, request: &'a TokenRequest<'a>) -> BoxFuture<'a, Result<Document, FetchFailure>>;
}

/// Sends exchanges through the guard against server-side request forgery.
pub struct GuardedTokenEndpoint {
    policy: DialPolicy,
    resolver: Arc<dyn Resolve>,
    limits: FetchLimits,
    /// Reading the system's authorities takes longer than the exchange.
    trust: Mutex<KnownRoots>,
}

/// Authorities by the file of additional ones, with the version of the file that they were read from.
type KnownRoots = HashMap<Option<PathBuf>, (Option<Stamp>, TrustRoots)>;

impl GuardedTokenEndpoint {
    /// Dials what `policy` permits, within `limits`.
    pub fn new(policy: DialPolicy, resolver: Arc<dyn Resolve>, limits: FetchLimits) -> Self {
        Self { policy, resolver, limits, trust: Mutex::default() }
    }

    async fn run(&self, request: &TokenRequest<'_>) -> Result<Document, FetchFailure> {
        let failed = |detail: String| FetchFailure { detail, public: "the token endpoint can't be asked" };
        let target = Target::parse(request.url).map_err(|error| failed(format!("{:?}: {error}", request.url)))?;
        let trust = self.trust(request.ca_file).await.map_err(failed)?;
        let dialer = Dialer::new(self.policy.clone(), Arc::clone(&self.resolver), &trust);
        let credentials = match request.authentication {
            ClientAuthentication::Basic => Some(BasicCredentials::new(request.client, request.secret.into())),
            ClientAuthentication::Post => None,
        };
        let fetcher = Fetcher::new(dialer, self.limits);
        let answered = fetcher.post_form(&target, &request.form(), credentials.as_ref()).await;
        answered.map_err(|error| failed(error.to_string()))
    }

    /// The authorities, read again when the additional ones change.
    async fn trust(&self, ca_file: Option<&Path>) -> Result<TrustRoots, String> {
        let stamp = ca_file.and_then(Stamp::of);
        let owned = ca_file.map(Path::to_owned);
        if let Some((_, roots)) = self.known().get(&owned).filter(|(known, _)| *known == stamp) {
            return Ok(roots.clone());
        }
        let file = owned.clone();
        let read = move || {
            let Some(path) = file else {
                return TrustRoots::system(None).map_err(|error| error.to_string());
            };
            let pem = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            TrustRoots::system(Some(&pem)).map_err(|error| format!("{}: {error}", path.display()))
        };
        let roots = tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(error.to_string()))?;
        self.known().insert(owned, (stamp, roots.clone()));
        Ok(roots)
    }

    fn known(&self) -> MutexGuard<'_, KnownRoots> {
        self.trust.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenEndpoint for GuardedTokenEndpoint {
    fn exchange<'a>(&'a self, request: &'a TokenRequest<'a>) -> BoxFuture<'a, Result<Document, FetchFailure>> {
        Box::pin(self.run(request))
    }
}
