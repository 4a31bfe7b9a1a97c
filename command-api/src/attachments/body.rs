use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::Stream;
use http_body_util::BodyExt;
use taskfold_openapi::{Code, Problem, deadline};

/// Between two pieces of a body. An upload as a whole may take as long as it takes.
const IDLE: Duration = Duration::from_secs(60);

/// Why a body did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("nothing came in for a while")]
    Idle,
    #[error("it broke off")]
    BrokenOff,
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Idle => {
                Self::new(Code::RequestTimeout, format!("Nothing of the body came in for {} s", IDLE.as_secs()))
            }
            BodyError::BrokenOff => Self::new(Code::Malformed, "The body broke off"),
        }
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
