//! The answers of issuers, kept: a reconcile takes what is there and never waits for an issuer.

use super::{DiscoverySource, Question};
use crate::backoff;
use crate::cache::Queues;
use crate::clock::SharedClock;
use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tollward_api::identityprovider::IssuerStatus;

/// Most issuers that are asked at once.
const AT_ONCE: usize = 4;
/// How long a good answer is kept: about as long as sidecars keep keys without asking.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(5);

/// What was answered to a question.
#[derive(Debug, Clone)]
struct Kept {
    question: Question,
    looked: Looked,
    failures: u32,
    asking: bool,
}

/// What is known of a provider's issuers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Why the last attempt failed, if it did.
    pub error: Option<String>,
    /// The last good answer, and when it came. It outlives failures, so that status tells what was there before. Without an
    /// error it is missing only while there was no attempt yet.
    pub found: Option<(Vec<IssuerStatus>, Timestamp)>,
    /// When the issuers are asked again.
    pub again: Timestamp,
}

/// The answers, by unique id of the provider.
#[derive(Clone)]
pub struct Discoveries {
    source: Arc<dyn DiscoverySource>,
    queues: Arc<Queues>,
    clock: SharedClock,
    kept: Arc<Mutex<HashMap<String, Kept>>>,
    at_once: Arc<Semaphore>,
}

impl Discoveries {
    /// Answers of this source. A provider goes into its queue when its answer comes.
    pub fn new(source: Arc<dyn DiscoverySource>, queues: Arc<Queues>, clock: SharedClock) -> Self {
        Self { source, queues, clock, kept: Arc::default(), at_once: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// What is known about this question. Asks in the background if there is none or it is old, and has
    /// the provider looked at again once there is an answer.
    pub fn look(&self, uid: &str, name: &str, question: Question) -> Looked {
        let now = self.clock.now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = kept.entry(uid.to_owned()).or_insert_with(|| Kept::new(&question, now));
        if entry.question != question {
            *entry = Kept::new(&question, now);
        }
        if !entry.asking && entry.looked.again <= now {
            entry.asking = true;
            tokio::spawn(self.clone().ask(uid.to_owned(), name.to_owned(), question));
        }
        entry.looked.clone()
    }

    /// Forgets all but these providers.
    pub fn retain(&self, live: &HashSet<String>) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| live.contains(uid));
    }

    async fn ask(self, uid: String, name: String, question: Question) {
        let answer = match self.at_once.acquire().await {
            Ok(_turn) => self.source.discover(question.clone()).await,
            Err(_) => return,
        };
        let now = self.clock.now();
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            // A provider that was changed meanwhile asks its new question itself.
            let Some(entry) = kept.get_mut(&uid).filter(|entry| entry.question == question) else {
                return;
            };
            entry.asking = false;
            let pause = match answer {
                Ok(found) => {
                    entry.failures = 0;
                    entry.looked.error = None;
                    entry.looked.found = Some((found, now));
                    GOOD_FOR
                }
                Err(error) => {
                    entry.failures = entry.failures.saturating_add(1);
                    entry.looked.error = Some(error);
                    SignedDuration::try_from(backoff::pause(&uid, entry.failures.saturating_add(3))).unwrap_or(GOOD_FOR)
                }
            };
            entry.looked.again = now.checked_add(pause).unwrap_or(now);
        }
        self.queues.providers.push(&question.namespace, &name);
    }

    /// How long until a provider's issuer should be asked again.
    pub fn due(&self, uid: &str) -> Option<Duration> {
        let now = self.clock.now();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let again = kept.get(uid).filter(|entry| !entry.asking)?.looked.again;
        Duration::try_from(again.duration_since(now)).ok()
    }
}

impl Kept {
    fn new(question: &Question, now: Timestamp) -> Self {
        let looked = Looked { error: None, found: None, again: now };
        Self { question: question.clone(), looked, failures: 0, asking: false }
    }
}
