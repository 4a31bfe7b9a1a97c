//! Byte ranges of a request (RFC 9110, 14).

use std::ops::Range;

/// Part of a file that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestedRange {
    /// Also for several ranges and for other units, which a server may answer with the whole file.
    Whole,
    Bytes(Range<u64>),
    /// The range starts after the end of the file.
    Unsatisfiable,
}

impl RequestedRange {
    pub fn parse(header: Option<&str>, size: u64) -> Self {
        match header.map(|text| parse_range(text, size)) {
            None | Some(None) => Self::Whole,
            Some(Some(range)) if range.is_empty() => Self::Unsatisfiable,
            Some(Some(range)) => Self::Bytes(range),
        }
    }
}

/// Parses `bytes=0-499`, `bytes=500-` and `bytes=-500`. `None` for everything else.
fn parse_range(text: &str, size: u64) -> Option<Range<u64>> {
    let (unit, range) = text.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    // Numbers that are too large to count are after the end of every file.
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        return Some(size.saturating_sub(number(last)?)..size);
    }
    let first = number(first)?;
    let end = if last.is_empty() { size } else { number(last)?.saturating_add(1) };
    // A last byte before the first is not a range. A first byte after the end is a range that cannot be satisfied.
    (first < end || first >= size).then(|| first.min(size)..end.min(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_served_and_everything_else_is_the_whole_file() {
        use RequestedRange::{Bytes, Unsatisfiable, Whole};
        let cases = [
            (None, Whole),
            (Some("bytes=0-"), Bytes(0..100)),
            (Some("bytes=0-0"), Bytes(0..1)),
            (Some("bytes=10-19"), Bytes(10..20)),
            (Some("Bytes = 10-19"), Bytes(10..20)),
            (Some("bytes=90-1000"), Bytes(90..100)),
            (Some("bytes=-1"), Bytes(99..100)),
            (Some("bytes=-1000"), Bytes(0..100)),
            (Some("bytes=0-99999999999999999999999"), Bytes(0..100)),
            (Some("bytes=100-"), Unsatisfiable),
            (Some("bytes=100-200"), Unsatisfiable),
            (Some("bytes=-0"), Unsatisfiable),
            (Some("bytes=99999999999999999999999-"), Unsatisfiable),
            (Some("bytes=20-10"), Whole),
            (Some("bytes=0-1,5-6"), Whole),
            (Some("bytes=x-"), Whole),
            (Some("bytes="), Whole),
            (Some("lines=1-2"), Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(RequestedRange::parse(header, 100), expected, "{header:?}");
        }
        assert_eq!(RequestedRange::parse(Some("bytes=0-"), 0), Unsatisfiable);
    }
}
