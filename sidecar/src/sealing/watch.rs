//! Looks at the tables again and again, and keeps what was found.

use super::judge::{Own, Steady, report};
use super::table::{Socket, TableError, read};
use crate::clock::Clock;
use opentelemetry::metrics::Meter;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tollward_policy::config::{ProcessConfig, Role};
use tollward_policy::report::{Protocol, Seal, SealingReport};
use tollward_telemetry::names::metric;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(2);
/// Seconds after which a look says nothing about now.
const STALE: i64 = 30;
/// The tables, and whether a kernel may be without: one without IPv6 is.
const TABLES: [(&str, Protocol, bool); 4] = [
    ("tcp", Protocol::Tcp, false),
    ("tcp6", Protocol::Tcp, true),
    ("udp", Protocol::Udp, false),
    ("udp6", Protocol::Udp, true),
];

/// What the latest look found.
pub struct Sealing {
    /// With the time of the look, in seconds since the epoch.
    latest: Mutex<Option<(SealingReport, i64)>>,
    clock: Arc<dyn Clock>,
}

impl Sealing {
    /// Where there is something to watch: a server in the pod. Elsewhere, on a developer's machine too, others listen by right.
    pub fn of(process: &ProcessConfig, clock: &Arc<dyn Clock>) -> Option<Arc<Self>> {
        let in_pod = process.role == Role::Sidecar && process.report.is_some();
        in_pod.then(|| Arc::new(Self::new(clock.clone())))
    }

    /// Before the first look.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { latest: Mutex::new(None), clock }
    }

    /// What is known now.
    pub fn report(&self) -> SealingReport {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match latest {
            None => SealingReport::unknown("the data plane has just started"),
            Some((_, at)) if self.clock.unix_seconds().saturating_sub(at) > STALE => {
                SealingReport::unknown(format!("the data plane has not looked for more than {STALE} seconds"))
            }
            Some((report, _)) => report,
        }
    }

    /// Keeps what a look found, and tells the log if it is news.
    pub(super) fn put(&self, report: &SealingReport) {
        let new = (report.clone(), self.clock.unix_seconds());
        let before = self.latest.lock().unwrap_or_else(PoisonError::into_inner).replace(new);
        if before.is_some_and(|(before, _)| before == *report) {
            return;
        }
        let error = report.error.as_deref().unwrap_or_default();
        match report.seal() {
            Seal::Closed => tracing::info!("the pod is sealed: nobody but Tollward listens where others can connect"),
            Seal::Open => {
                let listeners: Vec<_> = report.listeners.iter().map(ToString::to_string).collect();
                let (listeners, more) = (listeners.join(", "), report.more);
                tracing::warn!(
                    listeners,
                    more,
                    error,
                    "the pod is not sealed: the server can be reached past Tollward"
                );
            }
            Seal::Unknown => tracing::warn!(error, "it is not known whether the pod is sealed"),
        }
    }
}

/// Reports whether the pod is sealed whenever metrics are read.
pub fn gauge(sealing: Arc<Sealing>, meter: &Meter) {
    let gauge = meter.u64_observable_gauge(metric::TOLLWARD_SEALED).with_callback(move |observer| {
        observer.observe(u64::from(sealing.report().seal() == Seal::Closed), &[]);
    });
    gauge.build();
}

/// The user id of this process, as the kernel says it to whoever connects.
pub fn own_user() -> std::io::Result<u32> {
    let (own, _other) = tokio::net::UnixStream::pair()?;
    own.peer_cred().map(|user| user.uid())
}

/// Looks into the tables of `folder` until `ending` is cancelled. `own` is what Tollward listens on; where that could not be found
/// out, nothing else can be known.
pub async fn watch(sealing: Arc<Sealing>, folder: PathBuf, own: std::io::Result<Own>, ending: CancellationToken) {
    let own = match own {
        Ok(own) => own,
        Err(error) => {
            tracing::warn!(%error, "the data plane's own user is not known, so its ports can't be told from others");
            return;
        }
    };
    let mut steady = Steady::default();
    loop {
        let (place, mine) = (folder.clone(), own.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let report = look(&place, &mine, &mut steady);
            (report, steady)
        });
        let Ok((report, kept)) = looked.await else {
            // The process ends; else the last look gets old, and says so.
            return;
        };
        steady = kept;
        sealing.put(&report);
        if tokio::time::timeout(PERIOD, ending.cancelled()).await.is_ok() {
            return;
        }
    }
}

/// Looks once.
pub(super) fn look(folder: &Path, own: &Own, steady: &mut Steady) -> SealingReport {
    let (mut foreign, mut problems) = (BTreeSet::new(), Vec::new());
    for (name, protocol, may_be_missing) in TABLES {
        let path = folder.join(name);
        let table = match File::open(&path) {
            Err(error) if may_be_missing && error.kind() == ErrorKind::NotFound => continue,
            opened => opened.map_err(TableError::from).and_then(|file| read(BufReader::new(file), protocol)),
        };
        match table {
            Ok(table) => {
                foreign.extend(table.sockets.into_iter().filter(|socket: &Socket| own.is_foreign(socket)));
                if !table.whole {
                    problems.push(format!("{} has too many sockets to look at them all", path.display()));
                }
            }
            Err(error) => problems.push(format!("{} {error}", path.display())),
        }
    }
    report(&steady.count(foreign), &problems)
}
