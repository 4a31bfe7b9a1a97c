//! The order of cards in their lists.

use taskfold_domain::Rank;

use crate::trello::snapshot::{Card, rank};

/// True if a rank was made from this position, with any tie breaker.
pub fn has_position(current: &Rank, pos: f64) -> bool {
    let digits = |rank: &Rank| rank.as_str().get(..12).map(str::to_owned);
    digits(current).is_some() && digits(current) == digits(&rank(pos, 0))
}

/// New ranks for the cards of a column that are not in the order of the source. `cards` are in that order, with their
/// ranks. Cards that were moved in the project stay where they are.
pub fn order<'a>(cards: &[(&'a Card, Rank)]) -> Vec<(&'a Card, Rank)> {
    let mut moves = Vec::new();
    let mut last: Option<Rank> = None;
    for (card, current) in cards {
        if !has_position(current, card.pos) {
            continue;
        }
        if last.as_ref().is_none_or(|last| last < current) {
            last = Some(current.clone());
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
        let current = [(&a, rank(1.0, 0)), (&b, rank(1.0, 0)), (&c, rank(2.0, 0))];
        let moves = order(&current);
        assert_eq!(moves, vec![(&b, rank(1.0, 1))]);
    }

    #[test]
    fn cards_moved_in_the_project_stay() {
        let (a, b) = (card(1.0, 0), card(2.0, 1));
        let current = [(&a, Rank::from_stored("a9".to_owned())), (&b, rank(2.0, 1))];
        assert_eq!(order(&current), vec![]);
    }
}
