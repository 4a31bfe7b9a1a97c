use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::Stream;
use http_body_util::BodyExt;
use taskfold_attachments::uploads::BodyError;
use taskfold_web::{Code, Problem, deadline};

/// Between two pieces of a body. An upload as a whole may take as long as it takes.
const IDLE: Duration = Duration::from_secs(60);

/// Reason for which a body did not end, as a problem.
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
    async fn a_slow_body_comes_to_its_end_and_an_idle_one_is_ended() {
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
