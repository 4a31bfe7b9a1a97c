//! Incremental parser of server-sent events, limited to the fields that the load program needs.

/// Number of bytes kept of a line: enough for `id:`, `retry:` and the frame names.
const KEPT: usize = 32;
/// Text before the send time of a command in its frame: the start of the title that the command set.
const MARK: &[u8] = b"\"to\":\"#";

/// One frame (WHATWG HTML, 9.2), with the fields that the load program needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    pub id: Option<u64>,
    /// Reconnection delay in milliseconds.
    pub retry: Option<u32>,
    /// Time at which the command of this frame was sent.
    pub sent: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// The first frame of a stream.
    Hello,
    Heartbeat,
    /// Sent by a server that is shutting down.
    Drain,
    /// A frame about the stream itself, which continues.
    Notice,
    /// Reason why the stream ends permanently: `reset`, `reauth`, `revoked`.
    Farewell,
    /// Presence, in frames without an id.
    Presence,
    #[default]
    Change,
}

/// Parses frames from a body that arrives in pieces, split at any byte. Keeps only the beginning of one line: a stream
/// costs a few dozen bytes, a frame no allocation.
#[derive(Debug)]
pub struct Frames {
    line: [u8; KEPT],
    length: u8,
    mark: Mark,
    frame: Frame,
    /// Set if the frame has data. Without data it is not dispatched, as in browsers.
    has_data: bool,
}

/// Searches for `MARK`, and reads the time after it.
#[derive(Clone, Copy, Debug)]
enum Mark {
    /// Number of bytes of `MARK` matched so far.
    Looking(u8),
    Reading(u64),
    Found(u64),
}

impl Default for Frames {
    fn default() -> Self {
        Self { line: [0; KEPT], length: 0, mark: Mark::Looking(0), frame: Frame::EMPTY, has_data: false }
    }
}

impl Frame {
    const EMPTY: Self = Self { kind: Kind::Change, id: None, retry: None, sent: None };
}

impl Frames {
    /// Parses the next piece; calls `to` for each frame that ends in it.
    pub fn feed(&mut self, mut piece: &[u8], mut to: impl FnMut(Frame)) {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            self.add(&piece[..end]);
            if let Some(frame) = self.end_line() {
                to(frame);
            }
            piece = &piece[end + 1..];
        }
        self.add(piece);
    }

    fn add(&mut self, part: &[u8]) {
        let length = usize::from(self.length);
        let kept = part.len().min(KEPT - length);
        self.line[length..length + kept].copy_from_slice(&part[..kept]);
        self.length += kept as u8;
        self.mark = self.mark.look(part);
    }

    fn end_line(&mut self) -> Option<Frame> {
        let line = &self.line[..usize::from(std::mem::take(&mut self.length))];
        if let Some(id) = line.strip_prefix(b"id: ") {
            self.frame.id = number(id);
        } else if let Some(name) = line.strip_prefix(b"event: ") {
            self.frame.kind = Kind::of(name);
        } else if let Some(retry) = line.strip_prefix(b"retry: ") {
            self.frame.retry = number(retry).and_then(|ms| u32::try_from(ms).ok());
        }
        if !line.is_empty() {
            self.has_data |= line.starts_with(b"data:");
            return None;
        }
        let mark = std::mem::replace(&mut self.mark, Mark::Looking(0));
        let frame = std::mem::replace(&mut self.frame, Frame::EMPTY);
        let sent = match mark {
            Mark::Found(clock) => Some(clock),
            Mark::Looking(_) | Mark::Reading(_) => None,
        };
        std::mem::take(&mut self.has_data).then_some(Frame { sent, ..frame })
    }
}

impl Kind {
    fn of(name: &[u8]) -> Self {
        match name {
            b"hello" => Self::Hello,
            b"heartbeat" => Self::Heartbeat,
            b"drain" => Self::Drain,
            b"reset" | b"reauth" | b"revoked" => Self::Farewell,
            b"lagging" | b"degraded" | b"recovered" => Self::Notice,
            _ if name.starts_with(b"presence.") => Self::Presence,
            // Names of Changes contain the aggregate type: `task.moved`. A name without a dot is about the stream.
            _ if name.contains(&b'.') => Self::Change,
            _ => Self::Notice,
        }
    }
}

impl Mark {
    fn look(mut self, mut part: &[u8]) -> Self {
        loop {
            match self {
                Self::Found(_) => return self,
                // Nothing is matched yet: skip to the next possible beginning.
                Self::Looking(0) => match part.iter().position(|byte| *byte == MARK[0]) {
                    Some(start) => {
                        part = &part[start + 1..];
                        self = Self::Looking(1);
                    }
                    None => return self,
                },
                Self::Looking(matched) => {
                    let [first, rest @ ..] = part else { return self };
                    part = rest;
                    self = match matched_after(usize::from(matched), *first) {
                        all if all == MARK.len() => Self::Reading(0),
                        some => Self::Looking(some as u8),
                    };
                }
                Self::Reading(value) => {
                    let [first, rest @ ..] = part else { return self };
                    part = rest;
                    self = match first {
                        b'0'..=b'9' => Self::Reading(value.wrapping_mul(10).wrapping_add(u64::from(first - b'0'))),
                        b'#' => Self::Found(value),
                        _ => Self::Looking(0),
                    };
                }
            }
        }
    }
}

/// Length of the match of `MARK` after one more byte (Knuth, Morris and Pratt).
fn matched_after(mut matched: usize, byte: u8) -> usize {
    while byte != MARK[matched] {
        // The second and third quotation mark may be the first one of `MARK`.
        match matched {
            0 => return 0,
            4 | 6 => matched = 1,
            _ => matched = 0,
        }
    }
    matched + 1
}

/// Leading digits of an id, which may be followed by a fraction.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let mut value = None;
    for digit in digits {
        value = Some(value.unwrap_or(0_u64).checked_mul(10)?.checked_add(u64::from(digit - b'0'))?);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "id: 5\nevent: hello\ndata: {\"head\":9,\"position\":5}\n\n\
        : a comment\n\n\
        id: 1042\nevent: task.renamed\ndata: {\"title\":{\"from\":\"#6#\",\"to\":\"x\"},\"a\":{\"to\":\"to\"to\":\"#20000000000000007#\"}}\n\n\
        retry: 700\nid: 1043.5\nevent: drain\ndata: {}\n\n\
        event: presence.joined\ndata: {\"to\":\"#x8#\"}\ndata: 2\n\nid: 9";

    fn frame(kind: Kind, id: Option<u64>) -> Frame {
        Frame { kind, id, ..Frame::EMPTY }
    }

    fn expected() -> Vec<Frame> {
        vec![
            frame(Kind::Hello, Some(5)),
            Frame { sent: Some(20_000_000_000_000_007), ..frame(Kind::Change, Some(1042)) },
            Frame { retry: Some(700), ..frame(Kind::Drain, Some(1043)) },
            frame(Kind::Presence, None),
        ]
    }

    #[test]
    fn frames_split_anywhere_are_the_same_frames() {
        let bytes = STREAM.as_bytes();
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let (mut frames, mut seen) = (Frames::default(), Vec::new());
                for piece in [&bytes[..first], &bytes[first..second], &bytes[second..]] {
                    frames.feed(piece, |frame| seen.push(frame));
                }
                assert_eq!(seen, expected(), "split at {first} and {second}");
            }
        }
    }

    #[test]
    fn a_frame_received_byte_by_byte_is_the_same_frame() {
        let (mut frames, mut seen) = (Frames::default(), Vec::new());
        for byte in STREAM.as_bytes() {
            frames.feed(&[*byte], |frame| seen.push(frame));
        }
        assert_eq!(seen, expected());
    }

    #[test]
    fn a_stream_needs_a_few_dozen_bytes() {
        assert!(size_of::<Frames>() <= 104, "{}", size_of::<Frames>());
    }
}
