//! Texts and numbers of commands. They are checked while the request is read, so that a handler never sees one that is
//! too long, empty or unstorable (PostgreSQL has no NUL in text).

/// Names and types of files, cleaned of what other systems cannot handle.
mod file;
/// Names and titles of one line.
pub mod line;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::limits::{
    COLOR_BYTES, COMMENT_BYTES, DESCRIPTION_BYTES, EMOJI_BYTES, FILE_NAME_BYTES, FILTER_QUERY_CHARS, ITEM_CHARS,
    NAME_CHARS, REASON_CHARS, TITLE_CHARS,
};

/// Reason for which an input is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInput {
    #[error("must have {min} to {max} characters")]
    Length { min: usize, max: usize },
    #[error("must have at most {max} bytes of UTF-8")]
    Bytes { max: usize },
    #[error("must not contain the character U+0000")]
    Nul,
    #[error("must be one line, without control characters and characters that override the direction of text")]
    Line,
    #[error("must have a visible character")]
    Invisible,
    #[error("must be a colour name of at most {COLOR_BYTES} characters, or #rrggbb")]
    Color,
    #[error("must be an emoji: 1 to {EMOJI_BYTES} bytes of UTF-8 without white space")]
    Emoji,
    #[error("must be {min} to {max}")]
    Range { min: i64, max: i64 },
    #[error("must be a time between the years 0001 and 9999")]
    Time,
    #[error("must be a file's name, without folders and control characters, of at most {FILE_NAME_BYTES} bytes")]
    FileName,
    #[error("must be a media type, such as image/png")]
    ContentType,
    #[error("must be a SHA-256 in lower-case hexadecimal")]
    Sha256,
}

fn chars(text: &str, min: usize, max: usize) -> Result<(), InvalidInput> {
    no_nul(text)?;
    let count = if text.len() <= max { text.chars().count() } else { text.chars().take(max + 1).count() };
    if (min..=max).contains(&count) && (min == 0 || !text.trim().is_empty()) {
        Ok(())
    } else {
        Err(InvalidInput::Length { min, max })
    }
}

/// Checks a name: one line of visible text.
fn line(text: &str, max: usize) -> Result<(), InvalidInput> {
    chars(text, 1, max)?;
    line::is_line(text)
}

fn bytes(text: &str, max: usize) -> Result<(), InvalidInput> {
    no_nul(text)?;
    if text.len() <= max { Ok(()) } else { Err(InvalidInput::Bytes { max }) }
}

fn no_nul(text: &str) -> Result<(), InvalidInput> {
    if text.contains('\0') { Err(InvalidInput::Nul) } else { Ok(()) }
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl TryFrom<String> for $name {
            type Error = InvalidInput;
            fn try_from(text: String) -> Result<Self, InvalidInput> {
                let check: fn(&str) -> Result<(), InvalidInput> = $check;
                check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )*};
}

texts! {
    /// A task's title, one line of 1 to 500 characters.
    Title: |t| line(t, TITLE_CHARS);
    /// A name of a project, column, checklist, team, filter, token or person: one line of 1 to 500 characters.
    Name: |t| line(t, NAME_CHARS);
    /// A label's name, which may be empty: one line of at most 500 characters.
    LabelName: |t| if t.is_empty() { Ok(()) } else { line(t, NAME_CHARS) };
    /// Markdown, at most 64 KiB.
    Description: |t| bytes(t, DESCRIPTION_BYTES);
    /// A comment, at most 16 KiB and not empty.
    CommentText: |t| { bytes(t, COMMENT_BYTES)?; chars(t, 1, COMMENT_BYTES) };
    /// A checklist item: 1 to 2,000 characters.
    ItemText: |t| chars(t, 1, ITEM_CHARS);
    /// Reason of a cancellation or failure: at most 2,000 characters.
    Reason: |t| chars(t, 1, REASON_CHARS);
    /// Query parameters, at most 2,000 characters.
    FilterQuery: |t| chars(t, 0, FILTER_QUERY_CHARS);
    /// One emoji, or a short word instead: at most 32 bytes without white space.
    Emoji: emoji;
    /// A colour name, or `#rrggbb`.
    Color: color;
    /// A file's name without its folders, 1 to 255 bytes.
    FileName: file::is_name;
    /// A media type with its parameters, as `Content-Type` has it.
    ContentType: file::is_content_type;
    /// 64 digits.
    Sha256Hex: file::is_sha256;
}

fn emoji(text: &str) -> Result<(), InvalidInput> {
    let fits = (1..=EMOJI_BYTES).contains(&text.len())
        && !text.chars().any(|c| c.is_whitespace())
        && line::is_line(text).is_ok();
    if fits { Ok(()) } else { Err(InvalidInput::Emoji) }
}

fn color(text: &str) -> Result<(), InvalidInput> {
    let hex = text.strip_prefix('#');
    let ok = match hex {
        Some(hex) => hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => {
            (1..=COLOR_BYTES).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        }
    };
    if ok { Ok(()) } else { Err(InvalidInput::Color) }
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident: $min:tt..=$max:tt;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "i64", into = "i64")]
        #[schema(value_type = i32, minimum = $min, maximum = $max)]
        pub struct $name(u32);

        impl TryFrom<i64> for $name {
            type Error = InvalidInput;
            fn try_from(number: i64) -> Result<Self, InvalidInput> {
                let out = InvalidInput::Range { min: $min, max: $max };
                if !($min..=$max).contains(&number) {
                    return Err(out);
                }
                u32::try_from(number).map(Self).map_err(|_| out)
            }
        }

        impl From<$name> for i64 {
            fn from(number: $name) -> i64 {
                i64::from(number.0)
            }
        }

        impl $name {
            pub fn get(self) -> u32 {
                self.0
            }
        }
    )*};
}

numbers! {
    /// Limit of tasks in a column, 1 to 10,000.
    WipLimit: 1..=10_000;
    /// An estimate in minutes, up to about a working decade.
    Minutes: 0..=10_000_000;
    /// Progress of a running task in percent.
    Percent: 0..=100;
}

/// Size of a file in bytes; uploads set the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct FileSize(u64);

impl TryFrom<u64> for FileSize {
    type Error = InvalidInput;
    /// Accepts sizes that PostgreSQL and JavaScript can represent.
    fn try_from(size: u64) -> Result<Self, InvalidInput> {
        const MAX: i64 = (1 << 53) - 1;
        let fits = i64::try_from(size).is_ok_and(|size| size <= MAX);
        if fits { Ok(Self(size)) } else { Err(InvalidInput::Range { min: 0, max: MAX }) }
    }
}

impl From<FileSize> for u64 {
    fn from(size: FileSize) -> u64 {
        size.0
    }
}

impl FileSize {
    pub fn get(self) -> u64 {
        self.0
    }
}

/// A time a client may send: RFC 3339, years 0001 to 9999 (what PostgreSQL and every client can hold).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "chrono::DateTime<chrono::Utc>", into = "Timestamp")]
#[schema(value_type = String, format = DateTime)]
pub struct Time(Timestamp);

impl TryFrom<chrono::DateTime<chrono::Utc>> for Time {
    type Error = InvalidInput;
    fn try_from(time: chrono::DateTime<chrono::Utc>) -> Result<Self, InvalidInput> {
        Timestamp::within_bounds(time).map(Self).ok_or(InvalidInput::Time)
    }
}

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl From<Time> for Timestamp {
    fn from(time: Time) -> Self {
        time.0
    }
}
