//! One controller per kind: a queue of references in, reconciles out, bounded in number and paced.
//!
//! A reconcile that panics is a failure of its object alone.

use crate::context::Context;
use crate::trigger::Queue;
use crate::{policy, provider, server};
use futures_util::future::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use kube::ResourceExt as _;
use kube::runtime::Controller;
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::Store;
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Most reconciles of one kind at once.
const AT_ONCE: u16 = 8;
/// How long changes of one object are gathered before it is looked at.
const DEBOUNCE: Duration = Duration::from_millis(250);

/// Runs all controllers until the token is cancelled. Reconciles that run then are finished.
pub async fn run(context: Arc<Context>, ending: CancellationToken) {
    let mut tasks = JoinSet::new();
    let caches = context.caches.clone();
    tasks.spawn(controller(
        "MCPServer",
        &context,
        &caches.servers,
        &context.queues.servers,
        &ending,
        server::reconcile,
    ));
    tasks.spawn(controller(
        "RateLimitPolicy",
        &context,
        &caches.policies,
        &context.queues.policies,
        &ending,
        policy::reconcile,
    ));
    tasks.spawn(controller(
        "IdentityProvider",
        &context,
        &caches.providers,
        &context.queues.providers,
        &ending,
        provider::reconcile,
    ));
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a controller ended unexpectedly");
            ending.cancel();
        }
    }
}

/// Opens the queue, fills it with everything there is, and works on it.
fn controller<K, F>(
    kind: &'static str,
    context: &Arc<Context>,
    store: &Store<K>,
    queue: &Queue<K>,
    ending: &CancellationToken,
    reconcile: fn(Arc<K>, Arc<Context>) -> F,
) -> impl Future<Output = ()> + Send + 'static
where
    K: kube::Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    F: Future<Output = (Option<Duration>, &'static str)> + Send + 'static,
{
    let receiver = queue.open();
    for object in store.state() {
        queue.push(&object.namespace().unwrap_or_default(), &object.name_any());
    }
    let (store, context, ending) = (store.clone(), context.clone(), ending.clone());
    let config = Config::default().concurrency(AT_ONCE).debounce(DEBOUNCE);
    async move {
        Controller::for_stream(stream::pending(), store)
            .reconcile_on(received(receiver))
            .with_config(config)
            .graceful_shutdown_on(async move { ending.cancelled().await })
            .run(
                move |object, context: Arc<Context>| one(kind, object, context, reconcile),
                |_, never: &Infallible, _| match *never {},
                context.clone(),
            )
            .for_each(|result| {
                if let Err(error) = result {
                    // The object went away, which every deletion and every look that was still to come ends with.
                    tracing::debug!(kind, %error, "nothing to look at");
                    context.forget_gone();
                }
                std::future::ready(())
            })
            .await;
    }
}

fn received<T: Send + 'static>(receiver: UnboundedReceiver<T>) -> impl stream::Stream<Item = T> + Send + 'static {
    stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|item| (item, receiver)) })
}

async fn one<K, F>(
    kind: &'static str,
    object: Arc<K>,
    context: Arc<Context>,
    reconcile: fn(Arc<K>, Arc<Context>) -> F,
) -> Result<Action, Infallible>
where
    K: kube::Resource<DynamicType = ()>,
    F: Future<Output = (Option<Duration>, &'static str)>,
{
    let uid = object.uid().unwrap_or_default();
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let guarded = AssertUnwindSafe(reconcile(object, context.clone())).catch_unwind();
    let work = async {
        let (again, result) = guarded.await.unwrap_or_else(|_| {
            tracing::error!(kind, namespace, name, "a reconcile panicked; this is a bug, and is tried again");
            (Some(context.attempts.failed(&uid)), "panicked")
        });
        tracing::debug!(kind, namespace, name, result, ?again, "reconciled");
        (again, result)
    };
    let again = context.metrics.measure(kind, &format!("{namespace}/{name}"), work).await;
    Ok(again.map_or_else(Action::await_change, Action::requeue))
}
