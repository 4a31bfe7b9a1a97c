//! Kinds of aggregates. Each is named here once, with its state and its events; what is done to all of them follows.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::merge::{Touch, Touches};
use crate::project::{self, Project, ProjectEvent};
use crate::task::{self, Task, TaskEvent};
use crate::team::{self, Team, TeamEvent};

macro_rules! aggregates {
    ($($kind:ident $event:ident $name:path;)*) => {
        /// Kind of an aggregate.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum SubjectKind {
            $($kind,)*
        }

        impl SubjectKind {
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Name in callers' JSON and in subjects on NATS, and the `aggregate_type` in the log.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }

        /// `type` and `changes` of a Change.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
        #[serde(untagged)]
        pub enum Event {
            $($kind($event),)*
        }

        impl Event {
            /// Names of the events of all aggregates.
            pub fn types() -> impl Iterator<Item = &'static str> {
                [$($event::TYPES),*].into_iter().flatten().copied()
            }

            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(event) => event.name(),)*
                }
            }

            /// Returns whether somebody may lose access to a project by the event.
            pub fn ends_access(&self) -> bool {
                match self {
                    $(Self::$kind(event) => event.ends_access(),)*
                }
            }

            /// Decodes an event of an aggregate of this kind.
            pub fn decode<'de, D: Deserializer<'de>>(kind: SubjectKind, json: D) -> Result<Self, D::Error> {
                match kind {
                    $(SubjectKind::$kind => $event::deserialize(json).map(Self::$kind),)*
                }
            }
        }

        impl Touches for Event {
            fn touches(&self) -> Vec<Touch> {
                match self {
                    $(Self::$kind(event) => event.touches(),)*
                }
            }
        }

        $(
            impl From<$event> for Event {
                fn from(event: $event) -> Self {
                    Self::$kind(event)
                }
            }
        )*

        /// State of an aggregate of any kind.
        #[derive(Clone, Debug, PartialEq)]
        pub enum State {
            $($kind(Box<$kind>),)*
        }

        impl State {
            /// State before the first event.
            pub fn new(kind: SubjectKind) -> Self {
                match kind {
                    $(SubjectKind::$kind => Self::$kind(Box::default()),)*
                }
            }

            /// Applies an event, and names the field of which it states another value before than there is. An event of
            /// another kind of aggregate changes nothing.
            pub fn apply(&mut self, event: &Event) -> Result<Option<&'static str>, OtherKind> {
                match (self, event) {
                    $((Self::$kind(state), Event::$kind(event)) => {
                        let contradicted = state.contradicts(event);
                        state.apply(event);
                        Ok(contradicted)
                    })*
                    $((Self::$kind(_), _) => Err(OtherKind),)*
                }
            }
        }
    };
}

aggregates! {
    Project ProjectEvent project::TYPE;
    Task TaskEvent task::TYPE;
    Team TeamEvent team::TYPE;
}

/// The event is of another kind of aggregate than the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("of another kind of aggregate")]
pub struct OtherKind;

impl SubjectKind {
    pub fn from_aggregate_type(aggregate_type: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == aggregate_type)
    }
}
