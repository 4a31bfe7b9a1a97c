//! One non-blocking connection: a request for a stream and its response.

use std::io::{self, ErrorKind, Read as _, Write as _};

use anyhow::{Context as _, bail, ensure};
use mio::net::TcpStream;

use super::chunked::Chunked;
use super::frames::{Frame, Frames};

/// Upper bound of the size of a response head.
const HEAD_BYTES: usize = 16 * 1024;

/// One request for a stream and its response, driven by socket readiness.
pub struct Connection {
    pub socket: TcpStream,
    at: At,
    frames: Frames,
}

enum At {
    /// Unsent part of the request.
    Sending(Vec<u8>),
    /// Response head received so far.
    Head(Vec<u8>),
    Chunked(Chunked),
    /// A body that ends with the connection.
    Plain,
}

/// State of a connection after it was driven.
#[derive(Debug, PartialEq, Eq)]
pub enum ConnectionState {
    Open,
    /// Closed by the server.
    Ended,
}

impl Connection {
    pub fn new(socket: TcpStream, request: Vec<u8>) -> Self {
        Self { socket, at: At::Sending(request), frames: Frames::default() }
    }

    /// Sends and reads as much as possible without blocking. `arrived` is called once for each read that returned data,
    /// `to` for each frame in it. `closed`: the server sends no more. An error: the connection is unusable, or the
    /// response is not a stream.
    pub fn drive(
        &mut self,
        closed: bool,
        scratch: &mut [u8],
        mut arrived: impl FnMut(),
        mut to: impl FnMut(Frame),
    ) -> anyhow::Result<ConnectionState> {
        if !self.send()? {
            return Ok(ConnectionState::Open);
        }
        loop {
            match self.socket.read(scratch) {
                Ok(0) => return Ok(ConnectionState::Ended),
                Ok(read) => {
                    arrived();
                    if self.take(&scratch[..read], &mut to)? == ConnectionState::Ended {
                        return Ok(ConnectionState::Ended);
                    }
                    // Fewer bytes than the buffer holds: nothing is left, and later data causes a new event (epoll(7)).
                    // An end of stream that arrived together with the data does not.
                    if read < scratch.len() && !closed {
                        return Ok(ConnectionState::Open);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(ConnectionState::Open),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("reading"),
            }
        }
    }

    /// Sends the request; returns whether all of it is sent.
    fn send(&mut self) -> anyhow::Result<bool> {
        let At::Sending(request) = &mut self.at else { return Ok(true) };
        if let Some(error) = self.socket.take_error()? {
            return Err(error).context("connecting");
        }
        while !request.is_empty() {
            match self.socket.write(request) {
                Ok(sent) => drop(request.drain(..sent)),
                Err(error) if is_not_yet(&error) => return Ok(false),
                Err(error) => return Err(error).context("sending the request"),
            }
        }
        self.at = At::Head(Vec::new());
        Ok(true)
    }

    fn take(&mut self, bytes: &[u8], to: &mut impl FnMut(Frame)) -> anyhow::Result<ConnectionState> {
        match &mut self.at {
            At::Sending(_) => bail!("an answer before the request"),
            At::Plain => self.frames.feed(bytes, to),
            At::Chunked(chunked) => {
                let mut input = bytes;
                while let Some(data) = chunked.next(&mut input)? {
                    self.frames.feed(data, &mut *to);
                }
                if chunked.has_ended() {
                    return Ok(ConnectionState::Ended);
                }
            }
            At::Head(head) => {
                head.extend_from_slice(bytes);
                let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
                    ensure!(head.len() < HEAD_BYTES, "an endless head");
                    return Ok(ConnectionState::Open);
                };
                let body = head.split_off(end + 4);
                self.at = body_of(&String::from_utf8_lossy(head), &body)?;
                return self.take(&body, to);
            }
        }
        Ok(ConnectionState::Open)
    }
}

fn body_of(head: &str, body: &[u8]) -> anyhow::Result<At> {
    let status = head.split(' ').nth(1).unwrap_or_default();
    ensure!(status == "200", "answered {status}: {}", String::from_utf8_lossy(body).trim());
    let chunked = head.lines().any(|line| line.eq_ignore_ascii_case("transfer-encoding: chunked"));
    Ok(if chunked { At::Chunked(Chunked::default()) } else { At::Plain })
}

/// Returns whether connecting or sending can continue later.
fn is_not_yet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::frames::Kind;
    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// Returns a connection that has sent its request, and the server's end of it.
    fn connected() -> anyhow::Result<(Connection, std::net::TcpStream)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let client = std::net::TcpStream::connect(listener.local_addr()?)?;
        client.set_nonblocking(true)?;
        let (server, _) = listener.accept()?;
        let mut connection = Connection::new(TcpStream::from_std(client), b"GET / HTTP/1.1\r\n\r\n".to_vec());
        connection.drive(false, &mut [0; 64], || {}, |_| {})?;
        Ok((connection, server))
    }

    #[test]
    fn a_response_received_byte_by_byte_is_parsed() -> anyhow::Result<()> {
        let (mut connection, _server) = connected()?;
        let frame = "id: 3\nevent: hello\ndata: {}\n\n";
        let answer = format!("{HEAD}{:x}\r\n{frame}\r\n0\r\n\r\n", frame.len());
        let (mut seen, mut look) = (Vec::new(), ConnectionState::Open);
        for byte in answer.as_bytes() {
            assert_eq!(look, ConnectionState::Open);
            look = connection.take(&[*byte], &mut |frame| seen.push(frame))?;
            if look == ConnectionState::Ended {
                break;
            }
        }
        assert_eq!((look, seen.len(), seen[0].kind, seen[0].id), (ConnectionState::Ended, 1, Kind::Hello, Some(3)));
        Ok(())
    }

    #[test]
    fn an_end_received_with_the_last_frame_is_detected() -> anyhow::Result<()> {
        let (mut connection, mut server) = connected()?;
        let last = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nid: 3\nevent: drain\ndata: {}\n\n";
        std::io::Write::write_all(&mut server, last.as_bytes())?;
        server.shutdown(std::net::Shutdown::Write)?;
        let mut seen = Vec::new();
        while connection.drive(true, &mut [0; 4096], || {}, |frame| seen.push(frame.kind))? != ConnectionState::Ended {}
        assert_eq!(seen, [Kind::Drain]);
        Ok(())
    }

    #[test]
    fn a_refusal_is_an_error_with_a_reason() -> anyhow::Result<()> {
        let (mut connection, _server) = connected()?;
        let answer = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 4\r\n\r\nwhy?";
        let refused = connection.take(answer, &mut |_| {}).expect_err("no stream");
        assert_eq!(refused.to_string(), "answered 429: why?");
        Ok(())
    }
}
