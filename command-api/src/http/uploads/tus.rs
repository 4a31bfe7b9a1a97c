//! Headers of the tus protocol.

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use taskfold_domain::input::{ContentType, FileName};
use taskfold_domain::limits::UPLOAD_METADATA_BYTES;
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
/// Supported extensions of the protocol.
const EXTENSIONS: &str = "creation,expiration,termination,checksum";
/// Headers of unsupported extensions. They must be refused, because their clients expect another kind of upload.
const UNSUPPORTED: [(&str, &str); 2] =
    [("upload-concat", "concatenation"), ("upload-defer-length", "creation-defer-length")];
/// Adds the protocol version to a response, and the supported versions to the refusal of another version.
pub async fn add_version(mut response: Response) -> Response {
    let refused = response.status() == StatusCode::PRECONDITION_FAILED;
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(RESUMABLE), HeaderValue::from_static(VERSION));
    if refused {
        headers.insert(HeaderName::from_static("tus-version"), HeaderValue::from_static(VERSION));
    }
    response
}

/// The response to `OPTIONS`.
pub fn options(max_bytes: u64) -> Response {
    let headers = [
        ("tus-version", HeaderValue::from_static(VERSION)),
        ("tus-extension", HeaderValue::from_static(EXTENSIONS)),
        ("tus-checksum-algorithm", HeaderValue::from_static(ALGORITHMS)),
        ("tus-max-size", max_bytes.into()),
    ];
    let mut response = StatusCode::NO_CONTENT.into_response();
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response
}

/// 400 for a new upload with an unsupported extension.
pub fn check_extensions(headers: &HeaderMap) -> Result<(), Problem> {
    match UNSUPPORTED.iter().find(|(header, _)| headers.contains_key(*header)) {
        None => Ok(()),
        Some((_, extension)) => {
            let detail = format!("The extension {extension} is not supported");
            Err(Problem::new(Code::Malformed, detail).with("offered", EXTENSIONS))
        }
    }
}

/// The checksum of the body: `Upload-Checksum: <algorithm> <base64>`.
pub fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, Problem> {
    let Some(text) = one(headers, CHECKSUM)? else { return Ok(None) };
    let bad = || {
        let detail = format!(
            "The header Upload-Checksum must have one of the algorithms {ALGORITHMS}, and a checksum in base64"
        );
        Problem::new(Code::Malformed, detail)
    };
    let (algorithm, sum) = text.split_once(' ').ok_or_else(bad)?;
    let sum = BASE64_STANDARD.decode(sum.trim()).map_err(|_| bad())?;
    Checksum::new(algorithm, sum).map(Some).ok_or_else(bad)
}

/// 412 for a request of another protocol version. The header may be absent, so that curl can be used by hand.
pub fn check_version(headers: &HeaderMap) -> Result<(), Problem> {
    match one(headers, RESUMABLE)? {
        None | Some(VERSION) => Ok(()),
        Some(_) => Err(Problem::new(Code::UploadProtocol, "Send `Tus-Resumable: 1.0.0`").with("spoken", VERSION)),
    }
}

/// A header with a number of bytes.
pub fn bytes(headers: &HeaderMap, name: &str) -> Result<u64, Problem> {
    one(headers, name)?
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Problem::invalid_field(format!("/{name}"), "must be a number of bytes, in the header"))
}

/// Name and type of the file: `Upload-Metadata: filename <base64>,filetype <base64>`. Some clients send `name` and
/// `type` instead.
pub fn file(metadata: Option<&str>) -> Result<File, Problem> {
    let bad = || Problem::invalid_field("/upload-metadata", "must be a list of keys, each with a value in base64");
    let metadata = metadata.unwrap_or_default();
    if metadata.len() > UPLOAD_METADATA_BYTES {
        return Err(Problem::invalid_field(
            "/upload-metadata",
            format!("must have at most {UPLOAD_METADATA_BYTES} bytes"),
        ));
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
        content_type: ContentType::declared(get(["filetype", "type"]))
            .map_err(|error| Problem::invalid_field("/upload-metadata", format!("filetype {error}")))?,
    })
}

/// The state of an upload, in headers.
pub fn response(status: StatusCode, upload: &Upload, attached: Option<(Uuid, i64)>) -> Response {
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
    fn metadata_is_read_as_libraries_write_it() {
        let both = file(Some("filename R3LDvMOfZS50eHQ=,filetype dGV4dC9wbGFpbg==")).expect("valid metadata");
        assert_eq!((both.name.as_str(), both.content_type.as_str()), ("Grüße.txt", "text/plain"));
        let uppy = file(Some("relativePath bnVsbA==, name YS5wbmc=,type aW1hZ2UvcG5n,is_confidential"))
            .expect("valid metadata");
        assert_eq!((uppy.name.as_str(), uppy.content_type.as_str()), ("a.png", "image/png"));
        assert_eq!(file(None).expect("no metadata").name.as_str(), "file");
        assert!(file(Some("filename !!")).is_err());
        assert!(file(Some("filetype aW1hZ2UvcG5nLHRleHQvaHRtbA==")).is_err(), "two types");
    }
}
