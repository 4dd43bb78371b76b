//! How many connections each server has, so that none takes all of a namespace's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The places of all servers. Only those that hold one take room.
pub(crate) struct Places {
    most: u32,
    held: Mutex<HashMap<String, u32>>,
}

/// A place, until it is dropped.
pub(crate) struct Place {
    of: Arc<Places>,
    uid: String,
}

impl Places {
    pub(crate) fn new(most: u32) -> Arc<Self> {
        Arc::new(Self { most, held: Mutex::default() })
    }

    /// A place, if the server has not taken all of its own.
    pub(crate) fn take(self: &Arc<Self>, uid: &str) -> Option<Place> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(uid.to_owned()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { of: Arc::clone(self), uid: uid.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.of.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.uid) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn each_server_has_its_own_places_and_gets_them_back() {
        let places = Places::new(2);
        let held = (places.take("a").unwrap(), places.take("a").unwrap());
        assert!(places.take("a").is_none());
        assert!(places.take("b").is_some());
        drop(held);
        assert!(places.take("a").is_some());
        assert!(places.held.lock().unwrap().is_empty(), "nothing is left behind");
    }
}
