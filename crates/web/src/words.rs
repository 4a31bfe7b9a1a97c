//! What the parsers say, in words for people who have never heard of them.

use taskfold_domain::FieldError;

/// One mistake, at its place. A sentence of ours (they say what a value "must" be) goes through as it is.
pub fn in_our_words(pointer: String, sentence: &str) -> FieldError {
    // Without the parser's "at line 1 column 7", which the pointer says better.
    let sentence = sentence.rsplit_once(" at line ").map_or(sentence, |(sentence, _)| sentence);
    let (kind, quoted) = sentence
        .split_once('`')
        .map_or((sentence, ""), |(kind, rest)| (kind, rest.split('`').next().unwrap_or_default()));
    match kind.trim_end() {
        "missing field" => FieldError::new(format!("{pointer}/{quoted}"), "is required"),
        "duplicate field" => FieldError::new(format!("{pointer}/{quoted}"), "is there twice"),
        "unknown field" => FieldError::new(pointer, format!("is no field here; {}", choices(sentence, "there is"))),
        "unknown variant" => FieldError::new(pointer, choices(sentence, "must be")),
        _ if sentence.starts_with("must") => FieldError::new(pointer, sentence),
        _ => FieldError::new(pointer, format!("must be {}", wanted(sentence))),
    }
}

/// The names in backquotes behind "expected".
fn choices(sentence: &str, verb: &str) -> String {
    let expected = sentence.split_once("expected").map_or("", |(_, expected)| expected);
    let names: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    match names.as_slice() {
        [] => format!("{verb} none"),
        names => format!("{verb} {}", names.join(", ")),
    }
}

/// What kind of value would have fitted.
fn wanted(sentence: &str) -> &'static str {
    const TIMES: [&str; 5] = ["premature end", "invalid characters", "out of range", "trailing input", "date and time"];
    const NUMBERS: [&str; 3] = ["digit", "integer", "number too"];
    let (expected, found) = match sentence.rsplit_once("expected ") {
        Some((_, expected)) => (expected, ""),
        None => ("", sentence),
    };
    let number = |text: &str| ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "usize"].contains(&text);
    if sentence.contains("UUID") {
        "a UUID"
    } else if number(expected) || NUMBERS.iter().any(|words| found.contains(words)) {
        "a whole number"
    } else if TIMES.iter().any(|words| sentence.contains(words)) {
        "a time as in RFC 3339, such as 2026-11-23T09:30:00Z"
    } else if expected.contains("bool") || expected.contains("`true`") || sentence.contains("provided string was not") {
        "true or false"
    } else if expected.starts_with("a sequence") {
        "an array"
    } else if expected.starts_with("a string") || expected.contains(" string") {
        "a string"
    } else if expected.starts_with("struct") || expected.starts_with("a map") || expected.starts_with("internally") {
        "an object"
    } else {
        "another kind of value"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_parser_shows_through() {
        let cases = [
            ("missing field `title` at line 1 column 2", "/title", "is required"),
            ("invalid type: integer `7`, expected a string at line 1 column 9", "", "must be a string"),
            ("invalid type: floating point `1.5`, expected i64", "", "must be a whole number"),
            ("UUID parsing failed: invalid character", "", "must be a UUID"),
            ("premature end of input", "", "must be a time as in RFC 3339, such as 2026-11-23T09:30:00Z"),
            ("unknown variant `hot`, expected one of `low`, `high`", "", "must be low, high"),
            ("must have 1 to 500 characters at line 1 column 30", "", "must have 1 to 500 characters"),
            ("invalid digit found in string", "", "must be a whole number"),
        ];
        for (sentence, pointer, detail) in cases {
            assert_eq!(in_our_words(String::new(), sentence), FieldError::new(pointer, detail), "{sentence}");
        }
    }
}
