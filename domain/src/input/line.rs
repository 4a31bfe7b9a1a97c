//! Names and titles: one line of text that people can see and tell apart.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

use super::InvalidInput;

/// Checks that a name is one line, has something to see, and does not change the direction of what surrounds it. Marks
/// that choose a direction for themselves (U+200E, U+200F, U+061C) and joiners are part of correct spelling.
pub fn is_line(text: &str) -> Result<(), InvalidInput> {
    if !text.is_ascii() && text.chars().any(is_unwanted) || text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(InvalidInput::Line);
    }
    if is_visible(text) { Ok(()) } else { Err(InvalidInput::Invisible) }
}

/// Makes one line of a text: a space for line breaks and tabs, and nothing for other characters that a name must not
/// have. It may be invisible still.
pub fn to_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut breaks = false;
    for c in text.chars() {
        if c.is_whitespace() && is_unwanted(c) {
            breaks = true;
        } else if !is_unwanted(c) {
            if std::mem::take(&mut breaks) && !line.is_empty() {
                line.push(' ');
            }
            line.push(c);
        }
    }
    line
}

/// Tells whether a text has a character that leaves ink.
pub fn is_visible(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_graphic()) || text.chars().any(has_ink)
}

fn has_ink(c: char) -> bool {
    match c.general_category_group() {
        GeneralCategoryGroup::Letter
        | GeneralCategoryGroup::Number
        | GeneralCategoryGroup::Punctuation
        | GeneralCategoryGroup::Symbol => {
            // Fillers of Hangul, blank hieroglyphs, the empty pattern of Braille and the null notehead, which are letters
            // and symbols by their category.
            !matches!(
                c,
                '\u{115f}'
                    | '\u{1160}'
                    | '\u{3164}'
                    | '\u{ffa0}'
                    | '\u{2800}'
                    | '\u{13441}'
                    | '\u{13442}'
                    | '\u{1d159}'
            )
        }
        // An icon of a font, or a character newer than this program, unless it is reserved for invisible ones
        // (Default_Ignorable_Code_Point).
        GeneralCategoryGroup::Other => match c.general_category() {
            GeneralCategory::Unassigned => {
                !matches!(c, '\u{2065}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}')
            }
            category => category == GeneralCategory::PrivateUse,
        },
        // A mark alone belongs to no letter.
        GeneralCategoryGroup::Mark | GeneralCategoryGroup::Separator => false,
    }
}

/// Tells control characters, separators of lines and paragraphs, and the characters that embed, override or isolate a
/// direction (Unicode Standard Annex 9, 2).
pub(super) fn is_unwanted(c: char) -> bool {
    let category = c.general_category();
    matches!(category, GeneralCategory::Control | GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator)
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_script_are_lines() {
        for name in [
            "Website",
            "Überblick",
            "计划",
            "งาน",
            "مشروع",
            "پروژه\u{200c}ها",
            "פרויקט\u{200f}!",
            "हिन्दी",
            "👩\u{200d}🚀",
            "🏳\u{fe0f}\u{200d}🌈",
            "a  b",
            "🏴\u{e0067}\u{e0062}\u{e007f}",
            "\u{e000}",
            "한국어",
            "\u{feff}x",
        ] {
            assert_eq!(is_line(name), Ok(()), "{name:?}");
            assert_eq!(to_line(name), name);
        }
    }

    #[test]
    fn breaks_controls_and_overrides_are_no_part_of_a_line() {
        for (text, line) in [
            ("a\nb", "a b"),
            ("a\r\n\tb", "a b"),
            ("\na\n", "a"),
            ("a\u{2028}b\u{2029}c", "a b c"),
            ("a\u{85}b", "a b"),
            ("a\u{1b}[31mb", "a[31mb"),
            ("a\u{7f}\0b", "ab"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("\u{2066}a\u{2069}", "a"),
        ] {
            assert_eq!(is_line(text), Err(InvalidInput::Line), "{text:?}");
            assert_eq!(to_line(text), line);
            assert_eq!(is_line(line), Ok(()));
        }
    }

    #[test]
    fn text_without_ink_is_no_name() {
        for text in
            ["\u{200b}", "\u{200f}", "\u{3164}", "\u{2800} ", "\u{301}", "\u{fe0f}\u{feff}", "\u{a0}\u{3000}", "\u{ad}"]
        {
            assert_eq!(is_line(text), Err(InvalidInput::Invisible), "{text:?}");
        }
    }
}
