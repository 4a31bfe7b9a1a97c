//! Words of an event: texts written by people, stored apart from its structure so that they can be erased.

use std::fmt::Write as _;

/// Beginning of the placeholder of a word in a payload, `{"$":n}`. No string of a payload contains it, because JSON
/// escapes its quotes.
const PLACEHOLDER: &str = "{\"$\":";

/// Replaces the placeholders of a payload by their words, as JSON strings; an erased word becomes `null`. A placeholder
/// without a word is left unchanged.
pub fn with_words(payload: String, words: &[Option<String>]) -> String {
    if words.is_empty() {
        return payload;
    }
    let length: usize = words.iter().flatten().map(String::len).sum();
    let mut whole = String::with_capacity(payload.len() + length);
    let mut rest = payload.as_str();
    while let Some((before, behind)) = rest.split_once(PLACEHOLDER) {
        whole.push_str(before);
        let (number, behind) = behind.split_once('}').unwrap_or((behind, ""));
        let word = number.parse().ok().and_then(|number: usize| words.get(number));
        let written = match word {
            Some(Some(word)) => serde_json::to_string(word).map(|json| whole.push_str(&json)).is_ok(),
            Some(None) => {
                whole.push_str("null");
                true
            }
            None => false,
        };
        if !written {
            let _ = write!(whole, "{PLACEHOLDER}{number}}}");
        }
        rest = behind;
    }
    whole.push_str(rest);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(payload: &str, words: &[Option<&str>]) -> String {
        let words: Vec<Option<String>> = words.iter().map(|word| word.map(str::to_owned)).collect();
        with_words(payload.to_owned(), &words)
    }

    #[test]
    fn texts_return_to_their_fields_whatever_they_contain() {
        let payload = r#"{"title":{"from":{"$":0},"to":{"$":1}}}"#;
        assert_eq!(
            composed(payload, &[Some("a"), Some("\"b\" {\"$\":0}")]),
            r#"{"title":{"from":"a","to":"\"b\" {\"$\":0}"}}"#
        );
        assert_eq!(composed(payload, &[None, Some("")]), r#"{"title":{"from":null,"to":""}}"#);
        assert_eq!(composed(r#"{"$":10}"#, &[Some("one")]), r#"{"$":10}"#);
        assert_eq!(composed(r#"{"a":1}"#, &[]), r#"{"a":1}"#);
        let many: Vec<String> = (0..12).map(|n| format!("word {n}")).collect();
        let many: Vec<Option<&str>> = many.iter().map(|word| Some(word.as_str())).collect();
        assert_eq!(composed(r#"[{"$":11},{"$":1}]"#, &many), r#"["word 11","word 1"]"#);
    }
}
