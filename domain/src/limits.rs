//! Limits that callers meet, in one place: `GET /v1/meta` and docs/limits.md list what stands here. Sizes of batches,
//! buffers and intervals that only the program itself knows stay beside the code that they tune.

use std::num::NonZeroU32;

/// A limit as callers read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Name in upper case, such as `TITLE_CHARS`.
    constant: &'static str,
    pub value: u64,
    pub unit: Unit,
    documentation: &'static str,
}

/// Unit of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Unicode scalar values.
    Characters,
    /// Bytes; of text, in UTF-8.
    Bytes,
    /// A number of things.
    Count,
    Seconds,
    Days,
}

impl Unit {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Characters => "characters",
            Self::Bytes => "bytes",
            Self::Count => "count",
            Self::Seconds => "seconds",
            Self::Days => "days",
        }
    }
}

/// Limits that the operator sets. Every role receives the same, whether it enforces them or only reports them.
#[derive(Clone, Copy, Debug)]
pub struct Configured {
    pub attachment_bytes: u64,
    pub attachment_bytes_per_project: u64,
    pub concurrent_uploads: NonZeroU32,
    pub concurrent_uploads_per_user: NonZeroU32,
    pub import_bytes: u64,
    pub session_days: i32,
    pub streams_per_user: NonZeroU32,
    pub presence_seconds: u32,
    /// Requests of a person in a minute on one instance; 0: any number.
    pub commands_per_minute: u32,
    pub reads_per_minute: u32,
    pub uploads_per_minute: u32,
    pub imports_per_minute: u32,
}

impl Configured {
    /// The limits in the form of the fixed ones.
    pub fn list(&self) -> [Limit; 12] {
        let limit = |constant, value, unit, documentation| Limit { constant, value, unit, documentation };
        [
            limit("ATTACHMENT_BYTES", self.attachment_bytes, Unit::Bytes, "An attachment"),
            limit(
                "ATTACHMENT_BYTES_PER_PROJECT",
                self.attachment_bytes_per_project,
                Unit::Bytes,
                "Attachments of a project, with uploads in progress and with deleted tasks",
            ),
            limit(
                "CONCURRENT_UPLOADS",
                self.concurrent_uploads.get().into(),
                Unit::Count,
                "Uploads at one time on one command-api",
            ),
            limit(
                "CONCURRENT_UPLOADS_PER_USER",
                self.concurrent_uploads_per_user.get().into(),
                Unit::Count,
                "Uploads of a person at one time on one command-api",
            ),
            limit("IMPORT_BYTES", self.import_bytes, Unit::Bytes, "The file of an import"),
            limit(
                "SESSION_DAYS",
                self.session_days.unsigned_abs().into(),
                Unit::Days,
                "Lifetime of a session that is not refreshed",
            ),
            limit(
                "STREAMS_PER_USER",
                self.streams_per_user.get().into(),
                Unit::Count,
                "Streams of a person on one instance",
            ),
            limit(
                "PRESENCE_SECONDS",
                self.presence_seconds.into(),
                Unit::Seconds,
                "Time for which a device stays present after a heartbeat",
            ),
            limit(
                "COMMANDS_PER_MINUTE",
                self.commands_per_minute.into(),
                Unit::Count,
                "Requests of a person with commands in a minute on one instance; an API token has half; 0: any number",
            ),
            limit(
                "READS_PER_MINUTE",
                self.reads_per_minute.into(),
                Unit::Count,
                "Reads of a person in a minute on one instance; an API token has half; 0: any number",
            ),
            limit(
                "UPLOADS_PER_MINUTE",
                self.uploads_per_minute.into(),
                Unit::Count,
                "Requests of a person with or about files in a minute; an API token has half; 0: any number",
            ),
            limit(
                "IMPORTS_PER_MINUTE",
                self.imports_per_minute.into(),
                Unit::Count,
                "Imports that a person requests in a minute; an API token has half; 0: any number",
            ),
        ]
    }
}

impl Limit {
    /// Name in JSON, such as `title_chars`.
    pub fn name(&self) -> String {
        self.constant.to_ascii_lowercase()
    }

    /// Object of the limit, in a few words.
    pub fn description(&self) -> &'static str {
        self.documentation.trim_start()
    }
}

/// Declares limits: a constant for each, with the text that callers read as its documentation, and the list of all.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $value:expr, $unit:ident;)*) => {
        $($(#[doc = $doc])+ pub const $name: $type = $value;)*

        /// All limits that no setting changes.
        pub const FIXED: &[Limit] = &[$(
            Limit { constant: stringify!($name), value: $name as u64, unit: Unit::$unit, documentation: concat!($($doc),+) },
        )*];
    };
}

limits! {
    /// Title of a task
    TITLE_CHARS: usize = 500, Characters;
    /// Name of a project, column, label, checklist, team, filter or API token, and display name of a person
    NAME_CHARS: usize = 500, Characters;
    /// Description of a task or project, in Markdown
    DESCRIPTION_BYTES: usize = 64 * 1024, Bytes;
    /// Text of a comment, in Markdown
    COMMENT_BYTES: usize = 16 * 1024, Bytes;
    /// Reason of a cancellation or failure
    REASON_CHARS: usize = 2000, Characters;
    // With the maximum of items this bounds the largest Change, a checklist's removal, to what NATS carries in one
    // message.
    /// Text of a checklist item
    ITEM_CHARS: usize = 2000, Characters;
    /// Emoji of a reaction
    EMOJI_BYTES: usize = 32, Bytes;
    /// Name of a colour, where it is not `#rrggbb`
    COLOR_BYTES: usize = 30, Bytes;
    /// Labels of a task
    LABELS_PER_TASK: usize = 50, Count;
    /// Assignees of a task
    ASSIGNEES_PER_TASK: usize = 50, Count;
    /// Checklists of a task
    CHECKLISTS_PER_TASK: usize = 50, Count;
    /// Items of a checklist
    ITEMS_PER_CHECKLIST: usize = 500, Count;
    /// Tasks that one task waits for
    DEPENDENCIES_PER_TASK: usize = 50, Count;
    // A task is folded as a whole.
    /// Comments of a task, deleted ones included
    COMMENTS_PER_TASK: usize = 10_000, Count;
    /// Attachments of a task at one time
    ATTACHMENTS_PER_TASK: usize = 500, Count;
    /// Reactions to a comment
    REACTIONS_PER_COMMENT: usize = 500, Count;
    /// People whom the mentions of one comment notify
    MENTIONS_PER_COMMENT: usize = 50, Count;
    /// Columns of a project, archived ones included
    COLUMNS_PER_PROJECT: usize = 50, Count;
    /// Labels of a project
    LABELS_PER_PROJECT: usize = 500, Count;
    /// Teams with a role in a project
    TEAMS_PER_PROJECT: usize = 20, Count;
    /// Saved filters that the members of a project share
    FILTERS_PER_PROJECT: usize = 100, Count;
    /// Members of a team
    MEMBERS_PER_TEAM: usize = 1_000, Count;
    /// Highest estimate of a task, in minutes
    ESTIMATE_MINUTES: u32 = 10_000_000, Count;
    /// Highest limit of tasks in a column
    WIP_LIMIT: u32 = 10_000, Count;
    /// Query parameters of a saved filter
    FILTER_QUERY_CHARS: usize = 2_000, Characters;
    /// Name of an attachment
    FILE_NAME_BYTES: usize = 255, Bytes;
    /// Media type of an attachment
    CONTENT_TYPE_BYTES: usize = 255, Bytes;

    /// Body of a request in JSON
    BODY_BYTES: usize = 1024 * 1024, Bytes;
    /// Body of a request in JSON without an access token, such as to sign in
    ANONYMOUS_BODY_BYTES: usize = 64 * 1024, Bytes;
    /// Time in which the body of a request in JSON arrives
    BODY_SECONDS: u64 = 20, Seconds;
    /// Headers of a request, beyond which it is answered with 431
    HEADER_BYTES: usize = 16 * 1024, Bytes;
    /// Response of text up to which it is not compressed
    UNCOMPRESSED_BYTES: u64 = 1_024, Bytes;
    /// Time in which the headers of the first request on a connection arrive
    FIRST_HEADERS_SECONDS: u64 = 10, Seconds;
    /// Time without a further request after which a connection of HTTP/1 is closed
    IDLE_CONNECTION_SECONDS: u64 = 75, Seconds;
    /// Time without progress after which the connection of a client that reads nothing is closed
    STALLED_RESPONSE_SECONDS: u64 = 60, Seconds;
    /// Time in which a request is answered, without the time in which its body arrives and for which it waits
    REQUEST_SECONDS: u64 = 5, Seconds;
    /// Items of a page where `limit` is absent
    PAGE_DEFAULT: i64 = 50, Count;
    /// Items of a page at most
    PAGE_MAX: i64 = 200, Count;
    /// Time that a read waits for its minimum position where `Prefer: wait` is absent
    WAIT_DEFAULT_SECONDS: u64 = 2, Seconds;
    /// Time that a read waits at most
    WAIT_MAX_SECONDS: u64 = 30, Seconds;

    /// Longest id in `X-Request-Id`
    REQUEST_ID_BYTES: usize = 128, Bytes;
    /// Request line and headers, beyond which the connection is closed
    REQUEST_HEAD_BYTES: usize = 64 * 1024, Bytes;

    /// Shortest username
    USERNAME_MIN_CHARS: usize = 2, Characters;
    /// Longest username
    USERNAME_MAX_CHARS: usize = 39, Characters;
    /// Shortest password
    PASSWORD_MIN_CHARS: usize = 10, Characters;
    /// Longest password
    PASSWORD_MAX_BYTES: usize = 1024, Bytes;
    /// Lifetime of an access token
    ACCESS_TOKEN_SECONDS: i64 = 900, Seconds;
    /// Lifetime of a ticket until a stream is opened with it
    TICKET_SECONDS: i64 = 60, Seconds;
    /// API tokens of a person
    API_TOKENS_PER_USER: i64 = 100, Count;
    /// Lifetime of an API token where `expires_at` is absent
    API_TOKEN_DEFAULT_DAYS: i64 = 90, Days;
    /// Time since the sign-in within which API tokens can be created
    RECENT_SIGN_IN_SECONDS: i64 = 1800, Seconds;
    /// Lifetime of a session, however often it is refreshed
    SESSION_MAX_DAYS: i32 = 180, Days;
    /// Time within which the same refresh token may be used again, for the same successor
    REFRESH_GRACE_SECONDS: i32 = 10, Seconds;
    /// Sign-ins of one account that may fail in a row; after them, one every 5 seconds
    SIGN_IN_FAILURES_PER_ACCOUNT: u32 = 10, Count;
    /// Sign-ins from one address that may fail in a row; after them, one a second
    SIGN_IN_FAILURES_PER_ADDRESS: u32 = 100, Count;
    /// Accounts that may be created from one address in a row; after them, one a second
    SIGN_UPS_PER_ADDRESS: u32 = 1000, Count;
    /// Accounts that are being created from one address at one time
    SIGN_UPS_AT_ONCE: u32 = 64, Count;
    /// Passwords that wait to be verified on one command-api
    PASSWORD_QUEUE: usize = 128, Count;
    /// Lifetime of an invitation where `expires_at` is absent
    INVITATION_DEFAULT_DAYS: i64 = 7, Days;
    /// Lifetime of an invitation at most
    INVITATION_MAX_DAYS: i64 = 90, Days;
    /// Highest limit of the uses of an invitation
    INVITATION_USES: i64 = 10_000, Count;

    /// Tasks of a bulk command
    BULK_TASKS: usize = 500, Count;
    /// Tasks of a project that the filter of a bulk command is compared with
    BULK_FILTER_TASKS: i64 = 20_000, Count;
    /// Time in which a bulk command is answered
    BULK_SECONDS: u64 = 30, Seconds;
    /// Unfinished uploads of a person
    UPLOADS_PER_USER: i64 = 100, Count;
    /// Time for which an unfinished upload is kept after its last byte
    UPLOAD_RETENTION_DAYS: i32 = 1, Days;
    /// Header `Upload-Metadata` of a resumable upload
    UPLOAD_METADATA_BYTES: usize = 4096, Bytes;
    /// Time without a byte after which an upload is ended
    UPLOAD_IDLE_SECONDS: u64 = 60, Seconds;
    /// Parts of a multipart form beside the file
    FORM_BYTES: u64 = 64 * 1024, Bytes;
    /// Time in which the file of an import arrives
    IMPORT_UPLOAD_SECONDS: u64 = 300, Seconds;
    /// Files of imports that are received and read at one time on one command-api
    IMPORT_FILES: u32 = 4, Count;
    /// Of them, those of one person
    IMPORT_FILES_PER_USER: u32 = 2, Count;
    /// Imports of a person that wait or run
    IMPORTS_PER_USER: i64 = 20, Count;

    /// Highest `column_limit` of a board
    BOARD_CARDS: i64 = 200, Count;
    /// Tasks of a calendar in one response
    CALENDAR_TASKS: i64 = 2000, Count;
    /// Days of a calendar in one response
    CALENDAR_DAYS: i64 = 366, Days;
    /// Calendar links of a project and person
    CALENDAR_LINKS: i64 = 50, Count;
    /// Tasks of a calendar by link
    CALENDAR_LINK_TASKS: i64 = 5000, Count;
    /// Description of a task in a calendar for other programs
    CALENDAR_DESCRIPTION_CHARS: usize = 2000, Characters;
    /// Saved filters of a person
    FILTERS_PER_USER: i64 = 200, Count;
    /// Search text
    QUERY_CHARS: usize = 200, Characters;
    /// Time of a search, after which it is answered with 503
    SEARCH_SECONDS: u64 = 2, Seconds;
    /// Words of a search text
    QUERY_WORDS: usize = 20, Count;
    /// Changes of a page of the catch-up where `limit` is absent
    CHANGES_DEFAULT: i64 = 500, Count;
    /// Changes of a page of the catch-up at most
    CHANGES_MAX: i64 = 1000, Count;
    /// Versions of a comment in one response
    COMMENT_VERSIONS: i64 = 200, Count;
    /// Notifications marked as read by one request
    NOTIFICATIONS_PER_REQUEST: usize = 500, Count;
    /// Highest number of unread notifications that is counted
    UNREAD_COUNTED: i64 = 1_000, Count;
    /// Projects of a stream
    PROJECTS_PER_STREAM: usize = 100, Count;
    /// Interval of heartbeats of a stream
    STREAM_HEARTBEAT_SECONDS: u64 = 15, Seconds;
    /// Longest time for which a stream is open without being renewed, whatever its token says
    STREAM_SECONDS: u64 = 24 * 60 * 60, Seconds;
    /// Time after the end of their access in which a former member who reconnects is sent the event that ended it
    REVOCATION_SECONDS: u64 = 10 * 60, Seconds;
    /// Devices of a person that are present in a project
    DEVICES_PER_USER: usize = 20, Count;
    /// Id of a device
    DEVICE_ID_CHARS: usize = 64, Characters;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Minutes, WipLimit};

    #[test]
    fn every_limit_has_a_unique_name_and_a_description() {
        let mut names: Vec<String> = FIXED.iter().map(Limit::name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), FIXED.len());
        for limit in FIXED {
            assert!(limit.value > 0 && limit.description().len() > 5, "{limit:?}");
        }
    }

    #[test]
    fn numbers_have_the_limits_of_the_list() {
        let wip = i64::from(WIP_LIMIT);
        assert!(WipLimit::try_from(wip).is_ok() && WipLimit::try_from(wip + 1).is_err());
        let minutes = i64::from(ESTIMATE_MINUTES);
        assert!(Minutes::try_from(minutes).is_ok() && Minutes::try_from(minutes + 1).is_err());
    }

    #[test]
    fn the_documentation_has_every_limit_with_its_value() -> std::io::Result<()> {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/limits.md"))?;
        for limit in FIXED {
            let unit = if limit.unit == Unit::Count { String::new() } else { format!(" {}", limit.unit.as_str()) };
            let row = format!("| `{}` | {}{unit} | {} |", limit.name(), limit.value, limit.description());
            assert!(page.contains(&row), "docs/limits.md lacks {row}");
        }
        let one = NonZeroU32::MIN;
        let configured = Configured {
            attachment_bytes: 1,
            attachment_bytes_per_project: 1,
            concurrent_uploads: one,
            concurrent_uploads_per_user: one,
            import_bytes: 1,
            session_days: 1,
            streams_per_user: one,
            presence_seconds: 1,
            commands_per_minute: 1,
            reads_per_minute: 1,
            uploads_per_minute: 1,
            imports_per_minute: 1,
        };
        for limit in configured.list() {
            let (begin, end) = (format!("| `{}` | ", limit.name()), format!(" | {} |", limit.description()));
            let is_row = |line: &str| line.starts_with(&begin) && line.ends_with(&end);
            assert!(page.lines().any(is_row), "docs/limits.md lacks {limit:?}");
        }
        let fixed = page.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 4).count();
        assert_eq!(fixed, FIXED.len());
        Ok(())
    }
}
