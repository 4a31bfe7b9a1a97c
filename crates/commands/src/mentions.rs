//! Members mentioned in a text.

use sqlx::PgPool;
use taskfold_domain::Access;
use taskfold_domain::ids::UserId;
use taskfold_domain::limits::{MENTIONS_PER_COMMENT, USERNAME_MAX_CHARS, USERNAME_MIN_CHARS};

/// Members named with `@username` in `text`. An address (`ada@example.org`) mentions nobody.
pub async fn members_named(pool: &PgPool, access: Access<'_>, text: &str) -> sqlx::Result<Vec<UserId>> {
    let names = names(text);
    if names.is_empty() {
        return Ok(vec![]);
    }
    let ids = sqlx::query_scalar!("SELECT user_id FROM accounts WHERE username = ANY ($1) ORDER BY username", &names)
        .fetch_all(pool)
        .await?;
    Ok(ids.into_iter().map(UserId).filter(|user| access.role_of(*user).is_some()).collect())
}

fn names(text: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut names: Vec<String> = Vec::new();
    for (at, _) in text.match_indices('@') {
        if text[..at].chars().next_back().is_some_and(is_name) {
            continue;
        }
        let name: String = text[at + 1..].chars().take_while(|c| is_name(*c)).collect();
        let name = name.trim_end_matches('-').to_ascii_lowercase();
        if (USERNAME_MIN_CHARS..=USERNAME_MAX_CHARS).contains(&name.len()) && !names.contains(&name) {
            names.push(name);
        }
        if names.len() == MENTIONS_PER_COMMENT {
            break;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_are_found_and_addresses_are_not() {
        assert_eq!(names("@ada-lark, ask @Bea! not ada@example.org @x @"), ["ada-lark", "bea"]);
    }
}
