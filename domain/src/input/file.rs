//! Names, types and digests of files.

use super::line::{is_unwanted, is_visible};
use super::{ContentType, FileName, InvalidInput};
use crate::limits::{CONTENT_TYPE_BYTES, FILE_NAME_BYTES};

/// Name of a file without a usable name.
const NAMELESS: &str = "file";
/// Maximum length of an ending; a longer one is part of the name.
const ENDING_BYTES: usize = 20;
const BYTES: &str = "application/octet-stream";

pub fn is_name(name: &str) -> Result<(), InvalidInput> {
    let ok = (1..=FILE_NAME_BYTES).contains(&name.len())
        && name.trim() == name
        && ![".", ".."].contains(&name)
        && !name.contains(unwanted)
        && is_visible(name);
    if ok { Ok(()) } else { Err(InvalidInput::FileName) }
}

/// Tells characters that may not be in a name: separators of folders, control characters, and the marks that reverse
/// text so that `exe.jpg` is read where the name is `gpj.exe`.
fn unwanted(c: char) -> bool {
    matches!(c, '/' | '\\' | '\u{200e}' | '\u{200f}') || is_unwanted(c)
}

/// Checks `type/subtype` and parameters (RFC 9110, 8.3.1): visible ASCII, as it is sent in a header again. A comma would
/// make two types of it, of which browsers take the last one.
pub fn is_content_type(text: &str) -> Result<(), InvalidInput> {
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    let ok = text.len() <= CONTENT_TYPE_BYTES
        && text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b',')
        && essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
    if ok { Ok(()) } else { Err(InvalidInput::ContentType) }
}

pub fn is_sha256(text: &str) -> Result<(), InvalidInput> {
    let ok = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if ok { Ok(()) } else { Err(InvalidInput::Sha256) }
}

impl FileName {
    /// Removes folders and characters that may not be in a name; cuts a long name before its ending.
    pub fn cleaned(given: &str) -> Self {
        let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
        let kept: String = last.chars().filter(|c| !unwanted(*c)).collect();
        let kept = kept.trim();
        let ending = kept.rfind('.').map_or("", |dot| &kept[dot..]);
        let ending = if ending.len() <= ENDING_BYTES { ending } else { "" };
        let stem = &kept[..kept.len() - ending.len()];
        let stem = &stem[..stem.floor_char_boundary(FILE_NAME_BYTES - ending.len())];
        let name = format!("{stem}{ending}").trim().to_owned();
        Self::try_from(name).unwrap_or_else(|_| Self(NAMELESS.to_owned()))
    }
}

impl ContentType {
    /// Reads a declared media type. Several are refused; anything else that is not valid becomes that of arbitrary bytes.
    pub fn declared(given: Option<&str>) -> Result<Self, InvalidInput> {
        if given.is_some_and(|text| text.contains(',')) {
            Err(InvalidInput::ContentType)
        } else {
            Ok(Self::cleaned(given))
        }
    }

    /// Takes a valid media type as given; anything else becomes that of arbitrary bytes.
    pub fn cleaned(given: Option<&str>) -> Self {
        let given = given.map(str::trim).unwrap_or_default();
        Self::try_from(given.to_owned()).unwrap_or_else(|_| Self(BYTES.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_folders_and_invalid_characters() {
        let cases = [
            ("notes.pdf", "notes.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\ada\\Grüße.txt", "Grüße.txt"),
            ("a\r\nSet-Cookie: x\0.txt", "aSet-Cookie: x.txt"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("  spaced.txt ", "spaced.txt"),
            ("", "file"),
            ("..", "file"),
            ("a/", "file"),
            ("\u{1}", "file"),
            ("\u{200b}", "file"),
            ("a\u{2028}b", "ab"),
        ];
        for (given, clean) in cases {
            assert_eq!(FileName::cleaned(given).as_str(), clean, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_between_characters_and_keeps_its_ending() {
        for long in [format!("{}.tar.gz", "ü".repeat(300)), "日".repeat(300), format!("a.{}", "b".repeat(400))] {
            let name = FileName::cleaned(&long);
            assert!((250..=255).contains(&name.as_str().len()), "{}", name.as_str());
            assert_eq!(name.as_str().ends_with(".gz"), long.ends_with(".gz"));
        }
    }

    #[test]
    fn an_invalid_content_type_becomes_octet_stream() {
        for good in ["image/png", "text/html; charset=utf-8", "application/vnd.api+json"] {
            assert_eq!(ContentType::cleaned(Some(good)).as_str(), good);
        }
        for bad in [
            None,
            Some(""),
            Some("png"),
            Some("a/b/c"),
            Some("text/plain\r\nx: y"),
            Some("tëxt/plain"),
            Some("image/png;, text/html"),
        ] {
            assert_eq!(ContentType::cleaned(bad).as_str(), BYTES, "{bad:?}");
        }
        assert_eq!(ContentType::declared(Some("image/png, text/html")), Err(InvalidInput::ContentType));
        assert_eq!(ContentType::declared(Some("png")).map(String::from).as_deref(), Ok(BYTES));
    }
}
