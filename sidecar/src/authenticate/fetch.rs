//! How documents of an issuer are fetched: a trait, so that tests bring their own network, and its one real implementation,
//! which dials through the guard.

use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tollward_netguard::{
    BasicCredentials, DialPolicy, Dialer, FetchError, FetchLimits, Fetched, Fetcher, Resolve, Target, TrustRoots,
};

/// What is asked for. Key sets have a media type of their own (RFC 7517 §8.5).
const ACCEPT: &str = "application/json, application/jwk-set+json";

/// A complete answer.
pub type Document = Fetched;

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub struct FetchFailure {
    /// For the log.
    pub detail: String,
    /// For whoever named the URL: it tells nothing about the network.
    pub public: &'static str,
}

/// A form to send, with the credentials of a client for HTTP Basic.
pub struct Form<'a> {
    /// Names and values.
    pub fields: &'a [(&'a str, &'a str)],
    /// Who sends it, if the fields do not say.
    pub basic: Option<&'a BasicCredentials>,
}

/// Fetches documents: bounded in time and size, without following redirects.
pub trait Fetch: Send + Sync + 'static {
    /// POSTs a form to `url`, for an answer that somebody waits for.
    fn post_form<'a>(
        &'a self,
        url: &'a str,
        form: Form<'a>,
        ca_file: Option<&'a Path>,
    ) -> BoxFuture<'a, Result<Document, FetchFailure>>;

    /// GETs `url`. `ca_file` holds additional certificate authorities in PEM for this fetch only.
    fn get<'a>(&'a self, url: &'a str, ca_file: Option<&'a Path>) -> BoxFuture<'a, Result<Document, FetchFailure>>;
}

/// Bounds of a question that a request waits for: no endpoint needs as long or answers as much as one with documents.
const QUESTION: FetchLimits =
    FetchLimits { total: Duration::from_secs(5), connect: Duration::from_secs(2), max_body: 64 * 1024 };
/// How long certificate authorities are kept for questions, which are too frequent to read them anew each time.
const TRUST_FOR: Duration = Duration::from_mins(1);

/// Fetches through the guard against server-side request forgery.
pub struct GuardedFetch {
    policy: DialPolicy,
    resolver: Arc<dyn Resolve>,
    limits: FetchLimits,
    /// By file with additional ones, of which a configuration names few.
    trusted: Mutex<HashMap<Option<PathBuf>, (Instant, TrustRoots)>>,
}

impl GuardedFetch {
    /// Dials what `policy` permits, within `limits`.
    pub fn new(policy: DialPolicy, resolver: Arc<dyn Resolve>, limits: FetchLimits) -> Self {
        Self { policy, resolver, limits, trusted: Mutex::default() }
    }

    async fn run(&self, url: &str, ca_file: Option<&Path>) -> Result<Document, FetchFailure> {
        let target = target(url)?;
        let trust = trust(ca_file.map(Path::to_owned)).await?;
        let fetched = self.fetcher(&trust, self.limits).get(&target, ACCEPT).await;
        fetched.map_err(|error| failure(&error))
    }

    async fn post(&self, url: &str, form: Form<'_>, ca_file: Option<&Path>) -> Result<Document, FetchFailure> {
        let target = target(url)?;
        let trust = self.recent_trust(ca_file.map(Path::to_owned)).await?;
        let fetched = self.fetcher(&trust, QUESTION).post_form(&target, form.fields, form.basic).await;
        fetched.map_err(|error| failure(&error))
    }

    fn fetcher(&self, trust: &TrustRoots, limits: FetchLimits) -> Fetcher {
        Fetcher::new(Dialer::new(self.policy.clone(), Arc::clone(&self.resolver), trust), limits)
    }

    /// The certificate authorities as they were at most a minute ago.
    async fn recent_trust(&self, ca_file: Option<PathBuf>) -> Result<TrustRoots, FetchFailure> {
        let known = |trusted: &HashMap<_, (Instant, TrustRoots)>| {
            trusted.get(&ca_file).filter(|(read, _)| read.elapsed() < TRUST_FOR).map(|(_, trust)| trust.clone())
        };
        if let Some(trust) = known(&self.trusted.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(trust);
        }
        let trust = trust(ca_file.clone()).await?;
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        trusted.retain(|_, (read, _)| read.elapsed() < TRUST_FOR);
        trusted.insert(ca_file, (Instant::now(), trust.clone()));
        Ok(trust)
    }
}

fn target(url: &str) -> Result<Target, FetchFailure> {
    Target::parse(url).map_err(|error| FetchFailure {
        detail: format!("{url:?}: {error}"),
        public: "the URL can't be used; the cause is in the log of the replica that tried",
    })
}

impl Fetch for GuardedFetch {
    fn post_form<'a>(
        &'a self,
        url: &'a str,
        form: Form<'a>,
        ca_file: Option<&'a Path>,
    ) -> BoxFuture<'a, Result<Document, FetchFailure>> {
        Box::pin(self.post(url, form, ca_file))
    }

    fn get<'a>(&'a self, url: &'a str, ca_file: Option<&'a Path>) -> BoxFuture<'a, Result<Document, FetchFailure>> {
        Box::pin(self.run(url, ca_file))
    }
}

/// Certificate authorities are read anew for each fetch: there are few, and a rotated file then needs no restart.
async fn trust(ca_file: Option<PathBuf>) -> Result<TrustRoots, FetchFailure> {
    const PUBLIC: &str = "the certificate authorities can't be read; the cause is in the log of the replica that tried";
    let read = move || {
        let Some(path) = ca_file else {
            return TrustRoots::system(None).map_err(|error| error.to_string());
        };
        let pem = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        TrustRoots::system(Some(&pem)).map_err(|error| format!("{}: {error}", path.display()))
    };
    // Files and a hundred certificates: too slow for a thread that serves requests.
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
        .map_err(|detail| FetchFailure { detail, public: PUBLIC })
}

fn failure(error: &FetchError) -> FetchFailure {
    FetchFailure { detail: error.to_string(), public: error.public_message() }
}

#[cfg(test)]
mod tests {
    use super::{Fetch, GuardedFetch};
    use futures_util::future::BoxFuture;
    use std::net::IpAddr;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;
    use tollward_netguard::{DialPolicy, FetchLimits, Resolve, ResolveError};

    /// Every name is the cloud's metadata service.
    struct Hostile;

    impl Resolve for Hostile {
        fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
            Box::pin(async { Ok(vec![IpAddr::from([169, 254, 169, 254])]) })
        }
    }

    #[tokio::test]
    async fn nothing_is_fetched_past_the_guard_and_outsiders_learn_no_address() {
        let limits = FetchLimits { total: Duration::from_secs(5), connect: Duration::from_secs(5), max_body: 1024 };
        let fetch = GuardedFetch::new(DialPolicy::strict(), Arc::new(Hostile), limits);
        let authority = tempfile::tempdir().unwrap();
        let path = authority.path().join("ca.pem");
        let certified = rcgen::generate_simple_self_signed(["idp.example".to_owned()]).unwrap();
        std::fs::write(&path, certified.cert.pem()).unwrap();
        let missing = authority.path().join("missing.pem");
        for (url, ca_file, detail) in [
            ("https://idp.example/keys", &path, "169.254.169.254"),
            ("https://idp.example/keys", &missing, "missing.pem"),
            ("https://user@idp.example/keys", &path, "user information"),
            ("file:///etc/passwd", &path, "https://"),
            ("{tid}/keys", &path, "https://"),
        ] {
            let failure = fetch.get(url, Some(Path::new(ca_file))).await.unwrap_err();
            assert!(failure.detail.contains(detail), "K08 {url}: {failure}");
            assert!(!failure.public.contains("169.254") && !failure.public.contains(".pem"), "{url}");
        }
    }
}
