use std::collections::BTreeMap;

use sqlx::PgPool;
use taskfold_domain::Timestamp;
use taskfold_domain::input::NAME_CHARS;
use taskfold_event_log::deadline::{REQUEST, within};

use super::trello::export::Person;
use super::trello::ids::Ids;

/// Makes the accounts that are not there. They have no password: nobody can sign in as them.
pub async fn ensure(pool: &PgPool, people: &BTreeMap<String, Person>, ids: Ids, at: Timestamp) -> sqlx::Result<()> {
    for (source, person) in people {
        let user = ids.person(source).0;
        let known = sqlx::query_scalar("SELECT EXISTS (SELECT FROM accounts WHERE user_id = $1)").bind(user);
        if within(REQUEST, known.fetch_one(pool)).await? {
            continue;
        }
        let display_name = display_name(person);
        // Somebody may have the name already; the id's digits are nobody's.
        for username in [username(person), suffixed(&username(person), &user.simple().to_string())] {
            let made = sqlx::query(
                "INSERT INTO accounts (user_id, username, display_name, password_hash, created_at) \
                 VALUES ($1, $2, $3, NULL, $4) ON CONFLICT DO NOTHING",
            )
            .bind(user)
            .bind(username)
            .bind(&display_name)
            .bind(at.utc());
            let made = within(REQUEST, made.execute(pool)).await?;
            if made.rows_affected() == 1 {
                break;
            }
        }
    }
    Ok(())
}

/// The source's username in our letters.
fn username(person: &Person) -> String {
    let raw = person.username.as_deref().or(person.full_name.as_deref()).unwrap_or_default().to_lowercase();
    let letters = raw.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' });
    let name: String = letters.take(39).collect();
    let name = name.trim_matches('-');
    if name.len() >= 2 { name.to_owned() } else { "trello-member".to_owned() }
}

fn suffixed(name: &str, digits: &str) -> String {
    format!("{}-{}", name.get(..26).unwrap_or(name), &digits[..12])
}

fn display_name(person: &Person) -> String {
    let name = person.full_name.as_deref().filter(|n| !n.trim().is_empty()).or(person.username.as_deref());
    let name: String = name.unwrap_or_default().chars().filter(|c| *c != '\0').take(NAME_CHARS).collect();
    if name.trim().is_empty() { "Unknown member".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_fit_ours() {
        let fits = |name: &str| {
            (2..=39).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        for raw in ["ada-lark", "Ada_Lark", "", "ü", "x", &"long".repeat(30), "名前", "__"] {
            let name = username(&Person { username: Some(raw.to_owned()), full_name: None });
            assert!(fits(&name), "{raw:?} became {name:?}");
            assert!(fits(&suffixed(&name, "0123456789abcdef")), "{name}");
        }
        assert_eq!(username(&Person { username: Some("ada-lark".to_owned()), full_name: None }), "ada-lark");
    }
}
