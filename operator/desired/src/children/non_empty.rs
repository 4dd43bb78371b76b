//! Empty lists and maps as absent fields: an API server would drop them, and server-side apply would own them for nothing.

/// A list or map, or nothing if it is empty.
pub(super) fn non_empty<T: IntoIterator + Default + PartialEq>(list: T) -> Option<T> {
    (list != T::default()).then_some(list)
}
