//! All stores of the process. They outlive a change of the configuration: a store that a policy still names keeps its
//! connection, and one that none names any more is let go.

use super::counter::SharedStore;
use super::dial::DialStore;
use super::measure::{Instruments, place};
use super::together::RouteStores;
use crate::clock::Clock;
use opentelemetry::metrics::Meter;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use tollward_policy::limits::{LimitSet, Store};
use tollward_telemetry::names::metric;

/// Stores by what they are and for which namespace they count.
type Known = HashMap<(Store, String), Weak<SharedStore>>;

/// All stores of the process.
pub struct Stores {
    known: Mutex<Known>,
    dial: Arc<dyn DialStore>,
    clock: Arc<dyn Clock>,
    instruments: Arc<OnceLock<Instruments>>,
}

impl Stores {
    /// None yet. Nothing is dialled before [`Self::wake`], or before the first call.
    pub fn new(dial: Arc<dyn DialStore>, clock: Arc<dyn Clock>) -> Self {
        Self { known: Mutex::default(), dial, clock, instruments: Arc::default() }
    }

    /// Finds or makes the stores of a server's limits.
    pub fn route(&self, namespace: &str, server: &str, limits: &LimitSet) -> RouteStores {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, store| store.strong_count() > 0);
        let find = |store: &Store| {
            let key = (store.clone(), namespace.to_owned());
            if let Some(store) = known.get(&key).and_then(Weak::upgrade) {
                return store;
            }
            let (dial, clock, instruments) = (self.dial.clone(), self.clock.clone(), self.instruments.clone());
            let made = Arc::new(SharedStore::new(store.clone(), namespace.to_owned(), dial, clock, instruments));
            known.insert(key, Arc::downgrade(&made));
            made
        };
        let stores: Vec<Arc<SharedStore>> = limits.stores().iter().map(find).collect();
        for (_, used) in limits.shared_policies() {
            if let Some(store) = stores.get(used.store) {
                store.within(used.deadline);
            }
        }
        RouteStores { server: server.to_owned(), stores }
    }

    /// Opens the connections of all stores, so that no call has to wait for it. Needs a runtime.
    pub fn wake(&self) {
        for store in self.all() {
            store.wake();
        }
    }

    /// Measures from now on.
    pub fn measure(self: &Arc<Self>, meter: &Meter) {
        let _ = self.instruments.set(Instruments::new(meter));
        let stores = Arc::downgrade(self);
        let gauge = meter.u64_observable_gauge(metric::TOLLWARD_RATELIMIT_STORE_UP).with_unit("{store}");
        let gauge = gauge.with_callback(move |observer| {
            let all = stores.upgrade().map(|stores| stores.all()).unwrap_or_default();
            // Of several namespaces that count in one store, each has a connection: it is up if all are.
            let mut up = HashMap::new();
            for store in &all {
                let worst = up.entry(&store.store().address).or_insert(true);
                *worst = *worst && store.status().up;
            }
            for (address, up) in up {
                observer.observe(u64::from(up), &place(address));
            }
        });
        gauge.build();
    }

    fn all(&self) -> Vec<Arc<SharedStore>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).values().filter_map(Weak::upgrade).collect()
    }
}
