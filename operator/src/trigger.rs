//! Which objects must be looked at again: the queues between caches and controllers.
//!
//! A queue has no reader while another operator leads; what is sent then is dropped, since a new leader starts with
//! everything.

use kube::runtime::reflector::{Lookup, ObjectRef};
use std::sync::{Mutex, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A queue of references to objects of one kind. The controller behind it merges repeated ones.
#[derive(Debug)]
pub struct Queue<K: Lookup<DynamicType = ()> + 'static>(Mutex<Option<UnboundedSender<ObjectRef<K>>>>);

impl<K: Lookup<DynamicType = ()> + 'static> Default for Queue<K> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<K: Lookup<DynamicType = ()> + 'static> Queue<K> {
    /// Asks for a look at an object.
    pub fn push(&self, namespace: &str, name: &str) {
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = sender.as_ref()
            && open.send(ObjectRef::new(name).within(namespace)).is_err()
        {
            *sender = None;
        }
    }

    /// The reading end. There is one at a time.
    pub fn open(&self) -> UnboundedReceiver<ObjectRef<K>> {
        let (sender, receiver) = unbounded_channel();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }
}
