//! Opens one connection: reads the credentials, dials, logs in, and counts something to see that the store counts.

use super::amount::Amount;
use super::answer;
use super::bounded::Bounded;
use super::dial::DialStore;
use super::key::trial;
use super::script::{self, Question};
use super::trouble::Trouble;
use crate::secret_file::{self, FileError};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tollward_policy::limits::{Store, StoreAddress};

/// Each step of opening a connection may take that long.
const STEP: Duration = Duration::from_secs(1);
/// Commands that are handed over to the connection and not written yet.
const QUEUE: usize = 256;
/// Most bytes of a file with a secret, and of one with certificates.
const SECRET: usize = 8 * 1024;
const CERTIFICATES: usize = 1024 * 1024;

/// An open connection. Answers come in the order of the questions, and any number of calls ask at once.
pub(super) struct Open {
    connection: MultiplexedConnection,
    /// Tells it from earlier ones.
    pub(super) generation: u64,
    /// Answers that were late one after the other.
    pub(super) late: AtomicU32,
    /// Cancelled when the connection has ended.
    pub(super) closed: CancellationToken,
    _driver: AbortOnDropHandle<()>,
}

impl Open {
    /// To ask by; cheap.
    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }
}

/// Opens connections to one store, for one namespace.
pub(super) struct Connector {
    pub(super) store: Store,
    pub(super) namespace: String,
    pub(super) dial: Arc<dyn DialStore>,
}

impl Connector {
    /// Opens a connection that counts within `deadline`.
    pub(super) async fn open(
        &self,
        address: &StoreAddress,
        generation: u64,
        deadline: Duration,
    ) -> Result<Open, Trouble> {
        let (info, authorities) = self.files()?;
        let stream = self.dial.dial(address, authorities, STEP).await.map_err(Trouble::Unreachable)?;
        let stream = Bounded::new(stream);
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(QUEUE);
        let error = |error| Trouble::of(&error, address, self.store.mode);
        let ready = timeout(STEP, MultiplexedConnection::new_with_config(&info, stream, config));
        let silent = || Trouble::Unreachable(format!("no answer within {STEP:?}"));
        let (connection, driver) = ready.await.map_err(|_| silent())?.map_err(error)?;
        let closed = CancellationToken::new();
        let end = closed.clone().drop_guard();
        let driver = tokio::spawn(async move {
            driver.await;
            drop(end);
        });
        let driver = AbortOnDropHandle::new(driver);
        let open = Open { connection, generation, late: AtomicU32::new(0), closed, _driver: driver };
        // A count of nobody that is refilled at once.
        let question = Question { counts: vec![(trial(&self.namespace), Amount::least())] };
        let amounts = [Amount::least()];
        // The first one may have to teach the store the script; the second is like those of calls.
        for (limit, late) in [(STEP, silent()), (deadline, Trouble::Late(deadline))] {
            let mut connection = open.connection();
            let asked = timeout(limit, script::charge(&mut connection, &question));
            let answered = asked.await.map_err(|_| late)?.map_err(error)?;
            answer::read(&answered, &amounts)?;
        }
        Ok(open)
    }

    /// Read anew for every connection, so that what was rotated is used without a restart.
    fn files(&self) -> Result<(RedisConnectionInfo, Option<Vec<u8>>), Trouble> {
        let Store { address: _, mode: _, username_file, password_file, ca_file } = &self.store;
        // What this client is called is nobody's business, and setting it would need a right of its own.
        let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(path) = username_file {
            info = info.set_username(secret_file::text(path, SECRET).map_err(wrong(path))?.as_str());
        }
        if let Some(path) = password_file {
            info = info.set_password(secret_file::text(path, SECRET).map_err(wrong(path))?.as_str());
        }
        let authorities = |path: &Path| secret_file::bounded(path, CERTIFICATES).map_err(wrong(path));
        let authorities = ca_file.as_deref().map(authorities).transpose()?;
        Ok((info, authorities.map(|bytes| bytes.to_vec())))
    }
}

fn wrong(path: &Path) -> impl Fn(FileError) -> Trouble {
    move |error| Trouble::File(format!("{} {error}", path.display()))
}
