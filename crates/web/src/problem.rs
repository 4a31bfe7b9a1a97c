//! Errors as callers see them (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use taskfold_domain::reference::Removal;
use taskfold_domain::{FieldError, Refusal};
use taskfold_event_log::LapsedAuthority;
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response as DocumentedResponse, ResponseBuilder};
use uuid::Uuid;

macro_rules! status {
    // Defined by the tus protocol, and not registered.
    (CHECKSUM_MISMATCH) => {
        StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST)
    };
    ($name:ident) => {
        StatusCode::$name
    };
}

macro_rules! codes {
    ($($variant:ident = $status:ident, $code:tt, $title:tt;)*) => {
        /// Code of a problem, for programs. The `type` of the problem is `/problems/<code>`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
        pub enum Code {
            $(#[serde(rename = $code)] $variant,)*
        }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => status!($status),)* }
            }
        }
    };
}

codes! {
    Malformed = BAD_REQUEST, "malformed", "The request is malformed";
    Unauthenticated = UNAUTHORIZED, "unauthenticated", "Authentication is required";
    ReauthenticationRequired = UNAUTHORIZED, "reauthentication-required", "A recent sign-in is required";
    Forbidden = FORBIDDEN, "forbidden", "Not allowed";
    NotFound = NOT_FOUND, "not-found", "Not found";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed";
    NotAcceptable = NOT_ACCEPTABLE, "not-acceptable", "Not acceptable";
    RequestTimeout = REQUEST_TIMEOUT, "request-timeout", "The request arrived too slowly";
    IllegalTransition = CONFLICT, "illegal-transition", "The status of the task does not allow this";
    TaskDeleted = CONFLICT, "task-deleted", "The task is deleted";
    AlreadyExists = CONFLICT, "already-exists", "It already exists";
    WipLimitReached = CONFLICT, "wip-limit-reached", "The column is full";
    ColumnNotEmpty = CONFLICT, "column-not-empty", "The column contains tasks";
    ReferenceGone = CONFLICT, "reference-gone", "What the request refers to is gone";
    LastOwner = CONFLICT, "last-owner", "There must be an owner";
    DependencyCycle = CONFLICT, "dependency-cycle", "The dependency would create a cycle";
    UploadOffset = CONFLICT, "upload-offset", "The upload is at another offset";
    CursorAhead = GONE, "cursor-ahead", "The cursor is ahead of the log";
    LogChanged = GONE, "log-changed", "The log has changed";
    VersionConflict = PRECONDITION_FAILED, "version-conflict", "It was changed in the meantime";
    UploadProtocol = PRECONDITION_FAILED, "upload-protocol", "The version of the upload protocol is not supported";
    PayloadTooLarge = PAYLOAD_TOO_LARGE, "payload-too-large", "The request body is too large";
    QuotaExceeded = PAYLOAD_TOO_LARGE, "quota-exceeded", "The quota is exceeded";
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The content type is not supported";
    RangeNotSatisfiable = RANGE_NOT_SATISFIABLE, "range-not-satisfiable", "The range is not satisfiable";
    ValidationFailed = UNPROCESSABLE_ENTITY, "validation-failed", "The request is invalid";
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The key was used for another request";
    RateLimited = TOO_MANY_REQUESTS, "rate-limited", "Too many requests";
    ChecksumMismatch = CHECKSUM_MISMATCH, "checksum-mismatch", "The checksum does not match";
    HeadersTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large", "The request headers are too large";
    Internal = INTERNAL_SERVER_ERROR, "internal", "Internal error";
    Unavailable = SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable";
    ReadModelBehind = SERVICE_UNAVAILABLE, "read-model-behind", "The read model is behind";
}

/// An error as callers see it: `application/problem+json` (RFC 9457). It never contains the text of an internal error.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    #[schema(value_type = String, example = "/problems/validation-failed")]
    r#type: ProblemType,
    title: &'static str,
    status: u16,
    /// Explanation of this error, for people.
    detail: String,
    code: Code,
    /// Validation errors, with their places in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<FieldError>>,
    /// More fields, depending on the code: `task_status` and `allowed`, `current_version` and `conflicting_events`, ...
    #[serde(flatten)]
    #[schema(value_type = Object, additional_properties)]
    more: Map<String, Value>,
    #[serde(skip)]
    retry_after_seconds: Option<u32>,
}

/// `/problems/<code>`.
#[derive(Clone, Copy, Debug)]
struct ProblemType(Code);

impl Serialize for ProblemType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("/problems/{}", self.0.as_str()))
    }
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            r#type: ProblemType(code),
            title: code.title(),
            status: code.status().as_u16(),
            detail: detail.into(),
            code,
            errors: None,
            more: Map::new(),
            retry_after_seconds: None,
        }
    }

    pub fn code(&self) -> Code {
        self.code
    }

    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.pointer, one.detail),
            [] | [_, _, ..] => "See `errors`".to_owned(),
        };
        Self { errors: Some(errors), ..Self::new(Code::ValidationFailed, detail) }
    }

    pub fn invalid_field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(pointer, detail)])
    }

    /// For a request about another log. `current`: id of the current log. `fork_position`: last position that both logs
    /// have in common.
    pub fn log_changed(current: Uuid, fork_position: Option<i64>) -> Self {
        let problem = Self::new(Code::LogChanged, "The log was adopted under another id: read everything again");
        problem.with("log", current.to_string()).with("fork_position", fork_position)
    }

    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "It does not exist, or you may not see it")
    }

    pub fn unavailable(what: &str) -> Self {
        Self { retry_after_seconds: Some(1), ..Self::new(Code::Unavailable, format!("{what} is not available")) }
    }

    /// For unexpected errors. Logs the cause with an id, and returns only the id.
    #[expect(clippy::disallowed_methods, reason = "any conversion of an error may create one, without a clock")]
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        let error_id = taskfold_event_log::ambient::new_id();
        tracing::error!(%error_id, %cause, "internal error");
        Self::new(Code::Internal, "The error was logged with this id").with("error_id", error_id.to_string())
    }

    /// The same problem with another status: a batch has 409 for a version conflict.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status.as_u16();
        self
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

/// Problems of callers whose authority has ended, or does not suffice, to make a credential.
impl From<LapsedAuthority> for Problem {
    fn from(lapsed: LapsedAuthority) -> Self {
        match lapsed {
            LapsedAuthority::SessionEnded => Self::new(Code::Unauthenticated, "The session has ended: sign in again"),
            LapsedAuthority::TokenRevoked => Self::new(Code::Unauthenticated, "The token is invalid"),
            LapsedAuthority::AccountDisabled => Self::new(Code::Unauthenticated, "The account is disabled"),
            LapsedAuthority::TokenCannotDelegate => {
                let detail = "The API token was created without `delegates`, and cannot make links or tickets";
                Self::new(Code::Forbidden, detail)
            }
        }
    }
}

/// Codes for the refusals of the domain.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = sentence(&refusal.to_string());
        match refusal {
            Refusal::NotFound => Self::not_found(),
            Refusal::Forbidden { needs } => Self::new(Code::Forbidden, detail).with("needs_role", needs.as_str()),
            Refusal::NotTheAuthor
            | Refusal::ProjectArchived
            | Refusal::TeamOwnersOnly
            | Refusal::OwnersOnly
            | Refusal::HasLeft => Self::new(Code::Forbidden, detail),
            Refusal::AlreadyExists => Self::new(Code::AlreadyExists, detail),
            Refusal::IllegalTransition { status, allowed } => Self::new(Code::IllegalTransition, detail)
                .with("task_status", status.as_str())
                .with("allowed", serde_json::json!(allowed)),
            Refusal::TaskDeleted { by, at } => Self::new(Code::TaskDeleted, detail)
                .with("deleted_by", by.to_string())
                .with("deleted_at", serde_json::json!(at)),
            Refusal::WipLimitReached => Self::new(Code::WipLimitReached, detail),
            Refusal::ColumnNotEmpty { on_board, archived } => {
                Self::new(Code::ColumnNotEmpty, detail).with("tasks", on_board).with("archived_tasks", archived)
            }
            Refusal::ReferenceGone(gone) => {
                let (by, at) = match gone.removal {
                    Removal::AtVersion(_) => (None, None),
                    Removal::By(user, at) => (Some(user), Some(at)),
                };
                let reference = serde_json::json!({
                    "pointer": gone.pointer, "kind": gone.kind.as_str(), "id": gone.id, "removed_by": by, "removed_at": at,
                });
                Self::new(Code::ReferenceGone, detail).with("reference", reference)
            }
            Refusal::LastOwner => Self::new(Code::LastOwner, detail),
            Refusal::Cycle => Self::new(Code::DependencyCycle, detail),
            Refusal::Invalid(errors) => Self::invalid(errors),
        }
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Challenge of a 401: RFC 6750, and RFC 9470 where the sign-in is too long ago.
fn challenge(code: Code) -> &'static str {
    match code == Code::ReauthenticationRequired {
        true => "Bearer realm=\"taskfold\", error=\"insufficient_user_authentication\", max_age=\"1800\"",
        false => "Bearer realm=\"taskfold\"",
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge(self.code)));
        }
        response
    }
}

/// Documented responses of a set of codes: one for each status, with a real problem of each code as an example.
fn documented(codes: &[Code]) -> Vec<(StatusCode, DocumentedResponse)> {
    let mut statuses: Vec<StatusCode> = codes.iter().map(|c| c.status()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses
        .into_iter()
        .map(|status| {
            let of_status: Vec<Code> = codes.iter().copied().filter(|c| c.status() == status).collect();
            let examples = of_status.iter().map(|code| {
                let problem = serde_json::to_value(Problem::new(*code, code.title())).ok();
                (code.as_str(), RefOr::T(ExampleBuilder::new().value(problem).build()))
            });
            let content = ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Problem")))
                .examples_from_iter(examples)
                .build();
            let titles: Vec<&str> = of_status.iter().map(|c| c.title()).collect();
            let response =
                ResponseBuilder::new().description(titles.join("; ")).content("application/problem+json", content);
            let response = if status == StatusCode::TOO_MANY_REQUESTS {
                documented_rates().into_iter().fold(response, |response, (name, header)| response.header(name, header))
            } else {
                response
            };
            (status, response.build())
        })
        .collect()
}

/// Documented headers of a response to too many requests. Responses to other requests of a known caller have the last two
/// as well.
fn documented_rates() -> [(&'static str, Header); 3] {
    [
        ("Retry-After", "Seconds after which the request may succeed"),
        (
            "RateLimit-Policy",
            "Quotas of the caller, such as `\"commands\";q=60000;w=60`: requests (`q`) in seconds (`w`)",
        ),
        (
            "RateLimit",
            "What is left, such as `\"commands\";r=59999;t=1`: requests (`r`), and seconds (`t`) to the full quota",
        ),
    ]
    .map(|(name, description)| (name, HeaderBuilder::new().description(Some(description)).build()))
}

macro_rules! problem_sets {
    ($($(#[$doc:meta])* $name:ident: [$($code:ident),*];)*) => {
        $(
            $(#[$doc])*
            pub struct $name;

            impl $name {
                const CODES: &[Code] = &[$(Code::$code),*];
            }

            impl utoipa::IntoResponses for $name {
                /// References, so that the document contains each response only once.
                fn responses() -> std::collections::BTreeMap<String, RefOr<DocumentedResponse>> {
                    documented(Self::CODES)
                        .into_iter()
                        .map(|(status, _)| {
                            let name = format!("{}{}", stringify!($name), status.as_u16());
                            (status.as_str().to_owned(), RefOr::Ref(Ref::from_response_name(name)))
                        })
                        .collect()
                }
            }
        )*

        /// Adds the responses that operations refer to to the components of the document.
        pub fn add_to(document: &mut utoipa::openapi::OpenApi) {
            let components = document.components.get_or_insert_default();
            $(
                for (status, response) in documented($name::CODES) {
                    let name = format!("{}{}", stringify!($name), status.as_u16());
                    components.responses.insert(name, RefOr::T(response));
                }
            )*
        }
    };
}

problem_sets! {
    /// Problems of commands.
    CommandProblems: [
        Malformed, Unauthenticated, Forbidden, NotFound, IllegalTransition, TaskDeleted, AlreadyExists, WipLimitReached,
        ColumnNotEmpty, ReferenceGone, LastOwner, DependencyCycle, VersionConflict, PayloadTooLarge,
        UnsupportedMediaType, ValidationFailed, IdempotencyKeyReused, RateLimited, Internal, Unavailable
    ];
    /// Problems of uploads.
    UploadProblems: [
        Malformed, Unauthenticated, Forbidden, NotFound, RequestTimeout, TaskDeleted, AlreadyExists, UploadOffset,
        VersionConflict, UploadProtocol, ChecksumMismatch, PayloadTooLarge, QuotaExceeded, UnsupportedMediaType,
        ValidationFailed, IdempotencyKeyReused, RateLimited, Internal, Unavailable
    ];
    /// Problems of reads.
    ReadProblems: [Unauthenticated, NotFound, LogChanged, ValidationFailed, RateLimited, Internal, Unavailable, ReadModelBehind];
    /// Problems of reads of files.
    ContentProblems: [
        Malformed, Unauthenticated, NotFound, RangeNotSatisfiable, ValidationFailed, RateLimited, Internal, Unavailable,
        ReadModelBehind
    ];
    /// Problems of reads of the feed.
    FeedProblems: [
        Unauthenticated, NotFound, CursorAhead, LogChanged, ValidationFailed, RateLimited, Internal, Unavailable, ReadModelBehind
    ];
    /// Problems of requests for streams.
    StreamProblems: [
        Unauthenticated, Forbidden, NotFound, CursorAhead, LogChanged, ValidationFailed, RateLimited, Internal,
        Unavailable, ReadModelBehind
    ];
    /// Problems of requests about accounts and sessions.
    AccountProblems: [
        Malformed, Unauthenticated, Forbidden, AlreadyExists, PayloadTooLarge, UnsupportedMediaType, ValidationFailed,
        RateLimited, Internal, Unavailable
    ];
    /// Problems of requests about the caller's own data.
    OwnProblems: [
        Malformed, Unauthenticated, Forbidden, NotFound, AlreadyExists, PayloadTooLarge, UnsupportedMediaType,
        ValidationFailed, RateLimited, Internal, Unavailable, ReadModelBehind
    ];
    /// Problems of presence requests.
    PresenceProblems: [
        Malformed, Unauthenticated, Forbidden, NotFound, PayloadTooLarge, UnsupportedMediaType, ValidationFailed,
        RateLimited, Internal, Unavailable, ReadModelBehind
    ];
    /// Problems of requests about API tokens and invitations.
    TokenProblems: [
        Malformed, Unauthenticated, ReauthenticationRequired, Forbidden, NotFound, PayloadTooLarge,
        UnsupportedMediaType, ValidationFailed, RateLimited, Internal, Unavailable
    ];
}
