//! Rates of requests of each person, and of each API token, in the headers of draft-ietf-httpapi-ratelimit-headers-10.
//!
//! A request is counted when its caller is known (GCRA: 16 bytes for each person, and no timers). Callers who are not
//! known have no rate here: what they can reach is limited where it is costly.

use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};
use taskfold_domain::limits::Configured;
use taskfold_event_log::metrics;
use uuid::Uuid;

use crate::auth::{Caller, Means};
use crate::problem::{Code, Problem};

pub const RATE_LIMIT: &str = "ratelimit";
pub const RATE_LIMIT_POLICY: &str = "ratelimit-policy";
/// Window of all rates.
const WINDOW: Duration = Duration::from_secs(60);
/// Part of a person's rate that one of their API tokens has, so that a script leaves something for the person.
const TOKEN_SHARE: u32 = 2;
/// Requests after which callers that have their full quota again are forgotten.
const FORGET_AFTER: u32 = 8192;

type Limiter = RateLimiter<Uuid, DashMapStateStore<Uuid>, DefaultClock, StateInformationMiddleware>;

/// Kind of request, each with a rate of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Commands,
    Reads,
    Uploads,
    Imports,
}

impl Class {
    fn of(method: &Method, route: &str) -> Self {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            Self::Reads
        } else if route.starts_with("/v1/imports") {
            Self::Imports
        } else if route.contains("/attachments") || route.contains("/uploads") {
            Self::Uploads
        } else {
            Self::Commands
        }
    }

    /// Name in the headers and in the metric.
    fn as_str(self) -> &'static str {
        match self {
            Self::Commands => "commands",
            Self::Reads => "reads",
            Self::Uploads => "uploads",
            Self::Imports => "imports",
        }
    }
}

/// Rates of all callers on one instance.
pub struct RateLimits {
    commands: Option<Rate>,
    reads: Option<Rate>,
    uploads: Option<Rate>,
    imports: Option<Rate>,
}

impl RateLimits {
    pub fn new(limits: &Configured) -> Arc<Self> {
        let rate = |per_minute: u32| NonZeroU32::new(per_minute).map(Rate::new);
        Arc::new(Self {
            commands: rate(limits.commands_per_minute),
            reads: rate(limits.reads_per_minute),
            uploads: rate(limits.uploads_per_minute),
            imports: rate(limits.imports_per_minute),
        })
    }

    fn rate(&self, class: Class) -> Option<&Rate> {
        match class {
            Class::Commands => self.commands.as_ref(),
            Class::Reads => self.reads.as_ref(),
            Class::Uploads => self.uploads.as_ref(),
            Class::Imports => self.imports.as_ref(),
        }
    }
}

/// Rate of one kind of request.
struct Rate {
    people: Limiter,
    tokens: Limiter,
    clock: DefaultClock,
    counted: AtomicU32,
}

impl Rate {
    fn new(per_minute: NonZeroU32) -> Self {
        let clock = DefaultClock::default();
        let limiter = |quota: NonZeroU32| {
            let period = Quota::with_period(WINDOW / quota.get()).unwrap_or(Quota::per_minute(quota));
            RateLimiter::dashmap_with_clock(period.allow_burst(quota), clock.clone())
                .with_middleware::<StateInformationMiddleware>()
        };
        let of_token = NonZeroU32::new(per_minute.get().div_ceil(TOKEN_SHARE)).unwrap_or(per_minute);
        Self { people: limiter(per_minute), tokens: limiter(of_token), clock, counted: AtomicU32::new(0) }
    }

    /// Counts a request. `Err`: the state of the quota that is used up, and the time until one more is allowed.
    fn count(&self, class: Class, caller: &Caller) -> Result<Usage, (Usage, Duration)> {
        if self.counted.fetch_add(1, Ordering::Relaxed) % FORGET_AFTER == FORGET_AFTER - 1 {
            self.people.retain_recent();
            self.tokens.retain_recent();
        }
        let mut usage = Usage { class, token: None, person: None };
        if let Means::ApiToken(token) = caller.means {
            let state = self.take(&self.tokens, token);
            usage.token = Some(state.map_err(|(state, wait)| (Usage { token: Some(state), ..usage }, wait))?);
        }
        let state = self.take(&self.people, caller.user_id.0);
        usage.person = Some(state.map_err(|(state, wait)| (Usage { person: Some(state), ..usage }, wait))?);
        Ok(usage)
    }

    fn take(&self, limiter: &Limiter, key: Uuid) -> Result<Remaining, (Remaining, Duration)> {
        match limiter.check_key(&key) {
            Ok(state) => {
                Ok(Remaining { quota: state.quota().burst_size().get(), remaining: state.remaining_burst_capacity() })
            }
            Err(not_until) => {
                let quota = not_until.quota().burst_size().get();
                Err((Remaining { quota, remaining: 0 }, not_until.wait_time_from(self.clock.now())))
            }
        }
    }
}

/// Quota of a person or token, and what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Remaining {
    quota: u32,
    remaining: u32,
}

impl Remaining {
    /// Seconds until nothing of the quota is used.
    fn seconds_to_full(self) -> u64 {
        let used = u64::from(self.quota - self.remaining.min(self.quota));
        (used * WINDOW.as_secs()).div_ceil(u64::from(self.quota.max(1)))
    }
}

/// Quotas that a request used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Usage {
    class: Class,
    token: Option<Remaining>,
    person: Option<Remaining>,
}

impl Usage {
    /// Values of `RateLimit-Policy` and `RateLimit`.
    fn headers(&self) -> [String; 2] {
        let (mut policy, mut state) = (String::new(), String::new());
        for (suffix, quota) in [("", self.person), ("-of-token", self.token)] {
            let Some(quota) = quota else { continue };
            let (comma, name) = (if policy.is_empty() { "" } else { ", " }, self.class.as_str());
            // Writing to a string cannot fail.
            let _ = write!(policy, "{comma}\"{name}{suffix}\";q={};w={}", quota.quota, WINDOW.as_secs());
            let _ = write!(state, "{comma}\"{name}{suffix}\";r={};t={}", quota.remaining, quota.seconds_to_full());
        }
        [policy, state]
    }
}

/// Extension of a request: the rates, and what the request used of them.
#[derive(Clone)]
struct Counted {
    limits: Arc<RateLimits>,
    usage: Arc<OnceLock<Usage>>,
}

/// Gives the request the rates, and the response the headers.
pub async fn limit(State(limits): State<Arc<RateLimits>>, mut request: Request, next: Next) -> Response {
    let counted = Counted { limits, usage: Arc::default() };
    let usage = Arc::clone(&counted.usage);
    request.extensions_mut().insert(counted);
    let mut response = next.run(request).await;
    if let Some(usage) = usage.get() {
        for (name, value) in [RATE_LIMIT_POLICY, RATE_LIMIT].into_iter().zip(usage.headers()) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
    }
    response
}

/// Counts the request of a caller, once. 429 if the caller has used the quota. The extractor of the caller does it; it
/// remains for handlers that authenticate by other means.
pub fn count(parts: &Parts, caller: &Caller) -> Result<(), Problem> {
    let Some(counted) = parts.extensions.get::<Counted>().filter(|counted| counted.usage.get().is_none()) else {
        return Ok(());
    };
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let class = Class::of(&parts.method, route);
    let Some(rate) = counted.limits.rate(class) else { return Ok(()) };
    let outcome = rate.count(class, caller);
    let usage = match outcome {
        Ok(usage) | Err((usage, _)) => usage,
    };
    // Set only here, which the filter above lets through once.
    let _ = counted.usage.set(usage);
    match outcome {
        Ok(_) => Ok(()),
        Err((_, wait)) => {
            metrics::rate_limited(class.as_str()).increment(1);
            let seconds = u32::try_from(wait.as_secs_f64().ceil() as u64).unwrap_or(u32::MAX).max(1);
            let of = if usage.person.is_some() { "you" } else { "this API token" };
            let detail = format!("Too many {} of {of} within a minute: see the headers RateLimit", class.as_str());
            Err(Problem::new(Code::RateLimited, detail).retry_after(seconds))
        }
    }
}

#[cfg(test)]
mod tests {
    use taskfold_domain::ids::UserId;

    use super::*;
    use crate::scope::Scope;

    fn caller(user: u128, means: Means) -> Caller {
        Caller {
            user_id: UserId(Uuid::from_u128(user)),
            means,
            scope: Scope::FULL,
            expires_at: i64::MAX,
            authenticated_at: None,
        }
    }

    #[test]
    fn each_person_and_each_token_has_a_rate() {
        let rate = Rate::new(NonZeroU32::new(4).expect("not zero"));
        let count = |user, means| rate.count(Class::Commands, &caller(user, means));
        let token = Means::ApiToken(Uuid::from_u128(9));
        let first = count(1, token).expect("allowed");
        assert_eq!(first.headers()[0], "\"commands\";q=4;w=60, \"commands-of-token\";q=2;w=60");
        assert_eq!(first.headers()[1], "\"commands\";r=3;t=15, \"commands-of-token\";r=1;t=30");
        assert!(count(1, token).is_ok());
        let (used, wait) = count(1, token).expect_err("the token has half");
        assert!(used.person.is_none() && wait > Duration::from_secs(20), "{used:?} {wait:?}");
        let session = Means::Session(Uuid::from_u128(7));
        assert!(count(1, session).is_ok() && count(1, session).is_ok());
        assert!(count(1, session).is_err());
        assert!(count(2, session).is_ok(), "another person");
    }

    #[test]
    fn requests_are_counted_by_their_kind() {
        for (method, route, class) in [
            (Method::GET, "/v1/imports/{import_id}", Class::Reads),
            (Method::HEAD, "/v1/tasks/{task_id}/attachments/{attachment_id}/content", Class::Reads),
            (Method::POST, "/v1/imports", Class::Imports),
            (Method::PATCH, "/v1/tasks/{task_id}/uploads/{upload_id}", Class::Uploads),
            (Method::POST, "/v1/tasks/{task_id}/attachments", Class::Uploads),
            (Method::POST, "/v1/tasks/bulk", Class::Commands),
            (Method::DELETE, "", Class::Commands),
        ] {
            assert_eq!(Class::of(&method, route), class, "{method} {route}");
        }
    }

    #[test]
    fn any_configured_rate_is_a_quota() {
        for per_minute in [1, 7, 60, 60_000, 10_000_000] {
            let rate = Rate::new(NonZeroU32::new(per_minute).expect("not zero"));
            let usage = rate.count(Class::Reads, &caller(1, Means::Outside)).expect("the first");
            assert_eq!(usage.person.map(|p| (p.quota, p.remaining)), Some((per_minute, per_minute - 1)));
        }
    }
}
