//! Translates errors of parsers into plain language that does not reveal the parser.

use taskfold_domain::FieldError;

/// The error of a field. `message`: the message of the parser. Messages of our own types, which start with "must", are
/// kept.
pub fn field_error(pointer: String, message: &str) -> FieldError {
    // The pointer replaces "at line 1 column 7".
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let (kind, quoted) = message
        .split_once('`')
        .map_or((message, ""), |(kind, rest)| (kind, rest.split('`').next().unwrap_or_default()));
    match kind.trim_end() {
        "missing field" => FieldError::new(format!("{pointer}/{quoted}"), "is required"),
        "duplicate field" => FieldError::new(format!("{pointer}/{quoted}"), "is duplicated"),
        "unknown field" => FieldError::new(pointer, unknown_field(quoted, &expected_names(message))),
        "unknown variant" => FieldError::new(pointer, one_of(&expected_names(message))),
        _ if message.starts_with("must") => FieldError::new(pointer, message),
        _ => FieldError::new(pointer, format!("must be {}", expected_type(message))),
    }
}

/// The names in backquotes after "expected".
fn expected_names(message: &str) -> Vec<&str> {
    let expected = message.split_once("expected").map_or("", |(_, expected)| expected);
    expected.split('`').skip(1).step_by(2).collect()
}

fn unknown_field(field: &str, expected: &[&str]) -> String {
    match expected {
        [] => format!("unknown field `{field}`; no fields are expected"),
        [name] => format!("unknown field `{field}`; expected `{name}`"),
        names => format!("unknown field `{field}`; expected one of {}", quoted_list(names)),
    }
}

fn one_of(expected: &[&str]) -> String {
    match expected {
        [name] => format!("must be `{name}`"),
        names => format!("must be one of {}", quoted_list(names)),
    }
}

fn quoted_list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// The type of value that is valid.
fn expected_type(message: &str) -> &'static str {
    const TIMES: [&str; 5] = ["premature end", "invalid characters", "out of range", "trailing input", "date and time"];
    const NUMBERS: [&str; 3] = ["digit", "integer", "number too"];
    let (expected, found) = match message.rsplit_once("expected ") {
        Some((_, expected)) => (expected, ""),
        None => ("", message),
    };
    let number = |text: &str| ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "usize"].contains(&text);
    if message.contains("UUID") {
        "a UUID"
    } else if number(expected) || NUMBERS.iter().any(|words| found.contains(words)) {
        "a whole number"
    } else if TIMES.iter().any(|words| message.contains(words)) {
        "a time in RFC 3339, such as 2026-11-23T09:30:00Z"
    } else if expected.contains("bool") || expected.contains("`true`") || message.contains("provided string was not") {
        "true or false"
    } else if expected.starts_with("a sequence") {
        "an array"
    } else if expected.starts_with("a string") || expected.contains(" string") {
        "a string"
    } else if expected.starts_with("struct") || expected.starts_with("a map") || expected.starts_with("internally") {
        "an object"
    } else {
        "another type of value"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_parsers_are_replaced() {
        let cases = [
            ("missing field `title` at line 1 column 2", "/title", "is required"),
            ("invalid type: integer `7`, expected a string at line 1 column 9", "", "must be a string"),
            ("invalid type: floating point `1.5`, expected i64", "", "must be a whole number"),
            ("UUID parsing failed: invalid character", "", "must be a UUID"),
            ("premature end of input", "", "must be a time in RFC 3339, such as 2026-11-23T09:30:00Z"),
            ("unknown variant `hot`, expected one of `low`, `high`", "", "must be one of `low`, `high`"),
            ("unknown variant `hot`, expected `low`", "", "must be `low`"),
            ("unknown field `x`, expected `a` or `b`", "", "unknown field `x`; expected one of `a`, `b`"),
            ("unknown field `x`, expected `a`", "", "unknown field `x`; expected `a`"),
            ("unknown field `x`, there are no fields", "", "unknown field `x`; no fields are expected"),
            ("must have 1 to 500 characters at line 1 column 30", "", "must have 1 to 500 characters"),
            ("invalid digit found in string", "", "must be a whole number"),
        ];
        for (message, pointer, detail) in cases {
            assert_eq!(field_error(String::new(), message), FieldError::new(pointer, detail), "{message}");
        }
    }
}
