//! People's words in events: texts that are stored apart from the structure of an event, so that they can be erased and
//! the structure stays as it is. A field of words says so by `#[serde(serialize_with = "crate::words::serialize")]`.

use std::cell::RefCell;

use serde::ser::{SerializeMap as _, SerializeStruct as _};
use serde::{Serialize, Serializer};

use crate::delta::{Added, Delta};

thread_local! {
    /// Words of the event that is being serialized; `None` while they stay where they are.
    static COLLECTED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Runs a serialization that leaves words out: `{"$": n}` stands for word n, counted from 0. Returns its result and the
/// words. An empty text says nothing and stays in its place.
pub fn collect<T>(serialize: impl FnOnce() -> T) -> (T, Vec<String>) {
    COLLECTED.set(Some(Vec::new()));
    // A serialization that panics leaves words behind, which the next one on this thread throws away.
    let result = serialize();
    (result, COLLECTED.take().unwrap_or_default())
}

/// Serializes a field of words.
pub fn serialize<T: Words, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.serialize_words(serializer)
}

/// Values of which every text is words.
pub trait Words {
    fn serialize_words<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

impl Words for String {
    fn serialize_words<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = COLLECTED.with_borrow_mut(|collected| {
            let words = collected.as_mut().filter(|_| !self.is_empty())?;
            words.push(self.clone());
            Some(words.len() - 1)
        });
        match number {
            None => serializer.serialize_str(self),
            Some(number) => {
                let mut placeholder = serializer.serialize_map(Some(1))?;
                placeholder.serialize_entry("$", &number)?;
                placeholder.end()
            }
        }
    }
}

impl<T: Words> Words for Option<T> {
    fn serialize_words<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(words) => serializer.serialize_some(&Each(words)),
            None => serializer.serialize_none(),
        }
    }
}

impl<T: Words> Words for Delta<T> {
    fn serialize_words<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut delta = serializer.serialize_struct("Delta", 2)?;
        delta.serialize_field("from", &Each(&self.from))?;
        delta.serialize_field("to", &Each(&self.to))?;
        delta.end()
    }
}

impl<T: Words> Words for Added<T> {
    fn serialize_words<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut added = serializer.serialize_struct("Added", 2)?;
        added.serialize_field("from", &self.from)?;
        added.serialize_field("to", &Each(&self.to))?;
        added.end()
    }
}

/// Words inside another value.
struct Each<'a, T>(&'a T);

impl<T: Words> Serialize for Each<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_words(serializer)
    }
}
