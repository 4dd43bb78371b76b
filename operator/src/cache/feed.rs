//! One kind's watches into one store, and news of what changed.
//!
//! With several namespaces there are several watches. The store is filled once all of them have listed, so that nothing is
//! ever judged by half of the objects; a watch that starts anew is compared with the store, so that what vanished meanwhile
//! is noticed and nothing is lost.

use futures_util::stream::{BoxStream, SelectAll, StreamExt as _};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{Lookup, ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

/// The namespace of a watch; `None` is all of them.
pub(super) type Source = Option<String>;
/// The events of one watch.
pub(super) type Events<K> = BoxStream<'static, Result<Event<K>, watcher::Error>>;

/// What of an object counts as a change; `None` means everything.
pub(super) type Fingerprint<K> = Option<fn(&K) -> u64>;

/// Keeps the store of one kind.
pub(super) struct Feed<K>
where
    K: Lookup + Clone + 'static,
    K::DynamicType: Hash + Eq + Clone,
{
    pub(super) writer: Writer<K>,
    pub(super) dyntype: K::DynamicType,
    pub(super) fingerprint: Fingerprint<K>,
    pub(super) changed: Arc<dyn Fn(&K) + Send + Sync>,
    listing: HashMap<Source, HashSet<ObjectRef<K>>>,
    /// Watches that have not listed yet, and what the others found meanwhile. Empty afterwards.
    waiting: HashSet<Source>,
    buffer: HashMap<ObjectRef<K>, K>,
    fingerprints: HashMap<ObjectRef<K>, Option<u64>>,
}

impl<K> Feed<K>
where
    K: Lookup + Clone + Debug + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone + Debug + Send + Sync + Unpin,
{
    pub(super) fn new(
        dyntype: K::DynamicType,
        fingerprint: Fingerprint<K>,
        changed: Arc<dyn Fn(&K) + Send + Sync>,
    ) -> Self {
        Self {
            writer: Writer::new(dyntype.clone()),
            dyntype,
            fingerprint,
            changed,
            listing: HashMap::new(),
            waiting: HashSet::new(),
            buffer: HashMap::new(),
            fingerprints: HashMap::new(),
        }
    }

    pub(super) fn store(&self) -> Store<K> {
        self.writer.as_reader()
    }

    /// Runs for as long as the watches do.
    pub(super) async fn run(mut self, watches: Vec<(Source, Events<K>)>) {
        self.waiting = watches.iter().map(|(source, _)| source.clone()).collect();
        let mut all: SelectAll<BoxStream<'static, _>> = watches
            .into_iter()
            .map(|(source, events)| events.map(move |event| (source.clone(), event)).boxed())
            .collect();
        while let Some((source, event)) = all.next().await {
            match event {
                Ok(event) => self.take(&source, event),
                Err(error) => {
                    tracing::warn!(kind = %K::kind(&self.dyntype), %error, "a watch failed and is tried again");
                }
            }
        }
    }

    fn take(&mut self, source: &Source, event: Event<K>) {
        match event {
            Event::Init => drop(self.listing.insert(source.clone(), HashSet::new())),
            Event::InitApply(object) => {
                let key = self.key(&object);
                self.listing.entry(source.clone()).or_default().insert(key);
                self.put(object);
            }
            Event::InitDone => self.listed(source),
            Event::Apply(object) => self.put(object),
            Event::Delete(object) => self.remove(&object),
        }
    }

    fn key(&self, object: &K) -> ObjectRef<K> {
        object.to_object_ref(self.dyntype.clone())
    }

    fn put(&mut self, object: K) {
        let key = self.key(&object);
        if !self.waiting.is_empty() {
            self.buffer.insert(key, object);
            return;
        }
        let print = self.fingerprint.map(|fingerprint| fingerprint(&object));
        let before = self.fingerprints.insert(key, print);
        let news = print.is_none() || before != Some(print);
        let event = Event::Apply(object);
        self.writer.apply_watcher_event(&event);
        if let (true, Event::Apply(object)) = (news, &event) {
            (self.changed)(object);
        }
    }

    fn remove(&mut self, object: &K) {
        let key = self.key(object);
        self.buffer.remove(&key);
        self.fingerprints.remove(&key);
        if self.waiting.is_empty() {
            self.writer.apply_watcher_event(&Event::Delete(object.clone()));
            (self.changed)(object);
        }
    }

    fn listed(&mut self, source: &Source) {
        let seen = self.listing.remove(source).unwrap_or_default();
        if self.waiting.remove(source) {
            if self.waiting.is_empty() {
                self.fill();
            }
            return;
        }
        let here = |object: &K| source.as_deref().is_none_or(|name| object.namespace().as_deref() == Some(name));
        let gone = self.store().state_filter(|object| here(object) && !seen.contains(&self.key(object)));
        for object in gone {
            self.remove(&object);
        }
    }

    fn fill(&mut self) {
        self.writer.apply_watcher_event(&Event::Init);
        let buffer = std::mem::take(&mut self.buffer);
        for (key, object) in &buffer {
            self.fingerprints.insert(key.clone(), self.fingerprint.map(|fingerprint| fingerprint(object)));
            self.writer.apply_watcher_event(&Event::InitApply(object.clone()));
        }
        self.writer.apply_watcher_event(&Event::InitDone);
        for object in buffer.values() {
            (self.changed)(object);
        }
    }
}

#[cfg(test)]
mod tests;
