//! The bytes of an upload, as JSON.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::export::{board_id, object};
use super::footprint::is_excessive;
use crate::source::InvalidUpload;

const TOO_MANY_VALUES: InvalidUpload = InvalidUpload::NotABoard {
    pointer: "",
    detail: "must not consist of so many small values: no export of Trello does",
};

/// The top level of a document, with its values unparsed.
#[derive(Deserialize)]
struct Probe<'a> {
    id: Option<Value>,
    #[serde(borrow)]
    lists: Option<&'a RawValue>,
    #[serde(borrow)]
    cards: Option<&'a RawValue>,
}

/// Checks an upload without parsing all of it, and returns the id of its board.
pub fn probe(bytes: &[u8]) -> Result<String, InvalidUpload> {
    let bytes = without_bom(bytes);
    if is_excessive(bytes) {
        return Err(TOO_MANY_VALUES);
    }
    if let Ok(probe) = serde_json::from_slice::<Probe<'_>>(bytes) {
        let is_list = |raw: &Option<&RawValue>| raw.is_some_and(|raw| raw.get().starts_with('['));
        return Ok(board_id(probe.id.as_ref(), is_list(&probe.lists), is_list(&probe.cards))?.replace('\0', ""));
    }
    // Unusual in some way (a lone surrogate, a duplicate key, not an object): parse all of it.
    let document = document(bytes)?;
    let top = object(&document)?;
    let is_list = |key: &str| top.get(key).is_some_and(Value::is_array);
    Ok(board_id(top.get("id"), is_list("lists"), is_list("cards"))?.to_owned())
}

/// Parses an upload. Removes U+0000 from all strings, because PostgreSQL cannot store it.
pub fn document(bytes: &[u8]) -> Result<Value, InvalidUpload> {
    let bytes = without_bom(bytes);
    if is_excessive(bytes) {
        return Err(TOO_MANY_VALUES);
    }
    let mut document = serde_json::from_slice(bytes)
        .or_else(|_| serde_json::from_slice(&without_lone_surrogates(bytes)))
        .map_err(|_| InvalidUpload::NotJson)?;
    clean(&mut document);
    Ok(document)
}

fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

fn clean(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = text.replace('\0', ""),
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(fields) => fields.values_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Replaces escapes of lone surrogates by U+FFFD. JavaScript produces them when it cuts a string inside a character.
fn without_lone_surrogates(bytes: &[u8]) -> Vec<u8> {
    let mut text = bytes.to_vec();
    let mut i = 0;
    while i + 1 < text.len() {
        if text[i] != b'\\' {
            i += 1;
        } else if let Some(unit) = escaped(&text, i) {
            let pair = (0xD800..0xDC00).contains(&unit)
                && escaped(&text, i + 6).is_some_and(|low| (0xDC00..0xE000).contains(&low));
            if (0xD800..0xE000).contains(&unit) && !pair {
                text[i + 2..i + 6].copy_from_slice(b"fffd");
            }
            i += if pair { 12 } else { 6 };
        } else {
            i += 2;
        }
    }
    text
}

/// UTF-16 code unit of an escape `\uXXXX` at `i`.
fn escaped(text: &[u8], i: usize) -> Option<u32> {
    let escape = text.get(i..i + 6)?.strip_prefix(b"\\u")?;
    u32::from_str_radix(std::str::from_utf8(escape).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_uploads_are_refused_at_a_pointer() {
        assert_eq!(probe(b"hello"), Err(InvalidUpload::NotJson));
        assert_eq!(probe(b""), Err(InvalidUpload::NotJson));
        let pointer = |document: &[u8]| match probe(document) {
            Err(InvalidUpload::NotABoard { pointer, .. }) => pointer,
            other => panic!("{other:?}"),
        };
        assert_eq!(pointer(b"[]"), "");
        assert_eq!(pointer(b"{\"lists\": [], \"cards\": []}"), "/id");
        assert_eq!(pointer(b"{\"id\": \"x\", \"lists\": 5, \"cards\": []}"), "/lists");
        assert_eq!(probe(b"\xEF\xBB\xBF{\"id\": \"x\", \"lists\": [], \"cards\": []}").as_deref(), Ok("x"));
    }

    #[test]
    fn lone_surrogates_and_nuls_are_removed() {
        let odd = br#"{"id": "x", "name": "a\ud83d b\ud83d\ude00 c\u0000 \\ud83d", "lists": [], "cards": []}"#;
        assert_eq!(probe(odd).as_deref(), Ok("x"));
        let name = document(odd).map(|d| d["name"].clone());
        assert_eq!(name, Ok(Value::String("a\u{fffd} b\u{1f600} c \\ud83d".to_owned())));
    }
}
