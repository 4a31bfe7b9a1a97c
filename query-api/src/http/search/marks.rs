//! Excerpts with the matches marked, as safe HTML.

use serde::{Serialize, Serializer};

/// Text in which private-use characters mark the matches and stand for angle brackets. Its JSON is HTML: everything is
/// escaped, and the marks become `<mark>`.
#[derive(Debug, sqlx::Type)]
#[sqlx(transparent)]
pub struct Marked(String);

impl Serialize for Marked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&html(&self.0))
    }
}

fn html(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 32);
    for c in text.chars() {
        match c {
            '\u{E000}' => html.push_str("<mark>"),
            '\u{E001}' => html.push_str("</mark>"),
            '&' => html.push_str("&amp;"),
            '<' | '\u{E002}' => html.push_str("&lt;"),
            '>' | '\u{E003}' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_marks_are_markup() {
        let text = "<script\u{E003}\u{E000}alert\u{E001}('x') & \"y\"\u{E002}/script>";
        let shown = "&lt;script&gt;<mark>alert</mark>(&#39;x&#39;) &amp; &quot;y&quot;&lt;/script&gt;";
        assert_eq!(html(text), shown);
    }
}
