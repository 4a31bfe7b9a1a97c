use serde::{Serialize, Serializer};

/// Makes PostgreSQL put marks round what was found that no text of ours has: characters of private use, which are taken out
/// of the text before. Two more stand for angle brackets, between which it would see HTML and leave it out.
macro_rules! headline {
    ($text:literal, $options:literal) => {
        concat!(
            "ts_headline('pg_catalog.simple', translate(",
            $text,
            ", '<>\u{E000}\u{E001}\u{E002}\u{E003}', '\u{E002}\u{E003}'), f.terms, 'StartSel=\u{E000}, StopSel=\u{E001}, ",
            $options,
            "')"
        )
    };
}
pub(crate) use headline;

/// A text with marks in it. As JSON it is HTML: everything is escaped, and then the marks become `<mark>`.
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
    fn nothing_but_the_marks_is_markup() {
        let text = "<script\u{E003}\u{E000}alert\u{E001}('x') & \"y\"\u{E002}/script>";
        let shown = "&lt;script&gt;<mark>alert</mark>(&#39;x&#39;) &amp; &quot;y&quot;&lt;/script&gt;";
        assert_eq!(html(text), shown);
    }
}
