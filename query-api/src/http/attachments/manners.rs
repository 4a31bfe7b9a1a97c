//! A file is whatever somebody sent, and is shown on our origin: nothing in it may run there.

use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};

/// Shown in place; all others are saved. No SVG, HTML or XML, which bring scripts along.
const SHOWN: &[&str] = &[
    "application/pdf",
    "audio/aac",
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "audio/webm",
    "audio/x-wav",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/plain",
    "video/mp4",
    "video/ogg",
    "video/quicktime",
    "video/webm",
];
const PDF: &str = "application/pdf";
const SANDBOX: &str = "sandbox; default-src 'none'";
/// Browsers do not open their PDF viewers in a sandbox, and what a PDF runs cannot leave the viewer.
const SANDBOX_OF_PDF: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Says what the file is and what a browser may do with it.
pub fn teach(headers: &mut HeaderMap, content_type: &str, file_name: &str) {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let shown = SHOWN.contains(&essence.as_str());
    let policy = if essence == PDF { SANDBOX_OF_PDF } else { SANDBOX };
    let bytes = HeaderValue::from_static("application/octet-stream");
    let disposition = disposition(if shown { "inline" } else { "attachment" }, file_name);
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap_or(bytes));
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment")),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
}

/// RFC 6266: the name in ASCII for those who know no better, and as it is (RFC 8187).
fn disposition(kind: &str, name: &str) -> String {
    let plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%');
    let ascii: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    if ascii == name {
        return format!("{kind}; filename=\"{ascii}\"");
    }
    let attr_char = |b: u8| b.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&b);
    let encoded: String =
        name.bytes().map(|b| if attr_char(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
    format!("{kind}; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taught(content_type: &str, name: &str) -> [String; 3] {
        let mut headers = HeaderMap::new();
        teach(&mut headers, content_type, name);
        [CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE]
            .map(|name| headers[name].to_str().expect("ASCII").to_owned())
    }

    #[test]
    fn what_can_run_is_saved_and_never_shown() {
        for dangerous in
            ["text/html", "TEXT/HTML; charset=utf-8", "image/svg+xml", "application/xhtml+xml", "text/xml", "x/y"]
        {
            let [disposition, policy, kept] = taught(dangerous, "a.html");
            assert_eq!((disposition.as_str(), policy.as_str()), ("attachment; filename=\"a.html\"", SANDBOX));
            assert_eq!(kept, dangerous);
        }
        for fine in ["image/png", "Video/MP4", "text/plain; charset=utf-8"] {
            assert!(taught(fine, "a")[0].starts_with("inline"), "{fine}");
        }
    }

    #[test]
    fn names_beyond_ascii_are_given_twice() {
        let [disposition, ..] = taught("image/png", "Gr\u{fc}\u{df}e \"50%\".png");
        let expected = "inline; filename=\"Gr__e _50__.png\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%2250%25%22.png";
        assert_eq!(disposition, expected);
    }
}
