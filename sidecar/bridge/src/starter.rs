//! Starts processes: no more than may run, and not at once again after a failure.

use crate::backoff::Backoff;
use crate::orphans::Kin;
use crate::peer::{Audience, Peer};
use crate::process::Process;
use crate::refusal::Refusal;
use crate::settings::{Launch, Log, Settings};
use std::fmt::Write as _;
use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Semaphore;

/// Starts processes, within bounds.
pub(crate) struct Starter {
    pub(crate) launch: Launch,
    pub(crate) log: Log,
    places: Arc<Semaphore>,
    backoff: Mutex<Backoff>,
    pub(crate) kin: Kin,
}

impl Starter {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            launch: settings.launch.clone(),
            log: settings.log.clone(),
            places: Arc::new(Semaphore::new(settings.max_processes)),
            backoff: Mutex::default(),
            kin: Kin::default(),
        }
    }

    /// Nothing is started any more.
    pub(crate) fn close(&self) {
        self.places.close();
    }

    /// Starts a process, if one may be started now.
    pub(crate) fn start(&self, name: &str, audience: Audience) -> Result<Peer, Refusal> {
        if let Some(left) = self.backoff().wait(Instant::now()) {
            return Err(Refusal::Waiting(left));
        }
        let permit = self.places.clone().try_acquire_owned().map_err(|_| Refusal::Full)?;
        let (process, lines) = Process::start(&self.launch, name, &self.log, &self.kin).map_err(|error| {
            (self.log)(&format!("[{name}] {} can't be started: {error}", self.launch.program.display()));
            self.failed();
            Refusal::Start
        })?;
        let (log, prefix) = (self.log.clone(), format!("[{name}] wrote what is no message: "));
        Ok(Peer::new(process, lines, audience, permit, move |line| log(&format!("{prefix}{line}"))))
    }

    /// The next start has to wait.
    pub(crate) fn failed(&self) {
        let chance = random::<1>().map_or(u8::MAX, |[byte]| byte);
        self.backoff().failed(Instant::now(), chance);
    }

    /// No start has to wait.
    pub(crate) fn succeeded(&self) {
        self.backoff().succeeded();
    }

    fn backoff(&self) -> MutexGuard<'_, Backoff> {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From the kernel's generator.
pub(crate) fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
