//! Estimate of the memory of a parsed document. Each value takes memory of its own, so that a document of many small
//! ones would take fifty times its size.

/// Bytes of a value in an array, with the growth of the array.
const VALUE: usize = 48;
/// Bytes of a node of a map: the first fields of an object share one.
const NODE: usize = 632;
/// Fields of a node, if fields arrive in order and nodes are split.
const FIELDS_OF_NODE: usize = 6;
/// Bytes of an allocation beside its content.
const ALLOCATION: usize = 16;
/// Times its size that a document may take. Exports take six to eight times theirs.
const MAX_GROWTH: usize = 12;
/// Bytes that any document may take.
const ALWAYS_ALLOWED: usize = 32 * 1024 * 1024;

/// Tells whether the parsed document would take much more memory than exports of its size do.
pub fn is_excessive(document: &[u8]) -> bool {
    estimate(document) > ALWAYS_ALLOWED.max(document.len().saturating_mul(MAX_GROWTH))
}

/// Estimates the bytes of a document in one pass, without an allocation. What is not JSON has any estimate.
fn estimate(document: &[u8]) -> usize {
    let (mut values, mut objects, mut fields, mut strings, mut string_bytes) = (1_usize, 0_usize, 0_usize, 0, 0);
    let mut opened = None;
    let mut bytes = document.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte.is_ascii_whitespace() {
            continue;
        }
        // The first value in a container has no comma before it.
        if let Some(container) = opened.take()
            && !matches!(byte, b'}' | b']')
        {
            values += 1;
            objects += usize::from(container == b'{');
        }
        if matches!(byte, b'{' | b'[') {
            opened = Some(byte);
        } else if byte == b',' {
            values += 1;
        } else if byte == b':' {
            fields += 1;
        } else if byte == b'"' {
            strings += 1;
            while let Some(byte) = bytes.next().filter(|byte| *byte != b'"') {
                string_bytes += 1;
                if byte == b'\\' {
                    bytes.next();
                }
            }
        }
    }
    let more_nodes = fields.saturating_sub(objects * FIELDS_OF_NODE) / FIELDS_OF_NODE;
    // Those of fields are in the nodes.
    let in_arrays = values.saturating_sub(fields);
    in_arrays * VALUE + (objects + more_nodes) * NODE + strings * ALLOCATION + string_bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_many_small_values_are_excessive() {
        let repeated = |value: &str, bytes: usize| {
            let values = vec![value; bytes / (value.len() + 1)].join(",");
            format!("{{\"id\": \"b\", \"lists\": [], \"cards\": [{values}]}}").into_bytes()
        };
        for small in ["{}", "[]", "0", "\"\"", "{\"a\":0}", "[[[[]]]]", "{\"a\":{\"a\":{}}}"] {
            assert!(is_excessive(&repeated(small, 30_000_000)), "{small}");
            assert!(!is_excessive(&repeated(small, 100_000)), "{small}");
        }
        let card = r#"{"id": "5583efc5e400a960320e5ff2", "name": "Write [the] \"report\", {draft}", "desc": "", "closed": false,
            "idList": "5583efc5e400a960320e5ff1", "idMembers": [], "idLabels": ["5583efc5e400a960320e5ff3"], "pos": 65535,
            "due": null, "badges": {"votes": 0, "attachments": 0, "fogbugz": "", "comments": 1}}"#;
        assert!(!is_excessive(&repeated(card, 30_000_000)));
    }
}
