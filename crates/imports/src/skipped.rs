//! Counts of everything that an import could not take over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Number of kinds that are counted separately. Kinds come from the file, so their number must be limited.
const MAX_KINDS: usize = 200;
const MAX_KIND_CHARS: usize = 60;

/// Part of the export that was not imported unchanged, and the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Skip {
    /// Kind of the action (`addAttachmentToCard`) or object (`card`) in the source.
    #[schema(example = "addAttachmentToCard")]
    pub kind: String,
    #[schema(example = "the export contains links to attachments, not their contents")]
    pub reason: String,
    #[schema(example = 3)]
    pub count: u64,
}

/// Counts of one import, by kind and reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped(BTreeMap<(String, String), u64>);

impl Skipped {
    pub fn add(&mut self, kind: &str, reason: impl Into<String>) {
        self.add_many(kind, reason, 1);
    }

    pub fn add_many(&mut self, kind: &str, reason: impl Into<String>, count: usize) {
        if count == 0 {
            return;
        }
        let mut kind: String = kind.chars().filter(|c| !c.is_control()).take(MAX_KIND_CHARS).collect();
        let reason = reason.into();
        if kind.is_empty() {
            "action".clone_into(&mut kind);
        }
        let mut key = (kind, reason);
        if self.0.len() >= MAX_KINDS && !self.0.contains_key(&key) {
            key = ("other".to_owned(), "too many kinds to count separately".to_owned());
        }
        *self.0.entry(key).or_default() += count as u64;
    }

    pub fn merge(&mut self, other: &Self) {
        for ((kind, reason), count) in &other.0 {
            self.add_many(kind, reason.clone(), usize::try_from(*count).unwrap_or(usize::MAX));
        }
    }

    pub fn list(&self) -> Vec<Skip> {
        let entry = |((kind, reason), count): (&(String, String), &u64)| Skip {
            kind: kind.clone(),
            reason: reason.clone(),
            count: *count,
        };
        self.0.iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_kind_and_reason_and_bounds_their_number() {
        let mut skipped = Skipped::default();
        skipped.add("vote", "has no counterpart");
        skipped.add("vote", "has no counterpart");
        for i in 0..1_000 {
            skipped.add(&format!("kind {i}"), "unknown");
        }
        let list = skipped.list();
        assert_eq!(list.len(), MAX_KINDS + 1);
        assert_eq!(list.iter().map(|s| s.count).sum::<u64>(), 1_002);
        assert!(list.iter().any(|s| s.kind == "vote" && s.count == 2));
    }
}
