//! Macros that name an aggregate's events and commands once: the variant, its name, and what else is the same wherever
//! it is used.

macro_rules! events {
    ($(#[$doc:meta])* $name:ident { $($wire:tt v $version:tt => $variant:ident($payload:ty)),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(tag = "type", content = "changes")]
        pub enum $name {
            $(#[serde(rename = $wire)] $variant($payload),)*
        }

        impl $name {
            /// Names of all events, in the order of the documents.
            pub const TYPES: &'static [&'static str] = &[$($wire),*];

            /// Name in the log, the feed and the NATS headers.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $wire,)* }
            }

            /// Version of the payload's shape; upcasters bring older ones up to it.
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

/// Names an aggregate's commands once: the name in JSON, the lowest role that may send it, the variant.
/// Nothing else states who may do what.
macro_rules! commands {
    ($(#[$doc:meta])* $name:ident by $role:ident { $($wire:tt $needs:ident => $variant:ident($payload:ty)),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "type", content = "data")]
        pub enum $name {
            $(#[serde(rename = $wire)] $variant($payload),)*
        }

        impl $name {
            /// Names of all commands, each with the lowest role that may send it.
            pub const TABLE: &'static [(&'static str, $role)] = &[$(($wire, $role::$needs)),*];

            /// Lowest role that may send it.
            pub fn needs(&self) -> $role {
                match self { $(Self::$variant(_) => $role::$needs,)* }
            }

            /// Name in JSON, such as `type` of a bulk command.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $wire,)* }
            }
        }
    };
}

pub(crate) use {commands, events};
