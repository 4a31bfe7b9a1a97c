use taskfold_domain::Rank;

use crate::trello::snapshot::{Card, rank};

/// Whether a rank was made from this position, whatever its tie breaker.
pub fn stands_at(here: &Rank, pos: f64) -> bool {
    let digits = |rank: &Rank| rank.as_str().get(..12).map(str::to_owned);
    digits(here).is_some() && digits(here) == digits(&rank(pos, 0))
}

/// New ranks for cards of one column that stand out of the source's order: `cards` in that order, each with its rank.
/// Cards that were moved on this side are left out of it.
pub fn order<'a>(cards: &[(&'a Card, Rank)]) -> Vec<(&'a Card, Rank)> {
    let mut moves = Vec::new();
    let mut last: Option<Rank> = None;
    for (card, here) in cards {
        if !stands_at(here, card.pos) {
            continue;
        }
        if last.as_ref().is_none_or(|last| last < here) {
            last = Some(here.clone());
            continue;
        }
        let Some(last_rank) = &last else { continue };
        let next = (0..=usize::from(u16::MAX)).map(|tie| rank(card.pos, tie)).find(|rank| rank > last_rank);
        if let Some(next) = next {
            moves.push((*card, next.clone()));
            last = Some(next);
        }
    }
    moves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(pos: f64, index: usize) -> Card {
        Card { pos, index, ..Card::default() }
    }

    #[test]
    fn equal_positions_get_ranks_in_the_order_of_the_file() {
        let (a, b, c) = (card(1.0, 0), card(1.0, 1), card(2.0, 2));
        let here = [(&a, rank(1.0, 0)), (&b, rank(1.0, 0)), (&c, rank(2.0, 0))];
        let moves = order(&here);
        assert_eq!(moves, vec![(&b, rank(1.0, 1))]);
    }

    #[test]
    fn cards_moved_on_this_side_are_left_alone() {
        let (a, b) = (card(1.0, 0), card(2.0, 1));
        let here = [(&a, Rank::from_stored("a9".to_owned())), (&b, rank(2.0, 1))];
        assert_eq!(order(&here), vec![]);
    }
}
