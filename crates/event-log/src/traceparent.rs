//! Trace context (W3C) of work that the program starts by itself.

use crate::clock;

/// Value of a `traceparent` header that starts a new trace: random ids, not sampled.
pub fn new_traceparent() -> String {
    let [trace, span] = [clock::random_id(), clock::random_id()];
    format!("00-{}-{}-00", trace.simple(), &span.simple().to_string()[..16])
}
