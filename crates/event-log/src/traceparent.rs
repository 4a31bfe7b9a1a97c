//! Trace context (W3C) of work that the program starts.

use crate::Clock;

impl Clock {
    /// Value of a `traceparent` header that starts a new trace: random ids, not sampled.
    pub fn new_traceparent(&self) -> String {
        let [trace, span] = [self.random_id(), self.random_id()];
        format!("00-{}-{}-00", trace.simple(), &span.simple().to_string()[..16])
    }
}
