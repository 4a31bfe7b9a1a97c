//! Insertion of rows by COPY, in its text format.

use serde_json::Value;
use sqlx::PgConnection;

use crate::ProjectorError;
use crate::row::Row;

/// Bytes sent at once.
const CHUNK: usize = 256 * 1024;

pub async fn copy<R: Row>(db: &mut PgConnection, rows: &[R]) -> Result<(), ProjectorError> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns: Vec<&str> = R::COLUMNS.iter().map(|(column, _)| *column).collect();
    let mut into = db.copy_in_raw(&format!("COPY {} ({}) FROM STDIN", R::TABLE, columns.join(", "))).await?;
    let mut text = String::with_capacity(CHUNK + 4096);
    for row in rows {
        write(&mut text, &serde_json::to_value(row)?, R::COLUMNS);
        if text.len() >= CHUNK {
            into.send(text.as_bytes()).await?;
            text.clear();
        }
    }
    into.send(text.as_bytes()).await?;
    into.finish().await?;
    Ok(())
}

fn write(text: &mut String, row: &Value, columns: &[(&str, Option<&str>)]) {
    for (nth, (column, becomes)) in columns.iter().enumerate() {
        if nth > 0 {
            text.push('\t');
        }
        match &row[column] {
            Value::Null => text.push_str("\\N"),
            Value::String(string) => escape(text, string),
            Value::Array(items) if *becomes == Some("uuid[]") => escape(text, &array(items)),
            value => escape(text, &value.to_string()),
        }
    }
    text.push('\n');
}

fn array(items: &[Value]) -> String {
    // JSON quotes and escapes strings as arrays of PostgreSQL do, as far as ids and names go.
    let items: Vec<String> = items.iter().map(Value::to_string).collect();
    format!("{{{}}}", items.join(","))
}

fn escape(text: &mut String, value: &str) {
    for part in value.split_inclusive(['\\', '\n', '\r', '\t']) {
        let (plain, special) = match part.char_indices().next_back() {
            Some((at, '\\')) => (&part[..at], "\\\\"),
            Some((at, '\n')) => (&part[..at], "\\n"),
            Some((at, '\r')) => (&part[..at], "\\r"),
            Some((at, '\t')) => (&part[..at], "\\t"),
            Some(_) | None => (part, ""),
        };
        text.push_str(plain);
        text.push_str(special);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn delimiters_of_fields_and_rows_are_escaped() {
        let mut text = String::new();
        let row = json!({"a": "tab\there\\ \r\n", "b": null, "c": ["x", "y"], "d": [{"k": "l\n"}], "e": true, "f": 7});
        let columns = ["a", "b", "c", "d", "e", "f"].map(|column| (column, (column == "c").then_some("uuid[]")));
        write(&mut text, &row, &columns);
        assert_eq!(text, "tab\\there\\\\ \\r\\n\t\\N\t{\"x\",\"y\"}\t[{\"k\":\"l\\\\n\"}]\ttrue\t7\n");
    }
}
