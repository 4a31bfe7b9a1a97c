//! Closing of a connection whose client may still be sending. If it is closed with unread data, the kernel resets it,
//! and the client loses the response that is already on its way.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Limit of the bytes that are read, and ignored, from one connection.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Reads until the client closes its side, for at most this time.
pub(super) async fn linger(mut stream: impl AsyncRead + Unpin, time: Duration) {
    let read_to_the_end = async {
        let (mut ignored, mut read) = (vec![0; 16 * 1024], 0);
        while read < MAX_BYTES {
            match stream.read(&mut ignored).await {
                Ok(count) if count > 0 => read += count,
                Ok(_) | Err(_) => return,
            }
        }
    };
    // A client that is still sending after this time has had the response for as long.
    let _ = tokio::time::timeout(time, read_to_the_end).await;
}
