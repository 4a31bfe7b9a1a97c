//! Texts and times, made to fit our limits. Every change is counted.

use chrono::{DateTime, Utc};
use serde_json::Value;
use taskfold_domain::Timestamp;
use taskfold_domain::input::line::{is_visible, to_line};
use taskfold_domain::limits::{COMMENT_BYTES, DESCRIPTION_BYTES, ITEM_CHARS, NAME_CHARS, TITLE_CHARS};

use crate::skipped::Skipped;

pub const UNTITLED: &str = "(untitled)";

/// A title or name: one line of 1 to 500 characters, not blank.
pub fn name(raw: &str, kind: &str, skipped: &mut Skipped) -> String {
    let text = one_line(raw, kind, skipped);
    if !is_visible(&text) {
        skipped.add(kind, format!("has no name: imported as {UNTITLED}"));
        return UNTITLED.to_owned();
    }
    truncate_chars(text, TITLE_CHARS.min(NAME_CHARS), kind, skipped)
}

/// A label's name, which may be empty.
pub fn label_name(raw: &str, skipped: &mut Skipped) -> String {
    let text = one_line(raw, "label", skipped);
    if is_visible(&text) { truncate_chars(text, NAME_CHARS, "label", skipped) } else { String::new() }
}

pub fn description(raw: &str, kind: &str, skipped: &mut Skipped) -> String {
    truncate_bytes(without_nul(raw), DESCRIPTION_BYTES, kind, skipped)
}

/// A checklist item; `None` for a blank one.
pub fn item(raw: &str, skipped: &mut Skipped) -> Option<String> {
    let text = truncate_chars(without_nul(raw), ITEM_CHARS, "checkItem", skipped);
    (!text.trim().is_empty()).then_some(text)
}

/// A comment; `None` for a blank one.
pub fn comment(raw: &str, kind: &str, skipped: &mut Skipped) -> Option<String> {
    let text = truncate_bytes(without_nul(raw), COMMENT_BYTES, kind, skipped);
    (!text.trim().is_empty()).then_some(text)
}

/// Name of a color, or `none`.
pub fn color(raw: Option<&str>) -> String {
    let parse_text = |c: &str| taskfold_domain::input::Color::try_from(c.to_owned()).is_ok();
    raw.filter(|c| parse_text(c)).unwrap_or("none").to_owned()
}

fn one_line(raw: &str, kind: &str, skipped: &mut Skipped) -> String {
    let line = to_line(raw);
    if line != raw {
        skipped.add(kind, "name with line breaks or control characters: made one line");
    }
    line
}

fn without_nul(raw: &str) -> String {
    raw.replace('\0', "")
}

fn truncate_chars(text: String, max: usize, kind: &str, skipped: &mut Skipped) -> String {
    match text.char_indices().nth(max) {
        None => text,
        Some((end, _)) => {
            skipped.add(kind, format!("text longer than {max} characters: truncated"));
            // A name that begins with that many blanks would be blank.
            let cut = text[..end].to_owned();
            if is_visible(&cut) {
                return cut;
            }
            let has_ink = |c: char| is_visible(c.encode_utf8(&mut [0; 4]));
            let ink = text.find(has_ink).map_or("", |at| &text[at..]);
            ink.chars().take(max).collect()
        }
    }
}

fn truncate_bytes(mut text: String, max: usize, kind: &str, skipped: &mut Skipped) -> String {
    if text.len() > max {
        skipped.add(kind, format!("text longer than {} KiB: truncated", max / 1024));
        let end = (0..=max).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

/// A time (RFC 3339, or in milliseconds since 1970) within the bounds of [`Timestamp`].
pub fn time(value: &Value) -> Option<Timestamp> {
    let time = match value {
        Value::String(text) => DateTime::parse_from_rfc3339(text.trim()).ok()?.with_timezone(&Utc),
        Value::Number(millis) => DateTime::from_timestamp_millis(millis.as_i64()?)?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    Timestamp::within_bounds(time)
}

/// Time of creation in a MongoDB ObjectId: its first four bytes.
pub fn time_of_id(id: &str) -> Option<Timestamp> {
    if id.len() != 24 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let seconds = i64::from_str_radix(&id[..8], 16).ok()?;
    // Trello started in 2011, so an earlier time means that this is not an ObjectId.
    (seconds > 1_262_304_000).then(|| DateTime::from_timestamp(seconds, 0).map(Timestamp::from))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use taskfold_domain::input::{CommentText, Description, Title};

    #[test]
    fn any_text_is_made_to_fit() {
        let mut skipped = Skipped::default();
        let blanks = " ".repeat(600) + "x";
        let invisible = "\u{200b}".repeat(600) + "x";
        for raw in ["", " \u{0} ", "ok", &"ä".repeat(700), &blanks, &invisible, "\u{3164}", "a\nb\u{202e}"] {
            assert!(Title::try_from(name(raw, "card", &mut skipped)).is_ok(), "{raw:?}");
        }
        assert_eq!(name("a\r\nb\u{202e}", "list", &mut skipped), "a b");
        assert_eq!(label_name("\u{200b}", &mut skipped), "");
        assert!(skipped.list().iter().any(|s| s.kind == "list" && s.reason.contains("made one line")));
        let long = "ä".repeat(70_000);
        assert!(Description::try_from(description(&long, "card", &mut skipped)).is_ok());
        assert!(comment(&long, "commentCard", &mut skipped).is_some_and(|t| CommentText::try_from(t).is_ok()));
        assert_eq!(comment(" \n", "commentCard", &mut skipped), None);
        assert!(skipped.list().iter().any(|s| s.reason == "text longer than 64 KiB: truncated"));
    }

    #[test]
    fn unreadable_times_are_none() {
        assert!(time(&json!("2015-06-19T10:32:37.369Z")).is_some());
        for odd in [
            json!("yesterday"),
            json!(null),
            json!({}),
            json!("+12345-01-01T00:00:00Z"),
            json!("9999-12-31T23:59:60Z"),
            json!("0001-01-01T00:00:00+14:00"),
            json!(253_402_300_800_000_i64),
            json!(i64::MAX),
            json!(1e300),
        ] {
            assert_eq!(time(&odd), None, "{odd}");
        }
        let made = time_of_id("5583efc5e400a960320e5ff2").map(|t| t.utc().to_rfc3339());
        assert_eq!(made.as_deref(), Some("2015-06-19T10:32:37+00:00"));
        assert_eq!(time_of_id("fakeboardidhash"), None);
    }
}
