//! Entity tags that name their log, after an `@`: the same version of another log is another state. A tag without a
//! log, which was written by hand, belongs to this log.

use http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue};
use taskfold_event_log::LogIdentity;

/// Extension of a response whose tag is the same in every log, such as that of the content of a file.
#[derive(Clone, Copy, Debug)]
pub struct SameInEveryLog;

/// Removes the log from the tags of a request, for the handlers. True if `If-Match` belongs to another log.
pub fn strip(headers: &mut HeaderMap, log: &LogIdentity) -> bool {
    for name in [IF_MATCH, IF_NONE_MATCH] {
        replace(headers, &name, |text| text.replace(&format!("@{}\"", log.mark()), "\""));
    }
    headers.get(IF_MATCH).and_then(|tag| tag.to_str().ok()).is_some_and(|tag| tag.contains('@'))
}

/// Adds the log to the tag of a response.
pub fn mark(headers: &mut HeaderMap, log: &LogIdentity) {
    replace(headers, &ETAG, |tag| match tag.strip_suffix('"') {
        Some(open) => format!("{open}@{}\"", log.mark()),
        None => tag.to_owned(),
    });
}

fn replace(headers: &mut HeaderMap, name: &HeaderName, with: impl Fn(&str) -> String) {
    if let Some(value) = headers.get_mut(name) {
        let replaced = value.to_str().ok().and_then(|text| HeaderValue::from_str(&with(text)).ok());
        *value = replaced.unwrap_or_else(|| value.clone());
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn log(id: u128) -> LogIdentity {
        LogIdentity { id: Uuid::from_u128(id), former: vec![], forks: vec![] }
    }

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_tag_of_this_log_is_restored() {
        for tag in ["\"7\"", "W/\"7.x\""] {
            let mut answer = headers(ETAG, tag);
            mark(&mut answer, &log(1));
            assert_ne!(answer[ETAG], tag);
            let mut request = HeaderMap::from_iter([(IF_MATCH, answer[ETAG].clone())]);
            assert!(!strip(&mut request, &log(1)));
            assert_eq!(request[IF_MATCH], tag);
        }
    }

    #[test]
    fn a_tag_of_another_log_does_not_match() {
        let mut answer = headers(ETAG, "\"7\"");
        mark(&mut answer, &log(2));
        for (name, refused) in [(IF_MATCH, true), (IF_NONE_MATCH, false)] {
            let mut request = HeaderMap::from_iter([(name, answer[ETAG].clone())]);
            assert_eq!(strip(&mut request, &log(1)), refused);
        }
    }

    #[test]
    fn a_tag_without_a_log_belongs_to_this_log() {
        assert!(!strip(&mut headers(IF_MATCH, "\"7\""), &log(1)));
        assert!(!strip(&mut headers(IF_MATCH, "*"), &log(1)));
    }
}
