//! Nothing is lost and nothing haunts, whatever order watches report in.

use super::{Feed, Source};
use futures_util::stream;
use futures_util::stream::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::reflector::Store;
use kube::runtime::watcher::Event;
use std::sync::{Arc, Mutex};

fn object(namespace: &str, name: &str, value: &str) -> ConfigMap {
    let json = serde_json::json!({"metadata": {"namespace": namespace, "name": name}, "data": {"value": value}});
    serde_json::from_value(json).unwrap()
}

fn value(object: &ConfigMap) -> u64 {
    let data = object.data.as_ref().unwrap();
    data["value"].len() as u64
}

/// Runs the events of each watch, one watch after the other, and returns what the store has and what was told.
fn after(watches: Vec<(Source, Vec<Event<ConfigMap>>)>) -> (Vec<String>, Vec<String>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let teller = told.clone();
    let changed =
        Arc::new(move |object: &ConfigMap| teller.lock().unwrap().push(object.metadata.name.clone().unwrap()));
    let mut feed = Feed::new((), Some(value), changed);
    feed.waiting = watches.iter().map(|(source, _)| source.clone()).collect();
    let store: Store<ConfigMap> = feed.store();
    for (source, events) in watches {
        for event in events {
            feed.take(&source, event);
        }
    }
    let mut names: Vec<_> = store.state().iter().map(|it| it.metadata.name.clone().unwrap()).collect();
    names.sort();
    let told = told.lock().unwrap().clone();
    (names, told)
}

fn list(objects: Vec<ConfigMap>) -> Vec<Event<ConfigMap>> {
    let mut events = vec![Event::Init];
    events.extend(objects.into_iter().map(Event::InitApply));
    events.push(Event::InitDone);
    events
}

#[test]
fn the_store_is_empty_until_every_namespace_has_listed() {
    let first = (Some("a".to_owned()), list(vec![object("a", "x", "1")]));
    let unfinished = (Some("b".to_owned()), vec![Event::Init, Event::InitApply(object("b", "y", "1"))]);
    let (names, told) = after(vec![first.clone(), unfinished]);
    assert!(names.is_empty() && told.is_empty(), "{names:?} {told:?}");
    let (names, _) = after(vec![first, (Some("b".to_owned()), list(vec![object("b", "y", "1")]))]);
    assert_eq!(names, ["x", "y"]);
}

#[test]
fn what_vanished_while_a_watch_was_down_is_removed_and_told() {
    let mut events = list(vec![object("a", "x", "1"), object("a", "y", "1")]);
    events.extend(list(vec![object("a", "x", "1")]));
    let (names, told) = after(vec![(None, events)]);
    assert_eq!(names, ["x"]);
    assert_eq!(told.iter().filter(|name| *name == "y").count(), 2, "{told:?}");
}

#[test]
fn a_relist_of_one_namespace_leaves_the_others_alone() {
    let mut second = list(vec![object("b", "y", "1")]);
    second.extend(list(vec![]));
    let (names, _) =
        after(vec![(Some("a".to_owned()), list(vec![object("a", "x", "1")])), (Some("b".to_owned()), second)]);
    assert_eq!(names, ["x"]);
}

#[test]
fn an_event_that_changes_nothing_of_interest_is_not_told() {
    let mut events = list(vec![object("a", "x", "1")]);
    events.push(Event::Apply(object("a", "x", "2")));
    events.push(Event::Apply(object("a", "x", "333")));
    events.push(Event::Delete(object("a", "x", "333")));
    let (names, told) = after(vec![(None, events)]);
    assert!(names.is_empty());
    assert_eq!(told.len(), 3, "the list, the change and the deletion: {told:?}");
}

#[tokio::test]
async fn a_watch_that_ends_ends_the_feed() {
    let feed: Feed<ConfigMap> = Feed::new((), Some(value), Arc::new(|_| {}));
    let store = feed.store();
    let events = stream::iter(list(vec![object("a", "x", "1")]).into_iter().map(Ok)).boxed();
    feed.run(vec![(None, events)]).await;
    assert_eq!(store.state().len(), 1);
}
