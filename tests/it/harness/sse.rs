//! A client for SSE streams.

use std::pin::Pin;

use eventsource_stream::Eventsource as _;
use futures::{Stream, StreamExt as _};
use serde_json::Value;

use super::PATIENCE;

/// One frame, as read by a third-party parser.
#[derive(Clone, Debug)]
pub struct Frame {
    pub id: String,
    pub event: String,
    pub data: Value,
}

/// An open SSE stream.
pub struct Sse {
    frames: Pin<Box<dyn Stream<Item = Option<Frame>> + Send>>,
}

impl Sse {
    pub async fn open(request: reqwest::RequestBuilder) -> Self {
        Self::try_open(request).await.expect("the stream opens")
    }

    /// Opens a stream; `None` if the server is unavailable, or the response is not a stream.
    pub async fn try_open(request: reqwest::RequestBuilder) -> Option<Self> {
        let response = request.header("accept", "text/event-stream").send().await.ok()?;
        (response.status() == 200).then(|| Self::of(response))
    }

    /// Reads the frames of this response.
    pub fn of(response: reqwest::Response) -> Self {
        let frames = response.bytes_stream().eventsource().map(|event| {
            let event = event.ok()?;
            let data = serde_json::from_str(&event.data).unwrap_or(Value::Null);
            Some(Frame { id: event.id, event: event.event, data })
        });
        Self { frames: Box::pin(frames) }
    }

    /// The next frame; `None` when the stream ended or broke.
    pub async fn next(&mut self) -> Option<Frame> {
        tokio::time::timeout(PATIENCE, self.frames.next()).await.expect("a frame comes in time").flatten()
    }

    /// The next frame that is a Change.
    pub async fn next_change(&mut self) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.data.get("position").is_some() && frame.event != "hello" {
                return Some(frame);
            }
        }
    }

    /// Positions of Changes up to this position.
    pub async fn changes_until(&mut self, position: i64) -> Vec<i64> {
        let mut seen = Vec::new();
        while seen.last() != Some(&position) {
            let frame = self.next_change().await.expect("the stream continues");
            seen.push(frame.data["position"].as_i64().unwrap());
        }
        seen
    }
}
