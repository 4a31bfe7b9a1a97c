use std::ops::Range;

/// What of a file is asked for (RFC 9110, 14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Also when several ranges are asked for, or in another unit: the RFC lets a server answer with the whole.
    Whole,
    Part(Range<u64>),
    /// It begins behind the end.
    Nothing,
}

impl Wanted {
    pub fn of(header: Option<&str>, size: u64) -> Self {
        match header.map(|text| parse(text, size)) {
            None | Some(None) => Self::Whole,
            Some(Some(range)) if range.is_empty() => Self::Nothing,
            Some(Some(range)) => Self::Part(range),
        }
    }
}

/// `bytes=0-499`, `bytes=500-`, `bytes=-500`; `None` for what is not one range of bytes.
fn parse(text: &str, size: u64) -> Option<Range<u64>> {
    let (unit, range) = text.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    // Numbers too large to count are behind every end.
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
    // A last before the first is no range at all; a first behind the end is one that nothing satisfies.
    (first < end || first >= size).then(|| first.min(size)..end.min(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_served_and_the_rest_is_the_whole() {
        use Wanted::{Nothing, Part, Whole};
        let cases = [
            (None, Whole),
            (Some("bytes=0-"), Part(0..100)),
            (Some("bytes=0-0"), Part(0..1)),
            (Some("bytes=10-19"), Part(10..20)),
            (Some("Bytes = 10-19"), Part(10..20)),
            (Some("bytes=90-1000"), Part(90..100)),
            (Some("bytes=-1"), Part(99..100)),
            (Some("bytes=-1000"), Part(0..100)),
            (Some("bytes=0-99999999999999999999999"), Part(0..100)),
            (Some("bytes=100-"), Nothing),
            (Some("bytes=100-200"), Nothing),
            (Some("bytes=-0"), Nothing),
            (Some("bytes=99999999999999999999999-"), Nothing),
            (Some("bytes=20-10"), Whole),
            (Some("bytes=0-1,5-6"), Whole),
            (Some("bytes=x-"), Whole),
            (Some("bytes="), Whole),
            (Some("lines=1-2"), Whole),
        ];
        for (header, wanted) in cases {
            assert_eq!(Wanted::of(header, 100), wanted, "{header:?}");
        }
        assert_eq!(Wanted::of(Some("bytes=0-"), 0), Nothing);
    }
}
