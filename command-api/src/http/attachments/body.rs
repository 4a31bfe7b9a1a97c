//! The body of an upload, as a stream.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::Stream;
use http_body_util::BodyExt;
use taskfold_attachments::uploads::BodyError;
use taskfold_domain::limits::UPLOAD_IDLE_SECONDS;
use taskfold_web::{Code, Problem, deadline};

/// Limit of the time between two chunks of a body. An upload as a whole has no time limit.
const IDLE: Duration = Duration::from_secs(UPLOAD_IDLE_SECONDS);

/// Problem for a body that did not end.
pub fn problem(error: BodyError) -> Problem {
    match error {
        BodyError::Idle => {
            Problem::new(Code::RequestTimeout, format!("No bytes of the body arrived for {} s", IDLE.as_secs()))
        }
        BodyError::BrokenOff => Problem::new(Code::Malformed, "The body broke off"),
    }
}

/// The next bytes; `None` at the end.
pub async fn next(body: &mut Body) -> Result<Option<Bytes>, BodyError> {
    loop {
        deadline::allow(IDLE);
        match tokio::time::timeout(IDLE, body.frame()).await {
            Err(_) => return Err(BodyError::Idle),
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) => return Err(BodyError::BrokenOff),
            Ok(Some(Ok(frame))) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

pub fn stream(body: Body) -> impl Stream<Item = Result<Bytes, BodyError>> + Send {
    futures::stream::try_unfold(body, |mut body| async move { Ok(next(&mut body).await?.map(|bytes| (bytes, body))) })
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_is_read_to_its_end_and_an_idle_one_is_refused() {
        let slowly = futures::stream::iter(0..100).then(|n| async move {
            tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
            Ok::<_, std::io::Error>(vec![n])
        });
        let mut body = Body::from_stream(slowly);
        for n in 0..100 {
            assert_eq!(next(&mut body).await, Ok(Some(Bytes::from(vec![n]))));
        }
        assert_eq!(next(&mut body).await, Ok(None));
        let mut idle = Body::from_stream(futures::stream::pending::<std::io::Result<Bytes>>());
        assert_eq!(next(&mut idle).await, Err(BodyError::Idle));
    }
}
