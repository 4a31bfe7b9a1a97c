//! Accounts of the people on a board, who cannot sign in.

use sqlx::PgPool;
use taskfold_domain::Timestamp;
use taskfold_domain::input::line::{is_visible, to_line};
use taskfold_domain::limits::{NAME_CHARS, USERNAME_MAX_CHARS, USERNAME_MIN_CHARS};
use taskfold_event_log::deadline::{REQUEST, within};

use crate::source::{Format, Person};

/// Creates the accounts that do not exist. They have no password, so nobody can sign in to them.
pub async fn ensure(pool: &PgPool, people: &[Person], format: Format, at: Timestamp) -> sqlx::Result<()> {
    for person in people {
        let user_id = person.user_id.0;
        let known =
            sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM accounts WHERE user_id = $1) AS "exists!""#, user_id,);
        if within(REQUEST, known.fetch_one(pool)).await? {
            continue;
        }
        let display_name = display_name(person);
        let username = username(person, format);
        // The username may be taken. With the digits of the id it is unique.
        for username in [&username, &suffixed(&username, &user_id.simple().to_string())] {
            let created = sqlx::query!(
                r#"
                INSERT INTO accounts (user_id, username, display_name, password_hash, created_at)
                VALUES ($1, $2, $3, NULL, $4)
                ON CONFLICT DO NOTHING
                "#,
                user_id,
                username,
                display_name,
                at.utc(),
            );
            match within(REQUEST, created.execute(pool)).await {
                Ok(created) if created.rows_affected() == 0 => {}
                Err(error) if taskfold_event_log::is_id_taken(&error) => {
                    tracing::warn!(%user_id, "the id of an author is that of something else: no account is created");
                    break;
                }
                created => {
                    created?;
                    break;
                }
            }
        }
    }
    Ok(())
}

/// The username of the source, in the letters that a username may have, outside the names that people can choose: so
/// nobody is taken for the placeholder of somebody else, and no placeholder takes a name from anybody.
fn username(person: &Person, format: Format) -> String {
    let raw = person.username.as_deref().or(person.full_name.as_deref()).unwrap_or_default().to_lowercase();
    let letters = raw.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' });
    let name: String = letters.take(USERNAME_MAX_CHARS).collect();
    let name = name.trim_matches('-');
    if name.len() >= USERNAME_MIN_CHARS { format!("~{name}") } else { format!("~{}-member", format.as_str()) }
}

fn suffixed(name: &str, digits: &str) -> String {
    format!("{}-{}", name.get(..26).unwrap_or(name), &digits[..12])
}

fn display_name(person: &Person) -> String {
    let name = person.full_name.as_deref().filter(|n| !n.trim().is_empty()).or(person.username.as_deref());
    let name: String = to_line(name.unwrap_or_default()).chars().take(NAME_CHARS).collect();
    if is_visible(&name) { name } else { "Unknown member".to_owned() }
}

#[cfg(test)]
mod tests {
    use taskfold_domain::ids::UserId;
    use uuid::Uuid;

    use super::*;

    fn named(raw: &str) -> String {
        let person = Person { user_id: UserId(Uuid::nil()), username: Some(raw.to_owned()), full_name: None };
        username(&person, Format::Trello)
    }

    #[test]
    fn usernames_are_outside_those_of_accounts() {
        let fits = |name: &str| {
            let rest = name.strip_prefix('~').expect("a prefix that no account has");
            (USERNAME_MIN_CHARS..=USERNAME_MAX_CHARS).contains(&rest.len())
                && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        for raw in ["ada-lark", "Ada_Lark", "", "ü", "x", &"long".repeat(30), "名前", "__"] {
            let name = named(raw);
            assert!(fits(&name), "{raw:?} became {name:?}");
            assert!(fits(&suffixed(&name, "0123456789abcdef")), "{name}");
        }
        assert_eq!(named("ada-lark"), "~ada-lark");
    }
}
