//! Name, type and digests that a request declares for its file.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use taskfold_domain::input::{ContentType, FileName, Sha256Hex};
use taskfold_web::{Code, Problem};

use taskfold_attachments::uploads::File;

pub type Sha256Bytes = [u8; 32];

/// Name and type of a body that is the file.
pub fn file(headers: &HeaderMap, name: Option<&str>) -> Result<File, Problem> {
    let disposition = headers.get(CONTENT_DISPOSITION).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let name = name.map(str::to_owned).or_else(|| file_name(&disposition?)).unwrap_or_default();
    let mut content_types = headers.get_all(CONTENT_TYPE).iter();
    let given = content_types.next().and_then(|value| value.to_str().ok());
    // Several headers are the same as one with commas (RFC 9110, 5.3).
    let given = if content_types.next().is_some() { Some(",") } else { given };
    Ok(File { name: FileName::cleaned(&name), content_type: content_type(given)? })
}

/// The declared media type of a file.
pub fn content_type(given: Option<&str>) -> Result<ContentType, Problem> {
    ContentType::declared(given).map_err(|error| Problem::invalid_field("/content_type", error.to_string()))
}

/// Name in `Content-Disposition` (RFC 6266): `filename*` before `filename`.
fn file_name(disposition: &str) -> Option<String> {
    let parameters = parameters(disposition);
    let get = |name: &str| parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
    get("filename*").and_then(extended).or_else(|| get("filename").map(str::to_owned))
}

/// Parameters after the first semicolon: `name=value` and `name="va\"lue"`.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    let mut rest = text.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((name, value)) = rest.split_once('=') {
        let name = name.trim().trim_start_matches(';').trim().to_owned();
        let value = value.trim_start();
        let mut text = String::new();
        rest = match value.strip_prefix('"') {
            None => {
                let (bare, rest) = value.split_once(';').unwrap_or((value, ""));
                text.push_str(bare.trim());
                rest
            }
            Some(quoted) => {
                let mut chars = quoted.char_indices();
                let mut end = quoted.len();
                while let Some((at, c)) = chars.next() {
                    match c {
                        '"' => {
                            end = at + 1;
                            break;
                        }
                        '\\' => text.extend(chars.next().map(|(_, escaped)| escaped)),
                        c => text.push(c),
                    }
                }
                let rest = &quoted[end..];
                rest.split_once(';').map_or("", |(_, rest)| rest)
            }
        };
        parameters.push((name, text));
    }
    parameters
}

/// Decodes `UTF-8'en'Gr%C3%BC%C3%9Fe` (RFC 8187).
fn extended(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _, text) = (parts.next()?, parts.next()?, parts.next()?);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first == b'%' {
            let digits = std::str::from_utf8(behind.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &behind[2..];
        } else {
            bytes.push(*first);
        }
    }
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" => String::from_utf8(bytes).ok(),
        "iso-8859-1" => Some(bytes.into_iter().map(char::from).collect()),
        _ => None,
    }
}

/// The SHA-256 of the file, as declared in the query and, if the body is the file, in `Repr-Digest` and
/// `Content-Digest` (RFC 9530) or their predecessor `Digest`. Other algorithms are ignored.
pub fn digests(headers: Option<&HeaderMap>, query: Option<&Sha256Hex>) -> Result<Vec<Sha256Bytes>, Problem> {
    let mut digests: Vec<Sha256Bytes> = query.and_then(|hex| from_hex(hex.as_str())).into_iter().collect();
    for name in ["repr-digest", "content-digest", "digest"] {
        let Some(headers) = headers else { break };
        for line in headers.get_all(name) {
            let bad = || Problem::new(Code::Malformed, format!("The header {name} has no SHA-256 in base64"));
            let line = line.to_str().map_err(|_| bad())?;
            for entry in line.split(',') {
                let Some((algorithm, value)) = entry.trim().split_once('=') else { continue };
                if algorithm.eq_ignore_ascii_case("sha-256") {
                    let value = value.split(';').next().unwrap_or_default().trim().trim_matches(':');
                    let bytes = BASE64_STANDARD.decode(value).map_err(|_| bad())?;
                    digests.push(bytes.try_into().map_err(|_| bad())?);
                }
            }
        }
    }
    Ok(digests)
}

fn from_hex(text: &str) -> Option<Sha256Bytes> {
    let mut bytes = Sha256Bytes::default();
    hex::decode_to_slice(text, &mut bytes).is_ok().then_some(bytes)
}

pub fn to_hex(bytes: &Sha256Bytes) -> String {
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn names_are_found_however_they_are_written() {
        let cases = [
            (r#"attachment; filename="notes.pdf""#, Some("notes.pdf")),
            ("attachment; filename=notes.pdf; size=7", Some("notes.pdf")),
            (r#"attachment; filename="a\"b;c.txt"; x=y"#, Some("a\"b;c.txt")),
            ("attachment; filename=\"fallback\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt", Some("Grüße.txt")),
            ("attachment; FILENAME*=iso-8859-1'en'%A3.txt", Some("£.txt")),
            ("attachment; filename=\"ok\"; filename*=UTF-8''%ff", Some("ok")),
            ("attachment; filename=\"日本.png\"", Some("日本.png")),
            ("attachment; filename=\"open", Some("open")),
            ("attachment", None),
            ("", None),
        ];
        for (header, name) in cases {
            assert_eq!(file_name(header).as_deref(), name, "{header}");
        }
    }

    #[test]
    fn digests_are_read_from_the_headers_of_two_generations() {
        let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("repr-digest", format!("sha-512=:AAAA:, sha-256=:{hash}:")), ("digest", format!("SHA-256={hash},MD5=x"))]
        {
            headers.insert(name, HeaderValue::from_str(&value).expect("ASCII"));
        }
        let digests = digests(Some(&headers), None).expect("both are valid");
        assert_eq!(digests.len(), 2);
        assert!(digests.iter().all(|d| to_hex(d).starts_with("e3b0c44298fc1c14") && from_hex(&to_hex(d)) == Some(*d)));
        headers.insert("digest", HeaderValue::from_static("sha-256=short"));
        assert!(super::digests(Some(&headers), None).is_err());
    }
}
