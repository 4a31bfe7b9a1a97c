//! Headers of file content. Files are user content on this origin, and must not run scripts here.

use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};
use taskfold_web::security_headers::RESOURCE_POLICY;

/// Types that are displayed; all others are downloaded. SVG, HTML and XML are not among them, because they can contain
/// scripts.
const INLINE_TYPES: &[&str] = &[
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
const BYTES: &str = "application/octet-stream";
const PDF: &str = "application/pdf";
const SANDBOX_POLICY: &str = "sandbox; default-src 'none'; frame-ancestors 'none'";
/// Browsers do not open their PDF viewers in a sandbox, and scripts in a PDF cannot leave the viewer.
const PDF_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// Sets the type of the file, and restricts what a browser may do with it.
pub fn insert(headers: &mut HeaderMap, content_type: &str, file_name: &str) {
    // Earlier versions accepted several types, of which a browser takes the last one.
    let content_type = if content_type.contains(',') { BYTES } else { content_type };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_inline = INLINE_TYPES.contains(&essence.as_str());
    let policy = if essence == PDF { PDF_POLICY } else { SANDBOX_POLICY };
    let fallback = HeaderValue::from_static(BYTES);
    let disposition = disposition(if is_inline { "inline" } else { "attachment" }, file_name);
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap_or(fallback));
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment")),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    // Frontends of other origins display pictures and videos.
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
}

/// Builds `Content-Disposition` (RFC 6266): the name in ASCII, and the exact name if it differs (RFC 8187).
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

    fn headers_of(content_type: &str, name: &str) -> [String; 3] {
        let mut headers = HeaderMap::new();
        insert(&mut headers, content_type, name);
        [CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE]
            .map(|name| headers[name].to_str().expect("ASCII").to_owned())
    }

    #[test]
    fn types_with_scripts_are_downloaded_and_never_displayed() {
        for dangerous in
            ["text/html", "TEXT/HTML; charset=utf-8", "image/svg+xml", "application/xhtml+xml", "text/xml", "x/y"]
        {
            let [disposition, policy, kept] = headers_of(dangerous, "a.html");
            assert_eq!((disposition.as_str(), policy.as_str()), ("attachment; filename=\"a.html\"", SANDBOX_POLICY));
            assert_eq!(kept, dangerous);
        }
        let [disposition, _, replaced] = headers_of("image/png;, text/html", "a");
        assert!(disposition.starts_with("attachment") && replaced == BYTES, "{replaced}");
        for fine in ["image/png", "Video/MP4", "text/plain; charset=utf-8"] {
            assert!(headers_of(fine, "a")[0].starts_with("inline"), "{fine}");
        }
    }

    #[test]
    fn names_beyond_ascii_are_sent_twice() {
        let [disposition, ..] = headers_of("image/png", "Gr\u{fc}\u{df}e \"50%\".png");
        let expected = "inline; filename=\"Gr__e _50__.png\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%2250%25%22.png";
        assert_eq!(disposition, expected);
    }
}
