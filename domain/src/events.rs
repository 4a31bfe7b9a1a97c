//! Names an aggregate's events once: the variant, its name in the log and its version.

macro_rules! events {
    ($(#[$doc:meta])* $name:ident { $($wire:tt v $version:tt => $variant:ident($payload:ty)),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(tag = "type", content = "changes")]
        pub enum $name {
            $(#[serde(rename = $wire)] $variant($payload),)*
        }

        impl $name {
            /// Every event's name, in the order of the documents.
            pub const TYPES: &'static [&'static str] = &[$($wire),*];

            /// The name in the log, the feed and the NATS headers.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $wire,)* }
            }

            /// The version of the payload's shape; upcasters bring older ones up to it.
            pub fn schema_version(&self) -> &'static str {
                match self { $(Self::$variant(_) => $version,)* }
            }
        }

        impl cqrs_es::DomainEvent for $name {
            fn event_type(&self) -> String {
                self.name().to_owned()
            }

            fn event_version(&self) -> String {
                self.schema_version().to_owned()
            }
        }
    };
}

pub(crate) use events;
