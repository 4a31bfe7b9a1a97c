//! Ranks: positions in ordered lists, as text that sorts by bytes. There is always a rank between two ranks.
//!
//! Digits are `0-9A-Za-z`, read as a fraction. A rank never ends in `0`, so that something fits below it. The last
//! digits are jitter from the caller, so that two callers who pick the same gap at the same time almost never make the
//! same rank; the append refuses the rest.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE: u64 = 62;
/// Ranks made from the clock sort behind all imported ones, whose first digit is lower.
const CLOCK_PREFIX: char = 'a';
const IMPORT_PREFIX: char = 'G';
const CLOCK_DIGITS: usize = 8;
/// Number of digits of the jitter, the last of a rank.
const JITTER: usize = 2;
/// Digits of a rank that opens a gap, besides those that distinguish it from its neighbours: 3,844 ranks.
const ROOM: usize = 2;
/// Digits by which a rank beside a neighbour may be longer than one in the middle of the gap.
const SPARE: usize = 2;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, example = "a0V")]
pub struct Rank(String);

impl Rank {
    /// Number of consecutive values of jitter that make different ranks, of which 0 is the lowest.
    pub const JITTERS: u32 = (BASE * (BASE - 1)) as u32;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A stored rank, taken as it is.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Rank behind everything ranked before `at`, without a look at the list: the list's end is the clock.
    pub fn at_end(at: Timestamp, jitter: u32) -> Self {
        let millis = u64::try_from(at.millis()).unwrap_or(0);
        let mut text = String::with_capacity(1 + CLOCK_DIGITS + 2);
        text.push(CLOCK_PREFIX);
        push_number(&mut text, millis, CLOCK_DIGITS);
        push_jitter(&mut text, jitter);
        Self(text)
    }

    /// Rank between two neighbours; `None` is the list's end on that side. With no upper neighbour it is the later of
    /// the clock and just behind `lower`. `None` when the neighbours are not in order, or equal: nothing fits.
    pub fn between(lower: Option<&Self>, upper: Option<&Self>, at: Timestamp, jitter: u32) -> Option<Self> {
        let low = lower.map_or("", Self::as_str);
        let high = upper.map(Self::as_str);
        if high.is_none() {
            let end = Self::at_end(at, jitter);
            if low < end.as_str() {
                return Some(end);
            }
        }
        let mut text = midpoint(low.as_bytes(), high.map(str::as_bytes))?;
        match beside_the_newer(low, high) {
            Some(beside) if beside.len() <= text.len() + SPARE => text = beside,
            Some(_) | None => {
                // As deep as the deeper of the two: room for many that follow beside this one.
                let deepest = low.len().max(high.map_or(0, str::len));
                if text.len() + JITTER > deepest {
                    text.extend([digit(BASE / 2); ROOM]);
                }
            }
        }
        push_jitter(&mut text, jitter);
        Some(Self(text))
    }

    /// Rank of an imported item, from its position number in the source: keeps the source's order. `tie` orders items
    /// that share a position.
    pub fn from_source(position: f64, tie: u16) -> Self {
        // The bits of a non-negative float sort as the float does.
        let bits = if position > 0.0 { position.to_bits() } else { 0 };
        let mut text = String::with_capacity(16);
        text.push(IMPORT_PREFIX);
        push_number(&mut text, bits, 11);
        push_number(&mut text, u64::from(tie), 3);
        text.push('V');
        Self(text)
    }
}

fn digit(index: u64) -> char {
    char::from(DIGITS[usize::try_from(index % BASE).unwrap_or(0)])
}

fn push_number(text: &mut String, mut number: u64, width: usize) {
    let mut digits = vec!['0'; width];
    for slot in digits.iter_mut().rev() {
        *slot = digit(number);
        number /= BASE;
    }
    text.extend(digits);
}

/// Two digits in the order of the numbers, the last never `0`.
fn push_jitter(text: &mut String, jitter: u32) {
    let jitter = u64::from(jitter);
    text.push(digit(jitter / (BASE - 1)));
    text.push(digit(jitter % (BASE - 1) + 1));
}

fn value(byte: u8) -> u64 {
    DIGITS.iter().position(|d| *d == byte).map_or(0, |i| i as u64)
}

/// Next rank beside the neighbour that was made later, and so has more digits: whoever moves cards moves several of
/// them to one spot, and halving the gap each time would add a digit with every sixth of them. `None` when it is taken.
fn beside_the_newer(low: &str, high: Option<&str>) -> Option<String> {
    let beside = match high {
        Some(high) if high.len() >= low.len() => neighbour(high, Towards::Less)?,
        Some(_) | None => neighbour(low, Towards::More)?,
    };
    // With anything appended it must stay between the two.
    let above = *low < *beside && !low.starts_with(&beside);
    let below = high.is_none_or(|high| *beside < *high && !high.starts_with(&beside));
    (above && below).then_some(beside)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Towards {
    Less,
    More,
}

/// Rank without its jitter, one less or more in the last digit; `None` at either end.
fn neighbour(rank: &str, towards: Towards) -> Option<String> {
    let digits = rank.as_bytes().get(..rank.len().checked_sub(JITTER)?)?;
    let mut values: Vec<u64> = digits.iter().map(|digit| value(*digit)).collect();
    let (wraps, becomes) = match towards {
        Towards::Less => (0, BASE - 1),
        Towards::More => (BASE - 1, 0),
    };
    let at = values.iter().rposition(|value| *value != wraps)?;
    if let Some(carried) = values.get_mut(at + 1..) {
        carried.fill(becomes);
    }
    let digit_at = values.get_mut(at)?;
    *digit_at = if towards == Towards::Less { *digit_at - 1 } else { *digit_at + 1 };
    values.iter().any(|value| *value != 0).then(|| values.into_iter().map(digit).collect())
}

/// Shortest text strictly between `low` and `high` as fractions, such that appending digits to it stays below `high`.
fn midpoint(low: &[u8], high: Option<&[u8]>) -> Option<String> {
    if high.is_some_and(|h| low >= h) {
        return None;
    }
    let mut text = String::new();
    let mut high = high;
    for i in 0.. {
        let l = low.get(i).map_or(0, |b| value(*b));
        let h = match high {
            Some(h) => h.get(i).map_or(0, |b| value(*b)),
            None => BASE,
        };
        if h > l + 1 {
            text.push(digit(l + (h - l) / 2));
            break;
        }
        text.push(digit(l));
        if h == l + 1 {
            // Anything that starts with `l` is below `high` from here on.
            high = None;
        }
        if i > low.len() && high.is_some_and(|h| i > h.len()) {
            return None;
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        chrono::DateTime::from_timestamp_millis(millis).unwrap_or_default().into()
    }

    #[test]
    fn a_rank_always_exists_between_neighbours() {
        let mut ranks = vec![Rank::at_end(at(1_000), 5), Rank::at_end(at(1_001), 5)];
        let mut seed = 7_u32;
        for _ in 0..2_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let gap = seed as usize % (ranks.len() + 1);
            let lower = gap.checked_sub(1).map(|i| &ranks[i]);
            let new = Rank::between(lower, ranks.get(gap), at(2_000), seed >> 7);
            let new = new.unwrap_or_else(|| panic!("nothing fits in gap {gap}"));
            assert!(lower.is_none_or(|l| *l < new), "{lower:?} < {new:?}");
            assert!(ranks.get(gap).is_none_or(|u| new < *u));
            ranks.insert(gap, new);
        }
    }

    /// Moves cards in one column, each from one index into one gap. Returns the length of the longest rank.
    fn longest(moves: usize, mut from_to: impl FnMut() -> (usize, usize)) -> usize {
        let mut ranks: Vec<Rank> = (0..50).map(|i| Rank::at_end(at(1_000 * i), 5)).collect();
        let mut longest = 0;
        for i in 0..moves {
            let (from, gap) = from_to();
            ranks.remove(from);
            let lower = gap.checked_sub(1).map(|below| &ranks[below]);
            let jitter = (i as u32).wrapping_mul(2_654_435_761);
            let new = Rank::between(lower, ranks.get(gap), at(0), jitter).unwrap_or_else(|| panic!("no room"));
            assert!(lower.is_none_or(|lower| *lower < new) && ranks.get(gap).is_none_or(|upper| new < *upper));
            longest = longest.max(new.as_str().len());
            ranks.insert(gap, new);
        }
        longest
    }

    #[test]
    fn a_hundred_thousand_moves_in_one_column_keep_ranks_short() {
        assert!(longest(100_000, || (49, 0)) < 20, "each to the top");
        assert!(longest(100_000, || (0, 49)) < 20, "each to the bottom, with a clock that stands");
        assert!(longest(100_000, || (49, 20)) < 20, "each to the same place from below");
        assert!(longest(100_000, || (0, 20)) < 20, "and from above");
        let mut seed = 7_u32;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % below
        };
        assert!(longest(100_000, || (random(50), random(50))) < 100, "each anywhere");
    }

    #[test]
    fn nothing_fits_between_equals() {
        let rank = Rank::at_end(at(1), 1);
        assert_eq!(Rank::between(Some(&rank), Some(&rank), at(1), 1), None);
    }

    #[test]
    fn imported_positions_keep_their_order_and_stay_before_new_cards() {
        let positions = [0.0, 1.0, 8191.5, 16384.0, 65_535.0, 4_294_967_296.0];
        let ranks: Vec<_> = positions.iter().map(|p| Rank::from_source(*p, 0)).collect();
        assert!(ranks.is_sorted());
        assert!(ranks.iter().all(|r| *r < Rank::at_end(at(0), 0)));
    }
}
