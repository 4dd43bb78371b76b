//! The processes: one for each session, and one for calls without.

use crate::orphans;
use crate::peer::{Audience, Peer};
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::starter::{Starter, hex, random};
use crate::stateless::Stateless;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks for sessions that nobody uses, and for orphans.
const TIDY: Duration = Duration::from_secs(5);

/// All processes of one server.
pub struct Bridge {
    pub(crate) settings: Settings,
    pub(crate) stateless: Stateless,
    starter: Arc<Starter>,
    sessions: Mutex<HashMap<String, Arc<Peer>>>,
}

impl Bridge {
    /// Nothing is started before the first call.
    pub fn new(settings: Settings) -> std::io::Result<Arc<Self>> {
        if settings.adopts {
            orphans::adopt()?;
        }
        let starter = Arc::new(Starter::new(&settings));
        let stateless = Stateless::new(starter.clone());
        Ok(Arc::new(Self { settings, stateless, starter, sessions: Mutex::default() }))
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Arc<Peer>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process for a new session, which is none before [`Bridge::keep`].
    pub(crate) fn begin(&self) -> Result<(String, Peer), Refusal> {
        let id = hex(&random::<32>().map_err(|_| Refusal::Start)?);
        // Not the id itself, of which nothing may be in a log.
        let name = hex(&random::<4>().map_err(|_| Refusal::Start)?);
        Ok((id, self.starter.start(&name, Audience::Session)?))
    }

    /// The process answered `initialize`: the session is there until it ends.
    pub(crate) fn keep(self: &Arc<Self>, id: String, peer: Peer) {
        self.starter.succeeded();
        let mut ended = peer.process.ended();
        self.sessions().insert(id.clone(), Arc::new(peer));
        let bridge = Arc::downgrade(self);
        tokio::spawn(async move {
            let _ = ended.wait_for(|ended| *ended).await;
            if let Some(bridge) = bridge.upgrade() {
                bridge.sessions().remove(&id);
            }
        });
    }

    /// The process did not answer `initialize`.
    pub(crate) fn failed(&self) {
        self.starter.failed();
    }

    /// The process of a session.
    pub(crate) fn session(&self, id: &str) -> Result<Arc<Peer>, Refusal> {
        self.sessions().get(id).cloned().ok_or(Refusal::SessionUnknown)
    }

    /// Ends a session. The process gets the time that it needs after the answer.
    pub(crate) fn end_session(&self, id: &str) -> Result<(), Refusal> {
        let peer = self.sessions().remove(id).ok_or(Refusal::SessionUnknown)?;
        tokio::spawn(async move { peer.process.end().await });
        Ok(())
    }

    /// Ends sessions that nobody uses, for as long as the bridge is there.
    pub(crate) async fn tidy(self: Arc<Self>) {
        let mut looks = tokio::time::interval(TIDY);
        loop {
            looks.tick().await;
            let now = Instant::now();
            let idle: Vec<_> = self
                .sessions()
                .iter()
                .filter(|(_, peer)| peer.idle(now) >= self.settings.idle)
                .map(|(id, _)| id.clone())
                .collect();
            for id in idle {
                let _ = self.end_session(&id);
            }
            if self.settings.adopts {
                orphans::sweep(&self.starter.kin);
            }
        }
    }

    /// Ends all processes, side by side.
    pub async fn end(&self) {
        self.starter.close();
        let peers: Vec<_> = self.sessions().drain().map(|(_, peer)| peer).collect();
        let sessions = futures_util::future::join_all(peers.iter().map(|peer| peer.process.end()));
        futures_util::future::join(sessions, self.stateless.end()).await;
        if self.settings.adopts {
            orphans::sweep(&self.starter.kin);
        }
    }
}
