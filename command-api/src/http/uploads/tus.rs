use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use taskfold_domain::input::{ContentType, FileName};
use taskfold_web::headers::{ATTACHMENT_ID, POSITION, one};
use taskfold_web::{Code, Problem};
use uuid::Uuid;

use taskfold_attachments::uploads::File;
use taskfold_attachments::uploads::checksum::{ALGORITHMS, Checksum};
use taskfold_attachments::uploads::rows::Upload;

const VERSION: &str = "1.0.0";
pub const RESUMABLE: &str = "tus-resumable";
pub const OFFSET: &str = "upload-offset";
pub const LENGTH: &str = "upload-length";
pub const METADATA: &str = "upload-metadata";
const EXPIRES: &str = "upload-expires";
const CHECKSUM: &str = "upload-checksum";
/// What is offered beside the core of the protocol.
const EXTENSIONS: &str = "creation,expiration,termination,checksum";
/// Headers of extensions that are not offered. An upload that is made with one would be something else than its client thinks.
const NOT_OFFERED: [(&str, &str); 2] =
    [("upload-concat", "concatenation"), ("upload-defer-length", "creation-defer-length")];
/// The longest that goes into a file's name and type in base64, with room for what libraries add.
const METADATA_BYTES: usize = 4096;

/// Every answer says which version it is, and a refusal of another version which ones there are.
pub async fn speaks(mut response: Response) -> Response {
    let refused = response.status() == StatusCode::PRECONDITION_FAILED;
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(RESUMABLE), HeaderValue::from_static(VERSION));
    if refused {
        headers.insert(HeaderName::from_static("tus-version"), HeaderValue::from_static(VERSION));
    }
    response
}

/// What is offered, in headers.
pub fn offer(most_bytes: u64) -> Response {
    let offered = [
        ("tus-version", HeaderValue::from_static(VERSION)),
        ("tus-extension", HeaderValue::from_static(EXTENSIONS)),
        ("tus-checksum-algorithm", HeaderValue::from_static(ALGORITHMS)),
        ("tus-max-size", most_bytes.into()),
    ];
    let mut response = StatusCode::NO_CONTENT.into_response();
    for (name, value) in offered {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response
}

/// 400 for what a new upload asks of extensions that are not offered.
pub fn must_be_offered(headers: &HeaderMap) -> Result<(), Problem> {
    match NOT_OFFERED.iter().find(|(header, _)| headers.contains_key(*header)) {
        None => Ok(()),
        Some((_, extension)) => {
            let detail = format!("The extension {extension} is not offered here: leave it out");
            Err(Problem::new(Code::Malformed, detail).with("offered", EXTENSIONS))
        }
    }
}

/// `Upload-Checksum: <algorithm> <base64>`, of the body.
pub fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, Problem> {
    let Some(text) = one(headers, CHECKSUM)? else { return Ok(None) };
    let bad = || {
        let detail = format!("The header Upload-Checksum must be one of {ALGORITHMS}, and the checksum in base64");
        Problem::new(Code::Malformed, detail)
    };
    let (algorithm, sum) = text.split_once(' ').ok_or_else(bad)?;
    let sum = BASE64_STANDARD.decode(sum.trim()).map_err(|_| bad())?;
    Checksum::new(algorithm, sum).map(Some).ok_or_else(bad)
}

/// A request of another version is not understood. One that names none is taken: curl can then be used by hand.
pub fn must_be_understood(headers: &HeaderMap) -> Result<(), Problem> {
    match one(headers, RESUMABLE)? {
        None | Some(VERSION) => Ok(()),
        Some(_) => Err(Problem::new(Code::UploadProtocol, "Send `Tus-Resumable: 1.0.0`").with("spoken", VERSION)),
    }
}

/// A header that must be a number of bytes.
pub fn bytes(headers: &HeaderMap, name: &str) -> Result<u64, Problem> {
    one(headers, name)?
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Problem::invalid_field(format!("/{name}"), "must be a number of bytes, in the header"))
}

/// `Upload-Metadata: filename <base64>,filetype <base64>`; tus-js-client's users and Uppy say `filename` and `name`, `filetype`
/// and `type`.
pub fn file(metadata: Option<&str>) -> Result<File, Problem> {
    let bad = || Problem::invalid_field("/upload-metadata", "must be pairs of a name and a value in base64");
    let metadata = metadata.unwrap_or_default();
    if metadata.len() > METADATA_BYTES {
        return Err(Problem::invalid_field("/upload-metadata", format!("must have at most {METADATA_BYTES} bytes")));
    }
    let mut pairs = Vec::new();
    for pair in metadata.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = BASE64_STANDARD.decode(value.trim()).map_err(|_| bad())?;
        pairs.push((name, String::from_utf8_lossy(&value).into_owned()));
    }
    let get = |names: [&str; 2]| {
        names.iter().find_map(|name| pairs.iter().find(|(n, _)| n == name)).map(|(_, value)| value.as_str())
    };
    Ok(File {
        name: FileName::cleaned(get(["filename", "name"]).unwrap_or_default()),
        content_type: ContentType::cleaned(get(["filetype", "type"])),
    })
}

/// Where the upload is, in headers.
pub fn answer(status: StatusCode, upload: &Upload, attached: Option<(Uuid, i64)>) -> Response {
    let mut response = status.into_response();
    let expires = upload.expires_at().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let (attachment, position) = attached.unzip();
    let values = [
        (OFFSET, Some(upload.progress().size.to_string())),
        (LENGTH, Some(upload.length.to_string())),
        (METADATA, upload.metadata.clone()),
        (EXPIRES, attached.is_none().then_some(expires)),
        (ATTACHMENT_ID, attachment.map(|id| id.to_string())),
        (POSITION, position.map(|p| p.to_string())),
    ];
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in values {
        if let Some(value) = value.and_then(|v| HeaderValue::from_str(&v).ok()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_names_the_file_as_libraries_write_it() {
        let both = file(Some("filename R3LDvMOfZS50eHQ=,filetype dGV4dC9wbGFpbg==")).expect("whole");
        assert_eq!((both.name.as_str(), both.content_type.as_str()), ("Grüße.txt", "text/plain"));
        let uppy = file(Some("relativePath bnVsbA==, name YS5wbmc=,type aW1hZ2UvcG5n,is_confidential")).expect("whole");
        assert_eq!((uppy.name.as_str(), uppy.content_type.as_str()), ("a.png", "image/png"));
        assert_eq!(file(None).expect("none is fine").name.as_str(), "file");
        assert!(file(Some("filename !!")).is_err());
    }
}
