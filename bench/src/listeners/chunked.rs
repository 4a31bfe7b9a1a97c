//! Decoder for chunked HTTP bodies.

use anyhow::{bail, ensure};

/// Decodes a chunked body (RFC 9112, 7.1) incrementally, split at any byte, without buffering it.
#[derive(Debug, Default)]
pub struct Chunked {
    at: At,
    /// Size of the current chunk as read so far, then the number of its bytes still to come.
    left: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Size,
    /// After the size, up to the end of its line.
    Extension,
    Data,
    /// Line end after the data.
    DataEnd,
    /// After the last chunk.
    End,
}

impl Chunked {
    /// Takes the next piece of the body from `input`; `None` if `input` contains no more of it.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> anyhow::Result<Option<&'a [u8]>> {
        while let [first, rest @ ..] = *input {
            match self.at {
                At::Data => {
                    let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
                    let (data, rest) = input.split_at(here);
                    *input = rest;
                    self.left -= here as u64;
                    if self.left == 0 {
                        self.at = At::DataEnd;
                    }
                    return Ok(Some(data));
                }
                At::End => return Ok(None),
                At::Size | At::Extension if *first == b'\n' => {
                    self.at = if self.left == 0 { At::End } else { At::Data };
                }
                At::Size => match char::from(*first).to_digit(16) {
                    Some(digit) => {
                        ensure!(self.left < 1 << 40, "a chunk of more than 16 TiB");
                        self.left = self.left * 16 + u64::from(digit);
                    }
                    None => self.at = At::Extension,
                },
                At::Extension => {}
                At::DataEnd => match first {
                    b'\r' => {}
                    b'\n' => self.at = At::Size,
                    other => bail!("byte {other} in place of a chunk's end"),
                },
            }
            *input = rest;
        }
        Ok(None)
    }

    /// Returns whether the last chunk was received.
    pub fn has_ended(&self) -> bool {
        self.at == At::End
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"5\r\nhello\r\n1;x=y\r\n \r\n00A\r\n0123456789\r\n0\r\n\r\n";

    #[test]
    fn a_body_split_anywhere_is_the_same_body() -> anyhow::Result<()> {
        for first in 0..BODY.len() {
            for second in first..BODY.len() {
                let (mut chunked, mut body) = (Chunked::default(), Vec::new());
                for mut part in [&BODY[..first], &BODY[first..second], &BODY[second..]] {
                    while let Some(data) = chunked.next(&mut part)? {
                        body.extend_from_slice(data);
                    }
                }
                assert_eq!(body, b"hello 0123456789", "split at {first} and {second}");
                assert!(chunked.has_ended());
            }
        }
        Ok(())
    }

    #[test]
    fn an_invalid_chunk_is_an_error() {
        let mut input: &[u8] = b"1\r\nab";
        let mut chunked = Chunked::default();
        assert_eq!(chunked.next(&mut input).expect("one byte"), Some(&b"a"[..]));
        assert!(chunked.next(&mut input).is_err());
        assert!(Chunked::default().next(&mut &b"ffffffffffffffff\r\n"[..]).is_err());
    }
}
